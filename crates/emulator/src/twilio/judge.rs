//! What Twilio makes of an answer (<https://www.twilio.com/docs/usage/webhooks/voice-webhooks>, and the pages of the
//! error codes).

use http::{HeaderMap, StatusCode, header};

use super::Channel;
use super::story::Finding;
use super::twiml::{self, Element};

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// What there is to do.
    pub document: Document,
}

/// What an answer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// To act out a `<Response>`.
    Twiml(Element),
    /// To play a recording.
    Audio,
    /// To say a text, or to send it.
    Text(String),
    /// Nothing that Twilio understands.
    Nothing,
}

impl Judgement {
    /// The first finding that is an error.
    #[must_use]
    pub fn error(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.is_error())
    }

    fn of(document: Document) -> Self {
        Self { findings: Vec::new(), document }
    }

    fn wrong(code: u32, sentence: impl Into<String>) -> Self {
        Self { findings: vec![Finding::error(code, sentence)], document: Document::Nothing }
    }
}

/// Judges the answer to an incoming call or message.
#[must_use]
pub fn judge(channel: Channel, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Judgement {
    if status.is_client_error() || status.is_server_error() {
        return Judgement::wrong(11217, format!("the answer is a {}: Twilio wants a 2xx.", status.as_u16()));
    }
    if !status.is_success() {
        return Judgement::wrong(11200, format!("the answer is a {}: Twilio wants a 2xx.", status.as_u16()));
    }
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return Judgement::wrong(11200, "the answer has no Content-Type, which Twilio treats as a 502.");
    };
    let content_type = String::from_utf8_lossy(content_type.as_bytes());
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match (media_type.as_str(), channel) {
        ("text/xml" | "application/xml" | "text/html", _) => document(channel, body),
        ("text/plain", Channel::Voice) => {
            let text = String::from_utf8_lossy(body.get(..LONGEST).unwrap_or(body)).into_owned();
            let warning = "the answer is text/plain: Twilio says it to the caller and hangs up. Answer TwiML as text/xml.";
            Judgement { findings: vec![Finding::notice(warning)], document: Document::Text(text) }
        }
        ("text/plain", Channel::Messaging) => {
            let text = String::from_utf8_lossy(body.get(..LONGEST).unwrap_or(body)).into_owned();
            let warning = "the answer is text/plain: Twilio would text this to the sender. Answer `<Response/>` as text/xml to \
                           say nothing.";
            Judgement { findings: vec![Finding::notice(warning)], document: Document::Text(text) }
        }
        (audio, Channel::Voice) if audio.starts_with("audio/") => Judgement::of(Document::Audio),
        (other, _) => Judgement::wrong(
            12300,
            format!(
                "the answer is `{other}`, which Twilio takes for no instruction: answer TwiML as text/xml."
            ),
        ),
    }
}

fn document(channel: Channel, body: &[u8]) -> Judgement {
    if body.len() > LONGEST {
        return Judgement::wrong(11750, "the TwiML is longer than 64 kB.");
    }
    match twiml::parse(body) {
        Ok(response) => Judgement {
            findings: twiml::strangers(&response, channel)
                .into_iter()
                .map(|stranger| Finding::warning(12200, format!("{stranger}.")))
                .collect(),
            document: Document::Twiml(response),
        },
        Err(fault) => Judgement::wrong(12100, format!("the TwiML cannot be read: {fault}.")),
    }
}

/// Judges the answer to a callback that only reports: Twilio looks at nothing but the status.
#[must_use]
pub fn judge_callback(status: StatusCode) -> Option<Finding> {
    let sentence =
        || format!("the status callback is answered with {}: Twilio wants a 2xx.", status.as_u16());
    (!status.is_success())
        .then(|| Finding::error(if status.is_redirection() { 11200 } else { 11217 }, sentence()))
}

