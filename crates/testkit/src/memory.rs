//! A store that keeps everything in memory: the smallest thing that is an [`EventStore`].
//!
//! One lock around plain collections, so that each promise of the trait can be read off the code. It ends with the
//! process: tests run against it where the disk is not the point. Due times, windows and ages are those of its clock;
//! leases and waiting are the runtime's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hookhouse_core::delivery::{Delivery, DeliveryMove, Settled, Settlement};
use hookhouse_core::store::{
    Backlog, CancelOutcome, Cursor, DeliveryQuery, EventQuery, LeaseRequest, Order, Page, Receipt,
    RefusalQuery, RetryOutcome, Revision, StateEntry, StoreStatus, Subscription,
};
use hookhouse_core::{
    Answer, Attempt, Clock, DeliveryId, DeliveryState, DestinationName, Edit, Event, EventId, EventStore,
    Identity, Lease, Refusal, Repeats, Sequence, StoreError, StoredEvent, StoredRefusal,
};
use jiff::SignedDuration;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::state::{Consumer, State, size};

mod state;

/// A store without a disk.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    /// Something changed that a waiting lease may want.
    changed: Notify,
    clock: Arc<dyn Clock>,
    retention: Retention,
    /// Whether several gateways of a test have it, as those of a cluster do.
    shared: bool,
}

/// How long events are kept, and how many bytes they may take; `None` for no bound.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retention {
    /// How long.
    pub age: Option<Duration>,
    /// How many bytes.
    pub size: Option<u64>,
}

