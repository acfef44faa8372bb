//! The store: a log of events, and a consumer of it for every destination.
//!
//! The trait is shaped like a log with consumers rather than like tables, because that is what an embedded database
//! and a JetStream cluster can both be. `docs/decisions/0001-event-store.md` says how each does each method.
//!
//! What every store promises, and what the contract suite of `testkit` checks:
//!
//! * **Append is durable when it returns**, and a duplicate is reported only once the original is durable.
//! * **A consumer hands out every event of its sources once it is durable**, in order, and again until it is settled:
//!   a crash between an attempt and its settlement repeats the attempt. Nothing is handed out to two workers at once
//!   while a lease holds.
//! * **Overload and a full disk are errors** ([`StoreError::Overloaded`], [`StoreError::Full`]), never a wait without
//!   end and never half a write.
//! * **Retention never takes what a destination still waits for**: an event that some subscribed destination has not
//!   taken and not given up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::delivery::{Attempt, Delivery, DeliveryId, DeliveryState, Lease, Settled, Settlement};
use crate::edit::Edit;
use crate::event::{Event, StoredEvent};
use crate::id::{EventId, Sequence};
use crate::kind::is_of_type;
use crate::names::{DestinationName, SourceName};
use crate::refusal::{Refusal, StoredRefusal};
use crate::stats::StoreStats;

/// Where events, deliveries and refusals are kept.
#[async_trait]
pub trait EventStore: fmt::Debug + Send + Sync + 'static {
    // ── the log ────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Makes an event durable and names it.
    async fn append(&self, event: Event) -> Result<Receipt, StoreError>;

    /// One event.
    async fn event(&self, id: EventId) -> Result<Option<Arc<StoredEvent>>, StoreError>;

    /// Events in log order, a page at a time.
    async fn events(&self, query: &EventQuery) -> Result<Page<Arc<StoredEvent>>, StoreError>;

    /// Notes that a request was turned away. Never waits and never fails: what does not fit is counted in
    /// [`StoreStatus::refusals_dropped`], so that a flood of bad requests costs neither memory nor the good ones' time.
    fn refuse(&self, refusal: Refusal);

    /// Refusals, a page at a time.
    async fn refusals(&self, query: &RefusalQuery) -> Result<Page<StoredRefusal>, StoreError>;

    /// Keeps what the sender of an event was answered, in place of an earlier answer to it. It is durable when this
    /// returns, and goes when its event goes; for an event that is gone, nothing is kept.
    async fn keep_answer(&self, answer: Answer) -> Result<(), StoreError>;

    /// What the sender of an event was answered; `None` where the answer was the usual acknowledgement.
    async fn answer(&self, event: EventId) -> Result<Option<Answer>, StoreError>;

    // ── consumers ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Says which destinations there are and what each wants: the whole set, at every start and reload.
    ///
    /// A new one begins with the next event. One that is no longer named keeps its exceptions (retries, dead letters)
    /// for operators to see, but holds up retention no longer; named again, it goes on where it stopped.
    async fn subscribe(&self, subscriptions: &[Subscription]) -> Result<(), StoreError>;

    /// Takes up to `max` due deliveries of a destination, retries that are due before fresh events; waits for the
    /// first one up to `wait`, then answers with none.
    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Lease>, StoreError>;

    /// Records what became of leases; the answers are in their order. Each settlement counts by itself: a store with
    /// transactions makes one commit of them, another one need not.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError>;

    /// Makes a new delivery of a stored event, due now. `None` where there is no such event.
    async fn redeliver(
        &self,
        event: EventId,
        destination: &DestinationName,
    ) -> Result<Option<DeliveryId>, StoreError>;

    /// The same with an edit: the destination gets the edit's headers and body in the place of the event's own, with a
    /// [provenance](crate::Provenance) that says so. The stored event stays as it is. The edit is durable when this
    /// returns, and goes when its event goes.
    async fn redeliver_edited(
        &self,
        event: EventId,
        destination: &DestinationName,
        edit: Edit,
    ) -> Result<Option<DeliveryId>, StoreError>;

    /// What is sent in the place of the stored bytes; `None` for a delivery that sends these.
    async fn edit(&self, delivery: &DeliveryId) -> Result<Option<Edit>, StoreError>;

    /// Makes a waiting, dead or cancelled delivery due now.
    async fn retry(&self, delivery: &DeliveryId) -> Result<RetryOutcome, StoreError>;

    /// Calls a pending, waiting or dead delivery off: nobody is handed it until somebody retries it. One that is under
    /// way is left to end.
    async fn cancel(&self, delivery: &DeliveryId) -> Result<CancelOutcome, StoreError>;

    /// Deliveries, newest first, a page at a time.
    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError>;

    /// Every attempt to deliver an event, oldest first.
    async fn attempts(&self, event: EventId) -> Result<Vec<Attempt>, StoreError>;

    /// How far behind each subscribed destination is.
    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError>;

    // ── small shared state ─────────────────────────────────────────────────────────────────────────────────────────

    /// A value under a key, such as a destination's circuit.
    async fn state(&self, key: &str) -> Result<Option<StateEntry>, StoreError>;

    /// Replaces a value if its revision is still `expected` (`None`: if there is none yet); otherwise
    /// [`StoreError::Conflict`]. Whoever lost reads again.
    async fn put_state(
        &self,
        key: &str,
        value: Bytes,
        expected: Option<Revision>,
    ) -> Result<Revision, StoreError>;

    // ── where several processes have one store ─────────────────────────────────────────────────────────────────────

    /// Whether other processes may work on the same store at the same time, and so change what is shared.
    fn is_shared(&self) -> bool {
        false
    }

    /// Resolves when a value has another revision than the one that is known (`None`: when there is a value). It may
    /// resolve for nothing: whoever waits reads the value and waits again. A store that is not shared has nothing to
    /// tell that its process does not know.
    async fn state_changed(&self, key: &str, known: Option<Revision>) {
        let _ = (key, known);
        std::future::pending().await
    }

    /// Takes a name that nobody has taken, for so long at least; `false` where somebody has, in whichever process. Only
    /// a store that is shared is asked.
    async fn claim(&self, name: &str, hold: Duration) -> Result<bool, StoreError> {
        let _ = (name, hold);
        Err(StoreError::Read("names are taken in a store that is shared, and this one is not".to_owned()))
    }

    // ── life ───────────────────────────────────────────────────────────────────────────────────────────────────────

    /// How the store is.
    async fn status(&self) -> Result<StoreStatus, StoreError>;

    /// What the store holds, counted: a look at every event, in steps that hold nobody up. A store that can count
    /// without reading bodies should.
    async fn stats(&self) -> Result<StoreStats, StoreError> {
        StoreStats::of(self).await
    }

    /// Resolves when the store can no longer promise durability (a failed fsync, a lost disk). It then refuses every
    /// write; the process should end and be started again.
    async fn failed(&self) -> String;

    /// Writes out what was accepted and lets go of the files. Later calls answer [`StoreError::Closed`].
    async fn close(&self);
}

