//! What the admin API shows, as JSON. The command line reads it back with the same types, and pages are made of them.

mod edit;
mod job;
mod judgement;
mod settings;
pub(crate) mod shape;
mod token;

use data_encoding::BASE64;
use hookhouse_core::store::{Backlog, Cursor, DeliveryQuery, RefusalQuery, StoreStatus};
use hookhouse_core::{
    Answer, Attempt, Delivery, DeliveryId, EventId, EventStore, Provenance, Sequence, SourceName, StoreError,
    StoredEvent, StoredRefusal, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::care::WebhookView;
use crate::config::Counts;
use crate::metrics::{AttemptCounts, RequestCounts};
use crate::tls::Issued;
use shape::{AttemptShape, DeliveryShape, ProvenanceShape, StoreShape};

pub use edit::{EditRequest, EditView};
pub use job::{EventCount, NewReplay, ReplayFilter, ReplayState, ReplayView};
pub use judgement::{FindingView, JudgementView};
pub use settings::{ConfigView, DiagnosticView, ReloadView};
pub use token::{MadeToken, NewToken, TokenView};

/// A stretch of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The entries.
    pub data: Vec<T>,
    /// Pass as `cursor` for what follows; `null` at the end.
    #[serde(with = "cursor")]
    #[schema(value_type = Option<String>)]
    pub next_cursor: Option<Cursor>,
}

/// Cursors are text: the numbers in them are larger than what JavaScript can count to.
mod cursor {
    use hookhouse_core::store::Cursor;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(cursor: &Option<Cursor>, to: S) -> Result<S::Ok, S::Error> {
        match cursor {
            Some(Cursor(place)) => to.collect_str(place),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Cursor>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map(Cursor).map_err(serde::de::Error::custom)).transpose()
    }
}

/// A stored event.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Its name.
    #[schema(value_type = String)]
    pub id: EventId,
    /// Its place in the log.
    #[schema(value_type = u64)]
    pub sequence: Sequence,
    /// The endpoint that received it.
    #[schema(value_type = String)]
    pub source: SourceName,
    /// The provider's name for its kind.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The sender's address.
    #[schema(value_type = Option<String>)]
    pub peer: Option<std::net::IpAddr>,
    /// Whether a signature vouches for it.
    pub verified: bool,
    /// What vouches for it.
    #[schema(value_type = ProvenanceShape)]
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
    #[schema(nullable = false)]
    pub body: Option<String>,
    /// The body, where it is not UTF-8 and was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub body_base64: Option<String>,
}

impl EventView {
    /// How an event is shown, with or without its body.
    #[must_use]
    pub fn of(event: &StoredEvent, with_body: bool) -> Self {
        let record = event.record();
        let body = &record.request.body;
        let (text, base64) = if with_body { text_or_base64(body) } else { (None, None) };
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

/// A body as JSON can hold it: as text where it is UTF-8, else in base64.
fn text_or_base64(body: &[u8]) -> (Option<String>, Option<String>) {
    match std::str::from_utf8(body) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(BASE64.encode(body))),
    }
}

/// Whether a header proves who sent a request, by its name.
pub(crate) fn is_signature(name: &str) -> bool {
    ["signature", "hmac"].iter().any(|word| name.contains(word))
}

/// A header as operators see it: a signature or a credential could be used again by whoever reads it.
fn shown((name, value): (&str, &[u8])) -> (String, String) {
    let sensitive = ["authorization", "cookie", "secret", "token", "api-key", "password"];
    let is_sensitive = is_signature(name) || sensitive.iter().any(|word| name.contains(word));
    let value = if is_sensitive && name != "i-twilio-idempotency-token" {
        "[redacted]".to_owned()
    } else {
        String::from_utf8_lossy(value).into_owned()
    };
    (name.to_owned(), value)
}

/// An event with what became of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventDetail {
    /// The event.
    #[serde(flatten)]
    pub event: EventView,
    /// Where it went, or goes.
    #[schema(value_type = Vec<DeliveryShape>)]
    pub deliveries: Vec<Delivery>,
    /// Every try, oldest first.
    #[schema(value_type = Vec<AttemptShape>)]
    pub attempts: Vec<Attempt>,
    /// What its sender was answered, where a destination answers itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub answer: Option<AnswerView>,
}

impl EventDetail {
    /// All that a store knows of an event.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn read(store: &dyn EventStore, id: EventId) -> Result<Option<Self>, StoreError> {
        let Some(event) = store.event(id).await? else { return Ok(None) };
        let query = DeliveryQuery { event: Some(id), limit: MOST_DELIVERIES, ..DeliveryQuery::default() };
        Ok(Some(Self {
            event: EventView::of(&event, true),
            deliveries: store.deliveries(&query).await?.items,
            attempts: store.attempts(id).await?,
            answer: store.answer(id).await?.map(AnswerView::of),
        }))
    }
}

