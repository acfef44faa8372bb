//! The records of each kind.

use jiff::Timestamp;
use serde::Serialize;

use crate::x::crc::{CrcReason, Verdict};
use crate::x::ids::{UserId, WebhookId};

/// A product of X that delivers through webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The X Activity API.
    Activity,
    /// The Account Activity API.
    Account,
    /// The filtered stream.
    Stream,
    /// X's own: the end of a replay, a revoked authorisation.
    Control,
}

/// An event.
#[derive(Debug, Clone, Serialize)]
pub struct EventRecord {
    /// Counts up over all kinds of records.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Where it was to go.
    pub webhook: WebhookId,
    /// In which kind of body.
    pub family: Family,
    /// `post.create`, `tweet_create_events`, `matching_rules`.
    pub event_type: String,
    /// What tells it from every other event: see [`keys_in`](crate::x::keys_in).
    pub key: String,
    /// What became of it so far.
    pub fate: Fate,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is to be sent, or sent again.
    Pending,
    /// It was answered 200 at least once.
    Delivered,
    /// Every attempt failed.
    Dropped,
    /// The webhook was invalid, so it was not sent.
    Withheld,
}

/// Why something was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// An event, the first time.
    Event,
    /// A duplicate of one.
    Duplicate,
    /// A replay job.
    Replay,
    /// X's own word, such as the end of a replay job.
    Control,
}

/// An attempt to deliver.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptRecord {
    /// Counts up over all kinds of records.
    pub number: u64,
    /// When the answer was there.
    pub at: Timestamp,
    /// Where it went.
    pub webhook: WebhookId,
    /// Why.
    pub purpose: Purpose,
    /// 1, and more for retries.
    pub attempt: usize,
    /// How many bytes.
    pub bytes: usize,
    /// The keys of the events in it.
    pub keys: Vec<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Why there was none.
    pub fault: Option<String>,
}

/// A challenge.
#[derive(Debug, Clone, Serialize)]
pub struct CrcRecord {
    /// Counts up over all kinds of records.
    pub number: u64,
    /// When the answer was there.
    pub at: Timestamp,
    /// The webhook; `None` where it was to become one.
    pub webhook: Option<WebhookId>,
    /// The URL that was challenged.
    pub url: String,
    /// Why it was sent.
    pub reason: CrcReason,
    /// Whether it was signed.
    pub signed: bool,
    /// What X makes of the answer.
    pub verdict: Verdict,
}

/// A turn between valid and invalid.
#[derive(Debug, Clone, Serialize)]
pub struct ValidityRecord {
    /// Counts up over all kinds of records.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Which webhook.
    pub webhook: WebhookId,
    /// What it is from now on.
    pub valid: bool,
    /// Why.
    pub why: String,
}

/// An API call.
#[derive(Debug, Clone, Serialize)]
pub struct CallRecord {
    /// Counts up over all kinds of records.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Which endpoint: `webhooks.create`.
    pub endpoint: &'static str,
    /// The user of a user context.
    pub user: Option<UserId>,
    /// The status of the answer.
    pub status: u16,
    /// Why it was refused.
    pub note: Option<String>,
}
