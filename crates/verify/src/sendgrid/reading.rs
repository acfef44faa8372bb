//! What a batch of mail events says.

use crate::batch::{self, Batch};
use crate::json;

/// Keeps SendGrid's ids apart from those of any other sender.
const SCHEME: &str = "sendgrid";

/// Reads the body of an event webhook: an array of events, each with an `event` and an `sg_event_id`, of which SendGrid
/// says that it is there to recognise repeats by
/// (<https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event>).
#[must_use]
pub fn read(body: &[u8]) -> Batch {
    Batch {
        event_type: json::text_at_first(body, ["event"]).and_then(|name| json::label(&name)),
        elements: batch::elements(body, SCHEME, |event| event.text("sg_event_id")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_made_of_its_events() {
        let event =
            |id: &str| format!(r#"{{"email":"a@example.com","event":"delivered","sg_event_id":"{id}"}}"#);
        let elements = |body: &str| read(body.as_bytes()).elements;
        let (one, two) = (event("b25l"), event("dHdv"));
        let first = elements(&format!("[{one},\r\n{two}]\r\n"));
        assert_eq!(first.len(), 2);
        assert_eq!(elements(&format!("[{two}]")), first[1..]);
        assert_ne!(elements(&format!("[{}]", one.replace("delivered", "open"))), first[..1]);
        assert_eq!(read(format!("[{one}]").as_bytes()).event_type.as_deref(), Some("delivered"));
        for body in [format!("[{one},{{}}]"), format!("[{}]", event("")), "[]".to_owned(), "x".to_owned()] {
            assert_eq!(elements(&body), [], "{body}");
        }
    }
}
