//! Several records in one call.

use hookhouse_core::delivery::Next;
use hookhouse_core::{AttemptOutcome, DeadReason, EventStore};
use hookhouse_delivery::Guard;
use hookhouse_testkit::receiver::Behaviour;
use rustls::RootCertStore;
use std::sync::Arc;

use super::{Desk, account_activity, cases, mention, settings};
use crate::world::Running;

const FIRST: u64 = 2_046_318_829_014_921_300;

/// An engine that finds events waiting.
async fn start_with(desk: &Desk, bodies: &[String], fields: &[(&str, &str)]) -> Running {
    let destination = cases(settings(fields));
    desk.world.subscribe(std::slice::from_ref(&destination)).await;
    for body in bodies {
        desk.world.event(body).await;
    }
    let store = Arc::clone(&desk.world.store) as Arc<dyn EventStore>;
    desk.world.start_on(store, &[destination], Guard::default(), RootCertStore::empty())
}

#[tokio::test(start_paused = true)]
async fn what_waits_goes_out_together_and_each_is_judged_by_itself() {
    let desk = Desk::new();
    desk.org.refuse_next_record("STRING_TOO_LONG");
    desk.org.refuse_next_record("UNABLE_TO_LOCK_ROW");
    let bodies: Vec<_> = (0..10).map(|n| mention(FIRST + n, "hello")).collect();
    let running = start_with(&desk, &bodies, &[]).await;
    desk.world.delivered(9).await;
    let attempts = desk.world.attempts(11).await;
    let nexts: Vec<_> = attempts.iter().map(|(_, next)| next.clone()).collect();
    assert_eq!(nexts[0], Next::GiveUp(DeadReason::Rejected));
    assert!(matches!(nexts[1], Next::RetryAt(_)), "{nexts:?}");
    assert!(nexts[2..].iter().all(|next| *next == Next::Done), "{nexts:?}");
    assert_eq!(desk.records_of_calls(), [10, 1]);
    assert_eq!(desk.org.cases().len(), 9);
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_of_many_posts_is_as_few_calls_as_hold_them() {
    let desk = Desk::new();
    let running = desk.start().await;
    desk.world.event(&account_activity(FIRST..FIRST + 250)).await;
    let (attempt, next) = desk.world.one_attempt().await;
    assert_eq!((&attempt.outcome, next), (&AttemptOutcome::Delivered { status: 201 }, Next::Done));
    assert_eq!(desk.records_of_calls(), [200, 50]);
    assert_eq!(desk.org.cases().len(), 250);
    running.drain().await;
}

/// One record of several that fails makes the event wait, and what is there already is not made again.
#[tokio::test(start_paused = true)]
async fn an_event_is_done_when_all_of_its_records_are() {
    let desk = Desk::new();
    desk.org.refuse_next_record("UNABLE_TO_LOCK_ROW");
    let running = desk.start().await;
    desk.world.event(&account_activity(FIRST..FIRST + 3)).await;
    let attempts = desk.world.attempts(2).await;
    let AttemptOutcome::Refused { answer, .. } = &attempts[0].0.outcome else { panic!("{attempts:?}") };
    assert_eq!(answer, "1 of 3 records: UNABLE_TO_LOCK_ROW: as the test wanted");
    assert_eq!((attempts[1].1.clone(), desk.org.cases().len()), (Next::Done, 3));
    running.drain().await;
}

/// A value that cannot even be read keeps its whole call from being read; it is found and left alone.
#[tokio::test(start_paused = true)]
async fn a_poisoned_record_does_not_take_its_neighbours_along() {
    let desk = Desk::new();
    let bodies: Vec<_> = (0..16)
        .map(|n| {
            let tag = if n == 5 { "yesterday" } else { "2026-11-22T10:00:00Z" };
            mention(FIRST + n, "hello").replacen(
                r#"{"event_uuid""#,
                &format!(r#"{{"tag":"{tag}","event_uuid""#),
                1,
            )
        })
        .collect();
    let running = start_with(&desk, &bodies, &[("X_Received_At__c", "{body.data.tag}")]).await;
    desk.world.delivered(15).await;
    let attempts = desk.world.attempts(16).await;
    let given_up: Vec<_> =
        attempts.iter().filter(|(_, next)| *next == Next::GiveUp(DeadReason::Rejected)).collect();
    assert_eq!(given_up.len(), 1, "{attempts:?}");
    assert!(!desk.org.cases().contains_key(&format!("in:post:{}", FIRST + 5)));
    assert_eq!(desk.org.cases().len(), 15);
    // Halving finds one in sixteen with two calls for each halving.
    assert_eq!(desk.org.calls().len(), 9);
    running.drain().await;
}

/// A call that fails for many is one failure of the destination, and no reason to open its circuit.
#[tokio::test(start_paused = true)]
async fn a_call_that_fails_for_many_counts_once() {
    let desk = Desk::new();
    desk.org.fail_next_call(Behaviour::status(503));
    let bodies: Vec<_> = (0..20).map(|n| mention(FIRST + n, "hello")).collect();
    let running = start_with(&desk, &bodies, &[]).await;
    desk.world.delivered(20).await;
    assert!(desk.world.circuit_changes().is_empty());
    assert_eq!(desk.org.cases().len(), 20);
    running.drain().await;
}
