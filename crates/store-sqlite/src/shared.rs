//! What the store's callers, its writer and its other threads have in common.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookhouse_core::{Clock, StoreError};
use tokio::sync::watch;

use crate::checkpoint::Checkpoints;
use crate::consumer::Consumers;
use crate::names::Names;
use crate::queue::Queue;
use crate::readers::Readers;
use crate::recent::Ring;

/// The middle of a store.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Arc<Queue>,
    pub(crate) names: Arc<Names>,
    pub(crate) consumers: Consumers,
    pub(crate) ring: Ring,
    pub(crate) readers: Readers,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) window: usize,
    /// Where the files lie.
    pub(crate) folder: PathBuf,
    tokens: AtomicU64,
    gauges: Mutex<Gauges>,
    /// Changes when destinations come and go, and when the store ends.
    changes: watch::Sender<()>,
    failure: watch::Sender<Option<String>>,
}

/// What the writer says about the store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauges {
    /// Events that were removed since the store was made.
    pub(crate) removed: u64,
    /// Bytes in use.
    pub(crate) used: u64,
    /// Free bytes on the disk.
    pub(crate) free: Option<u64>,
    /// Why no event is taken.
    pub(crate) problem: Option<String>,
}

impl Shared {
    pub(crate) fn new(
        queue: Arc<Queue>,
        names: Names,
        consumers: Consumers,
        ring: Ring,
        readers: Readers,
        checkpoints: Checkpoints,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            queue,
            names: Arc::new(names),
            consumers,
            ring,
            readers,
            checkpoints,
            clock,
            window: 0,
            folder: PathBuf::new(),
            tokens: AtomicU64::new(0),
            gauges: Mutex::default(),
            changes: watch::Sender::new(()),
            failure: watch::Sender::new(None),
        }
    }

    /// Sets the first lease token. It should be random, so that a worker of a former process, or of another store,
    /// cannot settle what is not his.
    pub(crate) fn begin_tokens_at(&self, first: u64) {
        self.tokens.store(first, Ordering::Relaxed);
    }

    /// A number that no other lease has.
    pub(crate) fn next_token(&self) -> u64 {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn gauges(&self) -> MutexGuard<'_, Gauges> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Becomes ready at every change from now on.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Destinations came or went, or the store ended.
    pub(crate) fn change(&self) {
        self.changes.send_replace(());
    }

    /// Durability can no longer be promised.
    pub(crate) fn fail(&self, why: &str) {
        tracing::error!(error = why, "store.failed: nothing is written any more; restart hookhouse");
        self.queue.end(StoreError::Failed(why.to_owned()));
        self.gauges().problem = Some(why.to_owned());
        self.failure.send_replace(Some(why.to_owned()));
        self.change();
    }

    pub(crate) fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.subscribe()
    }
}
