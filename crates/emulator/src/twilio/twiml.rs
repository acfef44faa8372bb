//! TwiML: XML with a `<Response>` at its first byte, and verbs in it
//! (<https://www.twilio.com/docs/voice/twiml>, <https://www.twilio.com/docs/messaging/twiml>).

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::{BytesStart, Event};

use super::Channel;

/// An element with what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name, in the case it was written in.
    pub name: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// The elements in it.
    pub children: Vec<Self>,
    /// Its text, with that of what is in it.
    pub text: String,
}

impl Element {
    /// An attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Its text without the blanks of its layout.
    #[must_use]
    pub fn words(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Why a document is no TwiML: Twilio's error 12100.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct XmlFault(String);

/// Reads a document.
///
/// # Errors
/// When it is not XML from its first byte on, or not one `<Response>`.
pub fn parse(document: &[u8]) -> Result<Element, XmlFault> {
    let text = std::str::from_utf8(document).map_err(|_| fault("the document is not UTF-8"))?;
    match text.chars().next() {
        Some('<') => {}
        None => return Err(fault("the document is empty")),
        Some('\u{feff}') => return Err(fault("the document begins with a byte order mark, not with `<`")),
        Some(c) if c.is_whitespace() => {
            return Err(fault("the document begins with blanks: XML must begin at the first byte"));
        }
        Some(_) => return Err(fault("the document does not begin with `<`")),
    }
    let root = read(text)?;
    match root.name.as_str() {
        "Response" => Ok(root),
        other if other.eq_ignore_ascii_case("Response") => {
            Err(fault(format!("the root element is <{other}>: TwiML is case-sensitive, write <Response>")))
        }
        other => Err(fault(format!("the root element is <{other}>, not <Response>"))),
    }
}

fn read(text: &str) -> Result<Element, XmlFault> {
    let mut reader = Reader::from_str(text);
    let mut root = None;
    let mut open: Vec<Element> = Vec::new();
    let close = |open: &mut Vec<Element>, root: &mut Option<Element>| {
        let Some(element) = open.pop() else { return };
        match open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => *root = Some(element),
        }
    };
    loop {
        match reader.read_event().map_err(|error| explain(&error))? {
            Event::Start(start) => {
                open.push(begin(&start, &open, root.is_some())?);
            }
            Event::Empty(start) => {
                open.push(begin(&start, &open, root.is_some())?);
                close(&mut open, &mut root);
            }
            Event::End(_) => close(&mut open, &mut root),
            Event::Text(part) => {
                let part = part.xml10_content().map_err(|error| fault(error.to_string()))?;
                add(&mut open, &part)?;
            }
            Event::CData(part) => {
                let part = part.xml10_content().map_err(|error| fault(error.to_string()))?;
                add(&mut open, &part)?;
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|error| fault(error.to_string()))?;
                let character = reference.resolve_char_ref().map_err(|error| explain(&error))?;
                let meant = match (character, &*name) {
                    (Some(c), _) => c.to_string(),
                    (None, "amp") => "&".to_owned(),
                    (None, "lt") => "<".to_owned(),
                    (None, "gt") => ">".to_owned(),
                    (None, "quot") => "\"".to_owned(),
                    (None, "apos") => "'".to_owned(),
                    (None, _) => return Err(bare_ampersand()),
                };
                add(&mut open, &meant)?;
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    match (open.last(), root) {
        (Some(element), _) => Err(fault(format!("<{}> is never closed", element.name))),
        (None, Some(root)) => Ok(root),
        (None, None) => Err(fault("there is no element in the document")),
    }
}

fn begin(start: &BytesStart<'_>, open: &[Element], complete: bool) -> Result<Element, XmlFault> {
    if open.is_empty() && complete {
        return Err(fault("there is a second root element after </Response>"));
    }
    if open.len() >= DEEPEST {
        return Err(fault("elements are nested deeper than any TwiML is"));
    }
    let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| fault(format!("in <{name}>: {error}")))?;
        if attribute.value.contains(&b'<') {
            return Err(fault(format!("in <{name}>: a bare `<` in an attribute, write `&lt;`")));
        }
        let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        let value = attribute.normalized_value(XmlVersion::default()).map_err(|error| match error {
            Error::Escape(_) => bare_ampersand(),
            other => explain(&other),
        })?;
        attributes.push((key, value.into_owned()));
    }
    Ok(Element { name, attributes, ..Element::default() })
}

/// Text belongs to every element that is open around it.
fn add(open: &mut [Element], part: &str) -> Result<(), XmlFault> {
    if open.is_empty() && !part.trim().is_empty() {
        return Err(fault("there is text outside of <Response>"));
    }
    for element in open {
        element.text.push_str(part);
    }
    Ok(())
}

fn explain(error: &Error) -> XmlFault {
    match error {
        Error::IllFormed(IllFormedError::UnclosedReference) | Error::Escape(_) => bare_ampersand(),
        Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
            fault(format!("<{expected}> is closed by </{found}>"))
        }
        Error::IllFormed(IllFormedError::UnmatchedEndTag(found)) => {
            fault(format!("</{found}> closes nothing"))
        }
        other => fault(other.to_string()),
    }
}

fn bare_ampersand() -> XmlFault {
    fault("a bare `&`, or an entity that XML does not have: write `&amp;`")
}

fn fault(sentence: impl Into<String>) -> XmlFault {
    XmlFault(sentence.into())
}

