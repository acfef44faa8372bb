//! Deliveries and attempts in words, as several pages show them.

use hookhouse_core::{Attempt, AttemptOutcome, Delivery, DeliveryState, Timestamp};

use super::moment::{self, Moment};

/// How something looks: a colour, never without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    Warn,
    Bad,
    Calm,
}

impl Mood {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Calm => "calm",
        }
    }

    /// The same for whoever does not see the colour.
    pub(super) fn spoken(self) -> &'static str {
        match self {
            Self::Good => "yes",
            Self::Warn => "look",
            Self::Bad => "no",
            Self::Calm => "note",
        }
    }

    pub(super) fn of(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Delivered => Self::Good,
            DeliveryState::Waiting => Self::Warn,
            DeliveryState::Dead => Self::Bad,
            DeliveryState::Pending | DeliveryState::Leased | DeliveryState::Cancelled => Self::Calm,
        }
    }
}

/// A state as people say it.
pub(super) fn state_word(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Leased => "under way",
        other => other.as_str(),
    }
}

/// A delivery.
#[derive(Debug)]
pub(super) struct DeliveryRow {
    pub(super) id: String,
    pub(super) event: String,
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) round: u64,
    pub(super) state: &'static str,
    pub(super) mood: Mood,
    pub(super) attempts: u32,
    pub(super) due: Option<Moment>,
    /// Whether it is due already, and waits for its destination to be tried again.
    pub(super) overdue: bool,
    pub(super) reason: Option<&'static str>,
    pub(super) last: Option<AttemptRow>,
    /// Who edited what it sends, and when.
    pub(super) edited: Option<(String, Moment)>,
    pub(super) may_retry: bool,
    pub(super) may_cancel: bool,
}

impl DeliveryRow {
    pub(super) fn of(delivery: &Delivery, now: Timestamp) -> Self {
        use hookhouse_core::delivery::DeliveryMove;
        Self {
            id: delivery.id.to_string(),
            event: delivery.id.event.to_string(),
            source: delivery.source.to_string(),
            destination: delivery.id.destination.to_string(),
            round: delivery.id.round,
            state: state_word(delivery.state),
            mood: Mood::of(delivery.state),
            attempts: delivery.attempts,
            overdue: delivery.due_at.is_some_and(|due| due < now),
            due: delivery.due_at.map(|due| Moment::new(due, now)),
            reason: delivery.reason.map(|reason| match reason {
                hookhouse_core::DeadReason::Exhausted => "every try of the schedule failed",
                hookhouse_core::DeadReason::Gone => "the destination answered 410 Gone",
                hookhouse_core::DeadReason::Rejected => "the destination will never take it",
            }),
            last: delivery.last_attempt.as_ref().map(|attempt| AttemptRow::of(attempt, now)),
            edited: delivery.edited.as_ref().map(|mark| (mark.by.clone(), Moment::new(mark.at, now))),
            may_retry: delivery.state.after(DeliveryMove::Retry).is_some(),
            may_cancel: delivery.state.after(DeliveryMove::Cancel).is_some(),
        }
    }
}

/// A try.
#[derive(Debug)]
pub(super) struct AttemptRow {
    pub(super) number: u32,
    pub(super) round: u64,
    pub(super) destination: String,
    pub(super) at: Moment,
    pub(super) took: String,
    pub(super) outcome: String,
    /// What the destination said, where it said something.
    pub(super) detail: Option<String>,
    pub(super) mood: Mood,
}

impl AttemptRow {
    pub(super) fn of(attempt: &Attempt, now: Timestamp) -> Self {
        let (outcome, detail, mood) = match &attempt.outcome {
            AttemptOutcome::Delivered { status } => (format!("answered {status}"), None, Mood::Good),
            AttemptOutcome::Refused { status, answer } => (
                format!("answered {status}"),
                Some(answer.clone()).filter(|answer| !answer.is_empty()),
                Mood::Bad,
            ),
            AttemptOutcome::Failed { error } => ("no answer".to_owned(), Some(error.clone()), Mood::Bad),
            AttemptOutcome::Skipped { reason } => ("left out".to_owned(), Some(reason.clone()), Mood::Calm),
        };
        Self {
            number: attempt.number.0,
            round: attempt.delivery.round,
            destination: attempt.delivery.destination.to_string(),
            at: Moment::new(attempt.started_at, now),
            took: moment::milliseconds(attempt.duration_ms),
            outcome,
            detail,
            mood,
        }
    }
}

#[cfg(test)]
impl AttemptRow {
    pub(super) fn specimen(text: &str) -> Self {
        let text = || text.to_owned();
        Self {
            number: 1,
            round: 2,
            destination: text(),
            at: Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
            took: text(),
            outcome: text(),
            detail: Some(text()),
            mood: Mood::Bad,
        }
    }
}

#[cfg(test)]
impl DeliveryRow {
    pub(super) fn specimen(text: &str) -> Self {
        let text = || text.to_owned();
        Self {
            id: text(),
            event: text(),
            source: text(),
            destination: text(),
            round: 1,
            state: "dead",
            mood: Mood::Bad,
            attempts: 3,
            due: Some(Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)),
            overdue: true,
            reason: Some("every try failed"),
            last: None,
            edited: Some((text(), Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH))),
            may_retry: true,
            may_cancel: true,
        }
    }
}
