//! The writer: its queue, its batches, and the end of it.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use hookhouse_core::delivery::Next;
use hookhouse_core::store::{Receipt, RefusalQuery};
use hookhouse_core::{EventStore, Refusal, StoreError};
use hookhouse_testkit::store_contract::{append, assert_idle, eventually, lease, leases, settle, wants};
use rusqlite::ffi;

use super::{Here, bodies};

/// Holds the writer up until it is dropped.
fn hold_up(store: &crate::SqliteStore) -> mpsc::SyncSender<()> {
    let (go_on, wait) = mpsc::sync_channel(0);
    let (started, has_started) = mpsc::sync_channel(0);
    store.in_writer(move |_| {
        started.send(()).unwrap();
        let _ = wait.recv();
        Ok(())
    });
    has_started.recv().unwrap();
    go_on
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_what_waits_is_written() {
    let here = Here::new();
    let store = Arc::new(here.open_with(|options| options.queue = 2));
    let held = hold_up(&store);
    let queued = async |text: &'static str| store.append(here.bed.event("inbox", text)).await;
    let (first, second, third) = tokio::join!(queued("1"), queued("2"), async {
        let third = queued("3").await;
        drop(held);
        third
    });
    assert_eq!(third, Err(StoreError::Overloaded));
    assert!(matches!((first, second), (Ok(Receipt::Stored { .. }), Ok(Receipt::Stored { .. }))));
    assert_eq!(bodies(&store).await, ["1", "2"]);
}

#[tokio::test]
async fn the_queue_is_bounded_by_bytes_too() {
    let here = Here::new();
    let store = Arc::new(here.open_with(|options| options.queue_bytes = 10_000));
    let held = hold_up(&store);
    let queued = async |size: usize| store.append(here.bed.event("inbox", &"x".repeat(size))).await;
    let (large, second) = tokio::join!(queued(20_000), async {
        let second = queued(1).await;
        drop(held);
        second
    });
    assert!(
        matches!(large, Ok(Receipt::Stored { .. })),
        "a large event gets its turn when nothing else waits"
    );
    assert_eq!(second, Err(StoreError::Overloaded));
}

#[tokio::test]
async fn what_waits_while_a_commit_goes_on_becomes_one_commit() {
    let here = Here::new();
    let store = Arc::new(here.open());
    append(&*store, here.bed.event("inbox", "warm")).await;
    // Changes with every transaction of somebody else.
    let watcher = here.file();
    let version = || -> i64 { watcher.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let before = version();
    let held = hold_up(&store);
    let mut answers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, event) = (Arc::clone(&store), here.bed.event("inbox", "y"));
        answers.spawn(async move { store.append(event).await });
    }
    while store.shared().queue.waiting() < 50 {
        tokio::task::yield_now().await;
    }
    drop(held);
    while let Some(answer) = answers.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(version() - before, 1, "one transaction changed the file");
    assert_eq!(bodies(&store).await.len(), 51);
}

#[tokio::test]
async fn a_batch_that_finds_no_space_leaves_nothing_behind_and_the_next_one_may() {
    let here = Here::new();
    let store = here.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    append(&store, here.bed.event("inbox", "0")).await;
    let held = lease(&store, "app").await;
    store.in_writer(|conn| {
        let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        conn.query_row(&format!("PRAGMA max_page_count = {}", pages + 20), [], |_| Ok(()))
    });
    let mut stored = 1;
    let body = "x".repeat(10_000);
    let full = loop {
        match store.append(here.bed.signed("x", stored, super::HOUR)).await {
            Ok(_) => stored += 1,
            Err(full) => break full,
        }
        match store.append(here.bed.event("inbox", &body)).await {
            Ok(_) => stored += 1,
            Err(full) => break full,
        }
    };
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    assert_eq!(bodies(&store).await.len(), stored as usize);
    store.in_writer(|conn| conn.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())));
    // The key of an event that was not stored is not taken for its original.
    append(&store, here.bed.signed("x", 1_000, super::HOUR)).await;
    append(&store, here.bed.event("inbox", &body)).await;
    settle(&store, &held, here.bed.now(), Next::Done).await;
    assert_eq!(bodies(&store).await.len(), stored as usize + 2);
}

