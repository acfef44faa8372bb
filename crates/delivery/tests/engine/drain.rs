//! Stopping: softly, what is in flight is finished; hard, it is handed back.

use std::time::Duration;

use hookhouse_core::DeliveryState;
use hookhouse_delivery::Destination;
use hookhouse_testkit::receiver::Behaviour;

use crate::world::{Host, World, bodies, destination, error_of};

#[tokio::test(start_paused = true)]
async fn a_soft_stop_finishes_what_is_in_flight_and_leases_no_more() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.always(Behaviour::status(200).after(Duration::from_secs(3)));
    let app = Destination { concurrency: 2, ..destination("app", "http://10.0.0.1/") };
    let running = world.start(std::slice::from_ref(&app)).await;
    world.events(10).await;
    receiver.wait_for(2).await;
    running.drain().await;
    let states = world.states().await;
    assert_eq!(states[..2], [(DeliveryState::Delivered, 1); 2]);
    assert!(states[2..].iter().all(|state| *state == (DeliveryState::Pending, 0)), "{states:?}");
    assert_eq!(world.elapsed().as_secs(), 3);

    let running = world.start(&[app]).await;
    world.delivered(10).await;
    assert_eq!(bodies(&receiver).len(), 10, "nothing was sent twice");
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_hard_stop_breaks_attempts_off_and_hands_their_leases_back_at_once() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.always(Behaviour::Hang);
    let app = Destination { concurrency: 2, ..destination("app", "http://10.0.0.1/") };
    let running = world.start(std::slice::from_ref(&app)).await;
    world.events(3).await;
    receiver.wait_for(2).await;
    let before = world.elapsed();
    running.abort().await;
    assert_eq!(world.elapsed(), before, "nothing is waited for");
    assert_eq!(world.states().await, [(DeliveryState::Pending, 0); 3]);

    // They are due at once, not when a lease runs out.
    receiver.always(Behaviour::status(200));
    let running = world.start(&[app]).await;
    world.delivered(3).await;
    assert!(world.elapsed() - before < Duration::from_secs(1));
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_engine_stops_at_once() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let running =
        world.start(&[destination("app", "http://10.0.0.1/"), destination("down", "http://10.0.0.2/")]).await;
    world.events(6).await;
    world.until(|_| world.circuit_changes().len() == 1).await;
    world.delivered(6).await;
    assert_eq!(receiver.received().len(), 6);
    // One lane waits for events with a connection in its pool, the other for its circuit.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = world.elapsed();
    running.drain().await;
    assert_eq!(world.elapsed(), before);
}

/// A destination that takes the connection and not the request: the attempt ends with its time, and a stop does not
/// wait for the half-written request.
#[tokio::test(start_paused = true)]
async fn a_half_written_request_holds_up_neither_the_lane_nor_the_stop() {
    let world = World::new();
    world.network.put("10.0.0.1:80", Host::Blind);
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.event(&"x".repeat(1024 * 1024)).await;
    let (attempt, _) = world.one_attempt().await;
    assert_eq!(error_of(&attempt), "no answer within 10s");
    assert_eq!(world.network.unread(), 0, "the attempt's connection ended with it");
    while world.network.dialled().len() < 2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.network.unread(), 1);
    let before = world.elapsed();
    running.abort().await;
    assert_eq!(world.elapsed(), before);
}