/// How long TwiML may be.
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const XML: Option<&str> = Some("text/xml");
    const OK: &str = "<Response/>";

    /// Why, status, content type, body, the codes of what is found (0 for one without a code), whether it is an error.
    type Row = (&'static str, Channel, u16, Option<&'static str>, &'static str, &'static [u32], bool);

    const TABLE: &[Row] = &[
        ("as it should be", Channel::Voice, 200, XML, OK, &[], false),
        (
            "the other XML type",
            Channel::Messaging,
            201,
            Some("Application/XML; charset=utf-8"),
            OK,
            &[],
            false,
        ),
        ("HTML is taken for TwiML", Channel::Voice, 200, Some("text/html"), OK, &[], false),
        ("HTML that is HTML", Channel::Voice, 200, Some("text/html"), "<html></html>", &[12100], true),
        ("no content type", Channel::Voice, 200, None, OK, &[11200], true),
        ("no content", Channel::Messaging, 204, None, "", &[11200], true),
        ("JSON", Channel::Messaging, 200, Some("application/json"), "{}", &[12300], true),
        ("audio for a call", Channel::Voice, 200, Some("audio/mpeg"), "x", &[], false),
        ("audio for a message", Channel::Messaging, 200, Some("audio/mpeg"), "x", &[12300], true),
        ("text that is spoken", Channel::Voice, 200, Some("text/plain"), "ok", &[0], false),
        ("text that is sent", Channel::Messaging, 200, Some("text/plain"), "ok", &[0], false),
        ("not found", Channel::Voice, 404, XML, OK, &[11217], true),
        ("broken", Channel::Voice, 502, XML, OK, &[11217], true),
        ("a redirect nobody follows", Channel::Voice, 304, XML, OK, &[11200], true),
        ("blanks in front", Channel::Voice, 200, XML, "\n<Response/>", &[12100], true),
        ("no Response", Channel::Voice, 200, XML, "<Say/>", &[12100], true),
        ("a bare ampersand", Channel::Voice, 200, XML, "<Response><Say>R&D</Say></Response>", &[12100], true),
        ("an empty body", Channel::Voice, 200, XML, "", &[12100], true),
        (
            "unknown verbs",
            Channel::Voice,
            200,
            XML,
            "<Response><say/><Nay/></Response>",
            &[12200, 12200],
            false,
        ),
        (
            "a call's verb for a message",
            Channel::Messaging,
            200,
            XML,
            "<Response><Say/></Response>",
            &[12200],
            false,
        ),
    ];

    fn judged(channel: Channel, status: u16, content_type: Option<&str>, body: &[u8]) -> Judgement {
        let mut headers = HeaderMap::new();
        if let Some(value) = content_type {
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
        }
        judge(channel, StatusCode::from_u16(status).unwrap(), &headers, body)
    }

    #[test]
    fn answers_are_judged_as_twilio_judges_them() {
        for (name, channel, status, content_type, body, codes, error) in TABLE {
            let judgement = judged(*channel, *status, *content_type, body.as_bytes());
            let found: Vec<_> = judgement.findings.iter().map(|finding| finding.code.unwrap_or(0)).collect();
            assert_eq!(found, *codes, "{name}: {judgement:?}");
            assert_eq!(judgement.error().is_some(), *error, "{name}: {judgement:?}");
        }
    }

    #[test]
    fn sixty_four_kilobytes_are_the_end() {
        let padded = |length: usize| format!("<Response>{}</Response>", " ".repeat(length - 21));
        assert_eq!(judged(Channel::Voice, 200, XML, padded(65_536).as_bytes()).findings, []);
        let long = judged(Channel::Voice, 200, XML, padded(65_537).as_bytes());
        assert_eq!(long.error().unwrap().code, Some(11750));
    }

    #[test]
    fn a_callback_wants_any_2xx() {
        let found =
            |status| judge_callback(StatusCode::from_u16(status).unwrap()).and_then(|finding| finding.code);
        assert_eq!([200, 204, 302, 404, 500].map(found), [None, None, Some(11200), Some(11217), Some(11217)]);
    }
}
