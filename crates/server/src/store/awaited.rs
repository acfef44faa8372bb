//! A store that another process still has: what is asked of it waits, for so long and no longer.
//!
//! A server that takes over listens as soon as the other one does no more. Challenges need no store and are answered at
//! once; an event waits until the other one has written out its last, and is acknowledged by nobody before.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hookhouse_core::delivery::{Settled, Settlement};
use hookhouse_core::store::{
    Backlog, CancelOutcome, DeliveryQuery, EventQuery, LeaseRequest, Page, Receipt, RefusalQuery,
    RetryOutcome, Revision, StateEntry, StoreStatus, Subscription,
};
use hookhouse_core::{
    Answer, Attempt, Delivery, DeliveryId, DestinationName, Edit, Event, EventId, EventStore, Lease, Refusal,
    StoreError, StoreStats, StoredEvent, StoredRefusal,
};
use tokio::sync::watch;

/// How long a question waits. Senders give up sooner, and are told 503 before a proxy says something else.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refusals that are kept until there is a place for them.
const MOST_REFUSALS: usize = 1024;

/// A store that is to come.
#[derive(Debug)]
pub struct Awaited {
    come: watch::Sender<Option<Arc<dyn EventStore>>>,
    /// Looked at before the store is there, and by nobody afterwards.
    refusals: Mutex<Vec<Refusal>>,
}

impl Default for Awaited {
    fn default() -> Self {
        Self { come: watch::Sender::new(None), refusals: Mutex::default() }
    }
}

impl Awaited {
    /// The store is there.
    pub fn set(&self, store: Arc<dyn EventStore>) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.drain(..).for_each(|refusal| store.refuse(refusal));
        self.come.send_replace(Some(store));
    }

    fn here(&self) -> Option<Arc<dyn EventStore>> {
        self.come.borrow().clone()
    }

    async fn store(&self) -> Result<Arc<dyn EventStore>, StoreError> {
        if let Some(store) = self.here() {
            return Ok(store);
        }
        let mut coming = self.come.subscribe();
        let come = tokio::time::timeout(PATIENCE, coming.wait_for(Option::is_some)).await;
        // The sender is in `self`.
        let store = come.ok().and_then(Result::ok).and_then(|store| store.clone());
        store.ok_or(StoreError::Overloaded)
    }
}

/// Waits, then asks.
macro_rules! ask {
    ($this:expr, $method:ident($($argument:expr),*)) => {
        $this.store().await?.$method($($argument),*).await
    };
}

#[async_trait]
impl EventStore for Awaited {
    async fn append(&self, event: Event) -> Result<Receipt, StoreError> {
        ask!(self, append(event))
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<StoredEvent>>, StoreError> {
        ask!(self, event(id))
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<Arc<StoredEvent>>, StoreError> {
        ask!(self, events(query))
    }

    fn refuse(&self, refusal: Refusal) {
        let mut waiting = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match self.here() {
            Some(store) => {
                drop(waiting);
                store.refuse(refusal);
            }
            None if waiting.len() < MOST_REFUSALS => waiting.push(refusal),
            None => {}
        }
    }

    async fn refusals(&self, query: &RefusalQuery) -> Result<Page<StoredRefusal>, StoreError> {
        ask!(self, refusals(query))
    }

    async fn keep_answer(&self, answer: Answer) -> Result<(), StoreError> {
        ask!(self, keep_answer(answer))
    }

    async fn answer(&self, event: EventId) -> Result<Option<Answer>, StoreError> {
        ask!(self, answer(event))
    }

    async fn subscribe(&self, subscriptions: &[Subscription]) -> Result<(), StoreError> {
        ask!(self, subscribe(subscriptions))
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Lease>, StoreError> {
        ask!(self, lease(request))
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        ask!(self, settle(settlements))
    }

    async fn redeliver(
        &self,
        event: EventId,
        destination: &DestinationName,
    ) -> Result<Option<DeliveryId>, StoreError> {
        ask!(self, redeliver(event, destination))
    }

    async fn redeliver_edited(
        &self,
        event: EventId,
        destination: &DestinationName,
        edit: Edit,
    ) -> Result<Option<DeliveryId>, StoreError> {
        ask!(self, redeliver_edited(event, destination, edit))
    }

    async fn edit(&self, delivery: &DeliveryId) -> Result<Option<Edit>, StoreError> {
        ask!(self, edit(delivery))
    }

    async fn retry(&self, delivery: &DeliveryId) -> Result<RetryOutcome, StoreError> {
        ask!(self, retry(delivery))
    }

    async fn cancel(&self, delivery: &DeliveryId) -> Result<CancelOutcome, StoreError> {
        ask!(self, cancel(delivery))
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        ask!(self, deliveries(query))
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<Attempt>, StoreError> {
        ask!(self, attempts(event))
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        ask!(self, backlogs())
    }

    async fn state(&self, key: &str) -> Result<Option<StateEntry>, StoreError> {
        ask!(self, state(key))
    }

    async fn put_state(
        &self,
        key: &str,
        value: Bytes,
        expected: Option<Revision>,
    ) -> Result<Revision, StoreError> {
        ask!(self, put_state(key, value, expected))
    }

    fn is_shared(&self) -> bool {
        self.here().is_some_and(|store| store.is_shared())
    }

    async fn state_changed(&self, key: &str, known: Option<Revision>) {
        let mut coming = self.come.subscribe();
        let come = coming.wait_for(Option::is_some).await.ok().and_then(|store| store.clone());
        match come {
            Some(store) => store.state_changed(key, known).await,
            // The sender is in `self`.
            None => std::future::pending().await,
        }
    }

    async fn claim(&self, name: &str, hold: Duration) -> Result<bool, StoreError> {
        ask!(self, claim(name, hold))
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        ask!(self, status())
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        ask!(self, stats())
    }

    async fn failed(&self) -> String {
        let mut coming = self.come.subscribe();
        let come = coming.wait_for(Option::is_some).await.ok().and_then(|store| store.clone());
        match come {
            Some(store) => store.failed().await,
            // The sender is in `self`.
            None => std::future::pending().await,
        }
    }

    async fn close(&self) {
        if let Some(store) = self.here() {
            store.close().await;
        }
    }
}
