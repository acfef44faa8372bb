//! Duplicate keys in runs: made, merged, dropped, and found again.

use std::sync::Arc;

use hookhouse_core::store::Receipt;
use hookhouse_core::{EventId, EventStore};
use hookhouse_testkit::store_contract::{append, eventually};

use super::{HOUR, Here};
use crate::SqliteStore;
use crate::dedupe::{Original, Seen};

fn open(here: &Here) -> SqliteStore {
    here.open_with(|options| {
        options.tuning.run_keys = 32;
        options.retention_age = Some(HOUR / 2);
    })
}

fn count(here: &Here, sql: &str) -> i64 {
    here.file().query_row(sql, [], |row| row.get(0)).unwrap()
}

const LIVE_RUNS: &str = "SELECT count(*) FROM dedupe_runs WHERE live = 1";
const DEAD_RUNS: &str = "SELECT count(*) FROM dedupe_runs WHERE live = 0";
const KEYS: &str = "SELECT coalesce(sum(keys), 0) FROM dedupe_runs WHERE live = 1";
const BLOCKS_OF_NO_RUN: &str =
    "SELECT count(*) FROM dedupe_blocks WHERE (id >> 24) NOT IN (SELECT id FROM dedupe_runs)";

async fn assert_repeats(store: &SqliteStore, here: &Here, originals: &[EventId]) {
    for (number, of) in (0..).zip(originals) {
        let receipt = store.append(here.bed.signed("x", number, HOUR)).await;
        assert_eq!(receipt, Ok(Receipt::Duplicate { of: *of }), "event {number}");
    }
}

async fn append_numbers(store: &SqliteStore, here: &Here, numbers: std::ops::Range<u32>) -> Vec<EventId> {
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(append(store, here.bed.signed("x", number, HOUR)).await);
    }
    ids
}

#[tokio::test]
async fn repeats_are_found_in_runs_and_merged_runs_and_after_a_restart() {
    let here = Here::new();
    let store = open(&here);
    let originals = append_numbers(&store, &here, 0..1500).await;
    assert_repeats(&store, &here, &originals).await;
    eventually("most keys are in runs", async || count(&here, KEYS) > 1200).await;
    assert_repeats(&store, &here, &originals).await;
    let runs = count(&here, LIVE_RUNS);
    assert!((1..=10).contains(&runs), "{runs} runs of 32 keys or more for 1,500 keys");
    store.close().await;
    let store = open(&here);
    assert_repeats(&store, &here, &originals).await;
    eventually("what merging left is erased", async || {
        count(&here, DEAD_RUNS) == 0 && count(&here, BLOCKS_OF_NO_RUN) == 0
    })
    .await;
    assert_repeats(&store, &here, &originals).await;
}

#[tokio::test]
async fn runs_are_dropped_when_nothing_in_them_can_match() {
    let here = Here::new();
    let store = open(&here);
    append_numbers(&store, &here, 0..200).await;
    eventually("keys are in runs", async || count(&here, KEYS) > 100).await;
    here.bed.advance(HOUR * 2);
    append_numbers(&store, &here, 0..200).await;
    eventually("only new keys are left", async || {
        let oldest: i64 = count(&here, "SELECT coalesce(min(newest), 0) FROM dedupe_runs WHERE live = 1");
        count(&here, DEAD_RUNS) == 0 && crate::time::from_nanos(oldest) == here.bed.now()
    })
    .await;
}

#[tokio::test]
async fn a_crash_at_any_moment_forgets_no_key() {
    let mut here = Here::new();
    let mut originals = Vec::new();
    for round in 0..6 {
        let store = open(&here);
        assert_repeats(&store, &here, &originals).await;
        originals.extend(append_numbers(&store, &here, round * 70..(round + 1) * 70).await);
        // The compactor is somewhere in its work.
        let after = here.as_after_a_crash();
        drop(store);
        here = after;
    }
    let store = open(&here);
    assert_repeats(&store, &here, &originals).await;
    eventually("nothing is left of unfinished runs", async || {
        count(&here, DEAD_RUNS) == 0 && count(&here, BLOCKS_OF_NO_RUN) == 0
    })
    .await;
}

