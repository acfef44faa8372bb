//! On the machine's own network: real sockets, real time.

use hookhouse_core::delivery::Next;
use hookhouse_delivery::{Destination, Guard, RetrySchedule};
use hookhouse_testkit::receiver::{Behaviour, Receiver};

use crate::world::{World, destination, error_of};

fn loopback(url: &str) -> Destination {
    Destination {
        allow_loopback: true,
        retry: RetrySchedule { pauses: Vec::new(), jitter: 0.0 },
        ..destination("app", url)
    }
}

#[tokio::test]
async fn an_event_arrives_over_a_real_socket() {
    let world = World::new();
    let receiver = Receiver::start().await.unwrap();
    let by_name = receiver.url("/hooks").replace("127.0.0.1", "localhost");
    for (n, url) in (1..).zip([receiver.url("/hooks"), by_name]) {
        let running = world.start_on_sockets(&[loopback(&url)], Guard::default()).await;
        world.event("hi").await;
        world.delivered(n).await;
        running.drain().await;
    }
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_reset_and_a_closed_port_are_failed_attempts() {
    let world = World::new();
    let receiver = Receiver::start().await.unwrap();
    receiver.next(Behaviour::Reset);
    let url = receiver.url("/");
    let running = world.start_on_sockets(&[loopback(&url)], Guard::default()).await;
    world.event("hi").await;
    let attempts = world.attempts(1).await;
    assert!(error_of(&attempts[0].0).to_lowercase().contains("reset"), "{attempts:?}");
    drop(receiver);
    world.event("hi").await;
    let attempts = world.attempts(2).await;
    assert!(error_of(&attempts[1].0).contains("refused"), "{attempts:?}");
    running.drain().await;
}

#[tokio::test]
async fn loopback_needs_the_opt_in_and_is_never_an_own_listener() {
    let receiver = Receiver::start().await.unwrap();
    let port = receiver.address().port();
    let closed = Destination { allow_loopback: false, ..loopback(&receiver.url("/")) };
    let own = loopback(&format!("http://localhost:{port}/"));
    let anywhere = Guard::new(vec![format!("0.0.0.0:{port}").parse().unwrap()]);
    for (destination, guard) in [(closed, Guard::default()), (own, anywhere)] {
        let world = World::new();
        let running = world.start_on_sockets(&[destination], guard).await;
        world.event("hi").await;
        let (attempt, next) = world.one_attempt().await;
        assert!(error_of(&attempt).starts_with("the destination is not allowed: "), "{attempt:?}");
        assert!(matches!(next, Next::GiveUp(_)));
        running.drain().await;
    }
    assert_eq!(receiver.connections(), 0);
}
