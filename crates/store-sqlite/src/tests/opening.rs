//! Opening: who may, and what is refused.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use hookhouse_core::delivery::Next;
use hookhouse_core::store::EventQuery;
use hookhouse_core::{
    AttemptOutcome, DeliveryId, Edit, Edited, EventStore, Headers, StoreError, SystemClock,
};
use hookhouse_testkit::store_contract::{append, assert_idle, lease, leases, request, settle, wants};

use super::{Here, bodies};
use crate::{Encryption, OpenError, Options, SqliteStore};

fn open(options: Options) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(options, Arc::new(SystemClock))
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_one_lets_go() {
    let here = Here::new();
    let store = here.open();
    let refused = open(here.options(|_| {})).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }));
    assert!(refused.to_string().contains("another hookhouse process"), "{refused}");
    assert!(matches!(SqliteStore::open_read_only(here.folder.path()), Err(OpenError::Locked { .. })));
    store.close().await;
    open(here.options(|_| {})).unwrap();
}

#[tokio::test]
async fn a_store_that_is_dropped_is_written_out_and_let_go_of() {
    let here = Here::new();
    let store = Arc::new(here.open());
    let mut answers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (store, event) = (Arc::clone(&store), here.bed.event("inbox", &number.to_string()));
        answers.spawn(async move { store.append(event).await });
    }
    while store.shared().queue.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    answers.abort_all();
    while answers.join_next().await.is_some() {}
    drop(store);
    assert!(!bodies(&here.open()).await.is_empty(), "what was queued is written, though nobody waits for it");
}