/// What appending came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// The event is durable.
    Stored {
        /// The event, with its name and its place in the log.
        event: Arc<StoredEvent>,
        /// What it repeats, where repeats are [kept](crate::event::Repeats::Keep).
        repeat_of: Option<EventId>,
    },
    /// The event is a repeat of one that is durable; nothing was stored.
    Duplicate {
        /// The first one.
        of: EventId,
    },
}

/// What a destination wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Which destination.
    pub destination: DestinationName,
    /// The sources whose events it gets. Empty for a destination that only replays go to.
    pub sources: Vec<SourceName>,
}

/// A worker's wish for work.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// Whose deliveries.
    pub destination: DestinationName,
    /// At most so many.
    pub max: usize,
    /// How long to wait for the first one.
    pub wait: Duration,
    /// How long each lease holds; afterwards the delivery is handed out again.
    pub hold: Duration,
}

/// A stretch of a list, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Pass as `cursor` for the entries after these; `None` at the end.
    pub next: Option<Cursor>,
}

/// A place in a list; opaque, and stable while entries are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub u64);

/// Which way through a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The newest entry first.
    #[default]
    NewestFirst,
    /// The oldest entry first.
    OldestFirst,
}

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only of this source.
    pub source: Option<SourceName>,
    /// Only of this type, or of the types that a [pattern](crate::kind::is_of_type) such as `post.*` means.
    pub event_type: Option<String>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Only those that a signature vouches for, or only those that none does.
    pub verified: Option<bool>,
    /// Only those whose id, type, target or body has this text in it; a to z as A to Z.
    pub text: Option<String>,
    /// Which way.
    pub order: Order,
    /// Where the last page ended.
    pub cursor: Option<Cursor>,
    /// At most so many; a page may be shorter and still have a next one, where a filter passes few.
    pub limit: usize,
}

