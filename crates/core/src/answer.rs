//! What a sender was answered where a destination answers itself.

use bytes::Bytes;
use hookhouse_verify::Headers;
use jiff::Timestamp;

use crate::id::EventId;
use crate::names::DestinationName;

/// The answer to a relayed event, kept beside it: one per event. A WebSocket's is kept when it opens, and again, with
/// what passed, when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was relayed.
    pub event: EventId,
    /// Who was asked.
    pub destination: DestinationName,
    /// When.
    pub asked_at: Timestamp,
    /// How long the answer took, in milliseconds; how long the connection lasted, once a WebSocket has ended.
    pub duration_ms: u64,
    /// The status that the sender got.
    pub status: u16,
    /// The headers of the answer, those of its connection aside.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
    /// Why the answer is not the destination's own; `None` where it is.
    pub failure: Option<String>,
    /// The event that this one repeats, byte for byte as far as its signature tells: a caller in a loop, or somebody
    /// who replays what he has seen.
    pub repeat_of: Option<EventId>,
    /// What passed through a WebSocket; `None` while it is open.
    pub passed: Option<Passed>,
}

/// What passed through a WebSocket connection, and why it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Bytes from the sender to the destination.
    pub up: u64,
    /// Bytes from the destination to the sender.
    pub down: u64,
    /// Why it ended: `closed`, `broken`, `idle`, `lifetime`, `stopped`.
    pub end: String,
}
