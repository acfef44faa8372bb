//! What a caretaker keeps, in the store.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hookhouse_core::{Clock, EventStore, Notice, Observer, SourceName, StoreError};
use hookhouse_x::{Deed, Keeper};

/// Keeps a caretaker's state under its source's name, and tells what it did.
#[derive(Debug)]
pub(super) struct StoreKeeper {
    source: SourceName,
    key: String,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
}

impl StoreKeeper {
    pub(super) fn new(
        source: SourceName,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { key: format!("x/care/{source}"), source, store, clock, observer }
    }
}

#[async_trait]
impl Keeper for StoreKeeper {
    async fn load(&self) -> Option<Vec<u8>> {
        let saved = self.store.state(&self.key).await.ok().flatten();
        saved.map(|entry| entry.value.to_vec())
    }

    async fn save(&self, state: Vec<u8>) {
        if let Err(error) = put(&*self.store, &self.key, Bytes::from(state)).await {
            tracing::warn!(event = "x.state_not_kept", source = %self.source, %error);
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