#[tokio::test]
async fn a_failed_transaction_gives_a_lease_back_to_its_holder() {
    let here = Here::new();
    let store = here.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    append(&store, here.bed.event("inbox", "0")).await;
    let held = lease(&store, "app").await;
    let go_on = hold_up(&store);
    let settlement = hookhouse_testkit::store_contract::settlement(&held, here.bed.now(), Next::Done);
    let (answer, ()) = tokio::join!(store.settle(vec![settlement]), async {
        store.in_writer(|_| Err(failure(ffi::SQLITE_FULL)));
        drop(go_on);
    });
    assert!(matches!(answer, Err(StoreError::Full(_))), "{answer:?}");
    assert_idle(&store, "app").await;
    settle(&store, &held, here.bed.now(), Next::Done).await;
}

fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

#[tokio::test]
async fn a_failed_fsync_is_final() {
    let here = Here::new();
    let store = here.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    let kept = append(&store, here.bed.event("inbox", "acknowledged")).await;
    let held = leases(&store, "app", 1).await.remove(0);
    let go_on = hold_up(&store);
    let (unlucky, ()) = tokio::join!(store.append(here.bed.event("inbox", "not acknowledged")), async {
        store.in_writer(|_| Err(failure(ffi::SQLITE_IOERR_FSYNC)));
        drop(go_on);
    });
    let why = store.failed().await;
    let failed = StoreError::Failed(why.clone());
    assert_eq!(unlucky, Err(failed.clone()));
    assert_eq!(store.append(here.bed.event("inbox", "later")).await, Err(failed.clone()));
    let settlement = hookhouse_testkit::store_contract::settlement(&held, here.bed.now(), Next::Done);
    assert_eq!(store.settle(vec![settlement]).await, Err(failed.clone()));
    let request = hookhouse_testkit::store_contract::request("app", 1);
    assert_eq!(store.lease(&request).await.map(|leases| leases.len()), Err(failed));
    let status = store.status().await.unwrap();
    assert_eq!((status.writable, status.problem), (false, Some(why)));
    assert!(store.event(kept).await.unwrap().is_some(), "what is stored can be read");
    drop(store);
    assert_eq!(bodies(&here.open()).await, ["acknowledged"]);
}

