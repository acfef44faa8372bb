//! What the application says over a stream: counted, and judged.

use data_encoding::BASE64;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::Direction;
use crate::twilio::story::{Finding, Step};

/// What went both ways.
#[derive(Debug)]
pub(super) struct Tally {
    stream_sid: String,
    direction: Direction,
    pub(super) sent_media: u32,
    pub(super) sent_marks: u32,
    received_media: u32,
    received_bytes: u64,
    pub(super) received_marks: u32,
    pub(super) received_clears: u32,
    /// Each kind is found once in a stream, as Twilio does.
    found: [Option<Finding>; 3],
    told: [bool; 3],
}

/// What wants doing about a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Mark(String),
    Clear,
    Other,
}

impl Tally {
    pub(super) fn new(stream_sid: &str, direction: Direction) -> Self {
        Self {
            stream_sid: stream_sid.to_owned(),
            direction,
            sent_media: 0,
            sent_marks: 0,
            received_media: 0,
            received_bytes: 0,
            received_marks: 0,
            received_clears: 0,
            found: Default::default(),
            told: Default::default(),
        }
    }

    pub(super) fn hear(&mut self, message: &Message) -> Heard {
        let text = match message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => {
                self.find(0, Finding::warning(31950, "a binary message came: everything must be JSON text."));
                return Heard::Other;
            }
            _ => return Heard::Other,
        };
        if self.direction == Direction::Listens {
            let unasked = "a message came over a stream that <Start> opened, which goes one way only.";
            self.find(1, Finding::error(31924, unasked));
            return Heard::Other;
        }
        self.understand(text).unwrap_or_else(|why| {
            self.find(2, Finding::warning(31951, format!("a message that Twilio ignores came: {why}.")));
            Heard::Other
        })
    }

    fn understand(&mut self, text: &str) -> Result<Heard, &'static str> {
        let message: Value = serde_json::from_str(text).map_err(|_| "it is not JSON")?;
        if message.get("streamSid").and_then(Value::as_str) != Some(&self.stream_sid) {
            return Err("its `streamSid` is not that of the stream");
        }
        let of = |object: &str, field: &str| message.get(object)?.get(field)?.as_str();
        match message.get("event").and_then(Value::as_str) {
            Some("media") => {
                let payload = of("media", "payload").ok_or("a `media` without `media.payload`")?;
                let audio = BASE64.decode(payload.as_bytes()).map_err(|_| "its payload is not base64")?;
                self.received_media = self.received_media.saturating_add(1);
                self.received_bytes += audio.len() as u64;
                Ok(Heard::Other)
            }
            Some("mark") => {
                let name = of("mark", "name").ok_or("a `mark` without `mark.name`")?;
                self.received_marks = self.received_marks.saturating_add(1);
                Ok(Heard::Mark(name.to_owned()))
            }
            Some("clear") => {
                self.received_clears = self.received_clears.saturating_add(1);
                Ok(Heard::Clear)
            }
            _ => Err("its `event` is none of media, mark and clear"),
        }
    }

    fn find(&mut self, kind: usize, finding: Finding) {
        if let (Some(found), Some(false)) = (self.found.get_mut(kind), self.told.get(kind)) {
            found.get_or_insert(finding);
        }
    }

    /// What was found since the last time somebody asked.
    pub(super) fn findings(&mut self) -> Vec<Finding> {
        let both = self.found.iter_mut().zip(&mut self.told);
        both.filter_map(|(found, told)| found.take().inspect(|_| *told = true)).collect()
    }

    pub(super) fn closed(&self, end: String) -> Step {
        Step::StreamClosed {
            sent_media: self.sent_media,
            sent_marks: self.sent_marks,
            received_media: self.received_media,
            received_bytes: self.received_bytes,
            received_marks: self.received_marks,
            received_clears: self.received_clears,
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_twilio_understands_is_counted_and_the_rest_found_once() {
        let mut tally = Tally::new("MZ1", Direction::Speaks);
        let mut hear = |text: &str| tally.hear(&Message::text(text));
        assert_eq!(hear(r#"{"event":"media","streamSid":"MZ1","media":{"payload":"//8="}}"#), Heard::Other);
        assert_eq!(
            hear(r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"a"}}"#),
            Heard::Mark("a".to_owned())
        );
        assert_eq!(hear(r#"{"event":"clear","streamSid":"MZ1"}"#), Heard::Clear);
        for odd in [
            "",
            "[]",
            "null",
            "{",
            r#"{"event":"media","streamSid":"MZ2","media":{"payload":""}}"#,
            r#"{"event":"media","streamSid":"MZ1"}"#,
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"*"}}"#,
            r#"{"event":"mark","streamSid":"MZ1","mark":{}}"#,
            r#"{"event":"stop","streamSid":"MZ1"}"#,
            r#"{"streamSid":"MZ1"}"#,
        ] {
            assert_eq!(hear(odd), Heard::Other, "{odd}");
        }
        tally.hear(&Message::binary(vec![1_u8]));
        let codes = |tally: &mut Tally| {
            tally.findings().iter().filter_map(|finding| finding.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&mut tally), [31950, 31951]);
        tally.hear(&Message::text("x"));
        assert!(codes(&mut tally).is_empty(), "once a stream");
        let Step::StreamClosed { received_media, received_bytes, received_marks, received_clears, .. } =
            tally.closed(String::new())
        else {
            panic!()
        };
        assert_eq!((received_media, received_bytes, received_marks, received_clears), (1, 2, 1, 1));
    }

    #[test]
    fn a_stream_that_listens_hears_nothing() {
        let mut tally = Tally::new("MZ1", Direction::Listens);
        assert_eq!(tally.hear(&Message::text(r#"{"event":"clear","streamSid":"MZ1"}"#)), Heard::Other);
        assert_eq!(tally.findings()[0].code, Some(31924));
    }
}
