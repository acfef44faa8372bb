//! The store as the trait has it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hookhouse_core::delivery::{Settled, Settlement};
use hookhouse_core::store::{
    Backlog, CancelOutcome, DeliveryQuery, EventQuery, LeaseRequest, Page, Receipt, RefusalQuery,
    RetryOutcome, Revision, StateEntry, StoreStatus, Subscription,
};
use hookhouse_core::{
    Answer, Attempt, Clock, Delivery, DeliveryId, DestinationName, Edit, Event, EventId, EventStore, Lease,
    Refusal, Sequence, StoreError, StoredEvent, StoredRefusal,
};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::link::{Link, Outgoing, Refused};
use crate::names::Names;
use crate::options::{OpenError, Options};
use crate::shared::Shared;
use crate::{
    append, connect, deliveries, gateways, lease, operators, pages, record, refusals, settle, streams,
    subscribe, values, watch,
};

/// A store on a JetStream cluster.
pub struct JetStreamStore {
    shared: Arc<Shared>,
    tracker: TaskTracker,
}

/// How long closing may take to hand back what is under way.
const LEAVING: Duration = Duration::from_secs(5);

impl JetStreamStore {
    /// Connects, makes the streams that are missing, and learns what is in them.
    ///
    /// # Errors
    /// When no server lets us in, one is too old, or a stream cannot be made.
    pub async fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let client = connect::connect(&options).await?;
        let link = Link { client, patience: options.patience };
        let names = Names::new(&options.prefix);
        streams::prepare(&link, &names, &options).await?;
        let (sender, queue) = mpsc::channel(refusals::QUEUE);
        let shared = Arc::new(Shared::new(link, names, options, clock, sender));
        let silent = |error: StoreError| OpenError::Silent(error.to_string());
        watch::load(&shared).await.map_err(silent)?;
        // Ids go on where they ended.
        let last =
            shared.link.last(&shared.names.events, &shared.names.all_events()).await.map_err(silent)?;
        drop(last.and_then(|raw| shared.read(raw.sequence, &raw.payload)));
        gateways::sign(&shared).await.map_err(silent)?;
        gateways::look(&shared).await.map_err(silent)?;

        let tracker = TaskTracker::new();
        tracker.spawn(watch::follow(Arc::clone(&shared)));
        tracker.spawn(values::follow(Arc::clone(&shared)));
        tracker.spawn(gateways::keep_house(Arc::clone(&shared)));
        tracker.spawn(gateways::retire(Arc::clone(&shared)));
        tracker.spawn(refusals::publish(Arc::clone(&shared), queue));
        Ok(Self { shared, tracker })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The version of the server that we are connected to.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.shared.link.client.server_info().version
    }
}

impl fmt::Debug for JetStreamStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetStreamStore").field("prefix", &self.shared.options.prefix).finish_non_exhaustive()
    }
}

