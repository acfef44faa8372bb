//! Attempts, retries, duplicates, disorder, batches, and what an invalid webhook is spared.

use std::collections::HashSet;
use std::time::Duration;

use hookhouse_core::Clock;
use jiff::Timestamp;

use super::stage::{Mood, Stage, start};
use crate::x::options::SignatureHeaders;
use crate::x::{Action, Fate, Purpose, keys_in, signature};

/// The attempts so far: seconds since the start, number, status.
fn attempts(stage: &Stage) -> Vec<(i64, usize, Option<u16>)> {
    let seconds = |at: Timestamp| at.duration_since(start()).as_secs();
    stage.platform.with_ledger(|ledger| {
        ledger.attempts.iter().map(|attempt| (seconds(attempt.at), attempt.attempt, attempt.status)).collect()
    })
}

fn fates(stage: &Stage) -> Vec<Fate> {
    stage.platform.with_ledger(|ledger| ledger.events.iter().map(|event| event.fate).collect())
}

#[tokio::test]
async fn nothing_is_sent_before_the_clock_is_turned() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.watch(&id, "alice", "post.create").await;
    stage.act("alice", Action::Post, None, Some("hello"));
    assert_eq!((attempts(&stage), fates(&stage)), (vec![], vec![Fate::Pending]));
    stage.platform.settle().await;
    assert_eq!((attempts(&stage), fates(&stage)), (vec![(0, 1, Some(200))], vec![Fate::Delivered]));
}

#[tokio::test]
async fn what_is_not_answered_200_is_tried_three_times_more() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.watch(&id, "alice", "post.create").await;
    // Only 200 is a success.
    stage.answers(&[500, 204, 302, 403]);
    stage.act("alice", Action::Post, None, Some("hello"));
    stage.platform.advance(Duration::from_hours(1)).await;
    assert_eq!(
        attempts(&stage),
        [(0, 1, Some(500)), (3, 2, Some(204)), (30, 3, Some(302)), (272, 4, Some(403))]
    );
    assert_eq!(fates(&stage), [Fate::Dropped]);
    assert!(stage.bodies().is_empty());

    stage.answers(&[503]);
    stage.act("alice", Action::Post, None, Some("again"));
    stage.platform.advance(Duration::from_hours(1)).await;
    assert_eq!(fates(&stage), [Fate::Dropped, Fate::Delivered]);
    assert_eq!(stage.bodies().len(), 1);
}

#[tokio::test]
async fn no_answer_in_time_is_a_failure() {
    let (stage, id) =
        Stage::registered(|options| options.delivery.timeout = Duration::from_millis(100)).await;
    stage.watch(&id, "alice", "post.create").await;
    stage.hook.held.send_replace(true);
    stage.act("alice", Action::Post, None, Some("hello"));
    stage.platform.settle().await;
    stage.hook.held.send_replace(false);
    let fault = stage.platform.ledger().attempts[0].fault.clone();
    assert_eq!(fault.as_deref(), Some("no answer within 100ms"));
    stage.platform.advance(Duration::from_secs(3)).await;
    assert_eq!(fates(&stage), [Fate::Delivered]);
}

#[tokio::test]
async fn an_invalid_webhook_is_sent_nothing() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.watch(&id, "alice", "post.create").await;
    stage.answers(&[500; 4]);
    stage.platform.advance(Duration::from_secs(24 * 3600 - 1)).await;
    stage.act("alice", Action::Post, None, Some("tried before, not after"));
    stage.mood(Mood::WrongToken);
    stage.platform.advance(Duration::from_secs(1)).await;
    assert!(!stage.platform.webhooks()[0].2);
    stage.act("alice", Action::Post, None, Some("never tried"));
    stage.platform.advance(Duration::from_hours(1)).await;
    assert_eq!(fates(&stage), [Fate::Dropped, Fate::Withheld]);
    assert_eq!(attempts(&stage).len(), 1);
}

#[tokio::test]
async fn events_carry_the_headers_that_were_chosen() {
    for (signatures, expected) in [
        (SignatureHeaders::Consumer, vec![signature::HEADER]),
        (SignatureHeaders::Oauth2, vec![signature::OAUTH2_HEADER]),
        (SignatureHeaders::Both, vec![signature::HEADER, signature::OAUTH2_HEADER]),
    ] {
        let (stage, id) = Stage::registered(|options| options.delivery.signatures = signatures).await;
        stage.watch(&id, "alice", "post.create").await;
        let app = stage.platform.credentials();
        if signatures == SignatureHeaders::Oauth2 {
            *stage.hook.secret.lock().unwrap() = app.client_secret.clone();
        }
        stage.act("alice", Action::Post, None, Some("café"));
        stage.platform.settle().await;
        let (headers, body) = stage.hook.events.lock().unwrap()[0].clone();
        assert_eq!(headers["content-type"], "application/json");
        let keys =
            [(signature::HEADER, &app.consumer_secret), (signature::OAUTH2_HEADER, &app.client_secret)];
        for (header, secret) in keys {
            let signed = headers.get(header).map(|value| value.to_str().unwrap().to_owned());
            let wanted = expected.contains(&header).then(|| signature::sign(secret, &body));
            assert_eq!(signed, wanted, "{signatures:?} {header}");
        }
    }
}

