//! A store whose settling and leasing can be made to fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use hookhouse_core::delivery::{Delivery, Settled, Settlement};
use hookhouse_core::store::{
    Backlog, CancelOutcome, DeliveryQuery, EventQuery, LeaseRequest, Page, Receipt, RefusalQuery,
    RetryOutcome, Revision, StateEntry, StoreStatus, Subscription,
};
use hookhouse_core::{
    Answer, Attempt, DeliveryId, DestinationName, Edit, Event, EventId, EventStore, Lease, Refusal,
    StoreError, StoredEvent, StoredRefusal,
};
use hookhouse_testkit::memory::MemoryStore;

/// What a call runs into.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    None,
    /// Every call is refused.
    Refuse(StoreError),
    /// So many calls are refused.
    RefuseSome(usize, StoreError),
    /// No call ever returns: the process dies before the store hears of it.
    Deaf,
}

#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<MemoryStore>,
    settling: Mutex<Fault>,
    leasing: Mutex<Fault>,
    pub(crate) settlings: AtomicUsize,
    pub(crate) leasings: AtomicUsize,
}

impl FaultyStore {
    pub(crate) fn new(inner: &Arc<MemoryStore>, settling: Fault, leasing: Fault) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            settling: Mutex::new(settling),
            leasing: Mutex::new(leasing),
            settlings: AtomicUsize::new(0),
            leasings: AtomicUsize::new(0),
        })
    }

    /// From now on everything works.
    pub(crate) fn heal(&self) {
        *self.settling.lock().unwrap() = Fault::None;
        *self.leasing.lock().unwrap() = Fault::None;
    }
}

async fn run_into(fault: &Mutex<Fault>, calls: &AtomicUsize) -> Result<(), StoreError> {
    calls.fetch_add(1, Ordering::Relaxed);
    let met = fault.lock().unwrap().clone();
    match met {
        Fault::None | Fault::RefuseSome(0, _) => Ok(()),
        Fault::Refuse(error) => Err(error),
        Fault::RefuseSome(left, error) => {
            *fault.lock().unwrap() = Fault::RefuseSome(left - 1, error.clone());
            Err(error)
        }
        Fault::Deaf => std::future::pending().await,
    }
}

#[async_trait]
impl EventStore for FaultyStore {
    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Lease>, StoreError> {
        run_into(&self.leasing, &self.leasings).await?;
        self.inner.lease(request).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        run_into(&self.settling, &self.settlings).await?;
        self.inner.settle(settlements).await
    }

    async fn append(&self, event: Event) -> Result<Receipt, StoreError> {
        self.inner.append(event).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<StoredEvent>>, StoreError> {
        self.inner.event(id).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<Arc<StoredEvent>>, StoreError> {
        self.inner.events(query).await
    }

    fn refuse(&self, refusal: Refusal) {
        self.inner.refuse(refusal);
    }

    async fn refusals(&self, query: &RefusalQuery) -> Result<Page<StoredRefusal>, StoreError> {
        self.inner.refusals(query).await
    }

    async fn keep_answer(&self, answer: Answer) -> Result<(), StoreError> {
        self.inner.keep_answer(answer).await
    }

    async fn answer(&self, event: EventId) -> Result<Option<Answer>, StoreError> {
        self.inner.answer(event).await
    }

    async fn subscribe(&self, subscriptions: &[Subscription]) -> Result<(), StoreError> {
        self.inner.subscribe(subscriptions).await
    }

    async fn redeliver(
        &self,
        event: EventId,
        destination: &DestinationName,
    ) -> Result<Option<DeliveryId>, StoreError> {
        self.inner.redeliver(event, destination).await
    }

    async fn redeliver_edited(
        &self,
        event: EventId,
        destination: &DestinationName,
        edit: Edit,
    ) -> Result<Option<DeliveryId>, StoreError> {
        self.inner.redeliver_edited(event, destination, edit).await
    }

    async fn edit(&self, delivery: &DeliveryId) -> Result<Option<Edit>, StoreError> {
        self.inner.edit(delivery).await
    }

    async fn retry(&self, delivery: &DeliveryId) -> Result<RetryOutcome, StoreError> {
        self.inner.retry(delivery).await
    }

    async fn cancel(&self, delivery: &DeliveryId) -> Result<CancelOutcome, StoreError> {
        self.inner.cancel(delivery).await
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.inner.deliveries(query).await
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<Attempt>, StoreError> {
        self.inner.attempts(event).await
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        self.inner.backlogs().await
    }

    async fn state(&self, key: &str) -> Result<Option<StateEntry>, StoreError> {
        self.inner.state(key).await
    }

    async fn put_state(
        &self,
        key: &str,
        value: Bytes,
        expected: Option<Revision>,
    ) -> Result<Revision, StoreError> {
        self.inner.put_state(key, value, expected).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.inner.status().await
    }

    async fn failed(&self) -> String {
        self.inner.failed().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
