//! The handles of one destination.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::delivery::Next;
use hookhouse_core::{Attempt, AttemptOutcome, DeadReason};
use prometheus_client::metrics::counter::Counter;

use super::counts::AttemptCounts;
use super::durations::Durations;
use super::families::{AttemptLabels, DeadLabels, DestinationLabels, Families, TunnelLabels};
use super::slots::Slots;

/// The most ways for a WebSocket connection to end.
const ENDS: usize = 16;

/// What is counted for one destination.
#[derive(Debug)]
pub(super) struct DestinationMetrics {
    name: String,
    families: Arc<Families>,
    delivered: Counter,
    refused: Counter,
    failed: Counter,
    skipped: Counter,
    took: Durations,
    lag: Durations,
    exhausted: Counter,
    gone: Counter,
    rejected: Counter,
    relay_answered: Counter,
    relay_late: Counter,
    relay_broken: Counter,
    relay_took: Durations,
    tunnels: Slots<&'static str, Counter>,
}

impl DestinationMetrics {
    pub(super) fn new(families: &Arc<Families>, name: &str) -> Self {
        let labels = DestinationLabels { destination: name.to_owned() };
        let outcome = |outcome| AttemptLabels { destination: name.to_owned(), outcome };
        let attempts = |word| families.attempts.get_or_create_owned(&outcome(word));
        let relays = |word| families.relays.get_or_create_owned(&outcome(word));
        let dead = |reason: DeadReason| {
            let labels = DeadLabels { destination: name.to_owned(), reason: reason.as_str() };
            families.dead.get_or_create_owned(&labels)
        };
        Self {
            delivered: attempts("delivered"),
            refused: attempts("refused"),
            failed: attempts("failed"),
            skipped: attempts("skipped"),
            took: families.attempted.get_or_create_owned(&labels),
            lag: families.lag.get_or_create_owned(&labels),
            exhausted: dead(DeadReason::Exhausted),
            gone: dead(DeadReason::Gone),
            rejected: dead(DeadReason::Rejected),
            relay_answered: relays("answered"),
            relay_late: relays("late"),
            relay_broken: relays("broken"),
            relay_took: families.relayed.get_or_create_owned(&labels),
            tunnels: Slots::new(ENDS),
            name: name.to_owned(),
            families: Arc::clone(families),
        }
    }

    /// Takes every series of this destination off the page. What is still under way counts for nobody.
    pub(super) fn forget(&self) {
        let (families, destination) = (&self.families, || self.name.clone());
        for outcome in ["delivered", "refused", "failed", "skipped"] {
            families.attempts.remove(&AttemptLabels { destination: destination(), outcome });
        }
        for outcome in ["answered", "late", "broken"] {
            families.relays.remove(&AttemptLabels { destination: destination(), outcome });
        }
        for reason in [DeadReason::Exhausted, DeadReason::Gone, DeadReason::Rejected] {
            families.dead.remove(&DeadLabels { destination: destination(), reason: reason.as_str() });
        }
        let labels = DestinationLabels { destination: destination() };
        for durations in [&families.attempted, &families.lag, &families.relayed] {
            durations.remove(&labels);
        }
        for end in self.tunnels.keys() {
            families.tunnels.remove(&TunnelLabels { destination: destination(), end });
        }
    }

    /// What came of the attempts.
    pub(super) fn counts(&self) -> AttemptCounts {
        AttemptCounts {
            delivered: self.delivered.get(),
            refused: self.refused.get(),
            failed: self.failed.get(),
            skipped: self.skipped.get(),
        }
    }

    /// Counts a try and what follows it.
    pub(super) fn attempt(&self, attempt: &Attempt, next: &Next) {
        let took = Duration::from_millis(attempt.duration_ms);
        let outcome = match &attempt.outcome {
            AttemptOutcome::Delivered { .. } => &self.delivered,
            AttemptOutcome::Refused { .. } => &self.refused,
            AttemptOutcome::Failed { .. } => &self.failed,
            // Nothing was sent: what follows did not take any time, and nothing was delivered late.
            AttemptOutcome::Skipped { .. } => {
                self.skipped.inc();
                return;
            }
        };
        outcome.inc();
        self.took.observe(took);
        match next {
            Next::Done => {
                let waited = attempt.started_at.duration_since(attempt.delivery.event.made_at());
                // A clock that was set back makes a wait that never was.
                self.lag.observe(Duration::try_from(waited).unwrap_or_default() + took);
            }
            Next::GiveUp(reason) => {
                self.dead(*reason).inc();
            }
            Next::RetryAt(_) | Next::Release => {}
        }
    }

    fn dead(&self, reason: DeadReason) -> &Counter {
        match reason {
            DeadReason::Exhausted => &self.exhausted,
            DeadReason::Gone => &self.gone,
            DeadReason::Rejected => &self.rejected,
        }
    }

    /// Counts an event that the destination was to answer itself.
    pub(super) fn relay(&self, took: Duration, answered: bool, late: bool) {
        self.relay_took.observe(took);
        let outcome = match (answered, late) {
            (true, _) => &self.relay_answered,
            (false, true) => &self.relay_late,
            (false, false) => &self.relay_broken,
        };
        outcome.inc();
    }

    /// Counts a WebSocket connection that ended.
    pub(super) fn tunnel(&self, end: &'static str) {
        let make = || {
            let labels = TunnelLabels { destination: self.name.clone(), end };
            (end, self.families.tunnels.get_or_create_owned(&labels))
        };
        if let Some(ended) = self.tunnels.of(|known| *known == end, make) {
            ended.inc();
        }
    }
}
