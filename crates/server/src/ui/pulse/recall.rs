//! The last hour before the start, read back out of the store, so that a restart does not empty the pictures.
//!
//! Read beside everything else and bounded: of a busy hour, the newest few thousand events and refusals, and the tries
//! of the deliveries behind them. Where that is not the whole hour, the pictures say since when they count. Repeats are
//! not stored; they count from the start on.

use std::collections::HashMap;
use std::time::Duration;

use hookhouse_core::store::{DeliveryQuery, EventQuery, RefusalQuery};
use hookhouse_core::{Attempt, AttemptOutcome, EventId, EventStore, StoreError, Timestamp};

use super::{MINUTES, Pulse};

/// Entries of each kind that are read, at most.
const MOST: usize = 4_000;

/// Entries of a page: bodies come along with events.
const PAGE: usize = 200;

/// Pages that are asked for, at most: a page may be short and have a next one.
const PAGES: usize = 4 * MOST / PAGE;

/// Events whose every try is looked up, at most. The others count with their last one.
const MOST_TRIED_AGAIN: usize = 200;

impl Pulse {
    /// Counts what happened in the hour before `start`.
    pub(crate) async fn recall(&self, store: &dyn EventStore, start: Timestamp) -> Result<(), StoreError> {
        let hour = Duration::from_secs(60 * MINUTES as u64);
        let Ok(since) = start.checked_sub(hour) else { return Ok(()) };
        let reached = [
            self.recall_events(store, since, start).await?,
            self.recall_refusals(store, since, start).await?,
            self.recall_attempts(store, since, start).await?,
        ];
        if let Some(latest) = reached.into_iter().flatten().max() {
            let _ = self.whole_since.set(latest);
        }
        Ok(())
    }

    /// Since when it counts everything, where that is within the last hour.
    pub(crate) fn whole_since(&self, now: Timestamp) -> Option<Timestamp> {
        let hour = Duration::from_secs(60 * MINUTES as u64);
        self.whole_since.get().copied().filter(|since| now.checked_sub(hour).is_ok_and(|from| *since > from))
    }

    /// Where it stopped reading before it had the whole hour.
    async fn recall_events(
        &self,
        store: &dyn EventStore,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut query =
            EventQuery { since: Some(since), until: Some(until), limit: PAGE, ..EventQuery::default() };
        let (mut seen, mut oldest) = (0, until);
        for _ in 0..PAGES {
            let page = store.events(&query).await?;
            for event in &page.items {
                let record = event.record();
                oldest = oldest.min(record.received_at);
                if let Some(source) = self.of_source(&record.source) {
                    let verified = record.provenance.is_verified();
                    if verified { &source.verified } else { &source.unverified }.add(record.received_at);
                }
            }
            seen += page.items.len();
            query.cursor = page.next;
            if query.cursor.is_none() {
                return Ok(None);
            }
            if seen >= MOST {
                break;
            }
        }
        Ok(Some(oldest))
    }

    async fn recall_refusals(
        &self,
        store: &dyn EventStore,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut query = RefusalQuery { limit: PAGE, ..RefusalQuery::default() };
        let (mut seen, mut oldest) = (0, until);
        for _ in 0..PAGES {
            let page = store.refusals(&query).await?;
            for refusal in page.items.iter().map(|stored| &stored.refusal) {
                oldest = oldest.min(refusal.at);
                if refusal.at >= since && refusal.at < until {
                    let source = refusal.source.as_ref().and_then(|name| self.of_source(name));
                    source.as_ref().map_or(&self.nowhere, |source| &source.refused).add(refusal.at);
                }
            }
            seen += page.items.len();
            query.cursor = page.next;
            if query.cursor.is_none() || oldest < since {
                return Ok(None);
            }
            if seen >= MOST {
                break;
            }
        }
        Ok(Some(oldest))
    }

    async fn recall_attempts(
        &self,
        store: &dyn EventStore,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut query = DeliveryQuery { limit: PAGE, ..DeliveryQuery::default() };
        let mut tried_again: HashMap<EventId, Vec<Attempt>> = HashMap::new();
        let (mut seen, mut oldest) = (0, until);
        for _ in 0..PAGES {
            let page = store.deliveries(&query).await?;
            for delivery in &page.items {
                let event = delivery.id.event;
                oldest = oldest.min(event.made_at());
                let may_look = tried_again.len() < MOST_TRIED_AGAIN || tried_again.contains_key(&event);
                if delivery.attempts > 1 && may_look {
                    let attempts = match tried_again.get(&event) {
                        Some(attempts) => attempts,
                        None => {
                            let attempts = store.attempts(event).await?;
                            tried_again.entry(event).or_insert(attempts)
                        }
                    };
                    let own = attempts.iter().filter(|attempt| attempt.delivery == delivery.id);
                    own.for_each(|attempt| self.recall_attempt(attempt, since, until));
                } else if let Some(attempt) = &delivery.last_attempt {
                    self.recall_attempt(attempt, since, until);
                }
            }
            seen += page.items.len();
            query.cursor = page.next;
            // What is tried now may be of an older event, but few of those are.
            if query.cursor.is_none() || oldest < since {
                return Ok(None);
            }
            if seen >= MOST {
                break;
            }
        }
        Ok(Some(oldest))
    }

