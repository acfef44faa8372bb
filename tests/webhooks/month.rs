//! Thirty days with three outages, a key rotation and a hundred thousand events, one in twenty of them twice.

use std::time::Duration;

use hookhouse_emulator::x::{Tier, reveal};

use crate::world::World;

/// The events of an emulated step: 2,160 of them make the month.
const PER_STEP: usize = 48;
const STEP: Duration = Duration::from_mins(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_month_loses_nothing_and_repeats_nothing() {
    let mut world = World::new(|options| {
        options.seed = 30;
        options.tier = Tier::enterprise();
        options.delivery.duplicates = 0.05;
        options.delivery.disorder = 0.05;
    })
    .await;
    world.step = STEP;
    world.serve("").await;
    world.subscribe(&["alice", "bob"]).await;
    let posts = |world: &World| {
        for n in 0..PER_STEP / 2 {
            world.post("alice", &format!("tea, cup {n}"));
            world.post("bob", &format!("coffee, cup {n}"));
        }
    };
    for day in 0..30 {
        match day {
            4 => {
                world.kill().await;
                world.pass(Duration::from_hours(3), posts).await;
                world.serve("").await;
                world.pass(Duration::from_hours(21), posts).await;
            }
            // X's own retries outlast a restart, so nothing needs to be asked for.
            11 => {
                let former = world.variables.0["CONSUMER_SECRET"].clone();
                world.stop().await;
                let new = world.x.rotate_consumer_secret();
                world.set("FORMER", &former);
                world.set("CONSUMER_SECRET", reveal(&new));
                world.serve("previous_secrets = [{ env = \"FORMER\" }]\n").await;
                world.pass(Duration::from_hours(24), posts).await;
            }
            17 | 25 => {
                world.pass(Duration::from_hours(9), posts).await;
                world.stop().await;
                world.pass(Duration::from_hours(if day == 17 { 1 } else { 12 }), posts).await;
                world.serve("previous_secrets = [{ env = \"FORMER\" }]\n").await;
                world.pass(Duration::from_hours(if day == 17 { 14 } else { 3 }), posts).await;
            }
            _ => world.pass(Duration::from_hours(24), posts).await,
        }
    }
    // What is young cannot be replayed yet.
    world.pass(Duration::from_hours(3), |_| {}).await;
    world.assert_whole().await;
    let (events, duplicates, calls, invalid) = world.x.with_ledger(|ledger| {
        use hookhouse_emulator::x::Purpose;
        let again = ledger.attempts.iter().filter(|attempt| attempt.purpose == Purpose::Duplicate).count();
        let calls: u64 = ledger.counts.values().sum();
        (ledger.events.len(), again, calls, ledger.validity.iter().filter(|turn| !turn.valid).count())
    });
    assert!(events >= 100_000, "{events} events");
    assert!(duplicates >= 4_000, "{duplicates} duplicates");
    assert_eq!(invalid, 0, "X never called the webhook invalid: {:#?}", world.said());
    // Four looks an hour, and for each day and outage a challenge and a replay for every two hours, with room to spare.
    assert!(calls <= 30 * 24 * 4 + 30 * 12, "{calls} calls");
}
