//! What the pictures show: how often and how long, of the last hour.
//!
//! An observer beside the metrics. Those count since the start, for a system that asks again and again; a page is looked
//! at once, and must know the last hour by itself. A notice costs a look-up and some atomic additions.

mod minutes;
mod recall;
mod recent;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use hookhouse_core::notice::Answered;
use hookhouse_core::{AttemptOutcome, Clock, DestinationName, Notice, Observer, SourceName, Timestamp};

use minutes::Minutes;
use recent::Recent;

pub(crate) use minutes::MINUTES;
pub(crate) use recent::Spread;

/// Everything that is shown in pictures.
#[derive(Debug)]
pub(crate) struct Pulse {
    sources: RwLock<HashMap<SourceName, Arc<SourcePulse>>>,
    destinations: RwLock<HashMap<DestinationName, Arc<DestinationPulse>>>,
    /// Requests that reached no source.
    nowhere: Minutes,
    committed: Recent,
    acknowledged: Recent,
    /// Since when everything is counted, where the store held more of the hour before the start than was read.
    whole_since: OnceLock<Timestamp>,
    /// For what does not say when it happened.
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct SourcePulse {
    verified: Minutes,
    unverified: Minutes,
    repeated: Minutes,
    refused: Minutes,
}

#[derive(Debug, Default)]
struct DestinationPulse {
    good: Minutes,
    bad: Minutes,
    took: Recent,
}

/// The last hour of a source, or of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intake {
    pub(crate) verified: [u32; MINUTES],
    pub(crate) unverified: [u32; MINUTES],
    pub(crate) repeated: [u32; MINUTES],
    pub(crate) refused: [u32; MINUTES],
}

impl Intake {
    const NOTHING: Self = Self {
        verified: [0; MINUTES],
        unverified: [0; MINUTES],
        repeated: [0; MINUTES],
        refused: [0; MINUTES],
    };

    /// Events in each minute.
    pub(crate) fn accepted(&self) -> [u32; MINUTES] {
        sum(self.verified, self.unverified)
    }

    fn and(self, other: Self) -> Self {
        Self {
            verified: sum(self.verified, other.verified),
            unverified: sum(self.unverified, other.unverified),
            repeated: sum(self.repeated, other.repeated),
            refused: sum(self.refused, other.refused),
        }
    }
}

/// The last hour of a destination.
#[derive(Debug, Clone)]
pub(crate) struct Outflow {
    pub(crate) good: [u32; MINUTES],
    pub(crate) bad: [u32; MINUTES],
    /// How long the last tries took.
    pub(crate) took: Spread,
}

impl Pulse {
    pub(crate) fn new<'a>(
        sources: impl IntoIterator<Item = &'a SourceName>,
        destinations: impl IntoIterator<Item = &'a DestinationName>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let pulse = Self {
            sources: RwLock::default(),
            destinations: RwLock::default(),
            nowhere: Minutes::default(),
            committed: Recent::default(),
            acknowledged: Recent::default(),
            whole_since: OnceLock::new(),
            clock,
        };
        pulse.change(sources, destinations);
        Arc::new(pulse)
    }

    /// Takes note for these from now on; those that were known keep their last hour.
    pub(crate) fn change<'a>(
        &self,
        sources: impl IntoIterator<Item = &'a SourceName>,
        destinations: impl IntoIterator<Item = &'a DestinationName>,
    ) {
        renew(&self.sources, sources);
        renew(&self.destinations, destinations);
    }

    fn of_source(&self, name: &SourceName) -> Option<Arc<SourcePulse>> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn of_destination(&self, name: &DestinationName) -> Option<Arc<DestinationPulse>> {
        self.destinations.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// An observer that takes note of what it is told, then tells `next`.
    pub(crate) fn before(self: &Arc<Self>, next: Arc<dyn Observer>) -> Arc<dyn Observer> {
        Arc::new(Felt { pulse: Arc::clone(self), next })
    }

    /// The last hour of a source.
    pub(crate) fn source(&self, name: &SourceName, now: Timestamp) -> Intake {
        self.of_source(name).map_or(Intake::NOTHING, |source| source.read(now))
    }

    /// The last hour of every source, and of the requests that reached none.
    pub(crate) fn all_sources(&self, now: Timestamp) -> Intake {
        let nowhere = Intake { refused: self.nowhere.read(now), ..Intake::NOTHING };
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources.values().fold(nowhere, |all, source| all.and(source.read(now)))
    }

    /// The last hour of a destination.
    pub(crate) fn destination(&self, name: &DestinationName, now: Timestamp) -> Option<Outflow> {
        let destination = self.of_destination(name)?;
        let (good, bad) = (destination.good.read(now), destination.bad.read(now));
        Some(Outflow { good, bad, took: destination.took.read() })
    }

    /// How long the store took to make the last events durable.
    pub(crate) fn committed(&self) -> Spread {
        self.committed.read()
    }

    /// How long the last senders waited for their acknowledgement.
    pub(crate) fn acknowledged(&self) -> Spread {
        self.acknowledged.read()
    }

    fn feel(&self, notice: &Notice) {
        match notice {
            Notice::Accepted { event, answered, .. } => {
                let record = event.record();
                if let Some(source) = self.of_source(&record.source) {
                    let verified = record.provenance.is_verified();
                    let minutes = if verified { &source.verified } else { &source.unverified };
                    minutes.add(record.received_at);
                }
                if let Some(answered) = answered {
                    self.acknowledge(answered);
                }
            }
            Notice::Duplicate { source, answered, .. } => {
                if let Some(source) = self.of_source(source) {
                    source.repeated.add(self.clock.now());
                }
                self.acknowledge(answered);
            }
            Notice::Refused { refusal, .. } => {
                let source = refusal.source.as_ref().and_then(|name| self.of_source(name));
                source.as_ref().map_or(&self.nowhere, |source| &source.refused).add(refusal.at);
            }
            Notice::Relayed { destination, at, duration_ms, failure, answered, .. } => {
                if let Some(destination) = self.of_destination(destination) {
                    destination.tried(*at, Duration::from_millis(*duration_ms), failure.is_none());
                }
                if let Some(took) = answered.stored_in {
                    self.committed.add(took);
                }
            }
            Notice::Attempted { attempt, .. } => {
                let skipped = matches!(attempt.outcome, AttemptOutcome::Skipped { .. });
                if let Some(destination) =
                    self.of_destination(&attempt.delivery.destination).filter(|_| !skipped)
                {
                    let took = Duration::from_millis(attempt.duration_ms);
                    destination.tried(attempt.started_at, took, attempt.outcome.is_delivered());
                }
            }
            _ => {}
        }
    }

    fn acknowledge(&self, answered: &Answered) {
        self.acknowledged.add(answered.elapsed);
        if let Some(took) = answered.stored_in {
            self.committed.add(took);
        }
    }
}

