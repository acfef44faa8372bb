//! How the nouns of `core` look as JSON, for the API's document alone: nothing is made of these.
//!
//! `core` serialises its nouns itself, and knows nothing of the document. A test reads what it writes with these types,
//! which take no other key.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

/// One event for one destination.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Delivery)]
#[expect(dead_code, reason = "only its shape is wanted")]
pub(crate) struct DeliveryShape {
    /// The event, the destination, and the round of a replay: `evt_…:app:2`.
    id: String,
    /// The endpoint that received the event.
    source: String,
    state: StateShape,
    /// How often it was tried.
    attempts: u32,
    /// When it is due, for a waiting one.
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    due_at: Option<String>,
    #[schema(nullable = false)]
    reason: Option<ReasonShape>,
    #[schema(nullable = false)]
    last_attempt: Option<AttemptShape>,
    /// Who edited what is delivered, for a replay that does not send the stored bytes.
    #[schema(nullable = false)]
    edited: Option<EditedShape>,
}

/// Who edited something, and when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Edited)]
#[expect(dead_code, reason = "only its shape is wanted")]
pub(crate) struct EditedShape {
    /// The name and the id of a token, or `root`.
    by: String,
    #[schema(value_type = String, format = DateTime)]
    at: String,
}

/// Where a delivery stands: due; under way; due again later; taken; given up; called off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DeliveryState)]
pub(crate) enum StateShape {
    Pending,
    Leased,
    Waiting,
    Delivered,
    Dead,
    Cancelled,
}

/// Why a delivery was given up: every try failed; the destination answered 410; it will never take this event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeadReason)]
pub(crate) enum ReasonShape {
    Exhausted,
    Gone,
    Rejected,
}

/// One try of a delivery.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Attempt)]
#[expect(dead_code, reason = "only its shape is wanted")]
pub(crate) struct AttemptShape {
    /// Which delivery was tried.
    delivery: String,
    /// Which try it was; the first is 1.
    number: u32,
    #[schema(value_type = String, format = DateTime)]
    started_at: String,
    duration_ms: u64,
    outcome: OutcomeShape,
    /// What the destination answered, where it answered.
    #[schema(nullable = false)]
    status: Option<u16>,
    /// The beginning of its answer, of a refused one.
    #[schema(nullable = false)]
    answer: Option<String>,
    /// What went wrong, of a failed one.
    #[schema(nullable = false)]
    error: Option<String>,
    /// Which rule, of a skipped one.
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// What came of a try: 2xx; another status; no answer; nothing was sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Outcome)]
pub(crate) enum OutcomeShape {
    Delivered,
    Refused,
    Failed,
    Skipped,
}

/// A request that was turned away, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Refusal)]
#[expect(dead_code, reason = "only its shape is wanted")]
pub(crate) struct RefusalShape {
    /// Its place in the log of refusals.
    sequence: u64,
    /// The id that the sender was told.
    request_id: String,
    #[schema(value_type = String, format = DateTime)]
    at: String,
    /// The endpoint; `null` where the path is nobody's.
    source: Option<String>,
    /// The sender's address.
    peer: Option<String>,
    method: String,
    /// The path without its query.
    path: String,
    /// The status that was answered; 0 where the connection was closed without an answer.
    status: u16,
    /// The reason as a stable word: `sig.mismatch`.
    code: String,
    /// The reason in words.
    reason: String,
    /// How long the body was, as far as it was read.
    body_bytes: u64,
}

/// What vouches for an event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Provenance)]
#[expect(dead_code, reason = "only its shape is wanted")]
pub(crate) struct ProvenanceShape {
    /// The provider of the source: `x`, `twilio`, `none`…
    provider: String,
    /// The scheme that proved it; `null` where nothing did.
    scheme: Option<String>,
    /// The name of the key that verified.
    #[schema(nullable = false)]
    key: Option<String>,
    /// The spelling that matched, where the scheme knows several.
    #[schema(nullable = false)]
    variant: Option<String>,
    /// Who edited it; never of a stored event.
    #[schema(nullable = false)]
    edited: Option<EditedShape>,
    /// What was taken out before it was stored, if anything: `headers`, `query`, `json`, `form`, `body`.
    #[serde(default)]
    redacted: Vec<String>,
}

/// How far behind a destination is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Backlog)]
#[expect(dead_code, reason = "only its shape is wanted")]
pub(crate) struct BacklogShape {
    /// Which destination.
    destination: String,
    /// Events that are due or under way; an upper bound where there are many.
    pending: u64,
    /// Deliveries that wait for their next try.
    waiting: u64,
    /// Deliveries that were given up.
    dead: u64,
    /// When the oldest event that is not settled was received.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest: Option<String>,
}

/// How the store is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Store)]
#[expect(dead_code, reason = "only its shape is wanted")]
pub(crate) struct StoreShape {
    /// What kind: `sqlite`.
    kind: String,
    /// Whether it takes events.
    writable: bool,
    /// Why not, in words.
    #[schema(nullable = false)]
    problem: Option<String>,
    /// Events in the log.
    events: u64,
    /// The place of the newest event.
    head: u64,
    /// Bytes in use.
    bytes: u64,
    /// Free bytes where the store lies, if it can tell.
    free_bytes: Option<u64>,
    /// Refusals that were not recorded because there were too many.
    refusals_dropped: u64,
}

/// What a store holds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StoreStats)]
#[expect(dead_code, reason = "only its shape is wanted")]
pub(crate) struct StatsShape {
    /// What kind of store: `sqlite`.
    kind: String,
    /// The number of its format, where it has one.
    #[schema(nullable = false)]
    format: Option<u32>,
    /// Events.
    events: u64,
    /// Bytes of their targets, headers and bodies, as they lie in the store.
    bytes: u64,
    /// When the first of them was received.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest: Option<String>,
    /// When the last of them was received.
    #[schema(value_type = Option<String>, format = DateTime)]
    newest: Option<String>,
    /// The same for each source that has events, by name.
    sources: Vec<SourceStatsShape>,
    /// Deliveries that are more than a place in the log, by state.
    exceptions: BTreeMap<String, u64>,
    /// Refusals on record.
    refusals: u64,
    /// What else this kind of store counts, by name.
    details: BTreeMap<String, u64>,
}

/// What a store holds of a source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceStats)]
#[expect(dead_code, reason = "only its shape is wanted")]
pub(crate) struct SourceStatsShape {
    /// Which.
    source: String,
    /// Its events.
    events: u64,
    /// Their bytes.
    bytes: u64,
    /// When the first of them was received.
    #[schema(value_type = String, format = DateTime)]
    oldest: String,
    /// When the last of them was received.
    #[schema(value_type = String, format = DateTime)]
    newest: String,
}

/// Which way through a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Order)]
pub(crate) enum OrderShape {
    NewestFirst,
    OldestFirst,
}

#[cfg(test)]
mod tests {
    use hookhouse_core::StoreStats;
    use hookhouse_core::delivery::{Attempt, AttemptOutcome, DeadReason, Delivery, DeliveryState};
    use hookhouse_core::store::{Order, StoreStatus};
    use hookhouse_core::{
        AttemptNumber, DeliveryId, Edited, EventId, Provenance, Refusal, Sequence, StoredRefusal, Timestamp,
    };
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[track_caller]
    fn fits<T: DeserializeOwned>(value: impl Serialize) {
        let json = serde_json::to_value(value).unwrap();
        serde_json::from_value::<T>(json.clone()).map(drop).unwrap_or_else(|error| panic!("{json}: {error}"));
    }

