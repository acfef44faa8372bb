//! A destination that is down, and one that comes back.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{DeliveryState, EventStore};
use hookhouse_delivery::Destination;
use hookhouse_delivery::circuit::{FAILURES, Phase, Saved};
use hookhouse_testkit::receiver::Behaviour;

use crate::world::{Host, World, bodies, destination};

/// Nothing listens for a minute. No tries are burned and no exceptions are made beyond the failures that opened the
/// circuit; then everything arrives, retries first, the rest in log order.
#[tokio::test(start_paused = true)]
async fn a_destination_that_was_down_for_a_minute_gets_everything() {
    let world = World::new();
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.events(40).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let touched = world.states().await.into_iter().filter(|(_, attempts)| *attempts > 0).count();
    assert!(touched <= FAILURES, "{touched} deliveries have exceptions");
    assert_eq!(world.states().await.iter().map(|(_, attempts)| *attempts as usize).sum::<usize>(), FAILURES);

    let receiver = world.receiver("10.0.0.1:80");
    world.delivered(40).await;
    let order: Vec<usize> = bodies(&receiver).iter().map(|body| body.parse().unwrap()).collect();
    let retries: Vec<_> = (0..touched).collect();
    let mut first: Vec<_> = order[..touched].to_vec();
    first.sort_unstable();
    assert_eq!(first, retries, "retries first: {order:?}");
    assert_eq!(order[touched..], (touched..40).collect::<Vec<_>>(), "then the log in order");
    assert!(
        world.elapsed() < Duration::from_secs(60 + 61),
        "a probe a minute at least: {:?}",
        world.elapsed()
    );
    assert!(world.states().await.iter().all(|(state, _)| *state == DeliveryState::Delivered));
    assert_eq!(world.circuit_changes().last(), Some(&false));
    running.drain().await;
}

/// Down for days: longer than the whole schedule. Whatever had not been tried is still there, untried.
#[tokio::test(start_paused = true)]
async fn a_long_outage_makes_no_dead_letters_of_what_was_never_sent() {
    let world = World::new();
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.events(20).await;
    tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
    assert!(world.states().await.iter().all(|(state, _)| *state != DeliveryState::Dead));
    let probes = world.network.dialled().len();
    assert!((1440..1460).contains(&probes), "about one a minute: {probes}");
    world.receiver("10.0.0.1:80");
    world.delivered(20).await;
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn while_it_is_open_one_probe_goes_out_at_each_growing_pause() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.always(Behaviour::status(503));
    let app = Destination { concurrency: 4, ..destination("app", "http://10.0.0.1/") };
    let running = world.start(&[app]).await;
    world.events(50).await;
    let all = receiver.wait_for(16).await;
    let first_probe = all.iter().position(|r| r.at - all[0].at >= Duration::from_secs(5)).unwrap();
    assert!(
        (FAILURES..FAILURES + 4).contains(&first_probe),
        "no more than what was in flight: {first_probe}"
    );
    let pauses: Vec<_> =
        all[first_probe - 1..].windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs()).take(6).collect();
    assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
    running.drain().await;
}

/// The probe takes its time; nothing else goes out meanwhile.
#[tokio::test(start_paused = true)]
async fn no_second_probe_goes_out_before_the_first_one_has_ended() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.always(Behaviour::status(503).after(Duration::from_secs(2)));
    let app = Destination { concurrency: 4, ..destination("app", "http://10.0.0.1/") };
    let running = world.start(&[app]).await;
    world.events(50).await;
    let all = receiver.wait_for(12).await;
    let seconds: Vec<_> = all.iter().map(|r| (r.at - all[0].at).as_secs()).collect();
    // Two batches open it at four seconds, for five; each pause begins when the probe has ended.
    assert_eq!(seconds, [0, 0, 0, 0, 2, 2, 2, 2, 9, 21, 43, 85]);
    running.abort().await;
}