impl MemoryStore {
    /// An empty store that asks this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_retention(clock, Retention::default())
    }

    /// An empty store that does not keep everything.
    #[must_use]
    pub fn with_retention(clock: Arc<dyn Clock>, retention: Retention) -> Self {
        Self { state: Mutex::new(State::default()), changed: Notify::new(), clock, retention, shared: false }
    }

    /// An empty store for several gateways at once.
    #[must_use]
    pub fn shared(clock: Arc<dyn Clock>) -> Self {
        Self { shared: true, ..Self::new(clock) }
    }

    /// What a new process would find of this store, which is left empty and closed: leases end with their process.
    #[must_use]
    pub fn reopened(&self, clock: Arc<dyn Clock>, retention: Retention) -> Self {
        let mut state = std::mem::replace(&mut *self.lock(), State { closed: true, ..State::default() });
        self.changed.notify_waiters();
        state.closed = false;
        state.consumers.values_mut().for_each(|consumer| consumer.active = false);
        for row in &mut state.deliveries {
            row.step(DeliveryMove::Release);
        }
        Self { state: Mutex::new(state), changed: Notify::new(), clock, retention, shared: self.shared }
    }

    /// A panic under the lock is a failed test already; what it left is still consistent enough to look at.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.lock();
        if state.closed { Err(StoreError::Closed) } else { Ok(state) }
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(&self, event: Event) -> Result<Receipt, StoreError> {
        let now = self.clock.now();
        let mut state = self.open()?;
        let source = event.record().source.clone();
        let received_at = event.record().received_at;
        let dedupe = event.dedupe().cloned();
        let (mut repeat_of, mut fresh) = (None, Vec::new());
        if let Some(dedupe) = &dedupe {
            let first = |identity: &Identity| {
                let (of, first) = state.firsts.get(&(source.clone(), *identity))?;
                let age = received_at.duration_since(*first);
                (age < SignedDuration::try_from(dedupe.window).unwrap_or(SignedDuration::MAX)).then_some(*of)
            };
            let elements: Option<Vec<_>> = dedupe.elements.iter().map(&first).collect();
            repeat_of = first(&dedupe.identity).or(elements.and_then(|all| all.first().copied()));
            if let (Some(of), Repeats::Acknowledge) = (repeat_of, dedupe.repeats) {
                return Ok(Receipt::Duplicate { of });
            }
            let all = std::iter::once(&dedupe.identity).chain(&dedupe.elements);
            fresh = all.filter(|identity| first(identity).is_none()).copied().collect();
        }
        let coming = size(event.record());
        state.retire(self.retention, now, coming);
        if self.retention.size.is_some_and(|most| state.bytes() + coming > most) {
            state.no_room_for = Some(coming);
            return Err(StoreError::Full(NO_ROOM.to_owned()));
        }
        state.no_room_for = None;
        let sequence = Sequence(state.head.0 + 1);
        // An id sorts by its time, so time does not go back in it.
        let at = state.last_id_at.max(now);
        let id = EventId::with_position(at, sequence.0, 0);
        (state.head, state.last_id_at) = (sequence, at);
        let event = Arc::new(StoredEvent::from_store(id, sequence, event.into_record()));
        state.events.push(Arc::clone(&event));
        let firsts = fresh.into_iter().map(|identity| ((source.clone(), identity), (id, received_at)));
        state.firsts.extend(firsts);
        state.catch_up();
        drop(state);
        self.changed.notify_waiters();
        Ok(Receipt::Stored { event, repeat_of })
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<StoredEvent>>, StoreError> {
        Ok(self.open()?.find(id).cloned())
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<Arc<StoredEvent>>, StoreError> {
        let state = self.open()?;
        let wanted = state.events.iter().filter(|event| query.passes(event));
        let wanted = wanted.map(|event| (event.sequence().0, Arc::clone(event)));
        Ok(match query.order {
            Order::OldestFirst => page(wanted, query.cursor, query.limit, |place, after| place > after),
            Order::NewestFirst => page(wanted.rev(), query.cursor, query.limit, |place, after| place < after),
        })
    }

    fn refuse(&self, refusal: Refusal) {
        let mut state = self.lock();
        if state.closed || state.refusals.len() >= MOST_REFUSALS {
            state.refusals_dropped += 1;
            return;
        }
        let sequence = Sequence(state.refusals.len() as u64 + 1);
        state.refusals.push(StoredRefusal { sequence, refusal });
    }

    async fn refusals(&self, query: &RefusalQuery) -> Result<Page<StoredRefusal>, StoreError> {
        let state = self.open()?;
        let wanted = state
            .refusals
            .iter()
            .filter(|stored| query.source.is_none() || stored.refusal.source == query.source)
            .map(|stored| (stored.sequence.0, stored.clone()));
        Ok(match query.order {
            Order::OldestFirst => page(wanted, query.cursor, query.limit, |place, after| place > after),
            Order::NewestFirst => page(wanted.rev(), query.cursor, query.limit, |place, after| place < after),
        })
    }

    async fn keep_answer(&self, answer: Answer) -> Result<(), StoreError> {
        let mut state = self.open()?;
        if state.find(answer.event).is_some() {
            state.answers.insert(answer.event, answer);
        }
        Ok(())
    }

    async fn answer(&self, event: EventId) -> Result<Option<Answer>, StoreError> {
        Ok(self.open()?.answers.get(&event).cloned())
    }

    async fn subscribe(&self, subscriptions: &[Subscription]) -> Result<(), StoreError> {
        let mut state = self.open()?;
        let head = state.head;
        state.consumers.values_mut().for_each(|consumer| consumer.active = false);
        for wanted in subscriptions {
            let consumer = state.consumers.entry(wanted.destination.clone()).or_insert_with(|| Consumer {
                sources: Vec::new(),
                active: true,
                cursor: head,
            });
            consumer.active = true;
            consumer.sources.clone_from(&wanted.sources);
        }
        state.catch_up();
        state.retire(self.retention, self.clock.now(), 0);
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Lease>, StoreError> {
        let deadline = Instant::now() + request.wait;
        loop {
            // Armed before the look, so that what happens between look and wait is not missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let next_due = {
                let mut state = self.open()?;
                let now = self.clock.now();
                let leases = state.take(request, now);
                if !leases.is_empty() {
                    return Ok(leases);
                }
                state.next_due(&request.destination, now)
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            // A clock that tests set does not wake anybody, so it is looked at now and then.
            let pause = left.min(next_due.unwrap_or(LOOK_AGAIN)).min(LOOK_AGAIN);
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        let now = Instant::now();
        let mut state = self.open()?;
        let settled = settlements.into_iter().map(|settlement| state.settle(settlement, now)).collect();
        state.retire(self.retention, self.clock.now(), 0);
        drop(state);
        self.changed.notify_waiters();
        Ok(settled)
    }

    async fn redeliver(
        &self,
        event: EventId,
        destination: &DestinationName,
    ) -> Result<Option<DeliveryId>, StoreError> {
        let id = self.open()?.redeliver(event, destination, None);
        self.changed.notify_waiters();
        Ok(id)
    }

    async fn redeliver_edited(
        &self,
        event: EventId,
        destination: &DestinationName,
        edit: Edit,
    ) -> Result<Option<DeliveryId>, StoreError> {
        let id = self.open()?.redeliver(event, destination, Some(edit));
        self.changed.notify_waiters();
        Ok(id)
    }

    async fn edit(&self, delivery: &DeliveryId) -> Result<Option<Edit>, StoreError> {
        Ok(self.open()?.edits.get(delivery).cloned())
    }

    async fn retry(&self, delivery: &DeliveryId) -> Result<RetryOutcome, StoreError> {
        let mut state = self.open()?;
        let Some(row) = state.deliveries.iter_mut().find(|row| row.id == *delivery) else {
            return Ok(RetryOutcome::Unknown);
        };
        if !row.step(DeliveryMove::Retry) {
            return Ok(RetryOutcome::Refused(row.state));
        }
        row.exception = true;
        row.due_at = None;
        drop(state);
        self.changed.notify_waiters();
        Ok(RetryOutcome::Due)
    }

    async fn cancel(&self, delivery: &DeliveryId) -> Result<CancelOutcome, StoreError> {
        let mut state = self.open()?;
        let Some(row) = state.deliveries.iter_mut().find(|row| row.id == *delivery) else {
            return Ok(CancelOutcome::Unknown);
        };
        if !row.step(DeliveryMove::Cancel) {
            return Ok(CancelOutcome::Refused(row.state));
        }
        row.exception = true;
        row.due_at = None;
        state.retire(self.retention, self.clock.now(), 0);
        Ok(CancelOutcome::Cancelled)
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        let state = self.open()?;
        let mut wanted: Vec<_> = state
            .deliveries
            .iter()
            .filter(|row| {
                query.event.is_none_or(|event| row.id.event == event)
                    && query.destination.as_ref().is_none_or(|destination| row.id.destination == *destination)
                    && query.state.is_none_or(|wanted| row.state == wanted)
            })
            .map(|row| (row.place, row.shown()))
            .collect();
        wanted.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        let wanted = wanted.into_iter();
        Ok(page(wanted, query.cursor, query.limit, |place, after| place < after))
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<Attempt>, StoreError> {
        let state = self.open()?;
        Ok(state.attempts.iter().filter(|attempt| attempt.delivery.event == event).cloned().collect())
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        let state = self.open()?;
        let active = state.consumers.iter().filter(|(_, consumer)| consumer.active);
        Ok(active
            .map(|(destination, _)| {
                let rows: Vec<_> =
                    state.deliveries.iter().filter(|row| row.id.destination == *destination).collect();
                let count = |states: &[DeliveryState]| {
                    rows.iter().filter(|row| states.contains(&row.state)).count() as u64
                };
                Backlog {
                    destination: destination.clone(),
                    pending: count(&[DeliveryState::Pending, DeliveryState::Leased]),
                    waiting: count(&[DeliveryState::Waiting]),
                    dead: count(&[DeliveryState::Dead]),
                    oldest: rows
                        .iter()
                        .filter(|row| row.is_open())
                        .map(|row| row.event.record().received_at)
                        .min(),
                }
            })
            .collect())
    }

    async fn state(&self, key: &str) -> Result<Option<StateEntry>, StoreError> {
        Ok(self.open()?.values.get(key).cloned())
    }

    async fn put_state(
        &self,
        key: &str,
        value: Bytes,
        expected: Option<Revision>,
    ) -> Result<Revision, StoreError> {
        let mut state = self.open()?;
        if state.values.get(key).map(|entry| entry.revision) != expected {
            return Err(StoreError::Conflict);
        }
        state.last_revision += 1;
        let revision = Revision(state.last_revision);
        state.values.insert(key.to_owned(), StateEntry { value, revision });
        drop(state);
        self.changed.notify_waiters();
        Ok(revision)
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    async fn state_changed(&self, key: &str, known: Option<Revision>) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.lock().values.get(key).is_some_and(|entry| Some(entry.revision) > known) {
                return;
            }
            changed.await;
        }
    }

    /// Names are kept for as long as the store.
    async fn claim(&self, name: &str, _: Duration) -> Result<bool, StoreError> {
        Ok(self.open()?.claims.insert(name.to_owned()))
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        let state = self.open()?;
        let bytes = state.bytes();
        let is_full =
            self.retention.size.zip(state.no_room_for).is_some_and(|(most, next)| bytes + next > most);
        Ok(StoreStatus {
            kind: "memory".to_owned(),
            writable: !is_full,
            problem: is_full.then(|| NO_ROOM.to_owned()),
            events: state.events.len() as u64,
            head: state.head,
            bytes,
            free_bytes: None,
            refusals_dropped: state.refusals_dropped,
        })
    }

    /// Memory does not fail.
    async fn failed(&self) -> String {
        std::future::pending().await
    }

    async fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }
}

/// The entries after a cursor, with the place of each as the next cursor.
fn page<T>(
    entries: impl Iterator<Item = (u64, T)>,
    cursor: Option<Cursor>,
    limit: usize,
    is_after: fn(u64, u64) -> bool,
) -> Page<T> {
    let mut rest =
        entries.filter(|(place, _)| cursor.is_none_or(|Cursor(after)| is_after(*place, after))).peekable();
    let mut items = Vec::new();
    let mut last = None;
    while items.len() < limit
        && let Some((place, entry)) = rest.next()
    {
        last = Some(Cursor(place));
        items.push(entry);
    }
    let next = rest.peek().and(last);
    Page { items, next }
}

/// Why an event is not taken.
const NO_ROOM: &str = "the retention size is full of events that are waited for";

/// More refusals than this are only counted.
const MOST_REFUSALS: usize = 10_000;

/// How often a waiting lease looks at the clock.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store_contract::{Place, Settings};

    /// Where a store stays when it is closed.
    #[derive(Default)]
    struct Shelf(Mutex<Option<Arc<MemoryStore>>>);

    #[async_trait]
    impl Place for Shelf {
        async fn open(&self, settings: Settings) -> Arc<dyn EventStore> {
            let retention = Retention { age: settings.retention_age, size: settings.retention_size };
            let mut last = self.0.lock().unwrap();
            let store = Arc::new(match &*last {
                None => MemoryStore::with_retention(settings.clock, retention),
                Some(last) => last.reopened(settings.clock, retention),
            });
            *last = Some(Arc::clone(&store));
            store
        }

        /// What was in memory is what is left, but for the leases.
        async fn crash(&self, store: Arc<dyn EventStore>) {
            drop(store);
        }
    }

    crate::store_contract!(Shelf::default());
}