#[tokio::test]
async fn keys_outlive_their_events_whether_in_a_run_or_not() {
    let here = Here::new();
    let store = open(&here);
    let originals = append_numbers(&store, &here, 0..50).await;
    here.bed.advance(HOUR * 3 / 4);
    append(&store, here.bed.event("inbox", "later")).await;
    eventually("retention took the events", async || count(&here, "SELECT count(*) FROM events") == 1).await;
    assert_repeats(&store, &here, &originals).await;
    store.close().await;
    let store = open(&here);
    assert_repeats(&store, &here, &originals).await;
    append_numbers(&store, &here, 1000..1100).await;
    eventually("a run took them over", async || count(&here, "SELECT count(*) FROM dedupe_tail") == 0).await;
    assert_repeats(&store, &here, &originals).await;
}

#[tokio::test]
async fn an_unfinished_run_is_erased_at_the_next_start() {
    let here = Here::new();
    open(&here).close().await;
    here.file()
        .execute_batch(
            "INSERT INTO dedupe_runs VALUES (7, 0, 4, 0, 0, 0);
             INSERT INTO dedupe_blocks VALUES ((7 << 24) | 3, x'00'), ((7 << 24) | 900, x'00');
             INSERT INTO dedupe_filters VALUES (7 << 24, x'00');",
        )
        .unwrap();
    let _store = open(&here);
    eventually("it is gone", async || {
        count(&here, DEAD_RUNS) == 0
            && count(&here, "SELECT count(*) FROM dedupe_blocks") == 0
            && count(&here, "SELECT count(*) FROM dedupe_filters") == 0
    })
    .await;
}

#[test]
fn frozen_keys_are_known_and_the_newest_original_counts() {
    let here = Here::new();
    let file = here.folder.path().join("hookhouse.db");
    std::fs::write(&file, "").unwrap();
    let conn = crate::schema::open_writer(&file).unwrap();
    let (compactor, tasks) = std::sync::mpsc::sync_channel(1);
    let mut seen = Seen::load(&conn, Vec::new(), Arc::default(), 2, compactor).unwrap();
    let original = |n: u64, received| Original { id: EventId::with_position(here.bed.now(), n, 0), received };
    let known =
        |seen: &Seen, key: u8, received, window| seen.find(&conn, &[key; 16], received, window).unwrap();
    seen.remember(&[1; 16], original(1, 100));
    seen.remember(&[2; 16], original(2, 110));
    seen.freeze_when_full(2);
    assert_eq!(tasks.try_recv().unwrap().through, 2);
    assert_eq!(known(&seen, 1, 119, 20), Some(original(1, 0).id));
    assert_eq!(known(&seen, 1, 120, 20), None, "its window is over");
    assert_eq!(known(&seen, 3, 120, 20), None);
    seen.remember(&[1; 16], original(3, 120));
    assert_eq!(known(&seen, 1, 130, 20), Some(original(3, 0).id));
    seen.forget([&[1; 16]].into_iter());
    assert_eq!(
        known(&seen, 1, 119, 20),
        Some(original(1, 0).id),
        "a batch that failed leaves the frozen ones"
    );
}

#[tokio::test]
async fn a_start_does_not_look_for_keys_where_there_are_none() {
    let here = Here::new();
    let store = here.open_with(|options| options.tuning.run_keys = 16);
    let floor = || -> Option<i64> {
        let kept = "SELECT max(value) FROM meta WHERE key = 'dedupe_floor'";
        here.file().query_row(kept, [], |row| row.get(0)).unwrap()
    };
    for number in 0..20 {
        append(&store, here.bed.event("inbox", &number.to_string())).await;
    }
    assert!(floor().is_some_and(|floor| (15..20).contains(&floor)), "{:?}", floor());
    append(&store, here.bed.signed("x", 1, HOUR)).await;
    for number in 0..20 {
        append(&store, here.bed.event("inbox", &number.to_string())).await;
    }
    assert!(floor().is_some_and(|floor| floor <= 20), "the event with a key is to be found: {:?}", floor());
    let after = here.as_after_a_crash();
    let repeat = after.open().append(after.bed.signed("x", 1, HOUR)).await;
    assert!(matches!(repeat, Ok(Receipt::Duplicate { .. })), "{repeat:?}");
    // One key among many events without any becomes a run of its own.
    eventually("a run with the one key", async || {
        append(&store, here.bed.event("inbox", "more")).await;
        floor().is_some_and(|floor| floor > 21)
    })
    .await;
    let after = here.as_after_a_crash();
    let repeat = after.open().append(after.bed.signed("x", 1, HOUR)).await;
    assert!(matches!(repeat, Ok(Receipt::Duplicate { .. })), "{repeat:?}");
}