/// The lane was waiting for an event when the circuit opened: what comes then is handed back.
#[tokio::test(start_paused = true)]
async fn an_event_that_comes_after_the_circuit_opened_waits_for_the_probe() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.always(Behaviour::status(500).after(Duration::from_secs(2)));
    let app = Destination { concurrency: FAILURES + 1, ..destination("app", "http://10.0.0.1/") };
    let running = world.start(&[app]).await;
    world.events(FAILURES).await;
    world.until(|_| world.circuit_changes() == [true]).await;
    world.event("late").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.received().len(), FAILURES);
    assert_eq!(world.states().await[FAILURES], (DeliveryState::Pending, 0));
    receiver.always(Behaviour::status(200));
    world.delivered(FAILURES + 1).await;
    running.drain().await;
}

/// A probe that an answer refuses counts as a try, so that a poisoned event cannot be the probe for ever.
#[tokio::test(start_paused = true)]
async fn poisoned_events_cannot_keep_the_circuit_open() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.decide(|request| {
        let n: usize = String::from_utf8_lossy(&request.body).parse().unwrap();
        Behaviour::status(if n < FAILURES + 3 { 500 } else { 200 })
    });
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.events(FAILURES + 10).await;
    world.delivered(7).await;
    assert!(world.circuit_changes()[0]);
    world.attempts(7 + 4 * (FAILURES + 3)).await;
    let dead = world.states().await.into_iter().filter(|(state, _)| *state == DeliveryState::Dead).count();
    assert_eq!(dead, FAILURES + 3);
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_survives_a_restart() {
    let world = World::new();
    let app = destination("app", "http://10.0.0.1/");
    let running = world.start(std::slice::from_ref(&app)).await;
    world.events(10).await;
    // Open for the third time: twenty seconds.
    world.until(|_| world.circuit_changes().len() == 3).await;
    running.drain().await;
    let entry = world.store.state("circuit/app").await.unwrap().expect("it is in the store");
    let saved: Saved = serde_json::from_slice(&entry.value).unwrap();
    assert_eq!(
        (saved.openings, saved.cause.as_deref()),
        (3, Some("no connection to 10.0.0.1:80: connection refused"))
    );

    let dialled = world.network.dialled().len();
    let receiver = world.receiver("10.0.0.1:80");
    let running = world.start(std::slice::from_ref(&app)).await;
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert_eq!(world.network.dialled().len(), dialled, "nothing is tried before its time");
    let standing = running.engine.standings().remove(&app.name).unwrap();
    assert_eq!((standing.phase, standing.open_until), (Phase::Open, saved.open_until));
    world.delivered(10).await;
    assert_eq!(running.engine.standings()[&app.name].phase, Phase::Closed);
    running.drain().await;
    let entry = world.store.state("circuit/app").await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Saved>(&entry.value).unwrap().open_until, None);
    assert_eq!(receiver.received().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_somebody_else_wrote_is_overruled() {
    let world = World::new();
    world.store.put_state("circuit/app", "not a circuit".into(), None).await.unwrap();
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.events(5).await;
    world.until(|_| world.circuit_changes().len() == 1).await;
    let revision = world.store.state("circuit/app").await.unwrap().unwrap().revision;
    world.store.put_state("circuit/app", "not this either".into(), Some(revision)).await.unwrap();
    world.until(|_| world.circuit_changes().len() == 3).await;
    running.drain().await;
    let entry = world.store.state("circuit/app").await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Saved>(&entry.value).unwrap().openings, 3);
}

/// Another destination at the same time is not touched by it.
#[tokio::test(start_paused = true)]
async fn every_destination_has_its_own_circuit() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    world.network.put("10.0.0.2:80", Host::Up(Arc::clone(&receiver)));
    world.network.take_down("10.0.0.2:80");
    let destinations = [destination("up", "http://10.0.0.1/"), destination("down", "http://10.0.0.2/")];
    let running = world.start(&destinations).await;
    world.events(30).await;
    world.delivered(30).await;
    let standings = running.engine.standings();
    let phase = |name: &str| standings[&name.parse().unwrap()].phase;
    assert_eq!((phase("up"), phase("down")), (Phase::Closed, Phase::Open));
    running.drain().await;
}
