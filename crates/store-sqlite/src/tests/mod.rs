//! What the contract suite cannot see from outside: sizes, files, and what happens when the disk does not play along.

mod audit;
mod backup;
mod clock;
mod dedupe;
mod disk;
mod encryption;
mod opening;
mod writing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookhouse_core::store::{DeliveryQuery, EventQuery, Order};
use hookhouse_core::{Delivery, DeliveryState, EventStore};
use hookhouse_testkit::store_contract::{Bed, Place, Settings};
use tempfile::TempDir;

use crate::{Options, Space, SqliteStore};

/// A folder, a clock, and something that makes events.
struct Here {
    folder: TempDir,
    bed: Bed,
}

impl Here {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), bed: Bed::new(Nowhere) }
    }

    fn open(&self) -> SqliteStore {
        self.open_with(|_| {})
    }

    fn open_with(&self, change: impl FnOnce(&mut Options)) -> SqliteStore {
        SqliteStore::open(self.options(change), Arc::clone(&self.bed.settings.clock) as _).unwrap()
    }

    fn options(&self, change: impl FnOnce(&mut Options)) -> Options {
        let mut options = Options::new(self.folder.path());
        options.seed = 1;
        change(&mut options);
        options
    }

    /// A folder with the files of an open store, as a crash at this moment would leave them.
    fn as_after_a_crash(&self) -> Self {
        let after = Self::new();
        for file in ["hookhouse.db", "hookhouse.db-wal"] {
            std::fs::copy(self.folder.path().join(file), after.folder.path().join(file)).unwrap();
        }
        after.bed.settings.clock.set(self.bed.now());
        after
    }

    /// The file, as another program sees it.
    fn file(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("hookhouse.db")).unwrap()
    }
}

/// A place for rules, of which these tests need the events alone.
struct Nowhere;

#[async_trait::async_trait]
impl Place for Nowhere {
    async fn open(&self, _: Settings) -> Arc<dyn EventStore> {
        unreachable!("tests here open their stores themselves")
    }

    async fn crash(&self, _: Arc<dyn EventStore>) {}
}

/// A disk with as much room as a test says.
#[derive(Debug)]
struct Disk(AtomicU64);

impl Disk {
    fn with_free(free: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(free)))
    }

    fn set(&self, free: u64) {
        self.0.store(free, Ordering::Relaxed);
    }
}

impl Space for Disk {
    fn free(&self, _: &std::path::Path) -> std::io::Result<u64> {
        Ok(self.0.load(Ordering::Relaxed))
    }
}

async fn bodies(store: &SqliteStore) -> Vec<String> {
    let mut query = EventQuery { order: Order::OldestFirst, limit: 1000, ..EventQuery::default() };
    let mut all = Vec::new();
    loop {
        let page = store.events(&query).await.unwrap();
        all.extend(page.items.iter().map(|event| String::from_utf8_lossy(event.body()).into_owned()));
        query.cursor = page.next;
        if page.next.is_none() {
            return all;
        }
    }
}

async fn dead_ones(store: &SqliteStore) -> Vec<Delivery> {
    let query = DeliveryQuery { state: Some(DeliveryState::Dead), limit: 10, ..DeliveryQuery::default() };
    store.deliveries(&query).await.unwrap().items
}

const HOUR: Duration = Duration::from_secs(3600);