/// The refusal of which a sender was told this id, if it is still on record.
///
/// # Errors
/// Those of the store.
pub async fn find_refusal(
    store: &dyn EventStore,
    request_id: &str,
) -> Result<Option<StoredRefusal>, StoreError> {
    let mut query = RefusalQuery { limit: 1_000, ..RefusalQuery::default() };
    loop {
        let page = store.refusals(&query).await?;
        if let Some(found) = page.items.into_iter().find(|found| found.refusal.request_id == request_id) {
            return Ok(Some(found));
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(None);
        }
    }
}

/// The deliveries that an event is shown with, at most.
const MOST_DELIVERIES: usize = 1_000;

/// The answer to a relayed event.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Answer)]
pub struct AnswerView {
    /// Who was asked.
    #[schema(value_type = String)]
    pub destination: hookhouse_core::DestinationName,
    /// When.
    pub asked_at: Timestamp,
    /// How long the answer took, in milliseconds; how long the connection lasted, once a WebSocket has ended.
    pub duration_ms: u64,
    /// The status that the sender got.
    pub status: u16,
    /// Why the answer is not the destination's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<String>,
    /// The event that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub repeat_of: Option<EventId>,
    /// What passed through a WebSocket that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connection: Option<ConnectionView>,
    /// Names and values; cookies are `[redacted]`.
    pub headers: Vec<(String, String)>,
    /// How long the body is.
    pub body_bytes: usize,
    /// The body, where it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub body: Option<String>,
    /// The body, where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub body_base64: Option<String>,
}

/// What passed through a WebSocket connection.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Connection)]
pub struct ConnectionView {
    /// Bytes from the sender.
    pub up: u64,
    /// Bytes to the sender.
    pub down: u64,
    /// Why it ended: `closed`, `broken`, `idle`, `lifetime`, `stopped`.
    pub end: String,
}

impl AnswerView {
    /// How an answer is shown.
    #[must_use]
    pub fn of(answer: Answer) -> Self {
        let (body, body_base64) = text_or_base64(&answer.body);
        Self {
            destination: answer.destination,
            asked_at: answer.asked_at,
            duration_ms: answer.duration_ms,
            status: answer.status,
            failure: answer.failure,
            repeat_of: answer.repeat_of,
            connection: answer.passed.map(|passed| ConnectionView {
                up: passed.up,
                down: passed.down,
                end: passed.end,
            }),
            headers: answer.headers.iter().map(shown).collect(),
            body_bytes: answer.body.len(),
            body,
            body_base64,
        }
    }
}

/// How the server is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// What time it thinks it is.
    pub now: Timestamp,
    /// How its store is.
    #[schema(value_type = StoreShape)]
    pub store: StoreStatus,
    /// How each destination stands.
    pub destinations: Vec<DestinationView>,
    /// Its endpoints.
    pub sources: Vec<SourceView>,
    /// The certificates that it shows senders; empty where every listener is plain.
    #[serde(default)]
    pub tls: Vec<Issued>,
    /// How many clients listen to the stream.
    #[serde(default)]
    pub streams: usize,
}

/// A destination.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Destination)]
pub struct DestinationView {
    /// How far behind it is.
    #[serde(flatten)]
    #[schema(value_type = shape::BacklogShape)]
    pub backlog: Backlog,
    /// Whether it is tried: `closed` when all is well, `open` when it is left alone, `half_open` while it is probed.
    pub circuit: String,
    /// Until when it is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub open_until: Option<Timestamp>,
    /// What its last failure was, while the circuit is not closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cause: Option<String>,
    /// Whether an operator holds it.
    #[serde(default)]
    pub paused: bool,
    /// What came of its attempts, since the start.
    #[serde(default)]
    pub attempts: AttemptCounts,
}

/// An endpoint.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Source)]
pub struct SourceView {
    /// Its name.
    #[schema(value_type = String)]
    pub name: SourceName,
    /// Its provider.
    pub provider: String,
    /// Its path.
    pub path: String,
    /// The methods that it serves.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Who gets its events.
    #[schema(value_type = Vec<String>)]
    pub deliver: Vec<hookhouse_core::DestinationName>,
    /// Who answers its senders itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub relay: Option<hookhouse_core::DestinationName>,
    /// What became of its requests, since the start.
    #[serde(default)]
    pub requests: RequestCounts,
    /// What its `allow_ips` said of its callers, since the start.
    pub addresses: Counts,
    /// How its webhook is, where X calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub webhook: Option<WebhookView>,
}

/// A wish to deliver an event again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// Where to; without it, wherever its source delivers.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub destination: Option<hookhouse_core::DestinationName>,
    /// What is sent in the place of the stored bytes. The event stays as it is; the deliveries say that they are edited,
    /// and so does `Hookhouse-Edited: true` at the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub edit: Option<EditRequest>,
}

/// What a replay made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// The new deliveries, due now.
    #[schema(value_type = Vec<String>)]
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
