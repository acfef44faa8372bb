//! The disk: how much of it is taken, and what it does to what lies there.

use std::sync::Arc;

use hookhouse_core::delivery::Next;
use hookhouse_core::store::Receipt;
use hookhouse_core::{EventStore, StoreError};
use hookhouse_testkit::store_contract::{append, assert_idle, eventually, lease, leases, settle, wants};

use super::{Disk, HOUR, Here, bodies};

#[tokio::test]
async fn below_the_reserve_events_are_refused_and_deliveries_go_on() {
    let here = Here::new();
    let disk = Disk::with_free(1_000_000);
    let store = here.open_with(|options| {
        options.reserve = 500_000;
        options.space = Arc::clone(&disk) as _;
        options.tuning.probe_every = std::time::Duration::ZERO;
    });
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    append(&store, here.bed.event("inbox", "1")).await;
    disk.set(499_999);
    let full = store.append(here.bed.event("inbox", "2")).await;
    assert!(matches!(&full, Err(StoreError::Full(why)) if why.contains("499999 bytes")), "{full:?}");
    let status = store.status().await.unwrap();
    assert_eq!((status.writable, status.free_bytes), (false, Some(499_999)));
    let held = lease(&store, "app").await;
    settle(&store, &held, here.bed.now(), Next::Done).await;
    disk.set(500_000);
    append(&store, here.bed.event("inbox", "3")).await;
    assert!(store.status().await.unwrap().writable);
    assert_eq!(bodies(&store).await, ["1", "3"]);
}

#[tokio::test]
async fn the_log_of_a_writer_that_never_pauses_stays_bounded() {
    let here = Here::new();
    let store = Arc::new(here.open_with(|options| options.tuning.restart_pages = 64));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        let events: Vec<_> = (0..400).map(|_| here.bed.event("inbox", &"x".repeat(8_000))).collect();
        senders.spawn(async move {
            for event in events {
                store.append(event).await.unwrap();
            }
        });
    }
    let log = here.folder.path().join("hookhouse.db-wal");
    let mut largest = 0;
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
        largest = largest.max(std::fs::metadata(&log).unwrap().len());
    }
    let written: u64 = 8 * 400 * 8_000;
    assert!(largest < written / 3, "{largest} of {written} bytes: the log began anew");
    store.close().await;
    assert_eq!(std::fs::metadata(&log).map_or(0, |log| log.len()), 0, "a closed store has no log");
}

#[tokio::test]
async fn a_short_disk_gets_back_what_retention_frees() {
    let here = Here::new();
    let disk = Disk::with_free(u64::MAX);
    let store = here.open_with(|options| {
        options.reserve = 500_000;
        options.space = Arc::clone(&disk) as _;
        options.retention_age = Some(HOUR);
        options.tuning.probe_every = std::time::Duration::ZERO;
    });
    for _ in 0..100 {
        append(&store, here.bed.event("inbox", &"x".repeat(20_000))).await;
    }
    let pages = || -> i64 { here.file().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap() };
    let before = pages();
    disk.set(900_000);
    here.bed.advance(HOUR * 2);
    append(&store, here.bed.event("inbox", "young")).await;
    eventually("the file shrinks", async || pages() < before / 4).await;
    assert_eq!(bodies(&store).await, ["young"]);
}

#[tokio::test]
async fn a_flipped_bit_is_reported_and_never_served() {
    let here = Here::new();
    let store = here.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    let mut ids = Vec::new();
    for text in ["first", "second", "third"] {
        ids.push(append(&store, here.bed.event("inbox", text)).await);
    }
    store.close().await;
    let file = here.file();
    file.execute("UPDATE events SET body = x'7365636f6e65' WHERE sequence = 2", []).unwrap();
    drop(file);
    let store = here.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    assert_eq!(bodies(&store).await, ["first", "third"]);
    assert!(matches!(store.event(ids[1]).await, Err(StoreError::Read(why)) if why.contains("damaged")));
    let held = leases(&store, "app", 2).await;
    assert_eq!(held.iter().map(|lease| lease.event.id()).collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert_idle(&store, "app").await;
    assert!(matches!(store.append(here.bed.event("inbox", "4")).await, Ok(Receipt::Stored { .. })));
}
