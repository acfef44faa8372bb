//! Two engines on one store, as two gateways on a cluster are.

use std::time::Duration;

use hookhouse_core::{Clock, EventStore};
use hookhouse_delivery::circuit::{LONGEST_PAUSE, Phase, Saved};

use crate::world::{World, destination};

/// As long as it takes the others to hear of something, which is no time at all; the runtime's clock stands still while
/// anybody has something to do.
const A_MOMENT: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn what_one_is_told_to_hold_the_other_holds_at_once_and_lets_go_at_once() {
    let world = World::shared();
    let receiver = world.receiver("10.0.0.1:80");
    let app = destination("app", "http://10.0.0.1/");
    let one = world.start(std::slice::from_ref(&app)).await;
    let other = world.start(std::slice::from_ref(&app)).await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(one.engine.pause(&app.name, true).await, Ok(Some(true)));
    tokio::time::sleep(A_MOMENT).await;
    assert!(other.engine.standings()[&app.name].paused);
    world.events(3).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(receiver.received().is_empty(), "neither sends");
    assert_eq!(other.engine.pause(&app.name, false).await, Ok(Some(true)));
    tokio::time::sleep(A_MOMENT).await;
    assert!(!one.engine.standings()[&app.name].paused);
    other.drain().await;
    world.delivered(3).await;
    one.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_another_gateway_opens_or_closes_is_so_here_at_once() {
    let world = World::shared();
    let app = destination("app", "http://10.0.0.1/");
    let receiver = world.receiver("10.0.0.1:80");
    let running = world.start(std::slice::from_ref(&app)).await;
    tokio::time::sleep(A_MOMENT).await;
    let write = async |saved: &Saved| {
        let revision = world.store.state("circuit/app").await.unwrap().map(|entry| entry.revision);
        let value = serde_json::to_vec(saved).unwrap();
        world.store.put_state("circuit/app", value.into(), revision).await.unwrap();
        tokio::time::sleep(A_MOMENT).await;
        running.engine.standings()[&app.name].phase
    };
    let open_until = Some(world.clock.now() + LONGEST_PAUSE);
    let open = Saved { open_until, openings: 4, cause: Some("answered 503".to_owned()) };
    assert_eq!(write(&open).await, Phase::Open);
    world.events(3).await;
    tokio::time::sleep(LONGEST_PAUSE / 2).await;
    assert!(receiver.received().is_empty());
    let closed = Saved { open_until: None, openings: 0, cause: None };
    assert_eq!(write(&closed).await, Phase::Closed);
    world.delivered(3).await;
    assert!(world.elapsed() < LONGEST_PAUSE, "nobody waited for the pause to end");
    running.drain().await;
}
