//! An operator holds a destination back, and lets it go on.

use std::time::Duration;

use hookhouse_core::{DeliveryState, EventStore};

use crate::world::{World, destination};

/// Longer than a lane waits for work.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test(start_paused = true)]
async fn a_paused_destination_gets_nothing_until_it_is_resumed() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let app = destination("app", "http://10.0.0.1/");
    let running = world.start(std::slice::from_ref(&app)).await;
    world.events(3).await;
    world.delivered(3).await;
    assert_eq!(running.engine.pause(&app.name, true).await, Ok(Some(true)));
    assert_eq!(running.engine.pause(&app.name, true).await, Ok(Some(false)), "it was paused already");
    assert!(running.engine.standings()[&app.name].paused);
    world.events(2).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(receiver.received().len(), 3);
    let pending = world.states().await.into_iter().filter(|(state, _)| *state == DeliveryState::Pending);
    assert_eq!(pending.count(), 2, "what waits is free, not leased");
    assert_eq!(running.engine.pause(&app.name, false).await, Ok(Some(true)));
    world.delivered(5).await;
    running.drain().await;
    assert_eq!(receiver.received().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_pause_survives_a_restart() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let app = destination("app", "http://10.0.0.1/");
    let running = world.start(std::slice::from_ref(&app)).await;
    assert_eq!(running.engine.pause(&app.name, true).await, Ok(Some(true)));
    running.drain().await;
    world.events(2).await;
    let running = world.start(std::slice::from_ref(&app)).await;
    world.events(2).await;
    tokio::time::sleep(LONG).await;
    assert!(receiver.received().is_empty());
    running.engine.pause(&app.name, false).await.unwrap();
    world.delivered(4).await;
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn pausing_is_answered_for_what_there_is() {
    let world = World::new();
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    assert_eq!(running.engine.pause(&"nobody".parse().unwrap(), true).await, Ok(None));
    world.store.close().await;
    assert!(running.engine.pause(&"app".parse().unwrap(), true).await.is_err());
    assert!(!running.engine.standings()[&"app".parse().unwrap()].paused, "what is not kept does not hold");
    running.drain().await;
}
