//! What became of an event, moment by moment.

use hookhouse_core::{Answer, Attempt, AttemptOutcome, Delivery, StoredEvent, Timestamp};

use crate::config::Source;
use crate::ui::article::offset;
use crate::ui::moment;
use crate::ui::row::Mood;

/// A moment.
#[derive(Debug)]
pub(in crate::ui) struct Step {
    pub(in crate::ui) mood: Mood,
    pub(in crate::ui) offset: String,
    pub(in crate::ui) exact: String,
    pub(in crate::ui) what: String,
}

/// The moments, in order; ties stay in the order of cause and effect.
pub(in crate::ui) fn of(
    event: &StoredEvent,
    attempts: &[Attempt],
    deliveries: &[Delivery],
    answer: Option<&Answer>,
    source: Option<&Source>,
) -> Vec<Step> {
    let received = event.record().received_at;
    // An id is made while the event is stored, to the millisecond: it never was before the arrival.
    let stored = event.id().made_at().max(received);
    let mut moments = vec![
        (received, Mood::Good, "received".to_owned()),
        (stored, Mood::Good, acknowledged(source, answer)),
    ];
    if let Some(answer) = answer {
        let at = later(answer.asked_at, answer.duration_ms);
        let who = &answer.destination;
        let (mood, what) = match &answer.failure {
            None => (Mood::Good, format!("{who} answered {} itself", answer.status)),
            Some(failure) => {
                (Mood::Bad, format!("{who} did not answer, the sender got {}: {failure}", answer.status))
            }
        };
        moments.push((at, mood, what));
    }
    let edits = deliveries.iter().filter_map(|delivery| Some((&delivery.id, delivery.edited.as_ref()?)));
    let edits: Vec<_> = edits.collect();
    for (id, mark) in &edits {
        let what = format!("{} edited it for replay {} to {}", mark.by, id.round, id.destination);
        moments.push((mark.at, Mood::Calm, what));
    }
    for attempt in attempts {
        let is_edited = edits.iter().any(|(id, _)| **id == attempt.delivery);
        let at = later(attempt.started_at, attempt.duration_ms);
        moments.push((at, mood(attempt), tried(attempt, is_edited)));
    }
    moments.sort_by_key(|(at, ..)| *at);
    let step =
        |(at, mood, what)| Step { mood, offset: offset(at, received), exact: moment::exactly(at), what };
    moments.into_iter().map(step).collect()
}

fn acknowledged(source: Option<&Source>, answer: Option<&Answer>) -> String {
    match (answer, source) {
        (None, Some(source)) => format!("stored, then acknowledged with {}", source.answer.status),
        _ => "stored".to_owned(),
    }
}

fn tried(attempt: &Attempt, is_edited: bool) -> String {
    let (to, number) = (&attempt.delivery.destination, attempt.number);
    let which = if attempt.delivery.round > 0 {
        format!("replay {}, {}", attempt.delivery.round, if is_edited { "edited, " } else { "" })
    } else {
        String::new()
    };
    let what = match &attempt.outcome {
        AttemptOutcome::Delivered { status } => format!("delivered, answered {status}"),
        AttemptOutcome::Refused { status, .. } => format!("answered {status}"),
        AttemptOutcome::Failed { error } => error.clone(),
        AttemptOutcome::Skipped { reason } => format!("left out: {reason}"),
    };
    format!("{to}: {which}try {number} {what} after {}", moment::milliseconds(attempt.duration_ms))
}

fn mood(attempt: &Attempt) -> Mood {
    match attempt.outcome {
        AttemptOutcome::Delivered { .. } => Mood::Good,
        AttemptOutcome::Skipped { .. } => Mood::Calm,
        _ => Mood::Bad,
    }
}

fn later(at: Timestamp, ms: u64) -> Timestamp {
    at.checked_add(std::time::Duration::from_millis(ms)).unwrap_or(at)
}
