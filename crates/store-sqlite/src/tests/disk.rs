//! The disk: how much of it is taken, and what it does to what lies there.

use std::sync::Arc;

use hookhouse_core::delivery::Next;
use hookhouse_core::store::Receipt;
use hookhouse_core::{EventStore, StoreError};
use hookhouse_testkit::store_contract::{append, assert_idle, eventually, lease, leases, settle, wants};

use super::{Disk, HOUR, Here, bodies};
use crate::checkpoint::Checkpoints;

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

/// Pages in the log, and how many of them are in the database, as far as another connection sees.
fn log_pages(here: &Here) -> (i64, i64) {
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(1)?, row.get(2)?));
    here.file().query_row("PRAGMA wal_checkpoint(NOOP)", [], row).unwrap()
}

#[tokio::test]
async fn the_writer_moves_the_rest_when_it_is_asked_and_the_log_begins_anew() {
    let here = Here::new();
    let store = here.open();
    for _ in 0..5 {
        append(&store, here.bed.event("inbox", "1")).await;
    }
    let (pages, moved) = log_pages(&here);
    assert!(moved < pages, "so few pages wait for more: {moved} of {pages}");
    store.shared().checkpoints.ask();
    // The writer does it after the batch that it is at: before the second one of these.
    append(&store, here.bed.event("inbox", "2")).await;
    append(&store, here.bed.event("inbox", "3")).await;
    assert!(log_pages(&here).0 < pages, "the log began anew");
}

#[test]
fn the_thread_asks_when_the_log_is_long_and_nearly_moved() {
    let here = Here::new();
    let file = here.folder.path().join("hookhouse.db");
    std::fs::write(&file, "").unwrap();
    let writer = crate::schema::open_writer(&file).unwrap();
    let mover = crate::schema::open_writer(&file).unwrap();
    let database = std::fs::File::open(&file).unwrap();
    let checkpoints = Arc::new(Checkpoints::new(64));
    let thread = {
        let checkpoints = Arc::clone(&checkpoints);
        std::thread::spawn(move || checkpoints.run(&mover, &database))
    };
    let mut asked = false;
    for number in 0..2000 {
        writer.execute("INSERT INTO meta VALUES (?1, 0)", [format!("{number}")]).unwrap();
        checkpoints.committed(2);
        // The writer does not do what it is asked for, so the log goes on.
        asked |= checkpoints.wants_restart();
    }
    checkpoints.end();
    thread.join().unwrap().unwrap();
    assert!(asked || checkpoints.wants_restart());
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

#[tokio::test]
async fn a_row_that_is_no_row_any_more_is_reported_and_the_others_are_served() {
    let here = Here::new();
    let store = here.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    let mut ids = Vec::new();
    for text in ["first", "second", "third"] {
        ids.push(append(&store, here.bed.event("inbox", &text.repeat(50))).await);
    }
    store.close().await;
    let file = here.folder.path().join("hookhouse.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // A row is its length, its number, the length of its head, its head, its values, of which the id is the first. With a
    // length of nothing, and no head, it reads as NULLs.
    let id = bytes.windows(16).position(|window| window == ids[1].as_bytes()).unwrap();
    let head = (id - 30..id).rev().find(|at| usize::from(bytes[*at]) == id - at).unwrap();
    assert_eq!(bytes[head - 1], 2, "its number");
    bytes[head - 3..head - 1].copy_from_slice(&[0x80, 0]);
    bytes[head] = 0;
    std::fs::write(&file, bytes).unwrap();
    let store = here.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    assert_eq!(bodies(&store).await, ["first".repeat(50), "third".repeat(50)]);
    assert!(matches!(store.event(ids[1]).await, Err(StoreError::Read(why)) if why.contains("damaged")));
    assert_eq!(leases(&store, "app", 2).await.len(), 2);
}

#[tokio::test]
async fn a_start_that_changes_nothing_writes_nothing() {
    let here = Here::new();
    let store = here.open();
    let wishes = [wants("app", &["inbox"]), wants("other", &["inbox"])];
    store.subscribe(&wishes).await.unwrap();
    append(&store, here.bed.event("inbox", "1")).await;
    store.close().await;
    // So that it can start on a full disk.
    let store = here.open();
    let watcher = here.file();
    let version = || -> i64 { watcher.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let before = version();
    store.subscribe(&wishes).await.unwrap();
    assert_eq!(version(), before);
    store.subscribe(&wishes[..1]).await.unwrap();
    assert_ne!(version(), before, "one was called off");
}

/// Found by fuzzing: the checksum of a row did not cover the peer, so that another one was shown.
#[tokio::test]
async fn a_changed_peer_is_reported_and_never_served() {
    let here = Here::new();
    let store = here.open();
    let id = append(&store, here.bed.event("inbox", "first")).await;
    store.close().await;
    here.file().execute("UPDATE events SET peer = '203.0.113.99'", []).unwrap();
    assert!(matches!(here.open().event(id).await, Err(StoreError::Read(why)) if why.contains("damaged")));
}
