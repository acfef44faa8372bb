//! What every store promises, kept by this one.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hookhouse_core::EventStore;
use hookhouse_store_sqlite::{Options, SqliteStore};
use hookhouse_testkit::store_contract::{Place, Settings};
use tempfile::TempDir;

/// A folder; after a crash, another one with a copy of the files as they were.
struct Folder(Mutex<TempDir>);

impl Folder {
    fn new() -> Self {
        Self(Mutex::new(tempfile::tempdir().unwrap()))
    }
}

#[async_trait]
impl Place for Folder {
    async fn open(&self, settings: Settings) -> Arc<dyn EventStore> {
        let mut options = Options::new(self.0.lock().unwrap().path());
        options.retention_age = settings.retention_age;
        options.retention_size = settings.retention_size;
        Arc::new(SqliteStore::open(options, settings.clock).unwrap())
    }

    async fn crash(&self, store: Arc<dyn EventStore>) {
        let after = tempfile::tempdir().unwrap();
        let mut folder = self.0.lock().unwrap();
        copy(folder.path(), after.path());
        drop(store);
        *folder = after;
    }
}

fn copy(from: &Path, to: &Path) {
    for file in ["hookhouse.db", "hookhouse.db-wal"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

hookhouse_testkit::store_contract!(Folder::new());
