//! What a caretaker keeps, in the store.
//!
//! Where several gateways share the store, one of them has the caretaker, by a lease. What it keeps is written on
//! condition of the revision that it read or wrote last, so that one that lost its lease and has not noticed changes
//! nothing: it finds another revision there, and ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use hookhouse_core::store::Revision;
use hookhouse_core::{Clock, EventStore, Notice, Observer, SourceName, StoreError};
use hookhouse_x::{Deed, Keeper, Signal};
use tokio_util::sync::CancellationToken;

use super::mailbox::Mailbox;

/// Keeps a caretaker's state under its source's name, and tells what it did.
#[derive(Debug)]
pub(super) struct StoreKeeper {
    source: SourceName,
    key: String,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    fence: Option<Fence>,
}

/// What keeps one of several gateways from undoing what another one did.
#[derive(Debug)]
pub(super) struct Fence {
    /// The revision that was read or written last. Held for a look or a note.
    revision: Mutex<Option<Revision>>,
    /// What was said last could not be kept, and is not to be forgotten where it came from.
    behind: AtomicBool,
    /// Where signals come from.
    mailbox: Arc<Mailbox>,
    /// Somebody else has written.
    lost: CancellationToken,
}

impl Fence {
    pub(super) fn new(mailbox: &Arc<Mailbox>, lost: &CancellationToken) -> Self {
        let (mailbox, lost) = (Arc::clone(mailbox), lost.clone());
        Self { revision: Mutex::default(), behind: AtomicBool::new(false), mailbox, lost }
    }

    fn revision(&self) -> Option<Revision> {
        *self.revision.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, revision: Revision) {
        *self.revision.lock().unwrap_or_else(PoisonError::into_inner) = Some(revision);
    }

    async fn put(&self, store: &dyn EventStore, key: &str, value: Bytes) -> Result<(), StoreError> {
        let put = store.put_state(key, value, self.revision()).await;
        self.behind.store(put.is_err(), Ordering::Relaxed);
        if put == Err(StoreError::Conflict) {
            self.lost.cancel();
        }
        self.set(put?);
        Ok(())
    }
}

impl StoreKeeper {
    pub(super) fn new(
        source: SourceName,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { key: format!("x/care/{source}"), source, store, clock, observer, fence: None }
    }

    /// One that writes nothing over what somebody else wrote.
    pub(super) fn fenced(self, fence: Fence) -> Self {
        Self { fence: Some(fence), ..self }
    }
}

#[async_trait]
impl Keeper for StoreKeeper {
    async fn load(&self) -> Option<Vec<u8>> {
        let saved = self.store.state(&self.key).await.ok().flatten()?;
        if let Some(fence) = &self.fence {
            fence.set(saved.revision);
        }
        Some(saved.value.to_vec())
    }

    async fn save(&self, state: Vec<u8>) {
        let (store, value) = (&*self.store, Bytes::from(state));
        let kept = match &self.fence {
            Some(fence) => fence.put(store, &self.key, value).await,
            None => put(store, &self.key, value).await,
        };
        if let Err(error) = kept {
            tracing::warn!(event = "x.state_not_kept", source = %self.source, %error);
        }
    }

    async fn heard(&self, signal: &Signal) {
        if let Some(fence) = self.fence.as_ref().filter(|fence| !fence.behind.load(Ordering::Relaxed)) {
            fence.mailbox.heard(signal).await;
        }
    }

    fn done(&self, deed: Deed) {
        self.observer.notice(Notice::Webhook {
            source: self.source.clone(),
            at: self.clock.now(),
            deed: deed.to_string(),
            trouble: deed.is_trouble(),
        });
    }
}

/// Puts a value whatever was there: it has one writer, and a lost race is run again.
pub(super) async fn put(store: &dyn EventStore, key: &str, value: Bytes) -> Result<(), StoreError> {
    for _ in 0..MOST_RACES {
        let revision = store.state(key).await?.map(|entry| entry.revision);
        match store.put_state(key, value.clone(), revision).await {
            Err(StoreError::Conflict) => {}
            other => return other.map(drop),
        }
    }
    Err(StoreError::Conflict)
}

const MOST_RACES: usize = 8;
