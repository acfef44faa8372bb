//! What happened, told to whoever watches: the request log of `serve`, the terminal of `dev`.
//!
//! Watching is for people. Nothing that must not be lost goes this way: the store has it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::delivery::{Attempt, Next};
use crate::event::StoredEvent;
use crate::id::EventId;
use crate::names::{DestinationName, SourceName};
use crate::refusal::Refusal;
use crate::trace::TraceId;

/// Told of everything that happens. Must return at once: it is called between a request and its answer.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// Something happened.
    fn notice(&self, notice: Notice);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Observer for Unwatched {
    fn notice(&self, _: Notice) {}
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Notice {
    /// An event is durable.
    Accepted {
        /// The event.
        event: Arc<StoredEvent>,
        /// What it repeats, at a source where repeats are kept.
        repeat_of: Option<EventId>,
        /// How it was acknowledged; `None` where its destination answers, of which [`Notice::Relayed`] tells.
        answered: Option<Answered>,
    },
    /// A repeat of a stored event was acknowledged.
    Duplicate {
        /// The endpoint.
        source: SourceName,
        /// The first one.
        of: EventId,
        /// How it was acknowledged.
        answered: Answered,
    },
    /// A request was turned away.
    Refused {
        /// The record of it.
        refusal: Refusal,
        /// Its body, as far as it was read: for a developer's terminal, never for a log.
        body: Bytes,
        /// How it was answered; `None` where the connection was closed without a word.
        answered: Option<Answered>,
    },
    /// A challenge was answered.
    Handshake {
        /// The endpoint.
        source: SourceName,
        /// When.
        at: Timestamp,
        /// What: `crc`.
        kind: &'static str,
        /// The key that signed the answer.
        key: String,
        /// Whether the challenge was itself signed.
        signed: bool,
        /// When the challenge says that it was sent. Only a signature vouches for it.
        sent_at: Option<Timestamp>,
        /// What else is worth knowing.
        notes: Vec<&'static str>,
        /// How it was answered.
        answered: Answered,
    },
    /// A delivery was tried.
    Attempted {
        /// The endpoint that had received the event.
        source: SourceName,
        /// The try.
        attempt: Attempt,
        /// What follows.
        next: Next,
    },
    /// An application was asked to answer a sender itself.
    Relayed {
        /// The endpoint.
        source: SourceName,
        /// The event that was relayed.
        event: EventId,
        /// The destination.
        destination: DestinationName,
        /// When it was asked.
        at: Timestamp,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// The status that the sender got.
        status: u16,
        /// Why the answer is not the application's, if it is not.
        failure: Option<String>,
        /// Whether that is because none came in time.
        late: bool,
        /// How the sender was answered.
        answered: Answered,
    },
    /// A WebSocket connection ended.
    Tunnelled {
        /// The endpoint.
        source: SourceName,
        /// The event that its handshake is.
        event: EventId,
        /// The destination.
        destination: DestinationName,
        /// When it began.
        at: Timestamp,
        /// How long it lasted, in milliseconds.
        duration_ms: u64,
        /// Bytes from the sender to the application.
        up: u64,
        /// Bytes from the application to the sender.
        down: u64,
        /// Why it ended: `closed`, `broken`, `idle`, `lifetime`, `stopped`.
        end: &'static str,
    },
    /// Something was done for a webhook, or found out about it.
    Webhook {
        /// The endpoint that it calls.
        source: SourceName,
        /// When.
        at: Timestamp,
        /// What, in a line.
        deed: String,
        /// Whether somebody should look.
        trouble: bool,
    },
    /// A destination's circuit opened or closed.
    Circuit {
        /// Whose.
        destination: DestinationName,
        /// Until when nothing but a probe is sent; `None` when it closed again.
        open_until: Option<Timestamp>,
        /// What the last failure was, when it opened.
        cause: Option<String>,
    },
}

/// How a request was answered: what the log and the metrics say of every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The method, if it is a common one; otherwise `_OTHER`.
    pub method: &'static str,
    /// The status.
    pub status: u16,
    /// How long the body was, as far as it was read.
    pub bytes: u64,
    /// From the end of the head to the answer.
    pub elapsed: Duration,
    /// How long the store took to make the event durable, where it was asked to.
    pub stored_in: Option<Duration>,
    /// The trace that the sender says the request belongs to.
    pub trace: Option<TraceId>,
}
