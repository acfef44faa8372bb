//! Backups: taken beside the writer, whole, and as good as the store.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookhouse_core::EventStore;
use hookhouse_core::store::Receipt;
use hookhouse_testkit::blackbox::PATIENCE;
use hookhouse_testkit::store_contract::{append, leases, wants};

use super::{HOUR, Here, bodies};
use crate::{BackupError, Encryption, Told, backup, database};

/// The store that a backup is restored to.
fn restored(here: &Here, from: &std::path::Path) -> Here {
    let there = Here::new();
    there.bed.settings.clock.set(here.bed.now());
    std::fs::copy(from, database(there.folder.path())).unwrap();
    there
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_a_busy_writer_is_one_moment_of_it() {
    let here = Here::new();
    let store = Arc::new(here.open());
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    let signed = append(&*store, here.bed.signed("x", 1, HOUR)).await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
        let events: Vec<_> =
            (0..500).map(|n| here.bed.event("inbox", &format!("{n} {}", "x".repeat(2_000)))).collect();
        senders.spawn(async move {
            for event in events {
                store.append(event).await.unwrap();
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    while acknowledged.load(Ordering::SeqCst) < 100 {
        tokio::task::yield_now().await;
    }
    let before = acknowledged.load(Ordering::SeqCst);
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (here.folder.path().to_owned(), folder.path().join("copy.db"));
    let made =
        tokio::task::spawn_blocking(move || backup(&from, &to, false, &Encryption::default(), &mut |_| {}))
            .await
            .unwrap()
            .unwrap();
    while let Some(ended) = senders.join_next().await {
        ended.unwrap();
    }
    assert_eq!((made.audit.damaged, names(folder.path())), (0, vec!["copy.db".to_owned()]));
    assert_eq!(std::fs::metadata(&made.file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&made.file).unwrap().len(), made.bytes);

    let there = restored(&here, &made.file);
    let copy = there.open();
    let kept = bodies(&copy).await.len() as u64;
    assert!(kept > before, "{kept} events with what was acknowledged before, {before}");
    let all = bodies(&store).await;
    assert_eq!(bodies(&copy).await[..], all[..kept as usize], "the first of them, whole and in order");
    assert!(copy.event(signed).await.unwrap().is_some());
    let repeat = copy.append(there.bed.signed("x", 1, HOUR)).await.unwrap();
    assert_eq!(repeat, Receipt::Duplicate { of: signed });
    copy.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    assert_eq!(leases(&copy, "app", 10).await.len(), 10, "what was not delivered is");
    let next = append(&copy, there.bed.event("inbox", "new")).await;
    assert_eq!(next.position(), kept + 1);
}

/// However large the store is, the copy goes in steps; between any two of them the writer commits, and the copy has none of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_acknowledged_between_any_two_steps_of_a_backup() {
    const EVENTS: u64 = 400;
    let here = Here::new();
    let store = Arc::new(here.open());
    for n in 0..EVENTS {
        append(&*store, here.bed.event("inbox", &format!("{n} {}", "x".repeat(16_000)))).await;
    }
    let mut more: Vec<_> = (0..100).map(|n| here.bed.event("inbox", &format!("meanwhile {n}"))).collect();
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (here.folder.path().to_owned(), folder.path().join("copy.db"));
    let (runtime, writing) = (tokio::runtime::Handle::current(), Arc::clone(&store));
    let copying = tokio::task::spawn_blocking(move || {
        let (mut copies, mut between) = (false, 0_u64);
        let made = backup(&from, &to, false, &Encryption::default(), &mut |told| match told {
            Told::Stage(stage) => copies = stage == "copy",
            Told::Progress { .. } if copies => {
                let append = writing.append(more.pop().expect("there are more of them than steps"));
                let outcome = runtime.block_on(tokio::time::timeout(PATIENCE, append));
                outcome.expect("the writer does not wait for the copy").unwrap();
                between += 1;
            }
            _ => {}
        });
        (made.unwrap(), between)
    });
    let (made, between) = copying.await.unwrap();
    assert!(between >= EVENTS * 16_000 / (1 << 20), "{between} steps for {} bytes", made.bytes);
    assert_eq!((made.audit.events, made.audit.damaged), (EVENTS, 0));
    assert_eq!(bodies(&store).await.len() as u64, EVENTS + between);
}

#[tokio::test]
async fn a_name_that_is_taken_stays_unless_it_may_go() {
    let here = Here::new();
    let store = here.open();
    append(&store, here.bed.event("inbox", "1")).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    std::fs::write(&to, "precious").unwrap();
    let refused = backup(here.folder.path(), &to, false, &Encryption::default(), &mut |_| {});
    assert!(matches!(refused, Err(BackupError::Exists(_))), "{refused:?}");
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");
    backup(here.folder.path(), &to, true, &Encryption::default(), &mut |_| {}).unwrap();
    assert_eq!(bodies(&restored(&here, &to).open()).await, ["1"]);
    assert_eq!(names(folder.path()), ["copy.db"]);
}

/// What ends in the middle leaves nothing, least of all under the name that was asked for.
#[tokio::test]
async fn a_backup_that_breaks_off_leaves_nothing() {
    let here = Here::new();
    let store = here.open();
    append(&store, here.bed.event("inbox", "1")).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        backup(here.folder.path(), &to, false, &Encryption::default(), &mut |told| {
            if matches!(told, Told::Stage("reading the copy")) {
                panic!("somebody pulled the plug");
            }
        })
    }));
    assert!(outcome.is_err());
    assert_eq!(names(folder.path()), [] as [&str; 0]);
}

/// A damaged event does not keep the others from being saved; the backup tells of it.
#[tokio::test]
async fn damage_is_copied_and_told() {
    let here = Here::new();
    let store = here.open();
    for number in 1..=3 {
        append(&store, here.bed.event("inbox", &number.to_string())).await;
    }
    store.close().await;
    here.file().execute_batch("UPDATE events SET body = x'00' WHERE sequence = 2").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    let made = backup(here.folder.path(), &to, false, &Encryption::default(), &mut |_| {}).unwrap();
    assert_eq!((made.audit.events, made.audit.damaged), (3, 1));
    assert_eq!(bodies(&restored(&here, &to).open()).await, ["1", "3"]);
}

#[tokio::test]
async fn nothing_is_backed_up_of_nothing() {
    let (here, folder) = (Here::new(), tempfile::tempdir().unwrap());
    let to = folder.path().join("copy.db");
    assert!(matches!(
        backup(here.folder.path(), &to, false, &Encryption::default(), &mut |_| {}),
        Err(BackupError::Open(_))
    ));
    here.open().close().await;
    let nowhere = folder.path().join("no/such/folder/copy.db");
    assert!(matches!(
        backup(here.folder.path(), &nowhere, false, &Encryption::default(), &mut |_| {}),
        Err(BackupError::Io { .. })
    ));
    assert_eq!(names(folder.path()), [] as [&str; 0]);
}
