//! What a JSON body of Twilio says: one CloudEvent or several.

use std::borrow::Cow;

use crate::batch::{self, Batch};
use crate::json::{self, Object};

/// Keeps the ids of Event Streams apart from those of any other sender.
const SCHEME: &str = "twilio event-streams";

/// Reads a body that is no form.
///
/// An Event Streams sink gets CloudEvents, one to a request or an array of them (`batch_events`), at least once and in
/// no order. The event type is the `type` of the first, or the `EventType` of a product that sends its parameters as
/// JSON. Only CloudEvents have elements: an `EventType` has no id beside it that is documented.
#[must_use]
pub fn read(body: &[u8]) -> Batch {
    let named = json::text_at_first(body, ["type"]).or_else(|| json::text_at_first(body, ["EventType"]));
    Batch {
        event_type: named.and_then(|name| json::label(&name)),
        elements: batch::elements(body, SCHEME, cloud_event_id),
    }
}

/// The id of a CloudEvent, which is one by what every CloudEvent must have (CloudEvents 1.0, section "Required
/// Attributes").
fn cloud_event_id<'a>(event: &Object<'a>) -> Option<Cow<'a, str>> {
    let is_one = ["specversion", "type", "source"].iter().all(|key| event.text(key).is_some());
    event.text("id").filter(|_| is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = r#"{"specversion":"1.0","type":"com.twilio.messaging.message.sent","source":"/v1/x","id":"EZ1","data":{"type":"no"}}"#;

    #[test]
    fn a_json_body_tells_in_its_type() {
        for (body, expected) in [
            (SENT.to_owned(), Some("com.twilio.messaging.message.sent")),
            (
                format!("[{SENT},{}]", SENT.replace("sent", "failed")),
                Some("com.twilio.messaging.message.sent"),
            ),
            (format!(" [ {SENT} ]"), Some("com.twilio.messaging.message.sent")),
            (r#"{"EventType":"onMessageAdded"}"#.to_owned(), Some("onMessageAdded")),
            (r#"{"type":"not a label"}"#.to_owned(), None),
            (r#"{"type":{"type":"x"}}"#.to_owned(), None),
            ("[]".to_owned(), None),
            ("\0".to_owned(), None),
        ] {
            assert_eq!(read(body.as_bytes()).event_type.as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn an_event_is_the_same_alone_and_among_others() {
        let elements = |body: &str| read(body.as_bytes()).elements;
        let another = SENT.replace("EZ1", "EZ2");
        let [one, two] = [elements(SENT), elements(&another)].map(|elements| elements[0]);
        assert_ne!(one, two);
        assert_eq!(elements(&format!("[{another} , {SENT}]")), [two, one]);
        let written_otherwise = r#"[{ "id":"\u0045Z1", "data":{"type":"no"}, "source":"\/v1\/x",
            "type":"com.twilio.messaging.message.sent", "specversion":"1.0"}]"#;
        assert_eq!(elements(written_otherwise), [one]);
        assert_ne!(elements(&SENT.replace("\"no\"", "\"yes\"")), [one], "the same id with other content");
    }

    #[test]
    fn whatever_is_no_event_leaves_a_body_without_elements() {
        for body in [
            format!("[{SENT},{{}}]"),
            format!("[{SENT},{}]", SENT.replace("\"id\"", "\"di\"")),
            SENT.replace("EZ1", ""),
            SENT.replace("specversion", "version"),
            SENT.replace("\"EZ1\"", "{}"),
            SENT.replace("\"no\"", "\"\\ud800\""),
            format!("[{}]", vec![SENT; batch::MOST_ELEMENTS + 1].join(",")),
            r#"{"EventType":"onMessageAdded","id":"1"}"#.to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            format!("{SENT}x"),
        ] {
            assert_eq!(read(body.as_bytes()).elements, [], "{}", &body[..body.len().min(120)]);
        }
        let many = format!("[{}]", vec![SENT; batch::MOST_ELEMENTS].join(","));
        assert_eq!(read(many.as_bytes()).elements.len(), batch::MOST_ELEMENTS);
    }
}
