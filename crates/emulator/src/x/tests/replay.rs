//! Replay jobs.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{As, Mood, Stage};
use super::webhooks::reason;
use crate::x::{Action, Fate, Purpose};

const JOB: &str = "/2/webhooks/replay";

fn window(id: &str, from: &str, to: &str) -> Value {
    json!({ "webhook_id": id, "from_date": from, "to_date": to })
}

/// Posts that were dropped at 12:00 and delivered at 13:00; the clock stands at 14:00.
async fn after_an_outage() -> (Stage, String) {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.watch(&id, "alice", "post.create").await;
    stage.answers(&[500; 8]);
    stage.act("alice", Action::Post, None, Some("lost 1"));
    stage.act("alice", Action::Post, None, Some("lost 2"));
    stage.platform.advance(Duration::from_hours(1)).await;
    stage.act("alice", Action::Post, None, Some("taken"));
    stage.platform.advance(Duration::from_hours(1)).await;
    assert_eq!(stage.bodies().len(), 1);
    (stage, id)
}

fn status_of(body: &Value) -> (&str, &str) {
    let status = &body["replay_job_status"];
    (status["job_state"].as_str().unwrap(), status["job_id"].as_str().unwrap())
}

#[tokio::test]
async fn what_was_delivered_or_attempted_comes_again_and_the_end_is_announced() {
    let (stage, id) = after_an_outage().await;
    let (status, answer) = stage.post(JOB, As::App, window(&id, "202611221200", "202611221300")).await;
    assert_eq!(status, 200, "{answer}");
    let job = answer["data"]["job_id"].as_str().unwrap();
    assert_eq!(answer["data"]["created_at"], "2026-11-22T14:00:00.000Z");
    stage.platform.settle().await;
    let bodies = stage.values();
    let texts: Vec<_> = bodies.iter().map(|body| body["data"]["payload"]["text"].as_str()).collect();
    assert_eq!(texts.len(), 4);
    assert!(texts[..2].contains(&Some("lost 1")) && texts[..2].contains(&Some("lost 2")), "{texts:?}");
    assert_eq!(texts[2..], [Some("taken"), None], "the oldest minute first, the job's end last");
    assert_eq!(status_of(&bodies[3]), ("Complete", job));
    assert!(bodies[3].get("for_user_id").is_none());
    let ledger = stage.platform.ledger();
    assert_eq!(ledger.events.iter().map(|event| event.fate).collect::<Vec<_>>(), [Fate::Delivered; 4]);
    assert_eq!(ledger.crcs.back().unwrap().reason.to_string(), "replay");
    assert_eq!(ledger.counts["webhooks.replay"], 1);
}

#[tokio::test]
async fn the_window_is_what_it_says() {
    let (stage, id) = after_an_outage().await;
    for (from, to, expected) in [
        ("202611221200", "202611221259", 2),
        ("202611221300", "202611221300", 1),
        ("202611221301", "202611221329", 0),
    ] {
        assert_eq!(stage.post(JOB, As::App, window(&id, from, to)).await.0, 200);
        stage.platform.settle().await;
        assert_eq!(stage.bodies().len(), expected + 1, "{from} {to}, and the job's end");
    }
}

#[tokio::test]
async fn the_rules_are_kept() {
    let (stage, id) = after_an_outage().await;
    for (from, to) in [
        ("202611211359", "202611221300"),
        ("202611221330", "202611221345"),
        ("202611221200", "202611221351"),
        ("202611221300", "202611221200"),
        ("tomorrow", "202611221300"),
        ("202611221200", ""),
    ] {
        let (status, body) = stage.post(JOB, As::App, window(&id, from, to)).await;
        assert_eq!((status, reason(&body)), (400, "QueryParamInvalid"), "{from} {to}");
    }
    let (status, _) = stage.post(JOB, As::App, json!({ "webhook_id": id })).await;
    assert_eq!(status, 400);
    assert_eq!(stage.platform.ledger().crcs.len(), 1, "a window that is none costs no challenge");
}

