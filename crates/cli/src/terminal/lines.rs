//! What happens, as lines of JSON: events and refusals as the admin API has them, the rest in its own words.

use hookhouse_core::Notice;
use hookhouse_core::delivery::Next;
use hookhouse_server::admin::view::EventView;
use serde_json::{Value, json};

/// A line for a notice.
pub(super) fn line(notice: &Notice, bodies: bool) -> Value {
    match notice {
        Notice::Accepted { event, repeat_of, .. } => {
            with("event", json!(EventView::of(event, bodies)), json!({ "repeat_of": repeat_of }))
        }
        Notice::Duplicate { source, of, .. } => json!({ "kind": "duplicate", "source": source, "of": of }),
        Notice::Refused { refusal, .. } => with("refusal", json!(refusal), json!({})),
        Notice::Handshake { source, at, kind, key, signed, .. } => json!({
            "kind": "handshake", "source": source, "at": at, "handshake": kind, "key": key, "signed": signed,
        }),
        Notice::Attempted { source, attempt, next } => {
            let (next, again) = match next {
                Next::Done => ("done", None),
                Next::RetryAt(at) => ("retry", Some(*at)),
                Next::GiveUp(_) => ("dead", None),
                Next::Release => ("released", None),
            };
            with("attempt", json!(attempt), json!({ "source": source, "next": next, "retry_at": again }))
        }
        Notice::Relayed { source, event, destination, at, duration_ms, status, failure, .. } => json!({
            "kind": "relayed", "source": source, "event": event, "destination": destination, "at": at,
            "duration_ms": duration_ms, "status": status, "failure": failure,
        }),
        Notice::Tunnelled { source, event, destination, at, duration_ms, up, down, end } => json!({
            "kind": "tunnelled", "source": source, "event": event, "destination": destination, "at": at,
            "duration_ms": duration_ms, "up": up, "down": down, "end": end,
        }),
        Notice::Webhook { source, at, deed, trouble } => json!({
            "kind": "webhook", "source": source, "at": at, "deed": deed, "trouble": trouble,
        }),
        Notice::Circuit { destination, open_until, cause } => json!({
            "kind": "circuit", "destination": destination, "open_until": open_until, "cause": cause,
        }),
    }
}

/// Something that is an object already, with its kind and what else there is to say; what is null is left out.
fn with(kind: &str, mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.insert("kind".to_owned(), kind.into());
        object.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    object
}
