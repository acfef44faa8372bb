//! S01, S02, S03: deliveries go only where they may.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::delivery::Next;
use hookhouse_core::{AttemptOutcome, DeadReason, EventStore};
use hookhouse_delivery::{Destination, Guard, RetrySchedule};
use hookhouse_testkit::receiver::Behaviour;
use rustls::RootCertStore;

use crate::world::{OWN_ADDRESS, World, destination, error_of};

fn once(url: &str) -> Destination {
    Destination { retry: RetrySchedule { pauses: Vec::new(), jitter: 0.0 }, ..destination("app", url) }
}

/// The configuration should have refused these; the dial does not rely on it.
#[tokio::test(start_paused = true)]
async fn s01_a_forbidden_url_is_a_failed_attempt_and_no_dial() {
    for url in [
        "http://169.254.169.254/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://127.0.0.1/",
        "http://localhost/",
    ] {
        let world = World::new();
        let running = world.start(&[once(url)]).await;
        world.event("hi").await;
        let (attempt, next) = world.one_attempt().await;
        assert!(error_of(&attempt).starts_with("the destination is not allowed: "), "{url}: {attempt:?}");
        assert_eq!(next, Next::GiveUp(DeadReason::Exhausted));
        assert!(
            world.network.dialled().is_empty() && world.network.lookups.lock().unwrap().is_empty(),
            "{url}"
        );
        running.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn s01_an_own_listener_is_not_dialled_under_any_name() {
    let world = World::new();
    world.network.name("admin.internal", &[&["127.0.0.1:4040"]]);
    let app = Destination { allow_loopback: true, ..once("http://admin.internal:4040/") };
    world.subscribe(std::slice::from_ref(&app)).await;
    let guard = Guard::new(vec!["0.0.0.0:4040".parse().unwrap()]);
    let store = Arc::clone(&world.store) as Arc<dyn EventStore>;
    let running = world.start_on(store, &[app], guard, RootCertStore::empty());
    world.event("hi").await;
    let (attempt, _) = world.one_attempt().await;
    assert_eq!(
        error_of(&attempt),
        "the destination is not allowed: 127.0.0.1:4040 is Hookhouse's own listener"
    );
    assert!(world.network.dialled().is_empty());
    running.drain().await;
}

/// The machine's own network address: only the connection shows that it leads back here.
#[tokio::test(start_paused = true)]
async fn s01_an_own_listener_gets_nothing_over_the_network_address() {
    for (listener, arrives) in [("0.0.0.0:8080", false), ("[::]:8080", false), ("0.0.0.0:8081", true)] {
        let world = World::new();
        let receiver = world.receiver(&format!("{OWN_ADDRESS}:8080"));
        let app = once(&format!("http://{OWN_ADDRESS}:8080/"));
        world.subscribe(std::slice::from_ref(&app)).await;
        let guard = Guard::new(vec![listener.parse().unwrap()]);
        let store = Arc::clone(&world.store) as Arc<dyn EventStore>;
        let running = world.start_on(store, &[app], guard, RootCertStore::empty());
        world.event("hi").await;
        let (attempt, _) = world.one_attempt().await;
        assert_eq!(
            (attempt.outcome.is_delivered(), receiver.received().len()),
            (arrives, usize::from(arrives))
        );
        running.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn s02_one_forbidden_address_denies_the_name() {
    for answer in [
        ["10.0.0.1:80", "169.254.169.254:80"],
        ["169.254.169.254:80", "10.0.0.1:80"],
        ["10.0.0.1:80", "[fd00:ec2::254]:80"],
        ["[2001:db8::1]:80", "[64:ff9b::7f00:1]:80"],
    ] {
        let world = World::new();
        let receiver = world.receiver("10.0.0.1:80");
        world.network.name("app.example", &[&answer]);
        let running = world.start(&[once("http://app.example/")]).await;
        world.event("hi").await;
        let (attempt, _) = world.one_attempt().await;
        assert!(error_of(&attempt).starts_with("the destination is not allowed: "), "{attempt:?}");
        assert!(world.network.dialled().is_empty() && receiver.received().is_empty());
        running.drain().await;
    }
}

/// The name is honest once. Every connection looks it up once, and dials what that answer said.
#[tokio::test(start_paused = true)]
async fn s02_a_name_that_rebinds_is_a_failed_attempt() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.always(Behaviour::status(500).header("connection", "close"));
    world.network.name("app.example", &[&["10.0.0.1:80"], &["169.254.169.254:80"]]);
    let running = world.start(&[destination("app", "http://app.example/")]).await;
    world.event("hi").await;
    let attempts = world.attempts(2).await;
    assert!(matches!(attempts[0].0.outcome, AttemptOutcome::Refused { status: 500, .. }));
    assert_eq!(
        error_of(&attempts[1].0),
        "the destination is not allowed: 169.254.169.254 is a link-local address"
    );
    assert_eq!(world.network.dialled(), ["10.0.0.1:80"]);
    assert_eq!(world.network.lookups.lock().unwrap().len(), 2);
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_address_that_does_not_answer_leaves_time_for_the_next_one() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.2:80");
    world.network.put("[2001:db8::1]:80", crate::world::Host::Silent);
    world.network.name("app.example", &[&["[2001:db8::1]:80", "10.0.0.1:80", "10.0.0.2:80"]]);
    let running = world.start(&[once("http://app.example/")]).await;
    world.event("hi").await;
    world.delivered(1).await;
    assert_eq!(receiver.received().len(), 1);
    assert!(world.elapsed() < Duration::from_secs(5));
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn s03_a_redirect_is_a_failure_and_followed_nowhere() {
    for status in [301, 302, 303, 307, 308] {
        for to in [
            "http://169.254.169.254/latest/meta-data/",
            "file:///etc/passwd",
            "gopher://10.0.0.1:70/_x",
            "/other",
        ] {
            let world = World::new();
            let receiver = world.receiver("10.0.0.1:80");
            receiver.always(Behaviour::status(status).header("location", to));
            let running = world.start(&[once("http://10.0.0.1/hooks")]).await;
            world.event("hi").await;
            let (attempt, next) = world.one_attempt().await;
            assert_eq!(attempt.outcome, AttemptOutcome::Refused { status, answer: String::new() });
            assert_eq!(next, Next::GiveUp(DeadReason::Exhausted));
            running.drain().await;
            assert_eq!((world.network.dialled().len(), receiver.received().len()), (1, 1), "{status} {to}");
        }
    }
}