#[tokio::test]
async fn one_job_runs_at_a_time() {
    let (stage, id) = after_an_outage().await;
    let body = window(&id, "202611221200", "202611221300");
    assert_eq!(stage.post(JOB, As::App, body.clone()).await.0, 200);
    let (status, answer) = stage.post(JOB, As::App, body.clone()).await;
    assert_eq!((status, reason(&answer)), (400, "ReplayConflictError"));
    stage.platform.settle().await;
    assert_eq!(stage.post(JOB, As::App, body).await.0, 200, "it has ended");
}

#[tokio::test]
async fn nothing_is_tried_twice_in_a_job() {
    let (stage, id) = after_an_outage().await;
    stage.answers(&[200, 500, 200]);
    stage.post(JOB, As::App, window(&id, "202611221200", "202611221300")).await;
    stage.platform.advance(Duration::from_mins(10)).await;
    let ledger = stage.platform.ledger();
    let replays = ledger.attempts.iter().filter(|attempt| attempt.purpose == Purpose::Replay).count();
    assert_eq!(replays, 3);
    let bodies = stage.values();
    assert_eq!((bodies.len(), status_of(&bodies[2]).0), (3, "Incomplete"));
}

#[tokio::test]
async fn a_job_begins_with_a_challenge() {
    let (stage, id) = after_an_outage().await;
    stage.mood(Mood::Status(500));
    let body = window(&id, "202611221200", "202611221300");
    let (status, answer) = stage.post(JOB, As::App, body.clone()).await;
    assert_eq!((status, reason(&answer)), (400, "CrcValidationFailed"));
    assert!(stage.platform.webhooks()[0].2, "a failure for now");
    stage.mood(Mood::WrongToken);
    stage.post(JOB, As::App, body.clone()).await;
    assert!(!stage.platform.webhooks()[0].2, "a wrong token counts here too");
    stage.mood(Mood::Right);
    let (status, answer) = stage.post(JOB, As::App, body).await;
    assert_eq!((status, reason(&answer)), (400, "CrcValidationFailed"), "an invalid webhook gets no events");
}

#[tokio::test]
async fn what_was_held_back_comes_only_where_the_options_say_so() {
    for covers_withheld in [false, true] {
        let (stage, id) = Stage::registered(|options| options.replay.covers_withheld = covers_withheld).await;
        stage.watch(&id, "alice", "post.create").await;
        stage.mood(Mood::WrongToken);
        stage.put(&format!("/2/webhooks/{id}"), As::App).await;
        stage.act("alice", Action::Post, None, Some("held back"));
        stage.platform.advance(Duration::from_hours(1)).await;
        stage.mood(Mood::Right);
        stage.put(&format!("/2/webhooks/{id}"), As::App).await;
        assert_eq!(stage.post(JOB, As::App, window(&id, "202611221200", "202611221200")).await.0, 200);
        stage.platform.settle().await;
        let fate = stage.platform.ledger().events[0].fate;
        assert_eq!(fate, if covers_withheld { Fate::Delivered } else { Fate::Withheld });
    }
}

#[tokio::test]
async fn what_is_older_than_a_day_is_forgotten() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.watch(&id, "alice", "post.create").await;
    stage.act("alice", Action::Post, None, Some("old"));
    stage.platform.advance(Duration::from_hours(26)).await;
    stage.act("alice", Action::Post, None, Some("new"));
    stage.platform.settle().await;
    assert_eq!(stage.platform.world.lock().deliveries.len(), 1);
}

#[tokio::test]
async fn the_old_endpoint_does_the_same() {
    let (stage, id) = after_an_outage().await;
    let path = format!(
        "/2/account_activity/replay/webhooks/{id}/subscriptions/all?from_date=202611221200&to_date=202611221300"
    );
    let (status, body) = stage.post(&path, As::App, json!({})).await;
    assert_eq!((status, &body["for_user_id"]), (200, &json!(stage.id_of("alice").to_string())));
    assert!(body["replay_event"]["job_id"].is_string());
    stage.platform.settle().await;
    assert_eq!(stage.bodies().len(), 4);
}
