//! Destinations that come, go and change while the engine runs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{DeliveryState, DestinationName};
use hookhouse_delivery::circuit::Phase;
use hookhouse_delivery::connect::{self, Network};
use hookhouse_delivery::{Destination, Transport};
use hookhouse_testkit::receiver::Behaviour;
use rustls::RootCertStore;

use crate::world::{Host, Running, World, bodies, destination};

/// Longer than a lane waits for work.
const LONG: Duration = Duration::from_secs(120);

/// Goes on with these destinations, as a reload does: the subscriptions first.
async fn change(world: &World, running: &Running, destinations: &[&Destination], changed: &[&str]) {
    let destinations: Vec<_> = destinations.iter().map(|destination| (*destination).clone()).collect();
    world.subscribe(&destinations).await;
    let changed: BTreeSet<DestinationName> = changed.iter().map(|name| name.parse().unwrap()).collect();
    let network = Arc::clone(&world.network) as Arc<dyn Network>;
    let transport = Transport { network, tls: connect::tls(RootCertStore::empty()) };
    running.engine.change(destinations, &changed, HashMap::new(), &transport);
}

#[tokio::test(start_paused = true)]
async fn a_new_destination_begins_with_the_next_event_and_the_others_do_not_notice() {
    let world = World::new();
    let (first, second) = (world.receiver("10.0.0.1:80"), world.receiver("10.0.0.2:80"));
    let (a, b) = (destination("a", "http://10.0.0.1/"), destination("b", "http://10.0.0.2/"));
    let running = world.start(std::slice::from_ref(&a)).await;
    world.events(2).await;
    world.delivered(2).await;
    change(&world, &running, &[&a, &b], &[]).await;
    world.event("new").await;
    world.delivered(4).await;
    running.drain().await;
    assert_eq!(bodies(&first), ["0", "1", "new"]);
    assert_eq!(bodies(&second), ["new"]);
    assert_eq!(first.connections(), 1, "its client is the one from before");
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_taken_out_keeps_its_place_until_it_is_back() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let a = destination("a", "http://10.0.0.1/");
    let running = world.start(std::slice::from_ref(&a)).await;
    receiver.always(Behaviour::status(200).after(Duration::from_secs(3)));
    world.event("under way").await;
    while receiver.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    change(&world, &running, &[], &[]).await;
    assert!(running.engine.standings().is_empty());
    world.delivered(1).await;
    world.events(2).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(bodies(&receiver), ["under way"], "what was begun is finished, and nothing begins");
    change(&world, &running, &[&a], &[]).await;
    world.delivered(3).await;
    running.drain().await;
    assert_eq!(bodies(&receiver), ["under way", "0", "1"]);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_moves_is_found_at_its_new_address_and_what_is_under_way_ends_at_the_old_one() {
    let world = World::new();
    let (old, new) = (world.receiver("10.0.0.1:80"), world.receiver("10.0.0.2:80"));
    let running = world.start(&[destination("a", "http://10.0.0.1/")]).await;
    old.always(Behaviour::status(200).after(Duration::from_secs(3)));
    world.events(3).await;
    while old.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let moved = Destination { concurrency: 3, ..destination("a", "http://10.0.0.2/") };
    change(&world, &running, &[&moved], &["a"]).await;
    world.delivered(3).await;
    running.drain().await;
    assert_eq!(bodies(&old), ["0"]);
    let mut rest = bodies(&new);
    rest.sort();
    assert_eq!(rest, ["1", "2"]);
    assert_eq!(world.states().await, [(DeliveryState::Delivered, 1); 3], "each once");
}

#[tokio::test(start_paused = true)]
async fn fewer_at_once_holds_once_those_under_way_have_ended() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let wide = Destination { concurrency: 4, ..destination("a", "http://10.0.0.1/") };
    let running = world.start(std::slice::from_ref(&wide)).await;
    receiver.always(Behaviour::status(200).after(Duration::from_secs(3)));
    world.events(12).await;
    while receiver.received().len() < 4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let narrow = Destination { concurrency: 1, ..wide };
    change(&world, &running, &[&narrow], &["a"]).await;
    world.delivered(4).await;
    // One at a time, three seconds each: whoever looks in between never sees more than one that is not delivered.
    for done in 4..12 {
        world.delivered(done).await;
        assert!(receiver.received().len() <= done + 1, "{} of {done}", receiver.received().len());
    }
    world.delivered(12).await;
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_mended_address_is_tried_at_once() {
    let world = World::new();
    world.network.put("10.0.0.1:80", Host::Silent);
    let receiver = world.receiver("10.0.0.2:80");
    let running = world.start(&[destination("a", "http://10.0.0.1/")]).await;
    world.events(20).await;
    let name: DestinationName = "a".parse().unwrap();
    while running.engine.standings()[&name].phase == Phase::Closed {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    change(&world, &running, &[&destination("a", "http://10.0.0.2/")], &["a"]).await;
    assert_eq!(running.engine.standings()[&name].phase, Phase::Closed);
    world.delivered(20).await;
    running.drain().await;
    assert_eq!(receiver.received().len(), 20);
}