#[tokio::test]
async fn duplicates_are_the_same_thing_again_in_the_same_or_in_other_bytes() {
    let (stage, id) = Stage::registered(|options| options.delivery.duplicates = 1.0).await;
    stage.watch(&id, "alice", "post.create").await;
    stage.subscribe(&id, "alice").await;
    for n in 0..30 {
        stage.act("alice", Action::Post, None, Some(&format!("post/{n}")));
    }
    stage.platform.advance(Duration::from_mins(1)).await;
    let bodies = stage.bodies();
    assert_eq!(bodies.len(), 120, "60 events, each twice");
    let distinct: HashSet<_> = bodies.iter().collect();
    assert!((61..120).contains(&distinct.len()), "{} different bodies", distinct.len());
    let mut keys: Vec<_> = bodies.iter().flat_map(|body| keys_in(body)).collect();
    assert!(keys.len() > 120, "some bodies have an element that was in another one");
    keys.sort_unstable();
    keys.dedup();
    let ledger = stage.platform.ledger();
    assert_eq!(keys, ledger.keys(&[Fate::Delivered]));
    assert_eq!(ledger.events.len(), 60, "a duplicate is no event");
    let purposes = ledger.attempts.iter().filter(|attempt| attempt.purpose == Purpose::Duplicate);
    assert_eq!(purposes.count(), 60);
}

#[tokio::test]
async fn a_duplicate_may_be_under_way_beside_the_first() {
    let (stage, id) = Stage::registered(|options| options.delivery.duplicates = 1.0).await;
    stage.watch(&id, "alice", "post.create").await;
    for n in 0..30 {
        stage.hook.waiting.lock().unwrap().1 = 0;
        stage.act("alice", Action::Post, None, Some(&format!("post {n}")));
        stage.hook.held.send_replace(true);
        let release = async {
            // Until both wait, or this one's duplicate comes later.
            for _ in 0..40 {
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                if stage.hook.waiting.lock().unwrap().1 > 1 {
                    break;
                }
            }
            stage.hook.held.send_replace(false);
        };
        tokio::join!(stage.platform.settle(), release);
        if stage.hook.waiting.lock().unwrap().1 > 1 {
            return;
        }
    }
    panic!("no duplicate in thirty came at the same time");
}

#[tokio::test]
async fn elements_travel_together_now_and_then() {
    let (stage, id) = Stage::registered(|options| options.delivery.batches = 1.0).await;
    stage.subscribe(&id, "alice").await;
    for n in 0..6 {
        stage.act("alice", Action::Post, None, Some(&format!("post {n}")));
    }
    stage.platform.settle().await;
    let bodies = stage.values();
    let sizes: Vec<_> =
        bodies.iter().map(|body| body["tweet_create_events"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [4, 2]);
    assert_eq!(fates(&stage), [Fate::Delivered; 6]);
}

#[tokio::test]
async fn disorder_lets_younger_events_arrive_first() {
    let (stage, id) = Stage::registered(|options| {
        options.delivery.disorder = 0.5;
        options.delivery.connections = 1;
    })
    .await;
    stage.watch(&id, "alice", "post.create").await;
    for n in 0..20 {
        stage.act("alice", Action::Post, None, Some(&format!("post {n}")));
    }
    stage.platform.advance(Duration::from_secs(5)).await;
    let ids: Vec<_> = stage
        .values()
        .iter()
        .map(|body| body["data"]["payload"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 20);
    assert!(!ids.is_sorted(), "{ids:?}");
}

#[tokio::test]
async fn connections_are_kept() {
    let (stage, id) = Stage::registered(|options| options.delivery.connections = 1).await;
    stage.watch(&id, "alice", "post.create").await;
    for n in 0..5 {
        stage.act("alice", Action::Post, None, Some(&format!("post {n}")));
    }
    stage.platform.settle().await;
    assert_eq!(stage.bodies().len(), 5);
    assert_eq!(stage.hook.waiting.lock().unwrap().1, 1, "one at a time over one connection");
}

#[tokio::test]
async fn one_seed_is_one_history() {
    let mut histories = Vec::new();
    for seed in [7, 7, 8] {
        let (stage, id) = Stage::registered(|options| {
            options.seed = seed;
            options.delivery.duplicates = 0.3;
            options.delivery.disorder = 0.3;
            options.delivery.batches = 0.3;
        })
        .await;
        stage.subscribe(&id, "alice").await;
        stage.watch(&id, "alice", "like.create").await;
        stage.answers(&[200, 500, 200, 500]);
        for n in 0..10 {
            stage.act("alice", Action::Post, None, Some(&format!("post {n}")));
            stage.act("bob", Action::Like, Some("alice"), None);
            stage.platform.advance(Duration::from_secs(1)).await;
        }
        stage.platform.advance(Duration::from_mins(10)).await;
        let ledger = stage.platform.ledger();
        let sent: Vec<_> = ledger
            .attempts
            .iter()
            .map(|attempt| (attempt.at, attempt.purpose, attempt.keys.clone()))
            .collect();
        histories.push((sent, ledger.events.into_iter().map(|event| event.key).collect::<Vec<_>>()));
        assert_eq!(stage.platform.clock().now().duration_since(start()).as_secs(), 610);
    }
    assert_eq!(histories[0], histories[1]);
    assert_ne!(histories[0], histories[2]);
}