    fn recall_attempt(&self, attempt: &Attempt, since: Timestamp, until: Timestamp) {
        let is_try = !matches!(attempt.outcome, AttemptOutcome::Skipped { .. });
        if is_try
            && attempt.started_at >= since
            && attempt.started_at < until
            && let Some(destination) = self.of_destination(&attempt.delivery.destination)
        {
            let took = Duration::from_millis(attempt.duration_ms);
            destination.tried(attempt.started_at, took, attempt.outcome.is_delivered());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hookhouse_core::delivery::Next;
    use hookhouse_core::{Clock, DestinationName, Refusal, SourceName};
    use hookhouse_testkit::clock::FakeClock;
    use hookhouse_testkit::memory::MemoryStore;
    use hookhouse_testkit::store_contract::{Bed, Place, Settings, append, lease, settle, wants};

    use super::*;
    use crate::ui::pulse::total;

    /// The bed makes events alone.
    struct Nowhere;

    #[async_trait::async_trait]
    impl Place for Nowhere {
        async fn open(&self, settings: Settings) -> Arc<dyn EventStore> {
            Arc::new(MemoryStore::new(settings.clock))
        }

        async fn crash(&self, _: Arc<dyn EventStore>) {}
    }

    fn refused(at: Timestamp, source: Option<SourceName>) -> Refusal {
        Refusal {
            request_id: "req_1".to_owned(),
            at,
            source,
            peer: None,
            method: "POST".to_owned(),
            path: "/".to_owned(),
            status: 403,
            code: "sig.mismatch".to_owned(),
            reason: "no".to_owned(),
            body_bytes: 0,
        }
    }

    fn pulse(clock: Arc<FakeClock>) -> Arc<Pulse> {
        let sources: [SourceName; 2] = ["inbox".parse().unwrap(), "x".parse().unwrap()];
        let app: DestinationName = "app".parse().unwrap();
        Pulse::new(&sources, [&app], clock)
    }

    #[tokio::test]
    async fn the_hour_before_the_start_is_counted_and_nothing_before_or_after_it() {
        let bed = Bed::new(Nowhere);
        let store = bed.open().await;
        store.subscribe(&[wants("app", &["inbox", "x"])]).await.unwrap();
        append(&*store, bed.event("inbox", "too old")).await;
        bed.advance(Duration::from_secs(3_700));
        append(&*store, bed.event("inbox", "1")).await;
        append(&*store, bed.signed("x", 1, Duration::ZERO)).await;
        store.refuse(refused(bed.now(), Some("x".parse().unwrap())));
        store.refuse(refused(bed.now(), None));
        for next in [Next::Done, Next::RetryAt(bed.now()), Next::Done, Next::Done] {
            let held = lease(&*store, "app").await;
            settle(&*store, &held, bed.now(), next).await;
        }
        bed.advance(Duration::from_secs(60));
        let start = bed.now();
        append(&*store, bed.event("inbox", "counted by its notice")).await;

        let clock = Arc::clone(&bed.settings.clock);
        let pulse = pulse(Arc::clone(&clock));
        pulse.recall(&*store, start).await.unwrap();
        let all = pulse.all_sources(clock.now());
        assert_eq!((total(&all.verified), total(&all.unverified), total(&all.refused)), (1, 1, 2));
        let app = pulse.destination(&"app".parse().unwrap(), clock.now()).unwrap();
        assert_eq!((total(&app.good), total(&app.bad)), (3, 1), "every try, not the last one alone");
        assert_eq!(pulse.whole_since(clock.now()), None);
    }

    #[tokio::test]
    async fn of_a_busy_hour_the_newest_part_is_counted_and_that_is_said() {
        let bed = Bed::new(Nowhere);
        let store = bed.open().await;
        for count in [PAGE, MOST] {
            for _ in 0..count {
                append(&*store, bed.event("inbox", "")).await;
            }
            bed.advance(Duration::from_secs(60));
        }
        let clock = Arc::clone(&bed.settings.clock);
        let pulse = pulse(Arc::clone(&clock));
        pulse.recall(&*store, bed.now()).await.unwrap();
        assert_eq!(total(&pulse.all_sources(clock.now()).unverified), MOST as u64);
        assert!(pulse.whole_since(clock.now()).is_some());
        bed.advance(Duration::from_secs(3_700));
        assert_eq!(pulse.whole_since(clock.now()), None, "an hour later it counted everything");
    }
}