impl SourcePulse {
    fn read(&self, now: Timestamp) -> Intake {
        Intake {
            verified: self.verified.read(now),
            unverified: self.unverified.read(now),
            repeated: self.repeated.read(now),
            refused: self.refused.read(now),
        }
    }
}

impl DestinationPulse {
    fn tried(&self, at: Timestamp, took: Duration, good: bool) {
        if good { &self.good } else { &self.bad }.add(at);
        // It is known to the millisecond, and never was nothing.
        self.took.add(took.max(Duration::from_millis(1)));
    }
}

/// Keeps what is still named, and begins with what is new.
fn renew<'a, N: Clone + Eq + Hash + 'a, P: Default>(
    known: &RwLock<HashMap<N, Arc<P>>>,
    names: impl IntoIterator<Item = &'a N>,
) {
    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
    let mut former = std::mem::take(&mut *known);
    known.extend(names.into_iter().map(|name| (name.clone(), former.remove(name).unwrap_or_default())));
}

/// How many in all.
pub(crate) fn total(minutes: &[u32; MINUTES]) -> u64 {
    minutes.iter().map(|count| u64::from(*count)).sum()
}

fn sum(mut left: [u32; MINUTES], right: [u32; MINUTES]) -> [u32; MINUTES] {
    left.iter_mut().zip(right).for_each(|(left, right)| *left = left.saturating_add(right));
    left
}

/// Takes note, and passes on.
#[derive(Debug)]
struct Felt {
    pulse: Arc<Pulse>,
    next: Arc<dyn Observer>,
}

impl Observer for Felt {
    fn notice(&self, notice: Notice) {
        self.pulse.feel(&notice);
        self.next.notice(notice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_counts_in_the_minute_in_which_it_came() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let clock = hookhouse_testkit::clock::FakeClock::at(now);
        let source: SourceName = "x".parse().unwrap();
        let pulse = Pulse::new([&source], [], Arc::new(clock));
        let answered = Answered {
            method: "POST",
            status: 200,
            bytes: 2,
            elapsed: Duration::from_millis(3),
            stored_in: None,
            trace: None,
        };
        let a_week_ago = now.checked_sub(Duration::from_secs(6 * 24 * 3600)).unwrap();
        let of = hookhouse_core::EventId::with_position(a_week_ago, 1, 1);
        pulse.feel(&Notice::Duplicate { source: source.clone(), of, answered });
        assert_eq!(total(&pulse.source(&source, now).repeated), 1);
        assert_eq!(pulse.acknowledged().len(), 1);
        assert_eq!(pulse.committed().len(), 0);
    }
}
