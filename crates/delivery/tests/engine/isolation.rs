//! S05: a destination that hangs is its own problem.

use std::time::Duration;

use hookhouse_delivery::Destination;
use hookhouse_testkit::receiver::Behaviour;

use crate::world::{Host, World, bodies, destination};

/// Both ways of hanging: an application that takes the request, and a host that takes no connection. The healthy
/// destination has everything before the first of the hanging attempts has timed out.
#[tokio::test(start_paused = true)]
async fn s05_a_hanging_destination_leaves_the_others_alone() {
    for hangs_after_connecting in [true, false] {
        let world = World::new();
        let healthy = world.receiver("10.0.0.1:80");
        let hanging = world.receiver("10.0.0.2:80");
        hanging.always(Behaviour::Hang);
        if !hangs_after_connecting {
            world.network.put("10.0.0.2:80", Host::Silent);
        }
        let slow = Duration::from_secs(3600);
        let destinations = [
            Destination { concurrency: 4, timeout: slow, ..destination("hanging", "http://10.0.0.2/") },
            destination("healthy", "http://10.0.0.1/"),
        ];
        let running = world.start(&destinations).await;
        world.events(200).await;
        world.delivered(200).await;
        let expected: Vec<_> = (0..200).map(|n| n.to_string()).collect();
        assert_eq!(bodies(&healthy), expected, "in order");
        assert!(world.elapsed() < Duration::from_secs(1), "{:?}", world.elapsed());
        let waiting = if hangs_after_connecting { hanging.wait_for(4).await.len() } else { 4 };
        assert_eq!((waiting, world.network.dialled().iter().filter(|a| *a == "10.0.0.2:80").count()), (4, 4));
        running.abort().await;
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_attempts_run_at_once_as_allowed_and_no_more() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.always(Behaviour::status(200).after(Duration::from_secs(1)));
    let app = Destination { concurrency: 3, ..destination("app", "http://10.0.0.1/") };
    let running = world.start(&[app]).await;
    world.events(9).await;
    world.delivered(9).await;
    let began: Vec<_> = receiver.received().iter().map(|r| r.at).collect();
    let first = began[0];
    let seconds: Vec<_> = began.iter().map(|at| (*at - first).as_secs()).collect();
    assert_eq!(seconds, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    // Connections are used again.
    assert_eq!(receiver.connections(), 3);
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_attempt_does_not_hold_up_the_other_permits() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.decide(|request| match &request.body[..] {
        b"0" => Behaviour::status(200).after(Duration::from_secs(9)),
        _ => Behaviour::status(200),
    });
    let app = Destination { concurrency: 2, ..destination("app", "http://10.0.0.1/") };
    let running = world.start(&[app]).await;
    world.events(50).await;
    world.delivered(49).await;
    assert!(world.elapsed() < Duration::from_secs(1));
    world.delivered(50).await;
    running.drain().await;
}

/// Another source's events and another destination's replays are not leased.
#[tokio::test(start_paused = true)]
async fn a_destination_without_sources_gets_only_replays() {
    use hookhouse_core::EventStore;
    use hookhouse_core::store::Subscription;
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let app = destination("app", "http://10.0.0.1/");
    let running = world.start(std::slice::from_ref(&app)).await;
    world
        .store
        .subscribe(&[Subscription { destination: app.name.clone(), sources: Vec::new() }])
        .await
        .unwrap();
    let ids = world.events(3).await;
    world.store.redeliver(ids[1], &app.name).await.unwrap();
    world.delivered(1).await;
    assert_eq!(bodies(&receiver), ["1"]);
    running.drain().await;
}
