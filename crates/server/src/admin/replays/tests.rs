use std::time::Duration;

use hookhouse_core::store::{DeliveryQuery, Subscription};
use hookhouse_core::{EventId, Timestamp};
use hookhouse_testkit::memory::MemoryStore;
use hookhouse_testkit::store_contract::{Bed, Place, Settings, append, destination, eventually, source};

use super::*;

struct Nowhere;

#[async_trait::async_trait]
impl Place for Nowhere {
    async fn open(&self, _: Settings) -> Arc<dyn EventStore> {
        unreachable!("the tests open their stores themselves")
    }

    async fn crash(&self, _: Arc<dyn EventStore>) {}
}

struct World {
    bed: Bed,
    store: Arc<dyn EventStore>,
}

impl World {
    async fn new(events: usize) -> Self {
        let bed = Bed::new(Nowhere);
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new(Arc::clone(&bed.settings.clock) as _));
        let app = Subscription { destination: destination("app"), sources: Vec::new() };
        store.subscribe(&[app]).await.unwrap();
        for n in 0..events {
            append(&*store, bed.event(if n % 2 == 0 { "even" } else { "odd" }, &n.to_string())).await;
        }
        Self { bed, store }
    }

    /// A server's replays, and what stops that server.
    async fn start(&self) -> (Arc<Replays>, CancellationToken, TaskTracker) {
        let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
        let routes = HashMap::from([(source("even"), vec![destination("app")]), (source("odd"), Vec::new())]);
        let clock: Arc<dyn Clock> = Arc::clone(&self.bed.settings.clock) as _;
        let replays =
            Replays::load(&self.store, &clock, routes, tracker.clone(), stopping.clone()).await.unwrap();
        replays.resume();
        (replays, stopping, tracker)
    }

    async fn deliveries(&self) -> usize {
        let query = DeliveryQuery { limit: 10_000, ..DeliveryQuery::default() };
        self.store.deliveries(&query).await.unwrap().items.len()
    }
}

async fn ended(replays: &Replays, id: &str) -> ReplayView {
    eventually("it ends", async || replays.find(id).unwrap().state.is_final()).await;
    replays.find(id).unwrap()
}

#[tokio::test]
async fn it_counts_then_replays_where_each_source_delivers() {
    let world = World::new(7).await;
    let (replays, ..) = world.start().await;
    assert_eq!(replays.count(&ReplayFilter::default()).await.unwrap().events, 7);
    let job = replays.order(NewReplay::default(), "root").await.unwrap().unwrap();
    let done = ended(&replays, &job.id).await;
    assert_eq!(done.state, ReplayState::Done);
    assert_eq!((done.total, done.processed, done.deliveries, done.skipped), (Some(7), 7, 4, 3));
    assert_eq!(world.deliveries().await, 4);
    let everywhere = NewReplay {
        filter: ReplayFilter { source: Some(source("odd")), ..ReplayFilter::default() },
        destination: Some(destination("app")),
        ..NewReplay::default()
    };
    let job = replays.order(everywhere, "root").await.unwrap().unwrap();
    assert_eq!(ended(&replays, &job.id).await.deliveries, 3);
    let names: Vec<_> = replays.list().into_iter().map(|job| job.id).collect();
    assert_eq!(names, ["rpl_2", "rpl_1"], "the newest first");
}

#[tokio::test]
async fn events_by_name_are_replayed_and_those_that_are_gone_are_counted() {
    let world = World::new(1).await;
    let (replays, ..) = world.start().await;
    let there = append(&*world.store, world.bed.event("even", "named")).await;
    let gone = EventId::with_position(Timestamp::UNIX_EPOCH, 99, 1);
    let filter = ReplayFilter { events: vec![there, gone], ..ReplayFilter::default() };
    let job = replays.order(NewReplay { filter, ..NewReplay::default() }, "tok_1").await.unwrap().unwrap();
    let done = ended(&replays, &job.id).await;
    assert_eq!((done.total, done.deliveries, done.skipped), (Some(2), 1, 1));
    assert_eq!(done.created_by, "tok_1");
}

/// The server stops in the middle, in good order; the next one goes on with the next event.
#[tokio::test(start_paused = true)]
async fn it_goes_on_where_it_stopped() {
    let world = World::new(10).await;
    let (replays, stopping, tracker) = world.start().await;
    let slow = NewReplay { rate: Some(1), destination: Some(destination("app")), ..NewReplay::default() };
    let job = replays.order(slow, "root").await.unwrap().unwrap();
    eventually("it is under way", async || replays.find(&job.id).unwrap().processed >= 4).await;
    append(&*world.store, world.bed.event("even", "later")).await;
    stopping.cancel();
    tracker.close();
    tracker.wait().await;
    let made = world.deliveries().await;
    assert!((4..10).contains(&made), "{made}");

    let (replays, ..) = world.start().await;
    assert_eq!(replays.find(&job.id).unwrap().processed, made as u64);
    let done = ended(&replays, &job.id).await;
    assert_eq!((done.state, done.total, done.processed), (ReplayState::Done, Some(10), 10));
    assert_eq!(world.deliveries().await, 10, "each once, and not what came later");
}

#[tokio::test(start_paused = true)]
async fn it_is_called_off_and_stays_so() {
    let world = World::new(10).await;
    let (replays, ..) = world.start().await;
    let slow = NewReplay { rate: Some(1), destination: Some(destination("app")), ..NewReplay::default() };
    let job = replays.order(slow, "root").await.unwrap().unwrap();
    eventually("it is under way", async || replays.find(&job.id).unwrap().processed >= 2).await;
    assert!(matches!(replays.cancel(&job.id).await, Ok(Cancelled::Yes(_))));
    assert!(matches!(replays.cancel(&job.id).await, Ok(Cancelled::Ended)));
    assert!(matches!(replays.cancel("rpl_77").await, Ok(Cancelled::Unknown)));
    let made = world.deliveries().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.deliveries().await, made);
    let (again, ..) = world.start().await;
    assert_eq!(again.find(&job.id).unwrap().state, ReplayState::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn the_jobs_that_are_kept_are_bounded() {
    let world = World::new(1).await;
    let (replays, ..) = world.start().await;
    for _ in 0..KEPT + 6 {
        let job = replays.order(NewReplay::default(), "root").await.unwrap().unwrap();
        ended(&replays, &job.id).await;
    }
    assert_eq!(replays.list().len() as u64, KEPT);
    assert!(replays.find("rpl_6").is_none() && replays.find("rpl_7").is_some());
    let (again, ..) = world.start().await;
    assert_eq!(again.list().len() as u64, KEPT);

    let slow = || NewReplay { rate: Some(1), filter: ReplayFilter::default(), ..NewReplay::default() };
    world.store.append(world.bed.event("even", "x")).await.unwrap();
    world.store.append(world.bed.event("even", "x")).await.unwrap();
    let mut ordered = 0;
    while replays.order(slow(), "root").await.unwrap().is_some() {
        ordered += 1;
        assert!(ordered <= KEPT, "those that have not ended are not forgotten");
    }
}