    fn id() -> DeliveryId {
        let event = EventId::with_position(Timestamp::UNIX_EPOCH, 7, 7);
        DeliveryId { event, destination: "app".parse().unwrap(), round: 2 }
    }

    #[test]
    fn deliveries_and_attempts() {
        let text = || "why".to_owned();
        for outcome in [
            AttemptOutcome::Delivered { status: 204 },
            AttemptOutcome::Refused { status: 500, answer: text() },
            AttemptOutcome::Failed { error: text() },
            AttemptOutcome::Skipped { reason: text() },
        ] {
            let attempt = Attempt {
                delivery: id(),
                number: AttemptNumber(3),
                started_at: Timestamp::UNIX_EPOCH,
                duration_ms: 12,
                outcome,
            };
            fits::<AttemptShape>(&attempt);
            for state in DeliveryState::ALL {
                for reason in
                    [None, Some(DeadReason::Exhausted), Some(DeadReason::Gone), Some(DeadReason::Rejected)]
                {
                    fits::<DeliveryShape>(Delivery {
                        id: id(),
                        source: "inbox".parse().unwrap(),
                        state,
                        attempts: 3,
                        due_at: reason.is_none().then_some(Timestamp::UNIX_EPOCH),
                        reason,
                        last_attempt: reason.map(|_| attempt.clone()),
                        edited: reason.map(|_| Edited { by: text(), at: Timestamp::UNIX_EPOCH }),
                    });
                }
            }
        }
    }

    #[test]
    fn the_rest() {
        for source in [None, Some("inbox".parse().unwrap())] {
            let refusal = Refusal {
                request_id: "req_1".to_owned(),
                at: Timestamp::UNIX_EPOCH,
                peer: source.is_some().then(|| "192.0.2.7".parse().unwrap()),
                source,
                method: "POST".to_owned(),
                path: "/".to_owned(),
                status: 403,
                code: "sig.mismatch".to_owned(),
                reason: "no".to_owned(),
                body_bytes: 1,
            };
            fits::<RefusalShape>(StoredRefusal { sequence: Sequence(1), refusal });
        }
        for scheme in [None, Some("x-post-hmac-sha256".into())] {
            let key = scheme.is_some().then(|| "consumer_secret".to_owned());
            fits::<ProvenanceShape>(Provenance {
                provider: "x".into(),
                variant: scheme.clone(),
                edited: scheme.is_some().then(|| Edited { by: "ci".to_owned(), at: Timestamp::UNIX_EPOCH }),
                scheme,
                key,
                redacted: Vec::new(),
            });
        }
        for problem in [None, Some("full".to_owned())] {
            fits::<StoreShape>(StoreStatus {
                kind: "sqlite".to_owned(),
                writable: problem.is_none(),
                free_bytes: problem.as_ref().map(|_| 1),
                problem,
                events: 1,
                head: Sequence(1),
                bytes: 1,
                refusals_dropped: 0,
            });
        }
        let mut stats = StoreStats::default();
        fits::<StatsShape>(stats.clone());
        stats.format = Some(2);
        stats.add(&"inbox".parse().unwrap(), Timestamp::UNIX_EPOCH, 3);
        stats.exceptions.insert("dead".to_owned(), 1);
        fits::<StatsShape>(stats);
        for order in [Order::NewestFirst, Order::OldestFirst] {
            fits::<OrderShape>(order);
        }
    }
}
