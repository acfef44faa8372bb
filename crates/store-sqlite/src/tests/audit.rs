//! What a damaged file is said to be.

use std::sync::Arc;

use hookhouse_core::EventStore;
use hookhouse_core::delivery::Next;
use hookhouse_core::store::{EventQuery, Order};
use hookhouse_testkit::store_contract::{append, lease, settle, wants};

use super::{HOUR, Here, bodies};
use crate::{Audit, Damage, Encryption, OpenError, SqliteStore, Told, audit, database};

/// The outcome, what it named, and how far it had come each time it said so.
type Looked = (Audit, Vec<Damage>, Vec<(u64, u64)>);

fn look(here: &Here) -> Looked {
    try_look(here).unwrap()
}

fn try_look(here: &Here) -> Result<Looked, OpenError> {
    let (mut damages, mut progress) = (Vec::new(), Vec::new());
    let audit = audit(&database(here.folder.path()), &Encryption::default(), &mut |told| match told {
        Told::Damage(damage) => damages.push(damage),
        Told::Progress { done, of } => progress.push((done, of)),
        Told::Stage(_) => {}
    })?;
    assert_eq!(audit.damaged, damages.len() as u64);
    Ok((audit, damages, progress))
}

/// A closed store of five events, one of which waits for a retry.
async fn five() -> Here {
    let here = Here::new();
    let store = here.open();
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    for number in 0..5 {
        append(&store, here.bed.event("inbox", &number.to_string())).await;
    }
    let held = lease(&store, "app").await;
    settle(&store, &held, here.bed.now(), Next::RetryAt(here.bed.now() + HOUR)).await;
    store.close().await;
    here
}

#[tokio::test]
async fn a_whole_store_has_no_damage_with_and_without_its_writer() {
    let here = five().await;
    let (audit, damages, progress) = look(&here);
    assert_eq!((audit.events, audit.head, &damages[..]), (5, 5, &[][..]));
    assert_eq!(progress.last(), Some(&(5, 5)));
    let store = here.open();
    append(&store, here.bed.event("a-new-source", "6")).await;
    let (audit, damages, _) = look(&here);
    assert_eq!((audit.events, audit.head, &damages[..]), (6, 6, &[][..]));
}

#[tokio::test]
async fn each_damage_is_named_and_the_rest_is_read() {
    let here = five().await;
    let file = here.file();
    for (sql, part, sequence, what) in [
        ("UPDATE events SET body = x'ff' WHERE sequence = 2", "events", 2, "checksum"),
        ("UPDATE events SET source = 99 WHERE sequence = 3", "events", 3, "source"),
        ("UPDATE exceptions SET state = 'lost'", "exceptions", 1, "`lost` is no state"),
        ("UPDATE attempts SET destination = 99", "attempts", 1, "destination 99 has no name"),
        (
            "INSERT INTO answers VALUES (9, 'app', 0, 0, 200, NULL, NULL, NULL, NULL, NULL, x'', x'', NULL)",
            "answers",
            9,
            "its event is gone",
        ),
    ] {
        file.execute_batch(sql).unwrap();
        let (audit, damages, _) = look(&here);
        assert_eq!(audit.events, 5, "{sql}");
        let found = damages.iter().find(|damage| (damage.part, damage.sequence) == (part, Some(sequence)));
        assert_eq!(found.map(|damage| damage.what.as_str()), Some(what), "{damages:?}");
    }
    let (_, damages, _) = look(&here);
    assert_eq!(damages.len(), 5, "{damages:?}");
    file.execute_batch("UPDATE destinations SET position = 77").unwrap();
    let (_, damages, _) = look(&here);
    assert!(
        damages
            .iter()
            .any(|damage| damage.to_string() == "destinations: `app` is at place 77, and the log ends at 5")
    );
}

#[tokio::test]
async fn an_event_in_another_ones_place_is_told() {
    let here = five().await;
    let file = here.file();
    file.execute_batch("UPDATE events SET sequence = 8 WHERE sequence = 2").unwrap();
    let (_, damages, _) = look(&here);
    let [damage] = &damages[..] else { panic!("{damages:?}") };
    assert_eq!((damage.part, damage.sequence), ("events", Some(8)));
    assert_eq!(damage.what, "its id is that of place 2");
}

/// Bytes that turned over on the disk, wherever they lie, are told of; and nothing that was not there is served.
#[tokio::test]
async fn flipped_bytes_are_found() {
    let here = Here::new();
    let store = here.open();
    for number in 0..40 {
        append(&store, here.bed.event("inbox", &format!("{number} {}", "x".repeat(3_000)))).await;
    }
    store.close().await;
    let path = database(here.folder.path());
    let whole = std::fs::read(&path).unwrap();
    let before = bodies(&here.open()).await;
    let mut found = 0;
    // Every page of the bodies, at several depths of it.
    let (first, last) = (whole.len() / 4, whole.len() * 3 / 4);
    for at in (first..last).step_by(8_191 * 3) {
        let mut broken = whole.clone();
        broken[at] ^= 0x10;
        std::fs::write(&path, &broken).unwrap();
        found += match try_look(&here) {
            Ok((audit, _, _)) => usize::from(audit.damaged > 0),
            Err(OpenError::Corrupt { .. }) => 1,
            Err(other) => panic!("{other}"),
        };
        let options = here.options(|_| {});
        let store = match SqliteStore::open(options, Arc::clone(&here.bed.settings.clock) as _) {
            Ok(store) => store,
            Err(OpenError::Corrupt { .. }) => continue,
            Err(other) => panic!("{other}"),
        };
        let query = EventQuery { order: Order::OldestFirst, limit: 1000, ..EventQuery::default() };
        // A page that cannot be read is an error, and that is as good.
        for event in store.events(&query).await.map(|page| page.items).unwrap_or_default() {
            let body = String::from_utf8_lossy(event.body()).into_owned();
            assert!(before.contains(&body), "what is served is what was stored");
        }
        drop(store);
    }
    assert!(found >= 3, "of the flipped bytes {found} were found");
}

#[tokio::test]
async fn a_page_that_is_gone_costs_its_events_and_no_others() {
    let here = Here::new();
    let store = here.open();
    for number in 0..60 {
        append(&store, here.bed.event("inbox", &format!("{number} {}", "x".repeat(1_500)))).await;
    }
    store.close().await;
    let path = database(here.folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let marker = b"30 xxxxxxxx";
    let at = bytes.windows(marker.len()).position(|part| part == marker).unwrap();
    let page = at / 8_192 * 8_192;
    bytes[page..page + 8_192].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let (audit, damages, _) = look(&here);
    assert!(damages.iter().any(|damage| damage.part == "file"), "{damages:?}");
    assert!(damages.iter().any(|damage| damage.part == "events"), "{damages:?}");
    assert!(audit.events < 60, "{audit:?}");
}

#[tokio::test]
async fn what_is_no_store_is_an_error() {
    let here = Here::new();
    let file = database(here.folder.path());
    assert!(matches!(
        audit(&file, &Encryption::default(), &mut |_| {}),
        Err(OpenError::Sqlite { .. } | OpenError::Missing { .. })
    ));
    std::fs::write(&file, "no database at all, ".repeat(500)).unwrap();
    assert!(matches!(audit(&file, &Encryption::default(), &mut |_| {}), Err(OpenError::Corrupt { .. })));
}