#[tokio::test]
async fn a_new_store_is_for_its_owner_alone() {
    let here = Here::new();
    let path = here.folder.path().join("a/b");
    let store = open(Options::new(&path)).unwrap();
    append(&store, here.bed.event("inbox", "1")).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in ["hookhouse.db", "hookhouse.db-wal", "hookhouse.db-shm", "lock"] {
        assert_eq!(mode(&path.join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn what_a_crash_left_can_be_read_without_writing() {
    let here = Here::new();
    let store = here.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    let id = append(&store, here.bed.event("inbox", "1")).await;
    let held = lease(&store, "app").await;
    let after = here.as_after_a_crash();
    assert!(std::fs::metadata(after.folder.path().join("hookhouse.db-wal")).unwrap().len() > 0);

    let reader = SqliteStore::open_read_only(after.folder.path()).unwrap();
    let second = SqliteStore::open_read_only(after.folder.path()).unwrap();
    assert!(matches!(open(after.options(|_| {})), Err(OpenError::Locked { .. })), "no writer beside readers");
    assert_eq!((bodies(&reader).await, bodies(&second).await), (vec!["1".to_owned()], vec!["1".to_owned()]));
    assert!(reader.event(id).await.unwrap().is_some());
    assert_eq!(reader.status().await.unwrap().events, 1);
    let closed = StoreError::Closed;
    assert_eq!(reader.append(after.bed.event("inbox", "2")).await, Err(closed.clone()));
    assert_eq!(reader.subscribe(&[]).await, Err(closed.clone()));
    assert_eq!(reader.lease(&request("app", 1)).await.map(|leases| leases.len()), Err(closed.clone()));
    assert_eq!(reader.retry(&held.delivery).await, Err(closed.clone()));
    assert_eq!(reader.put_state("k", bytes::Bytes::new(), None).await, Err(closed));
    drop((reader, second));
    let store = after.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    assert_eq!(leases(&store, "app", 1).await[0].event.id(), id);
}

#[tokio::test]
async fn nothing_to_read_is_an_error_of_its_own() {
    let here = Here::new();
    assert!(matches!(SqliteStore::open_read_only(here.folder.path()), Err(OpenError::Missing { .. })));
    std::fs::write(here.folder.path().join("hookhouse.db"), "").unwrap();
    assert!(matches!(SqliteStore::open_read_only(here.folder.path()), Err(OpenError::Missing { .. })));
    open(here.options(|_| {})).unwrap();
}

#[tokio::test]
async fn another_format_is_refused_by_number() {
    let here = Here::new();
    here.open().close().await;
    here.file().pragma_update(None, "user_version", 99).unwrap();
    for refused in [open(here.options(|_| {})), SqliteStore::open_read_only(here.folder.path())] {
        assert!(matches!(refused, Err(OpenError::WrongFormat { found: 99, supported: 4 })), "{refused:?}");
    }
}

#[tokio::test]
async fn other_files_are_not_taken_for_a_store() {
    let foreign = Here::new();
    foreign.file().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(matches!(open(foreign.options(|_| {})), Err(OpenError::Foreign { .. })));
    let broken = Here::new();
    std::fs::write(broken.folder.path().join("hookhouse.db"), "no database at all, ".repeat(500)).unwrap();
    assert!(matches!(open(broken.options(|_| {})), Err(OpenError::Corrupt { .. })));
}

/// The first format, as its first program wrote it. It stays readable for ever.
#[tokio::test]
async fn format_1_is_read() {
    let here = Here::new();
    here.file().execute_batch(include_str!("format-1.sql")).unwrap();
    let store = here.open();
    let page = store.events(&EventQuery { limit: 10, ..EventQuery::default() }).await.unwrap();
    assert_eq!(page.items.len(), 4, "every checksum holds");
    store.subscribe(&[wants("app", &["inbox", "x"])]).await.unwrap();
    let dead = super::dead_ones(&store).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(store.attempts(dead[0].id.event).await.unwrap().len(), 2);
    let owed = lease(&store, "app").await;
    settle(&store, &owed, here.bed.now(), Next::Done).await;
    assert_idle(&store, "app").await;
    assert_eq!(store.state("circuit/app").await.unwrap().unwrap().value, "closed");
    let repeat = store.append(here.bed.signed("x", 1, super::HOUR * 24 * 365 * 100)).await.unwrap();
    assert!(matches!(repeat, hookhouse_core::store::Receipt::Duplicate { .. }));
    assert_eq!(store.answer(owed.event.id()).await, Ok(None), "it has a place for answers now");
}

/// Reading an old file does not change it.
#[tokio::test]
async fn format_1_is_read_without_writing() {
    let here = Here::new();
    here.file().execute_batch(include_str!("format-1.sql")).unwrap();
    let reader = SqliteStore::open_read_only(here.folder.path()).unwrap();
    let page = reader.events(&EventQuery { limit: 10, ..EventQuery::default() }).await.unwrap();
    assert_eq!(page.items.len(), 4);
    assert_eq!(reader.answer(page.items[0].id()).await, Ok(None));
    let version: i64 = here.file().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}

/// The second format has answers, and no place for edits yet. It stays readable for ever, too.
#[tokio::test]
async fn format_2_is_read() {
    let here = Here::new();
    here.file().execute_batch(include_str!("format-2.sql")).unwrap();
    let reader = SqliteStore::open_read_only(here.folder.path()).unwrap();
    let page = reader.events(&EventQuery { limit: 10, ..EventQuery::default() }).await.unwrap();
    assert_eq!(page.items.len(), 5, "every checksum holds");
    let relayed = page.items[0].id();
    let replay = DeliveryId { event: relayed, destination: "app".parse().unwrap(), round: 1 };
    assert_eq!(reader.edit(&replay).await, Ok(None));
    drop(reader);
    let version =
        || here.file().pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(version(), 2, "reading an old file does not change it");

    let store = here.open();
    assert_eq!(version(), 4);
    store.subscribe(&[wants("app", &["inbox", "x"])]).await.unwrap();
    assert_eq!(store.answer(relayed).await.unwrap().unwrap().body, "<Response/>");
    assert_eq!(super::dead_ones(&store).await.len(), 1);
    let mark = Edited { by: "root".to_owned(), at: here.bed.now() };
    let edit = Edit { mark, headers: Headers::default(), body: "edited".into() };
    let made = store.redeliver_edited(relayed, &replay.destination, edit.clone()).await;
    assert_eq!(made, Ok(Some(replay.clone())));
    assert_eq!(store.edit(&replay).await, Ok(Some(edit)));
    assert_eq!(lease(&store, "app").await.event.body(), "edited");
}

/// A flipped bit in an edit is reported; the stored bytes are not sent in its place.
#[tokio::test]
async fn a_damaged_edit_is_not_served() {
    let here = Here::new();
    let store = here.open();
    store.subscribe(&[wants("app", &[])]).await.unwrap();
    let id = append(&store, here.bed.event("inbox", "as received")).await;
    let mark = Edited { by: "root".to_owned(), at: here.bed.now() };
    let edit = Edit { mark, headers: Headers::default(), body: "edited".into() };
    let made = store.redeliver_edited(id, &"app".parse().unwrap(), edit).await.unwrap().unwrap();
    store.close().await;
    here.file().execute("UPDATE edits SET body = x'656469746564657221'", []).unwrap();
    let store = here.open();
    store.subscribe(&[wants("app", &[])]).await.unwrap();
    assert_idle(&store, "app").await;
    assert!(matches!(store.edit(&made).await, Err(StoreError::Read(_))));
}

/// The third format has edits, and nothing in it is encrypted. It stays readable for ever, too.
#[tokio::test]
async fn format_3_is_read() {
    let here = Here::new();
    here.file().execute_batch(include_str!("format-3.sql")).unwrap();
    let look = async |store: &SqliteStore| {
        let page = store.events(&EventQuery { limit: 10, ..EventQuery::default() }).await.unwrap();
        let [_, dead, _, relayed] = &page.items[..] else { panic!("four, each with a checksum that holds") };
        assert_eq!(
            (&relayed.body()[..], &relayed.record().request.target[..]),
            (&b"relayed"[..], "/relayed?q=1")
        );
        assert_eq!(store.answer(relayed.id()).await.unwrap().unwrap().body, "<Response/>");
        let said = store.attempts(dead.id()).await.unwrap();
        let refused = AttemptOutcome::Refused { status: 409, answer: "no: dead".to_owned() };
        assert!(said.iter().any(|attempt| attempt.outcome == refused), "{said:?}");
        let replay = DeliveryId { event: dead.id(), destination: "app".parse().unwrap(), round: 1 };
        assert_eq!(store.edit(&replay).await.unwrap().unwrap().body, "edited bytes");
        assert_eq!(store.stats().await.unwrap().events, 4);
    };
    look(&SqliteStore::open_read_only(here.folder.path()).unwrap()).await;
    let file = crate::database(here.folder.path());
    assert_eq!(crate::audit(&file, &Encryption::default(), &mut |_| {}).unwrap().damaged, 0);
    let version =
        || here.file().pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(version(), 3, "reading an old file does not change it");
    let store = here.open();
    look(&store).await;
    assert_eq!(version(), 4);
    store.close().await;
    look(&here.open()).await;
}
