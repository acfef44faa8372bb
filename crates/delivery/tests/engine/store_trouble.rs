//! A store that is slow, full or gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hookhouse_core::{DeliveryState, EventStore, StoreError};
use hookhouse_delivery::Guard;
use rustls::RootCertStore;

use crate::faulty::{Fault, FaultyStore};
use crate::world::{Running, World, bodies, destination};

async fn start(world: &World, settling: Fault, leasing: Fault) -> (Arc<FaultyStore>, Running) {
    let app = destination("app", "http://10.0.0.1/");
    world.subscribe(std::slice::from_ref(&app)).await;
    let store = FaultyStore::new(&world.store, settling, leasing);
    let shared = Arc::clone(&store) as Arc<dyn EventStore>;
    (store, world.start_on(shared, &[app], Guard::default(), RootCertStore::empty()))
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_recorded_as_soon_as_the_store_takes_it() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let (store, running) = start(&world, Fault::RefuseSome(5, StoreError::Overloaded), Fault::None).await;
    world.event("hi").await;
    world.delivered(1).await;
    assert_eq!(world.states().await, [(DeliveryState::Delivered, 1)]);
    assert_eq!((bodies(&receiver).len(), store.settlings.load(Ordering::Relaxed)), (1, 6));
    running.drain().await;
}

/// The disk is full for an hour. Each lease is held as long as it can be; then the delivery repeats. The store is
/// asked at a measured pace, and little more is taken than can be recorded.
#[tokio::test(start_paused = true)]
async fn a_store_that_records_nothing_for_long_makes_repeats_and_no_flood() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let (store, running) =
        start(&world, Fault::Refuse(StoreError::Full("no space".to_owned())), Fault::None).await;
    world.events(10).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let calls = store.settlings.load(Ordering::Relaxed);
    assert!(calls < 3600, "more than one call a second: {calls}");
    let requests = receiver.received().len();
    assert!((3600 / 60..3600 / 10).contains(&requests), "a lease holds for 40 s: {requests} requests");
    store.heal();
    world.settled(10).await;
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_failed_for_good_ends_the_lane() {
    for error in [StoreError::Failed("fsync".to_owned()), StoreError::Closed] {
        let world = World::new();
        let receiver = world.receiver("10.0.0.1:80");
        let (_, running) = start(&world, Fault::Refuse(error), Fault::None).await;
        world.events(10).await;
        receiver.wait_for(1).await;
        // Nobody stops it: the tasks end by themselves.
        running.tracker.close();
        running.tracker.wait().await;
        assert!(receiver.received().len() <= 3, "{} requests", receiver.received().len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_hard_stop_does_not_wait_for_a_store_that_refuses() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let (store, running) = start(&world, Fault::Refuse(StoreError::Overloaded), Fault::None).await;
    world.event("hi").await;
    receiver.wait_for(1).await;
    while store.settlings.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = world.elapsed();
    running.abort().await;
    assert!(world.elapsed() - before < Duration::from_millis(10));
}

/// Leasing fails: the lane asks again, ever less often, and goes on when it can.
#[tokio::test(start_paused = true)]
async fn a_store_that_leases_nothing_is_asked_at_growing_pauses() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let broken = Fault::Refuse(StoreError::Read("no luck".to_owned()));
    let (store, running) = start(&world, Fault::None, broken).await;
    world.event("hi").await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let asked = store.leasings.load(Ordering::Relaxed);
    assert!((100..150).contains(&asked), "{asked}");
    store.heal();
    world.delivered(1).await;
    assert_eq!(receiver.received().len(), 1);
    running.drain().await;
}