impl EventQuery {
    /// Whether an event is one of those that are meant; the cursor aside.
    #[must_use]
    pub fn passes(&self, event: &StoredEvent) -> bool {
        let record = event.record();
        self.source.as_ref().is_none_or(|source| record.source == *source)
            && self.event_type.as_ref().is_none_or(|wanted| is_of_type(wanted, record.event_type.as_deref()))
            && self.since.is_none_or(|since| record.received_at >= since)
            && self.until.is_none_or(|until| record.received_at < until)
            && self.verified.is_none_or(|wanted| record.provenance.is_verified() == wanted)
            && self.text.as_ref().is_none_or(|text| mentions(event, text))
    }
}

/// Whether an event has a text in it. Headers are left out: whoever may search must not find a signature letter by
/// letter.
fn mentions(event: &StoredEvent, text: &str) -> bool {
    let record = event.record();
    let id = event.id().to_string();
    let kind = record.event_type.as_deref().unwrap_or_default();
    let places = [id.as_bytes(), kind.as_bytes(), record.request.target.as_bytes(), &record.request.body];
    text.is_empty()
        || places
            .iter()
            .any(|place| place.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes())))
}

/// Which refusals.
#[derive(Debug, Clone, Default)]
pub struct RefusalQuery {
    /// Only of this source.
    pub source: Option<SourceName>,
    /// Which way.
    pub order: Order,
    /// Where the last page ended.
    pub cursor: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// Which deliveries.
#[derive(Debug, Clone, Default)]
pub struct DeliveryQuery {
    /// Only of this event.
    pub event: Option<EventId>,
    /// Only to this destination.
    pub destination: Option<DestinationName>,
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Where the last page ended.
    pub cursor: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// What became of the wish to retry a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOutcome {
    /// It is due now.
    Due,
    /// It is in a state that cannot be retried: pending and leased ones are under way, a delivered one is replayed.
    Refused(DeliveryState),
    /// There is no such delivery.
    Unknown,
}

/// What became of the wish to call a delivery off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It is cancelled.
    Cancelled,
    /// It is in a state that cannot be called off: a leased one is under way, the others have ended.
    Refused(DeliveryState),
    /// There is no such delivery.
    Unknown,
}

/// How far behind a destination is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Which destination.
    pub destination: DestinationName,
    /// Events that are due or under way, the waiting ones aside; an upper bound where counting would cost too much.
    pub pending: u64,
    /// Deliveries that wait for their next try.
    pub waiting: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// When the oldest event that is not settled was received.
    pub oldest: Option<Timestamp>,
}

/// A value of the small shared state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    /// The value.
    pub value: Bytes,
    /// Its revision.
    pub revision: Revision,
}

/// Grows with every change of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// How a store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// What kind: `sqlite`.
    pub kind: String,
    /// Whether it takes events.
    pub writable: bool,
    /// Why not, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Events in the log.
    pub events: u64,
    /// The place of the newest event.
    pub head: Sequence,
    /// Bytes in use.
    pub bytes: u64,
    /// Free bytes where the store lies, if it can tell.
    pub free_bytes: Option<u64>,
    /// Refusals that were not recorded because there were too many.
    pub refusals_dropped: u64,
}

/// Why a store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// More is waiting to be written than the queue holds.
    #[error("the store has more to write than its queue holds")]
    Overloaded,
    /// There is less free space than the reserve, or the retention size is full of undelivered events.
    #[error("the store is full: {0}")]
    Full(String),
    /// Durability can no longer be promised; nothing will be written until the process starts again.
    #[error("the store failed and takes no more writes: {0}")]
    Failed(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Somebody else changed the value first.
    #[error("the value was changed by somebody else")]
    Conflict,
    /// Reading went wrong.
    #[error("reading the store failed: {0}")]
    Read(String),
}
