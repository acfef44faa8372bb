//! Deliveries: one event for one destination, its states, and the moves between them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::edit::Edited;
use crate::event::StoredEvent;
use crate::id::EventId;
use crate::names::{DestinationName, SourceName};

/// Which delivery: the event, the destination, and the round. Round 0 is the one that every event has by itself;
/// each replay is a round of its own.
///
/// Written `evt_…:app`, and `evt_…:app:2` for the second replay.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId {
    /// What is delivered.
    pub event: EventId,
    /// Where to.
    pub destination: DestinationName,
    /// 0 for the first time through, unique per event and destination for a replay.
    pub round: u64,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.round {
            0 => write!(f, "{}:{}", self.event, self.destination),
            round => write!(f, "{}:{}:{round}", self.event, self.destination),
        }
    }
}

impl FromStr for DeliveryId {
    type Err = DeliveryIdError;

    fn from_str(text: &str) -> Result<Self, DeliveryIdError> {
        let mut parts = text.split(':');
        let (event, destination) = (parts.next(), parts.next());
        let round = match parts.next() {
            None => 0,
            Some(round) => round.parse().ok().filter(|r| *r > 0).ok_or(DeliveryIdError)?,
        };
        match (event, destination, parts.next()) {
            (Some(event), Some(destination), None) => Ok(Self {
                event: event.parse().map_err(|_| DeliveryIdError)?,
                destination: destination.parse().map_err(|_| DeliveryIdError)?,
                round,
            }),
            _ => Err(DeliveryIdError),
        }
    }
}

impl Serialize for DeliveryId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeliveryId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no delivery id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a delivery id is `EVENT:DESTINATION`, with `:ROUND` for a replay")]
pub struct DeliveryIdError;

/// How often a delivery was tried; the first try is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNumber(pub u32);

impl fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Due: nobody works on it.
    Pending,
    /// A worker holds its lease.
    Leased,
    /// Tried in vain; due again later.
    Waiting,
    /// Taken by the destination.
    Delivered,
    /// Given up; kept until somebody retries it or retention removes it.
    Dead,
    /// Called off by an operator.
    Cancelled,
}

/// What can happen to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryMove {
    /// A worker takes it.
    Lease,
    /// The destination took it.
    Succeed,
    /// It failed and will be tried again.
    Postpone,
    /// It failed for good.
    GiveUp,
    /// The worker hands it back untried, or its lease ran out.
    Release,
    /// An operator wants it tried now.
    Retry,
    /// An operator calls it off.
    Cancel,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Leased, Self::Waiting, Self::Delivered, Self::Dead, Self::Cancelled];

    /// The state after a move; `None` where the move is not legal.
    #[must_use]
    pub fn after(self, step: DeliveryMove) -> Option<Self> {
        use DeliveryMove as M;
        Some(match (self, step) {
            // A waiting delivery is leased when its time has come.
            (Self::Pending | Self::Waiting, M::Lease) => Self::Leased,
            (Self::Leased, M::Succeed) => Self::Delivered,
            (Self::Leased, M::Postpone) => Self::Waiting,
            (Self::Leased, M::GiveUp) => Self::Dead,
            (Self::Leased, M::Release) => Self::Pending,
            (Self::Waiting | Self::Dead | Self::Cancelled, M::Retry) => Self::Pending,
            (Self::Pending | Self::Waiting | Self::Dead, M::Cancel) => Self::Cancelled,
            _ => return None,
        })
    }

    /// The state as a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Leased => "leased",
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for DeliveryState {
    type Err = DeliveryStateError;

    fn from_str(text: &str) -> Result<Self, DeliveryStateError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(DeliveryStateError)
    }
}

/// A word that is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a delivery is pending, leased, waiting, delivered, dead or cancelled")]
pub struct DeliveryStateError;

impl DeliveryMove {
    /// Every move.
    pub const ALL: [Self; 7] =
        [Self::Lease, Self::Succeed, Self::Postpone, Self::GiveUp, Self::Release, Self::Retry, Self::Cancel];
}

