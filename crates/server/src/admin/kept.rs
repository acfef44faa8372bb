//! A JSON document in the store's small state, changed by whoever read it last.

use std::marker::PhantomData;
use std::sync::Arc;

use hookhouse_core::store::Revision;
use hookhouse_core::{EventStore, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How often a change is tried again because somebody else was faster.
const TRIES: usize = 5;

/// Where the document lies.
#[derive(Debug, Clone)]
pub(super) struct Kept<T> {
    store: Arc<dyn EventStore>,
    key: String,
    document: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Kept<T> {
    pub(super) fn new(store: &Arc<dyn EventStore>, key: impl Into<String>) -> Self {
        Self { store: Arc::clone(store), key: key.into(), document: PhantomData }
    }

    /// The document; `None` where there is none yet.
    pub(super) async fn read(&self) -> Result<Option<T>, StoreError> {
        Ok(self.entry().await?.map(|(value, _)| value))
    }

    /// Changes the document, which begins as the default. `edit` may run more than once, each time on what is there then.
    pub(super) async fn change<R>(&self, mut edit: impl FnMut(&mut T) -> R) -> Result<R, StoreError>
    where
        T: Default,
    {
        let mut tries = 0;
        loop {
            let (mut value, revision) = match self.entry().await? {
                Some((value, revision)) => (value, Some(revision)),
                None => (T::default(), None),
            };
            let result = edit(&mut value);
            tries += 1;
            match self.write(&value, revision).await {
                Ok(_) => return Ok(result),
                Err(StoreError::Conflict) if tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn entry(&self) -> Result<Option<(T, Revision)>, StoreError> {
        let Some(entry) = self.store.state(&self.key).await? else { return Ok(None) };
        let value = serde_json::from_slice(&entry.value)
            .map_err(|error| StoreError::Read(format!("`{}` is not what it should be: {error}", self.key)))?;
        Ok(Some((value, entry.revision)))
    }

    async fn write(&self, value: &T, revision: Option<Revision>) -> Result<Revision, StoreError> {
        let bytes = serde_json::to_vec(value).map_err(|error| StoreError::Read(error.to_string()))?;
        self.store.put_state(&self.key, bytes.into(), revision).await
    }
}
