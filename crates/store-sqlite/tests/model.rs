//! The store agrees with a model made of plain maps, whatever is done to it and however often it is restarted.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::delivery::{Next, Settled};
use hookhouse_core::store::{CancelOutcome, DeliveryQuery, LeaseRequest, Receipt, RetryOutcome};
use hookhouse_core::{DeadReason, DeliveryId, DeliveryState, EventId, EventStore, Lease, Timestamp};
use hookhouse_store_sqlite::{Options, SqliteStore};
use hookhouse_testkit::store_contract::{Bed, Place, Settings, destination, settlement, wants};
use proptest::prelude::*;
use tempfile::TempDir;

const WINDOW: Duration = Duration::from_secs(600);

/// Who wants what.
const DESTINATIONS: [(&str, &[&str]); 3] = [("one", &["a"]), ("all", &["a", "b"]), ("replays", &[])];

#[derive(Debug, Clone)]
enum Step {
    Append { source: &'static str, number: Option<u32> },
    Lease { destination: usize, max: usize },
    Settle { held: usize, next: Outcome },
    Retry { delivery: usize },
    Cancel { delivery: usize },
    Redeliver { event: usize, destination: usize },
    Advance { seconds: u64 },
    Reopen,
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Done,
    RetryIn(u64),
    GiveUp,
    Release,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let source = prop_oneof![Just("a"), Just("b")];
    let outcome = prop_oneof![
        4 => Just(Outcome::Done),
        2 => (0..400_u64).prop_map(Outcome::RetryIn),
        1 => Just(Outcome::GiveUp),
        1 => Just(Outcome::Release),
    ];
    let step = prop_oneof![
        8 => (source, prop::option::of(0..6_u32)).prop_map(|(source, number)| Step::Append { source, number }),
        6 => (0..3_usize, 1..4_usize).prop_map(|(destination, max)| Step::Lease { destination, max }),
        8 => (any::<prop::sample::Index>(), outcome)
            .prop_map(|(held, next)| Step::Settle { held: held.index(64), next }),
        2 => any::<prop::sample::Index>().prop_map(|delivery| Step::Retry { delivery: delivery.index(64) }),
        2 => any::<prop::sample::Index>().prop_map(|delivery| Step::Cancel { delivery: delivery.index(64) }),
        2 => (any::<prop::sample::Index>(), 0..3_usize)
            .prop_map(|(event, destination)| Step::Redeliver { event: event.index(64), destination }),
        3 => (1..400_u64).prop_map(|seconds| Step::Advance { seconds }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the store should know.
#[derive(Debug, Default)]
struct Model {
    /// Every event, oldest first.
    events: Vec<Known>,
    /// Every delivery, by destination and then in the order of the log.
    deliveries: BTreeMap<(usize, EventId, u64), Row>,
}

#[derive(Debug)]
struct Known {
    id: EventId,
    source: &'static str,
    /// What makes another its repeat, and until when.
    number: Option<(u32, Timestamp)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    state: DeliveryState,
    /// The state that it falls back to when its lease ends without a word.
    rest: DeliveryState,
    attempts: u32,
    due: Timestamp,
    /// Whether it is more than a place in the log, so that it comes before those that are not.
    exception: bool,
}

impl Row {
    fn new(state: DeliveryState, attempts: u32, due: Timestamp, exception: bool) -> Self {
        Self { state, rest: state, attempts, due, exception }
    }
}

impl Model {
    fn original(&self, source: &str, number: u32, now: Timestamp) -> Option<EventId> {
        let same = |event: &&Known| {
            event.source == source
                && event.number.is_some_and(|(known, until)| known == number && now < until)
        };
        self.events.iter().rev().find(same).map(|event| event.id)
    }

    fn append(&mut self, id: EventId, source: &'static str, number: Option<u32>, now: Timestamp) {
        self.events.push(Known { id, source, number: number.map(|number| (number, now + WINDOW)) });
        for (destination, (_, sources)) in DESTINATIONS.iter().enumerate() {
            if sources.contains(&source) {
                let row = Row::new(DeliveryState::Pending, 0, now, false);
                self.deliveries.insert((destination, id, 0), row);
            }
        }
    }

    /// What a lease should bring.
    fn due(&self, destination: usize, now: Timestamp) -> Vec<(EventId, u64)> {
        let mut due: Vec<_> = self
            .deliveries
            .iter()
            .filter(|((of, ..), row)| {
                let open = matches!(row.state, DeliveryState::Pending | DeliveryState::Waiting);
                *of == destination && open && (!row.exception || row.due <= now)
            })
            .map(|((_, id, round), row)| (!row.exception, row.exception.then_some(row.due), *id, *round))
            .collect();
        due.sort();
        due.into_iter().map(|(_, _, id, round)| (id, round)).collect()
    }

    /// Leases end with the process.
    fn restart(&mut self) {
        for row in self.deliveries.values_mut() {
            if row.state == DeliveryState::Leased {
                row.state = row.rest;
            }
        }
    }
}

struct World {
    bed: Bed,
    folder: TempDir,
    store: Arc<SqliteStore>,
    model: Model,
    held: Vec<(usize, Lease)>,
}

struct Nowhere;

#[async_trait::async_trait]
impl Place for Nowhere {
    async fn open(&self, _: Settings) -> Arc<dyn EventStore> {
        unreachable!("the model opens its store itself")
    }

    async fn crash(&self, _: Arc<dyn EventStore>) {}
}

async fn open(bed: &Bed, folder: &Path) -> Arc<SqliteStore> {
    let store = SqliteStore::open(Options::new(folder), Arc::clone(&bed.settings.clock) as _).unwrap();
    let subscriptions: Vec<_> = DESTINATIONS.iter().map(|(name, sources)| wants(name, sources)).collect();
    store.subscribe(&subscriptions).await.unwrap();
    Arc::new(store)
}

impl World {
    async fn new() -> Self {
        let bed = Bed::new(Nowhere);
        let folder = tempfile::tempdir().unwrap();
        let store = open(&bed, folder.path()).await;
        Self { bed, folder, store, model: Model::default(), held: Vec::new() }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Append { source, number } => self.append(source, number).await,
            Step::Lease { destination, max } => self.lease(destination, max).await,
            Step::Settle { held, next } => self.settle(held, next).await,
            Step::Retry { delivery } => self.retry(delivery).await,
            Step::Cancel { delivery } => self.cancel(delivery).await,
            Step::Redeliver { event, destination } => self.redeliver(event, destination).await,
            Step::Advance { seconds } => self.bed.advance(Duration::from_secs(seconds)),
            Step::Reopen => {
                self.store.close().await;
                self.restart().await;
            }
            Step::Crash => {
                let after = tempfile::tempdir().unwrap();
                for file in ["hookhouse.db", "hookhouse.db-wal"] {
                    std::fs::copy(self.folder.path().join(file), after.path().join(file)).unwrap();
                }
                self.folder = after;
                self.restart().await;
            }
        }
    }

    async fn restart(&mut self) {
        self.store = open(&self.bed, self.folder.path()).await;
        self.model.restart();
        self.held.clear();
    }

    async fn append(&mut self, source: &'static str, number: Option<u32>) {
        let event = match number {
            Some(number) => self.bed.signed(source, number, WINDOW),
            None => self.bed.event(source, "x"),
        };
        let now = self.bed.now();
        let original = number.and_then(|number| self.model.original(source, number, now));
        match (self.store.append(event).await.unwrap(), original) {
            (Receipt::Duplicate { of }, Some(original)) => assert_eq!(of, original),
            (Receipt::Stored { event, .. }, None) => self.model.append(event.id(), source, number, now),
            other => panic!("{other:?}"),
        }
    }

    async fn lease(&mut self, index: usize, max: usize) {
        let request = LeaseRequest {
            destination: destination(DESTINATIONS[index].0),
            max,
            wait: Duration::ZERO,
            hold: Duration::from_secs(3600),
        };
        let leases = self.store.lease(&request).await.unwrap();
        let mut expected = self.model.due(index, self.bed.now());
        expected.truncate(max);
        let came: Vec<_> = leases.iter().map(|lease| (lease.delivery.event, lease.delivery.round)).collect();
        assert_eq!(came, expected);
        for lease in leases {
            let row =
                self.model.deliveries.get_mut(&(index, lease.delivery.event, lease.delivery.round)).unwrap();
            assert_eq!(lease.attempt.0, row.attempts + 1);
            row.state = DeliveryState::Leased;
            self.held.push((index, lease));
        }
    }

    async fn settle(&mut self, held: usize, next: Outcome) {
        if self.held.is_empty() {
            return;
        }
        let (index, lease) = self.held.swap_remove(held % self.held.len());
        let now = self.bed.now();
        let row =
            self.model.deliveries.get_mut(&(index, lease.delivery.event, lease.delivery.round)).unwrap();
        let next = match next {
            Outcome::Done => {
                (row.state, row.attempts) = (DeliveryState::Delivered, lease.attempt.0);
                Next::Done
            }
            Outcome::RetryIn(seconds) => {
                let due = now + Duration::from_secs(seconds);
                *row = Row::new(DeliveryState::Waiting, lease.attempt.0, due, true);
                Next::RetryAt(due)
            }
            Outcome::GiveUp => {
                *row = Row::new(DeliveryState::Dead, lease.attempt.0, now, true);
                Next::GiveUp(DeadReason::Exhausted)
            }
            Outcome::Release => {
                row.state = row.rest;
                Next::Release
            }
        };
        let settled = self.store.settle(vec![settlement(&lease, now, next.clone())]).await;
        assert_eq!(settled, Ok(vec![Settled::Recorded]));
        let again = self.store.settle(vec![settlement(&lease, now, next)]).await;
        assert_eq!(again, Ok(vec![Settled::LeaseLost]));
    }

    async fn retry(&mut self, delivery: usize) {
        if self.model.deliveries.is_empty() {
            return;
        }
        let now = self.bed.now();
        let at = delivery % self.model.deliveries.len();
        let ((index, event, round), row) = self.model.deliveries.iter_mut().nth(at).unwrap();
        let id =
            DeliveryId { event: *event, destination: destination(DESTINATIONS[*index].0), round: *round };
        match self.store.retry(&id).await.unwrap() {
            RetryOutcome::Due => {
                let rests = [DeliveryState::Waiting, DeliveryState::Dead, DeliveryState::Cancelled];
                assert!(rests.contains(&row.state), "{row:?}");
                *row = Row::new(DeliveryState::Pending, row.attempts, now, true);
            }
            RetryOutcome::Refused(state) => assert_eq!(state, row.state),
            RetryOutcome::Unknown => panic!("{id} is known"),
        }
    }

    async fn cancel(&mut self, delivery: usize) {
        if self.model.deliveries.is_empty() {
            return;
        }
        let now = self.bed.now();
        let at = delivery % self.model.deliveries.len();
        let ((index, event, round), row) = self.model.deliveries.iter_mut().nth(at).unwrap();
        let id =
            DeliveryId { event: *event, destination: destination(DESTINATIONS[*index].0), round: *round };
        match self.store.cancel(&id).await.unwrap() {
            CancelOutcome::Cancelled => {
                let open = [DeliveryState::Pending, DeliveryState::Waiting, DeliveryState::Dead];
                assert!(open.contains(&row.state), "{row:?}");
                *row = Row::new(DeliveryState::Cancelled, row.attempts, now, true);
            }
            CancelOutcome::Refused(state) => assert_eq!(state, row.state),
            CancelOutcome::Unknown => panic!("{id} is known"),
        }
    }

    async fn redeliver(&mut self, event: usize, index: usize) {
        if self.model.events.is_empty() {
            return;
        }
        let event = self.model.events[event % self.model.events.len()].id;
        let made = self.store.redeliver(event, &destination(DESTINATIONS[index].0)).await.unwrap().unwrap();
        let row = Row::new(DeliveryState::Pending, 0, self.bed.now(), true);
        let former = self.model.deliveries.insert((index, event, made.round), row);
        assert_eq!((former, made.round > 0), (None, true));
    }

    /// Everything that the store lists is what the model has.
    async fn compare(&self) {
        let mut query = DeliveryQuery { limit: 7, ..DeliveryQuery::default() };
        let mut listed = BTreeMap::new();
        loop {
            let page = self.store.deliveries(&query).await.unwrap();
            for delivery in page.items {
                let index =
                    DESTINATIONS.iter().position(|(name, _)| *name == delivery.id.destination.as_str());
                let key = (index.unwrap(), delivery.id.event, delivery.id.round);
                assert!(listed.insert(key, (delivery.state, delivery.attempts)).is_none(), "listed twice");
            }
            query.cursor = page.next;
            if page.next.is_none() {
                break;
            }
        }
        let expected: BTreeMap<_, _> =
            self.model.deliveries.iter().map(|(key, row)| (*key, (row.state, row.attempts))).collect();
        assert_eq!(listed, expected);
        for backlog in self.store.backlogs().await.unwrap() {
            let index = DESTINATIONS.iter().position(|(name, _)| *name == backlog.destination.as_str());
            let count = |states: &[DeliveryState]| {
                let of = self
                    .model
                    .deliveries
                    .iter()
                    .filter(|((of, ..), row)| Some(*of) == index && states.contains(&row.state));
                of.count() as u64
            };
            use DeliveryState as S;
            let expected = (count(&[S::Pending, S::Leased]), count(&[S::Waiting]), count(&[S::Dead]));
            assert_eq!((backlog.pending, backlog.waiting, backlog.dead), expected, "{}", backlog.destination);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_its_model(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in steps {
                world.step(step).await;
            }
            world.compare().await;
            world.step(Step::Reopen).await;
            world.compare().await;
        });
    }
}
