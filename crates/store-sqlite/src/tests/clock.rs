//! A wall clock that is set.

use std::time::Duration;

use hookhouse_core::EventStore;
use hookhouse_core::delivery::Next;
use hookhouse_testkit::store_contract::{append, assert_idle, eventually, lease, settle, wants};
use jiff::SignedDuration;

use super::{HOUR, Here};

/// A retry that waits for an hour.
async fn wait(here: &Here, store: &crate::SqliteStore) {
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    append(store, here.bed.event("inbox", "1")).await;
    let held = lease(store, "app").await;
    let due = here.bed.now() + SignedDuration::from_hours(1);
    settle(store, &held, here.bed.now(), Next::RetryAt(due)).await;
}

/// The clock is set back by a year.
fn set_back(here: &Here) {
    here.bed.settings.clock.set(here.bed.now() - SignedDuration::from_hours(24 * 365));
}

async fn until_moved(here: &Here, before: jiff::Timestamp) {
    let due =
        || -> i64 { here.file().query_row("SELECT due FROM exceptions", [], |row| row.get(0)).unwrap() };
    let limit = crate::time::to_nanos(before);
    eventually("the retry is moved", async || due() < limit).await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_takes_waiting_retries_along() {
    let here = Here::new();
    let store = here.open();
    let before = here.bed.now();
    wait(&here, &store).await;
    set_back(&here);
    until_moved(&here, before).await;
    assert_idle(&store, "app").await;
    here.bed.advance(HOUR + Duration::from_secs(60));
    assert_eq!(lease(&store, "app").await.attempt.0, 2);
}

#[tokio::test]
async fn also_one_that_is_set_back_while_nobody_is_there() {
    let here = Here::new();
    let store = here.open();
    let before = here.bed.now();
    wait(&here, &store).await;
    let after = here.as_after_a_crash();
    set_back(&after);
    drop(store);
    let store = after.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    until_moved(&after, before).await;
    after.bed.advance(HOUR + Duration::from_secs(60));
    assert_eq!(lease(&store, "app").await.attempt.0, 2);
}