/// Elements that stand where Twilio's schema has none of that name: its warning 12200.
#[must_use]
pub fn strangers(response: &Element, channel: Channel) -> Vec<String> {
    let verbs = match channel {
        Channel::Voice => VOICE,
        Channel::Messaging => MESSAGING,
    };
    let mut found = Vec::new();
    for verb in &response.children {
        if !verbs.contains(&verb.name.as_str()) {
            found.push(stranger(&verb.name, "Response", verbs));
            continue;
        }
        let Some((_, nouns)) = NOUNS.iter().find(|(name, _)| *name == verb.name) else { continue };
        for noun in verb.children.iter().filter(|noun| !nouns.contains(&noun.name.as_str())) {
            found.push(stranger(&noun.name, &verb.name, nouns));
        }
    }
    found
}

fn stranger(name: &str, parent: &str, known: &[&str]) -> String {
    match known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(meant) => {
            format!("<{name}> in <{parent}> is not known: TwiML is case-sensitive, write <{meant}>")
        }
        None => format!("<{name}> is not known in <{parent}>, and is skipped"),
    }
}

/// Whether a call knows a verb.
pub(super) fn is_voice_verb(name: &str) -> bool {
    VOICE.contains(&name)
}

/// The verbs of a call.
const VOICE: &[&str] = &[
    "Connect", "Dial", "Echo", "Enqueue", "Gather", "Hangup", "Leave", "Pause", "Pay", "Play", "Prompt",
    "Queue", "Record", "Redirect", "Refer", "Reject", "Say", "Sms", "Start", "Stop",
];
/// The verbs of an answer to a message.
const MESSAGING: &[&str] = &["Message", "Redirect", "Sms"];
/// What may stand in the verbs that are acted out.
const NOUNS: &[(&str, &[&str])] = &[
    ("Gather", &["Pause", "Play", "Say"]),
    (
        "Connect",
        &[
            "AiSession",
            "Autopilot",
            "Conversation",
            "ConversationRelay",
            "ConversationRelaySession",
            "Room",
            "Stream",
            "VirtualAgent",
        ],
    ),
    ("Start", &["Recording", "Siprec", "Stream", "Transcription"]),
    ("Message", &["Body", "Media"]),
];
/// Far deeper than SSML in `<Say>` in `<Gather>` goes.
const DEEPEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_attributes_and_text_are_read() {
        let document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- hello -->\n<Response>\n  <Gather action=\"/a?x=1&amp;y=2\" \
            numDigits='1'><Say>One &amp; <emphasis>two</emphasis> &#x2615;</Say></Gather>\n <Play/><![CDATA[a & b]]></Response>\n";
        let response = parse(document.as_bytes()).unwrap();
        let [gather, play] = response.children.as_slice() else { panic!("{response:?}") };
        assert_eq!(
            (gather.attribute("action"), gather.attribute("numDigits")),
            (Some("/a?x=1&y=2"), Some("1"))
        );
        assert_eq!(gather.children[0].words(), "One & two \u{2615}");
        assert_eq!((play.name.as_str(), play.attribute("action")), ("Play", None));
        assert!(response.text.contains("a & b"));
    }

    #[test]
    fn what_is_no_twiml_says_why() {
        for (document, why) in [
            ("", "empty"),
            (" <Response/>", "begins with blanks"),
            ("\n<?xml version=\"1.0\"?><Response/>", "begins with blanks"),
            ("\u{feff}<Response/>", "byte order mark"),
            ("ok", "does not begin with `<`"),
            ("<html><body/></html>", "root element is <html>"),
            ("<response/>", "case-sensitive"),
            ("<Response>", "<Response> is never closed"),
            ("<Response><Say>x</Response>", "<Say> is closed by </Response>"),
            ("<Response></Response></Say>", "</Say> closes nothing"),
            ("<Response/><Response/>", "second root"),
            ("<Response/>trailing", "outside of <Response>"),
            ("<Response><Say>R&D</Say></Response>", "bare `&`"),
            ("<Response><Say>fish & chips; salt</Say></Response>", "bare `&`"),
            ("<Response><Say>&nbsp;</Say></Response>", "bare `&`"),
            ("<Response><Say>a&", "bare `&`"),
            ("<Response><Redirect url=\"/x?a=1&b=2\"/></Response>", "bare `&`"),
            ("<Response><Say voice=alice>x</Say></Response>", "in <Say>"),
            ("<Response><Say a=\"1\" a=\"2\"/></Response>", "in <Say>"),
            ("<Response><Say a=\"<\"/></Response>", "bare `<`"),
            ("<Response><Say", ""),
            ("<Response><!-- ", ""),
            ("<!-- only -->", "no element"),
        ] {
            let fault = parse(document.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(why), "{document}: {fault}");
        }
        assert!(parse(b"<Response>\xff</Response>").unwrap_err().to_string().contains("UTF-8"));
        let deep = format!("<Response>{}", "<Say>".repeat(10_000));
        assert!(parse(deep.as_bytes()).unwrap_err().to_string().contains("deeper"));
    }

    #[test]
    fn strangers_are_named() {
        let found =
            |document: &str, channel| strangers(&parse(document.as_bytes()).unwrap(), channel).join("; ");
        assert_eq!(
            found(
                "<Response><Say><prosody>x</prosody></Say><Gather><Say/></Gather></Response>",
                Channel::Voice
            ),
            ""
        );
        assert!(found("<Response><say>x</say></Response>", Channel::Voice).contains("write <Say>"));
        assert!(
            found("<Response><Say/></Response>", Channel::Messaging)
                .contains("<Say> is not known in <Response>")
        );
        assert!(
            found("<Response><Gather><Redirect/></Gather></Response>", Channel::Voice)
                .contains("in <Gather>")
        );
        assert_eq!(found("<Response><Message><Body>x</Body></Message></Response>", Channel::Messaging), "");
    }
}