/// Dropped without being closed, the store ends as its process would: nothing is handed back.
impl Drop for JetStreamStore {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

#[async_trait]
impl EventStore for JetStreamStore {
    async fn append(&self, event: Event) -> Result<Receipt, StoreError> {
        append::append(&self.shared, event).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<StoredEvent>>, StoreError> {
        self.shared.open()?;
        self.shared.event(id).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<Arc<StoredEvent>>, StoreError> {
        pages::events(&self.shared, query).await
    }

    fn refuse(&self, refusal: Refusal) {
        if self.shared.closed.is_cancelled() || self.shared.refusals.try_send(refusal).is_err() {
            self.shared.refusals_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn refusals(&self, query: &RefusalQuery) -> Result<Page<StoredRefusal>, StoreError> {
        pages::refusals(&self.shared, query).await
    }

    async fn keep_answer(&self, answer: Answer) -> Result<(), StoreError> {
        let shared = &self.shared;
        shared.open()?;
        if shared.event(answer.event).await?.is_none() {
            return Ok(());
        }
        let subject = shared.names.answer(answer.event.position());
        shared.link.publish(&Outgoing::new(subject, record::write_answer(&answer))).await?;
        Ok(())
    }

    async fn answer(&self, event: EventId) -> Result<Option<Answer>, StoreError> {
        let shared = &self.shared;
        shared.open()?;
        let subject = shared.names.answer(event.position());
        let Some(raw) = shared.link.last(&shared.names.answers, &subject).await? else { return Ok(None) };
        let answer = record::read_answer(&raw.payload).filter(|answer| answer.event == event);
        // It is there for as long as its event is, whatever is left of it.
        Ok(match answer {
            Some(answer) => shared.event(event).await?.map(|_| answer),
            None => None,
        })
    }

    async fn subscribe(&self, subscriptions: &[Subscription]) -> Result<(), StoreError> {
        subscribe::subscribe(&self.shared, &self.tracker, subscriptions).await
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Lease>, StoreError> {
        lease::lease(&self.shared, request).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        settle::settle(&self.shared, settlements).await
    }

    async fn redeliver(
        &self,
        event: EventId,
        destination: &DestinationName,
    ) -> Result<Option<DeliveryId>, StoreError> {
        operators::redeliver(&self.shared, event, destination, None).await
    }

    async fn redeliver_edited(
        &self,
        event: EventId,
        destination: &DestinationName,
        edit: Edit,
    ) -> Result<Option<DeliveryId>, StoreError> {
        operators::redeliver(&self.shared, event, destination, Some(&edit)).await
    }

    async fn edit(&self, delivery: &DeliveryId) -> Result<Option<Edit>, StoreError> {
        operators::edit(&self.shared, delivery).await
    }

    async fn retry(&self, delivery: &DeliveryId) -> Result<RetryOutcome, StoreError> {
        operators::retry(&self.shared, delivery).await
    }

    async fn cancel(&self, delivery: &DeliveryId) -> Result<CancelOutcome, StoreError> {
        operators::cancel(&self.shared, delivery).await
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        deliveries::deliveries(&self.shared, query).await
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<Attempt>, StoreError> {
        deliveries::attempts(&self.shared, event).await
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        deliveries::backlogs(&self.shared).await
    }

    async fn state(&self, key: &str) -> Result<Option<StateEntry>, StoreError> {
        let shared = &self.shared;
        shared.open()?;
        let raw = shared.link.last(&shared.names.state, &shared.names.value(key)).await?;
        let raw = raw.filter(|raw| !raw.is_marker);
        Ok(raw.map(|raw| StateEntry { value: raw.payload, revision: Revision(raw.sequence) }))
    }

    async fn put_state(
        &self,
        key: &str,
        value: Bytes,
        expected: Option<Revision>,
    ) -> Result<Revision, StoreError> {
        let shared = &self.shared;
        shared.open()?;
        let message = Outgoing::new(shared.names.value(key), value);
        let expected = expected.map_or(0, |Revision(revision)| revision);
        let put = shared.link.replace(&shared.names.state, message, expected, &shared.nonce()).await;
        let put = put?;
        shared.values.note(&shared.names.value(key), put);
        Ok(Revision(put))
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn state_changed(&self, key: &str, known: Option<Revision>) {
        let known = known.map_or(0, |Revision(revision)| revision);
        self.shared.values.changed(&self.shared.names.value(key), known).await;
    }

    async fn claim(&self, name: &str, hold: Duration) -> Result<bool, StoreError> {
        let shared = &self.shared;
        shared.open()?;
        let message = Outgoing::new(shared.names.claim(name), "{}").for_a_while(hold);
        match shared.link.replace(&shared.names.events, message, 0, &shared.nonce()).await {
            Ok(_) => Ok(true),
            Err(Refused::Conflict) => Ok(false),
            Err(Refused::Store(error)) => Err(error),
        }
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        let shared = &self.shared;
        shared.open()?;
        let filter = shared.names.all_events();
        let info = streams::info(&shared.link, &shared.names.events, Some(&filter)).await;
        let refusals_dropped = shared.refusals_dropped.load(Ordering::Relaxed);
        let mut status = StoreStatus {
            kind: "jetstream".to_owned(),
            writable: false,
            problem: None,
            events: 0,
            head: Sequence(0),
            bytes: 0,
            free_bytes: None,
            refusals_dropped,
        };
        match info {
            Ok(info) => {
                let problem = shared.full().clone();
                status.writable =
                    problem.is_none() && info.cluster.as_ref().is_none_or(|c| c.leader.is_some());
                status.problem = problem.or_else(|| gateways::trouble(&info));
                status.events = info.state.subjects.values().sum();
                status.head = Sequence(info.state.last_seq);
                status.bytes = info.state.bytes;
            }
            Err(error) => status.problem = Some(format!("the cluster does not answer: {error}")),
        }
        Ok(status)
    }

    /// Never by itself: what a cluster cannot do for a while is overload, and passes.
    async fn failed(&self) -> String {
        std::future::pending().await
    }

    async fn close(&self) {
        let shared = &self.shared;
        if shared.closed.is_cancelled() {
            return;
        }
        let leave = async {
            settle::hand_back(shared).await;
            // The last refusals are on their way already, or are lost like those that did not fit.
            if let Err(error) = gateways::leave(shared).await {
                tracing::debug!(%error, "the cluster was not told that we leave");
            }
        };
        if tokio::time::timeout(LEAVING, leave).await.is_err() {
            tracing::warn!("the cluster did not take back what was under way; others take it over");
        }
        shared.closed.cancel();
        shared.changed.notify_waiters();
        self.tracker.close();
        self.tracker.wait().await;
        if let Err(error) = shared.link.client.flush().await {
            tracing::debug!(%error, "the connection ended early");
        }
    }
}
