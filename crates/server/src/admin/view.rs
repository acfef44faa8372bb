//! What the admin API shows, as JSON. The command line reads it back with the same types.

use data_encoding::BASE64;
use hookhouse_core::store::{Backlog, Cursor, StoreStatus};
use hookhouse_core::{
    Attempt, Delivery, DeliveryId, EventId, Provenance, Sequence, SourceName, StoredEvent, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::config::Counts;

/// A stretch of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List<T> {
    /// The entries.
    pub data: Vec<T>,
    /// Pass as `cursor` for what follows; `null` at the end.
    pub next_cursor: Option<Cursor>,
}

/// A stored event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventView {
    /// Its name.
    pub id: EventId,
    /// Its place in the log.
    pub sequence: Sequence,
    /// The endpoint that received it.
    pub source: SourceName,
    /// The provider's name for its kind.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The sender's address.
    pub peer: Option<std::net::IpAddr>,
    /// Whether a signature vouches for it.
    pub verified: bool,
    /// What vouches for it.
    pub provenance: Provenance,
    /// The method.
    pub method: String,
    /// Path and query as received.
    pub target: String,
    /// Names and values as received; credentials and signatures are `[redacted]`.
    pub headers: Vec<(String, String)>,
    /// How long the body is.
    pub body_bytes: usize,
    /// The body, where it is UTF-8 and was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body, where it is not UTF-8 and was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

impl EventView {
    /// How an event is shown, with or without its body.
    #[must_use]
    pub fn of(event: &StoredEvent, with_body: bool) -> Self {
        let record = event.record();
        let body = &record.request.body;
        let (text, base64) = match std::str::from_utf8(body) {
            _ if !with_body => (None, None),
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(BASE64.encode(body))),
        };
        Self {
            id: event.id(),
            sequence: event.sequence(),
            source: record.source.clone(),
            event_type: record.event_type.clone(),
            received_at: record.received_at,
            peer: record.peer,
            verified: record.provenance.is_verified(),
            provenance: record.provenance.clone(),
            method: record.request.method.clone().into_owned(),
            target: record.request.target.clone(),
            headers: record.request.headers.iter().map(shown).collect(),
            body_bytes: body.len(),
            body: text,
            body_base64: base64,
        }
    }
}

/// A header as operators see it: a signature or a credential could be used again by whoever reads it.
fn shown((name, value): (&str, &[u8])) -> (String, String) {
    let sensitive =
        ["authorization", "cookie", "signature", "hmac", "secret", "token", "api-key", "password"];
    let value = if sensitive.iter().any(|word| name.contains(word)) && name != "i-twilio-idempotency-token" {
        "[redacted]".to_owned()
    } else {
        String::from_utf8_lossy(value).into_owned()
    };
    (name.to_owned(), value)
}

/// An event with what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventDetail {
    /// The event.
    #[serde(flatten)]
    pub event: EventView,
    /// Where it went, or goes.
    pub deliveries: Vec<Delivery>,
    /// Every try, oldest first.
    pub attempts: Vec<Attempt>,
}

/// How the server is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// What time it thinks it is.
    pub now: Timestamp,
    /// How its store is.
    pub store: StoreStatus,
    /// How each destination stands.
    pub destinations: Vec<DestinationView>,
    /// Its endpoints.
    pub sources: Vec<SourceView>,
}

/// A destination.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DestinationView {
    /// How far behind it is.
    #[serde(flatten)]
    pub backlog: Backlog,
    /// Whether it is tried: `closed` when all is well, `open` when it is left alone, `half_open` while it is probed.
    pub circuit: String,
    /// Until when it is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// What its last failure was, while the circuit is not closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// An endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceView {
    /// Its name.
    pub name: SourceName,
    /// Its provider.
    pub provider: String,
    /// Its path.
    pub path: String,
    /// Who gets its events.
    pub deliver: Vec<hookhouse_core::DestinationName>,
    /// What its `allow_ips` said of its callers, since the start.
    pub addresses: Counts,
}

/// A wish to deliver an event again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// Where to; without it, wherever its source delivers.
    #[serde(default)]
    pub destination: Option<hookhouse_core::DestinationName>,
}

/// What a replay made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replayed {
    /// The new deliveries, due now.
    pub deliveries: Vec<DeliveryId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_signatures_are_not_shown() {
        for name in
            ["authorization", "cookie", "x-twilio-signature", "x-shopify-hmac-sha256", "x-gitlab-token"]
        {
            assert_eq!(shown((name, b"hush")).1, "[redacted]", "{name}");
        }
        assert_eq!(shown(("content-type", b"text/plain")).1, "text/plain");
        assert_eq!(shown(("i-twilio-idempotency-token", b"t")).1, "t");
    }
}