#[tokio::test]
async fn a_destination_that_wants_none_of_it_moves_along_without_reading() {
    let here = Here::new();
    let store = here.open_with(|options| options.tuning.recent_events = 4);
    store.subscribe(&[wants("app", &["rare"])]).await.unwrap();
    for _ in 0..20 {
        append(&store, here.bed.event("common", "foreign")).await;
    }
    let consumer = store.shared().consumers.named(&"app".parse().unwrap()).unwrap();
    assert_eq!(consumer.lock().position, Some(20));
    append(&store, here.bed.event("rare", "wanted")).await;
    assert_eq!(consumer.lock().position, Some(20));
    let held = lease(&store, "app").await;
    store.close().await;
    assert_eq!(held.event.body(), "wanted".as_bytes());
    let (position, owed): (i64, Vec<u8>) = here
        .file()
        .query_row("SELECT position, owed FROM destinations WHERE name = 'app'", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!((position, owed), (21, vec![21]), "all but the last event, which is still owed");
}

#[tokio::test]
async fn a_destination_far_behind_reads_from_the_file() {
    let here = Here::new();
    let store = here.open_with(|options| {
        options.tuning.recent_events = 3;
        options.tuning.window = 10;
    });
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    for number in 0..40 {
        append(&store, here.bed.event(if number % 4 == 3 { "other" } else { "inbox" }, &number.to_string()))
            .await;
    }
    let held = leases(&store, "app", 10).await;
    assert_idle(&store, "app").await;
    let mut seen = Vec::new();
    let mut next = held;
    while seen.len() < 30 {
        for lease in next {
            seen.push(String::from_utf8(lease.event.body().to_vec()).unwrap());
            settle(&store, &lease, here.bed.now(), Next::Done).await;
        }
        next = if seen.len() < 30 { leases(&store, "app", 1).await } else { Vec::new() };
    }
    let expected: Vec<_> = (0..40).filter(|n| n % 4 != 3).map(|n| n.to_string()).collect();
    assert_eq!(seen, expected);
    assert_idle(&store, "app").await;
}

#[tokio::test]
async fn only_the_newest_refusals_are_kept() {
    let here = Here::new();
    let store = here.open_with(|options| {
        options.tuning.refusals = 10;
        options.tuning.patience = Duration::ZERO;
    });
    for number in 0..100 {
        store.refuse(Refusal {
            request_id: number.to_string(),
            at: here.bed.now(),
            source: None,
            peer: None,
            method: "POST".to_owned(),
            path: "/".to_owned(),
            status: 404,
            code: "http.not_found".to_owned(),
            reason: "nobody's path".to_owned(),
            body_bytes: 0,
        });
    }
    eventually("the last one is written", async || {
        let page = store.refusals(&RefusalQuery { limit: 100, ..RefusalQuery::default() }).await.unwrap();
        page.items.first().is_some_and(|newest| newest.refusal.request_id == "99") && page.items.len() == 10
    })
    .await;
}

/// Blocks the one reader until it is dropped.
fn hold_readers(store: &Arc<crate::SqliteStore>) -> mpsc::SyncSender<()> {
    let (go_on, wait) = mpsc::sync_channel::<()>(0);
    let store = Arc::clone(store);
    let blocked = async move {
        let read = move |_: &rusqlite::Connection| {
            let _ = wait.recv();
            Ok(())
        };
        store.shared().readers.run(read).await.unwrap();
    };
    drop(tokio::runtime::Handle::current().spawn(blocked));
    go_on
}

async fn let_others_run() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_lease_that_is_abandoned_while_it_reads_loses_nothing() {
    let here = Here::new();
    let store = Arc::new(here.open_with(|options| {
        options.readers = 1;
        options.tuning.recent_events = 0;
    }));
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    append(&*store, here.bed.event("inbox", "retried")).await;
    let first = lease(&*store, "app").await;
    settle(&*store, &first, here.bed.now(), Next::RetryAt(here.bed.now())).await;
    append(&*store, here.bed.event("inbox", "fresh")).await;

    let lease_both = |store: &Arc<crate::SqliteStore>| {
        let store = Arc::clone(store);
        let work = async move { store.lease(&hookhouse_testkit::store_contract::request("app", 2)).await };
        tokio::runtime::Handle::current().spawn(work)
    };
    // Abandoned while it reads what is due.
    let held = hold_readers(&store);
    let_others_run().await;
    let abandoned = lease_both(&store);
    let_others_run().await;
    abandoned.abort();
    let_others_run().await;
    drop(held);
    // Abandoned while it reads what is fresh, with the retry in its hands: readers are served in turn.
    let before = hold_readers(&store);
    let_others_run().await;
    let abandoned = lease_both(&store);
    let_others_run().await;
    let between = hold_readers(&store);
    let_others_run().await;
    drop(before);
    let consumer = store.shared().consumers.named(&"app".parse().unwrap()).unwrap();
    let key = crate::progress::Key { sequence: 1, round: 0 };
    eventually("the retry is taken", async || consumer.lock().is_held(key)).await;
    abandoned.abort();
    eventually("the retry is given back", async || !consumer.lock().is_held(key)).await;
    drop(between);
    let both = leases(&*store, "app", 2).await;
    assert_eq!((both[0].event.body(), both[1].event.body()), (&"retried".into(), &"fresh".into()));
    assert_eq!((both[0].attempt.0, both[1].attempt.0), (2, 1));
}

#[tokio::test]
async fn a_writer_that_panics_fails_the_store_and_leaves_nobody_waiting() {
    let here = Here::new();
    let store = here.open();
    let held = hold_up(&store);
    let (unlucky, ()) = tokio::join!(store.append(here.bed.event("inbox", "1")), async {
        store.in_writer(|_| panic!("a bug, for this test"));
        drop(held);
    });
    assert!(matches!(unlucky, Err(StoreError::Failed(_))), "{unlucky:?}");
    assert!(matches!(store.append(here.bed.event("inbox", "2")).await, Err(StoreError::Failed(_))));
    assert_eq!(store.failed().await, "the writer stopped unexpectedly");
}
