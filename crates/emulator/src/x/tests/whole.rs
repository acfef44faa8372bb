//! A month with a webhook that does everything right most of the time.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::Clock;
use hookhouse_testkit::clock::FakeClock;
use serde_json::json;

use super::stage::{As, Mood, Stage, options};
use crate::x::{Act, Action, EmulatedClock, Fate, Options, Platform, Tier, Watch};

/// Every event of every family arrives, through outages and replays; what arrived is what was told.
#[tokio::test]
async fn a_month_ends_with_every_event_received() {
    let (stage, id) = Stage::registered(|options| {
        options.seed = 30;
        options.tier = Tier::enterprise();
        options.delivery.duplicates = 0.05;
        options.delivery.disorder = 0.05;
        options.delivery.batches = 0.2;
    })
    .await;
    for user in ["alice", "bob"] {
        stage.subscribe(&id, user).await;
        for event in ["post.create", "like.create", "dm.received", "follow.follow"] {
            stage.watch(&id, user, event).await;
        }
    }
    stage.post(&format!("/2/tweets/search/webhooks/{id}"), As::App, json!({})).await;
    stage.post("/2/tweets/search/stream/rules", As::App, json!({ "add": [{ "value": "tea" }] })).await;

    for day in 0..30 {
        let down = [7, 15, 22].contains(&day);
        for hour in 0..24 {
            // Three times the receiver is down for the morning, and asks for the morning when it is back.
            if down && hour == 2 {
                stage.answers(&[503; 10_000]);
                stage.mood(Mood::Status(503));
            }
            if down && hour == 6 {
                stage.hook.statuses.lock().unwrap().clear();
                stage.mood(Mood::Right);
            }
            if down && hour == 8 {
                replay(&stage, &id, 7).await;
            }
            for (user, other) in [("alice", "bob"), ("bob", "carol"), ("carol", "alice")] {
                stage.act(user, Action::Post, None, Some(&format!("tea at {hour} on day {day}")));
                stage.act(other, Action::Like, Some(user), None);
                stage.act(user, Action::Message, Some(other), Some("psst"));
            }
            stage.act("carol", Action::Follow, Some("alice"), None);
            stage.platform.advance(Duration::from_hours(1)).await;
        }
    }
    let ledger = stage.platform.ledger();
    let told = ledger.keys(&[Fate::Delivered]);
    assert_eq!(told.len(), ledger.events.len(), "nothing is pending, dropped or withheld");
    assert!(told.len() > 10_000, "{} events", told.len());
    assert_eq!(stage.keys(), told);
    assert!(ledger.validity.is_empty());
    assert!(ledger.crcs.len() < 60, "{} challenges", ledger.crcs.len());
    assert_eq!(ledger.counts["webhooks.replay"], 3);
}

/// Asks for so many hours, as late as the rules let it.
async fn replay(stage: &Stage, id: &str, hours: i64) {
    let now = stage.platform.clock().now();
    let ago = |minutes| now.checked_sub(jiff::SignedDuration::from_mins(minutes)).unwrap();
    let date = |minutes| ago(minutes).strftime("%Y%m%d%H%M").to_string();
    let body = json!({ "webhook_id": id, "from_date": date(hours * 60), "to_date": date(11) });
    let (status, answer) = stage.post("/2/webhooks/replay", As::App, body).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn with_a_clock_that_runs_things_happen_by_themselves() {
    let base = Arc::new(FakeClock::default());
    let stage = Stage::new(|options| {
        let mine = options.clone();
        *options = Options { clock: Arc::new(EmulatedClock::running(Arc::clone(&base) as _)), ..mine };
    })
    .await;
    let id = stage.register().await;
    stage.watch(&id, "alice", "post.create").await;
    stage.act("alice", Action::Post, None, Some("hello"));
    tokio::time::timeout(Duration::from_secs(30), async {
        while stage.bodies().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it arrives without anybody turning the clock");
    // And can be turned all the same.
    stage.platform.advance(Duration::from_hours(24)).await;
    assert_eq!(stage.platform.ledger().crcs.len(), 2);
    assert_eq!(stage.platform.clock().now(), base.now().checked_add(Duration::from_hours(24)).unwrap());
}

#[tokio::test]
async fn a_watch_is_told_everything_and_a_stop_ends_everything() {
    let lines = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (told, watched) = (Arc::clone(&lines), options());
    let options = Options {
        watch: Some(Watch::new(move |entry| told.lock().unwrap().push(entry.to_string()))),
        ..watched
    };
    let stage = Stage::new(|changed| *changed = options).await;
    let id = stage.register().await;
    stage.watch(&id, "alice", "post.create").await;
    stage.act("alice", Action::Post, None, Some("hello"));
    stage.platform.settle().await;
    let lines = lines.lock().unwrap().join("\n");
    for expected in [
        "(registration): passed",
        "api      webhooks.create: 200",
        "event    post.create",
        "): 200",
        "deliver  activity:",
    ] {
        assert!(lines.contains(expected), "{expected} in\n{lines}");
    }
    let address = stage.platform.local_addr();
    stage.platform.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_it_is_given_it_keeps() {
    let mut first = options();
    first.seed = 4;
    let one = Platform::start(first.clone()).await.unwrap();
    let two = Platform::start(first.clone()).await.unwrap();
    assert_eq!(one.credentials().consumer_key, two.credentials().consumer_key, "one seed, the same keys");
    assert_eq!(one.users(), two.users());
    first.seed = 5;
    first.credentials = Some(one.credentials());
    let three = Platform::start(first).await.unwrap();
    assert_eq!(three.credentials().consumer_secret.expose(), one.credentials().consumer_secret.expose());
    let act =
        Act { user: "alice".to_owned(), action: Action::Post, text: Some("x".to_owned()), target: None };
    assert_eq!(three.act(&act).unwrap().events, 0, "nobody asked");
}
