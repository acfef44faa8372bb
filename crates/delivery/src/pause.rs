//! A destination that an operator holds: nothing is sent to it until it is resumed, also after a restart.

use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::store::Revision;
use hookhouse_core::{DestinationName, EventStore, StoreError};
use tokio::sync::watch;

use crate::settle::FIRST_PAUSE;

/// Whether a destination is held: for its lane, for operators, and in the store.
#[derive(Debug, Clone)]
pub(crate) struct Pause(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    held: watch::Sender<bool>,
    /// One change at a time, so that memory and store agree.
    changing: tokio::sync::Mutex<()>,
    store: Arc<dyn EventStore>,
    key: String,
}

impl Pause {
    /// Not held, until [`Pause::load`] says otherwise.
    pub(crate) fn new(store: Arc<dyn EventStore>, destination: &DestinationName) -> Self {
        let (held, changing) = (watch::Sender::new(false), tokio::sync::Mutex::new(()));
        Self(Arc::new(Inner { held, changing, store, key: format!("pause/{destination}") }))
    }

    /// Whether it is held.
    pub(crate) fn is_held(&self) -> bool {
        *self.0.held.borrow()
    }

    /// Waits until it is not.
    pub(crate) async fn ended(&self) {
        // The sender is in `self`.
        let _ = self.0.held.subscribe().wait_for(|held| !held).await;
    }

    /// Takes over what the store says. A state that cannot be read holds the destination: to send what an operator
    /// holds back would be worse, and to resume it is easy.
    pub(crate) async fn load(&self) {
        let _changing = self.0.changing.lock().await;
        let held = match self.read().await {
            Ok((held, _)) => held,
            Err(error) => {
                tracing::error!(key = self.0.key, %error, "held: whether the destination is paused could not be read");
                true
            }
        };
        self.0.held.send_replace(held);
    }

    /// Holds it or lets it go on. `false` where that changes nothing.
    ///
    /// # Errors
    /// When the store does not keep it; then nothing changes.
    pub(crate) async fn set(&self, held: bool) -> Result<bool, StoreError> {
        let _changing = self.0.changing.lock().await;
        let (_, revision) = self.read().await?;
        let value = if held { HELD } else { FREE };
        self.0.store.put_state(&self.0.key, Bytes::from_static(value), revision).await?;
        Ok(self.0.held.send_replace(held) != held)
    }

    /// Takes over what other processes change, at once and for as long as there are any.
    pub(crate) async fn follow(&self) {
        let Inner { store, key, changing, held } = &*self.0;
        let mut known = None;
        while store.is_shared() {
            store.state_changed(key, known).await;
            let read = {
                let _changing = changing.lock().await;
                let read = self.read().await;
                if let Ok((is_held, _)) = &read
                    && held.send_replace(*is_held) != *is_held
                {
                    tracing::info!(
                        key,
                        held = is_held,
                        "another gateway was told to hold the destination, or to go on"
                    );
                }
                read
            };
            match read {
                Ok((_, revision)) => known = revision,
                // What was known goes on to count until it can be read again.
                Err(_) => tokio::time::sleep(FIRST_PAUSE).await,
            }
        }
    }

    async fn read(&self) -> Result<(bool, Option<Revision>), StoreError> {
        let entry = self.0.store.state(&self.0.key).await?;
        Ok(entry.map_or((false, None), |entry| (entry.value != FREE, Some(entry.revision))))
    }
}

const HELD: &[u8] = b"paused";
const FREE: &[u8] = b"running";