/// The right to try a delivery once. Settling it needs the token, so a worker that comes late loses politely.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// What proves that the lease is still held.
    pub token: LeaseToken,
    /// Which try this is.
    pub attempt: AttemptNumber,
    /// What to deliver; of an edited replay, [as it was edited](crate::Edit::of).
    pub event: Arc<StoredEvent>,
}

/// Proves that a lease is the last one given out for its delivery. Opaque: a store puts in it what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken(pub u64);

/// What became of a lease.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// The lease's token.
    pub token: LeaseToken,
    /// What was tried; `None` when the lease is handed back untried.
    pub attempt: Option<Attempt>,
    /// What follows.
    pub next: Next,
}

/// What follows an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The destination took it.
    Done,
    /// Try again, not before this moment.
    RetryAt(Timestamp),
    /// Give up.
    GiveUp(DeadReason),
    /// Nothing was tried: somebody else may, at once. The try does not count.
    Release,
}

/// Whether a settlement counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was recorded.
    Recorded,
    /// The lease had run out or been taken over; nothing was recorded.
    LeaseLost,
}

/// Why a delivery was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// Every try of the schedule failed.
    Exhausted,
    /// The destination answered 410 Gone.
    Gone,
    /// The destination said that it will never take this event, or nothing could be made of it for the destination.
    Rejected,
}

impl DeadReason {
    /// The reason as a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Gone => "gone",
            Self::Rejected => "rejected",
        }
    }
}

/// One try of a delivery, after the fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which delivery was tried.
    pub delivery: DeliveryId,
    /// Which try it was.
    pub number: AttemptNumber,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: AttemptOutcome,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The destination answered 2xx.
    Delivered {
        /// The status.
        status: u16,
    },
    /// The destination answered something else.
    Refused {
        /// The status.
        status: u16,
        /// The beginning of its answer, printable.
        answer: String,
    },
    /// No answer came.
    Failed {
        /// What went wrong, in words.
        error: String,
    },
    /// Nothing was sent, because the destination's own rules leave the event out. The delivery is done.
    Skipped {
        /// Which rule, in words.
        reason: String,
    },
}

impl AttemptOutcome {
    /// Whether the destination took the event.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered { .. })
    }
}

/// A delivery, as shown to operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Which.
    pub id: DeliveryId,
    /// The endpoint that received the event.
    pub source: SourceName,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is due, for a waiting one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Why it was given up, for a dead one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<DeadReason>,
    /// The last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<Attempt>,
    /// Who edited what is delivered, for a replay that does not send the stored bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Edited>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of legal moves as a picture: a changed transition shows up in review as a changed graph.
    #[test]
    fn the_table_of_moves() {
        let mut graph = String::from("digraph delivery {\n");
        for state in DeliveryState::ALL {
            for step in DeliveryMove::ALL {
                if let Some(next) = state.after(step) {
                    graph += &format!("  {state:?} -> {next:?} [label={step:?}]\n");
                }
            }
        }
        graph.push('}');
        insta::assert_snapshot!(graph, @r"
        digraph delivery {
          Pending -> Leased [label=Lease]
          Pending -> Cancelled [label=Cancel]
          Leased -> Delivered [label=Succeed]
          Leased -> Waiting [label=Postpone]
          Leased -> Dead [label=GiveUp]
          Leased -> Pending [label=Release]
          Waiting -> Leased [label=Lease]
          Waiting -> Pending [label=Retry]
          Waiting -> Cancelled [label=Cancel]
          Dead -> Pending [label=Retry]
          Dead -> Cancelled [label=Cancel]
          Cancelled -> Pending [label=Retry]
        }
        ");
    }

    #[test]
    fn a_delivery_id_reads_back() {
        let event = EventId::with_position(Timestamp::UNIX_EPOCH, 7, 7);
        for round in [0, 1, 12] {
            let id = DeliveryId { event, destination: "app".parse().unwrap(), round };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for bad in
            ["", "evt_:app", &format!("{event}"), &format!("{event}:app:0"), &format!("{event}:app:1:2")]
        {
            assert!(bad.parse::<DeliveryId>().is_err(), "{bad}");
        }
    }
}
