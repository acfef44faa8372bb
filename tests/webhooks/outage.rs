//! The server is away while X goes on.

use std::time::Duration;

use crate::world::World;

/// Killed for hours: it comes back, has X challenge and replay, and the application has every event once.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_for_hours_misses_nothing() {
    let mut world = World::new(|options| {
        options.seed = 1;
        options.delivery.duplicates = 0.1;
    })
    .await;
    world.serve("").await;
    world.subscribe(&["alice"]).await;
    world.pass(Duration::from_hours(2), |world| world.post("alice", "before")).await;
    world.kill().await;
    world.pass(Duration::from_hours(5), |world| world.post("alice", "meanwhile")).await;
    let missed = world.x.with_ledger(|ledger| ledger.events.len()) - world.application.keys().len();
    assert!(missed >= 29, "X had something to tell meanwhile: {missed}");
    world.serve("").await;
    world.pass(Duration::from_hours(3), |world| world.post("alice", "after")).await;
    world.assert_whole().await;
    let said = world.said().join("\n");
    assert!(said.contains("had X challenge webhook") && said.contains("X replayed"), "{said}");
}

/// An outage that X gave the webhook up for: what X did not even try to send cannot be had again, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_any_more_is_said_with_its_window() {
    let mut world = World::new(|options| options.seed = 2).await;
    world.serve("").await;
    world.subscribe(&["alice"]).await;
    world.pass(Duration::from_hours(1), |world| world.post("alice", "before")).await;
    world.kill().await;
    world.pass(Duration::from_hours(40), |world| world.post("alice", "meanwhile")).await;
    assert!(world.x.webhooks().iter().all(|(_, _, valid)| !valid), "28 hours without an answer");
    world.serve("").await;
    world.pass(Duration::from_hours(4), |world| world.post("alice", "after")).await;
    assert!(world.x.webhooks().iter().all(|(_, _, valid)| *valid), "it was healed");
    let said = world.said();
    assert!(said.iter().any(|deed| deed.contains("re-validated webhook")), "{said:#?}");
    assert!(said.iter().any(|deed| deed.contains("cannot be had any more")), "{said:#?}");
}

/// A wrong secret: explained while it lasts, healed when it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_explained_and_healed() {
    let mut world = World::new(|options| {
        options.seed = 3;
        options.replay.covers_withheld = true;
    })
    .await;
    world.serve("").await;
    world.subscribe(&["alice"]).await;
    world.pass(Duration::from_hours(1), |world| world.post("alice", "before")).await;
    world.stop().await;
    let right = world.variables.0["CONSUMER_SECRET"].clone();
    world.set("CONSUMER_SECRET", "not-the-secret-of-this-app-at-all");
    world.serve("").await;
    // What X signs is refused, which X forgives for a day and four hours.
    world.pass(Duration::from_hours(30), |world| world.post("alice", "meanwhile")).await;
    assert!(
        world.x.webhooks().iter().all(|(_, _, valid)| !valid),
        "{:#?} {:#?}",
        world.said(),
        world.x.ledger().crcs
    );
    let said = world.said();
    assert!(
        said.iter().any(|deed| deed.contains("X calls webhook") && deed.contains("invalid")),
        "{said:#?}"
    );
    assert!(
        said.iter().any(|deed| deed.contains("re-validating the webhook failed") && deed.contains("secret")),
        "{said:#?}"
    );
    world.stop().await;
    world.set("CONSUMER_SECRET", &right);
    world.serve("").await;
    world.pass(Duration::from_hours(4), |world| world.post("alice", "after")).await;
    assert!(world.x.webhooks().iter().all(|(_, _, valid)| *valid), "{:#?}", world.said());
    let lately = world.x.with_ledger(|ledger| ledger.events.len());
    world.post("alice", "and now");
    world.pass(Duration::from_mins(10), |_| {}).await;
    assert!(world.x.with_ledger(|ledger| ledger.events.len()) > lately);
    world
        .until("what comes now is taken", || {
            let last = world.x.with_ledger(|ledger| ledger.events.back().map(|event| event.key.clone()));
            world.application.keys().contains(&last.unwrap())
        })
        .await;
}
