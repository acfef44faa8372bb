//! The store as others see it.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use hookhouse_core::delivery::{Settled, Settlement};
use hookhouse_core::store::{
    Backlog, CancelOutcome, DeliveryQuery, EventQuery, LeaseRequest, Page, Receipt, RefusalQuery,
    RetryOutcome, Revision, StateEntry, StoreStatus, Subscription,
};
use hookhouse_core::{
    Answer, Attempt, Clock, Delivery, DeliveryId, DestinationName, Edit, Event, EventId, EventStore, Lease,
    Refusal, Sequence, StoreError, StoreStats, StoredEvent, StoredRefusal,
};
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::oneshot;

use crate::consumer::Consumer;
use crate::edits::Sent;
use crate::encryption::Encryption;
use crate::open::{self, Opened, Running};
use crate::options::{OpenError, Options};
use crate::progress::Key;
use crate::queue::{Append, Op, Reply};
use crate::row::Found;
use crate::shared::Shared;
use crate::writer::STOPPED;
use crate::{answers, dedupe, deliveries, edits, lease, query, refusals, replay, stats};

/// Events, deliveries and refusals in one SQLite file.
///
/// A store that is dropped without [`close`](EventStore::close) writes out what it accepted, and waits for that.
pub struct SqliteStore {
    shared: Arc<Shared>,
    /// Gone once the store is closed.
    running: Mutex<Option<Running>>,
}

impl SqliteStore {
    /// Opens the store in a folder, and makes it if there is none.
    ///
    /// The store answers from tasks of the runtime in which this is called.
    ///
    /// # Errors
    /// When another process has it, or when the file is not one that this program can use.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        open::open(options, clock).map(Self::from)
    }

    /// Opens the store of a process that is not running, to read it. Every write answers [`StoreError::Closed`].
    ///
    /// # Errors
    /// When a process has the store open, when there is none, or when it cannot be read.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_read_only_with(path, &Encryption::default())
    }

    /// The same, of a store whose payloads are encrypted with these keys.
    ///
    /// # Errors
    /// The same, and when a key is missing.
    pub fn open_read_only_with(path: impl AsRef<Path>, encryption: &Encryption) -> Result<Self, OpenError> {
        open::open_read_only(path.as_ref(), encryption).map(Self::from)
    }

    /// Up to which place each destination that was ever subscribed has looked at the log: what it owes before that is
    /// among its deliveries.
    #[must_use]
    pub fn positions(&self) -> Vec<(DestinationName, u64)> {
        let position = |consumer: Arc<Consumer>| Some((consumer.name.clone(), consumer.lock().position?));
        self.shared.consumers.all().into_iter().filter_map(position).collect()
    }

    async fn ask<T>(&self, op: impl FnOnce(Reply<T>) -> Op + Send) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.push(op(reply))?;
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Why the writer gave no answer: it answers everybody, unless it panicked.
    fn gone(&self) -> StoreError {
        self.shared.queue.ended().unwrap_or_else(|| StoreError::Failed(STOPPED.to_owned()))
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Shared) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check_open()?;
        let shared = Arc::clone(&self.shared);
        self.shared.readers.run(move |conn| read(conn, &shared)).await
    }

    /// What is stored can be read until the store is closed, after a failure too.
    fn check_open(&self) -> Result<(), StoreError> {
        let open = self.running.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if open { Ok(()) } else { Err(StoreError::Closed) }
    }

    fn stop(&self) -> Option<Running> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.queue.end(StoreError::Closed);
        self.shared.change();
        running
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Runs something in the writer's place.
    #[cfg(test)]
    pub(crate) fn in_writer(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) {
        self.shared.queue.push(Op::Test(crate::queue::TestOp::new(work))).unwrap();
    }
}

impl From<Opened> for SqliteStore {
    fn from(opened: Opened) -> Self {
        Self { shared: opened.shared, running: Mutex::new(Some(opened.running)) }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("head", &self.shared.ring.head()).finish_non_exhaustive()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Some(running) = self.stop() {
            running.end(false);
        }
    }
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn append(&self, event: Event) -> Result<Receipt, StoreError> {
        let keys = dedupe::keys(&event);
        let (reply, answer) = oneshot::channel();
        self.shared.queue.append(Append { event, keys, reply })?;
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<StoredEvent>>, StoreError> {
        self.check_open()?;
        if let Some(event) = self.shared.ring.event(id.position()) {
            return Ok(Some(event).filter(|event| event.id() == id));
        }
        match self.read(move |conn, shared| query::find(conn, &shared.names, id.position())).await? {
            Some(Found::Event(event)) if event.id() == id => Ok(Some(event)),
            Some(Found::Damaged) => {
                Err(StoreError::Read(format!("event {id} is damaged; it cannot be served")))
            }
            _ => Ok(None),
        }
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<Arc<StoredEvent>>, StoreError> {
        let query = query.clone();
        self.read(move |conn, shared| query::page(conn, &shared.names, &query)).await
    }

    fn refuse(&self, refusal: Refusal) {
        self.shared.queue.refuse(refusal);
    }

    async fn refusals(&self, query: &RefusalQuery) -> Result<Page<StoredRefusal>, StoreError> {
        let query = query.clone();
        self.read(move |conn, _| refusals::page(conn, &query)).await
    }

    async fn keep_answer(&self, answer: Answer) -> Result<(), StoreError> {
        self.ask(|reply| Op::KeepAnswer(Box::new(answer), reply)).await
    }

    async fn answer(&self, event: EventId) -> Result<Option<Answer>, StoreError> {
        self.read(move |conn, shared| answers::find(conn, event, &shared.names.seals)).await
    }

    async fn subscribe(&self, subscriptions: &[Subscription]) -> Result<(), StoreError> {
        self.ask(|reply| Op::Subscribe(subscriptions.to_vec(), reply)).await
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Lease>, StoreError> {
        lease::lease(&self.shared, request).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        self.ask(|reply| Op::Settle(settlements, reply)).await
    }

    async fn redeliver(
        &self,
        event: EventId,
        destination: &DestinationName,
    ) -> Result<Option<DeliveryId>, StoreError> {
        self.ask(|reply| Op::Redeliver(event, destination.clone(), None, reply)).await
    }

    async fn redeliver_edited(
        &self,
        event: EventId,
        destination: &DestinationName,
        edit: Edit,
    ) -> Result<Option<DeliveryId>, StoreError> {
        // It takes room as an event does.
        if let Some(problem) = self.shared.gauges().problem.clone() {
            return Err(StoreError::Full(problem));
        }
        self.ask(|reply| Op::Redeliver(event, destination.clone(), Some(Box::new(edit)), reply)).await
    }

    async fn edit(&self, delivery: &DeliveryId) -> Result<Option<Edit>, StoreError> {
        let key = Key::of(delivery);
        let (event, destination) = (delivery.event, delivery.destination.clone());
        let read = move |conn: &Connection, shared: &Shared| {
            if replay::id_at(conn, key.sequence)? != Some(event) {
                return Ok(Sent::Stored);
            }
            let id = shared.names.destinations.id(&destination);
            let is_there = conn
                .prepare_cached(
                    "SELECT 1 FROM exceptions WHERE sequence = ?1 AND destination = ?2 AND round = ?3",
                )?
                .exists(rusqlite::params![key.sequence.cast_signed(), id, key.round.cast_signed()])?;
            if is_there { edits::find(conn, key, &shared.names.seals) } else { Ok(Sent::Stored) }
        };
        match self.read(read).await? {
            Sent::Stored => Ok(None),
            Sent::Edited(edit) => Ok(Some(edit)),
            Sent::Damaged => {
                Err(StoreError::Read(format!("the edit of {delivery} is damaged; it cannot be served")))
            }
        }
    }

    async fn retry(&self, delivery: &DeliveryId) -> Result<RetryOutcome, StoreError> {
        self.ask(|reply| Op::Retry(delivery.clone(), reply)).await
    }

    async fn cancel(&self, delivery: &DeliveryId) -> Result<CancelOutcome, StoreError> {
        self.ask(|reply| Op::Cancel(delivery.clone(), reply)).await
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        let query = query.clone();
        self.read(move |conn, shared| deliveries::page(conn, shared, &query)).await
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<Attempt>, StoreError> {
        self.read(move |conn, shared| query::attempts(conn, &shared.names, event)).await
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        self.read(deliveries::backlogs).await
    }

    async fn state(&self, key: &str) -> Result<Option<StateEntry>, StoreError> {
        let key = key.to_owned();
        let read = move |conn: &Connection, _: &Shared| {
            conn.prepare_cached("SELECT value, revision FROM state WHERE key = ?1")?
                .query_row([key], |row| {
                    Ok(StateEntry {
                        value: Bytes::from(row.get::<_, Vec<u8>>(0)?),
                        revision: Revision(row.get::<_, i64>(1)?.cast_unsigned()),
                    })
                })
                .optional()
        };
        self.read(read).await
    }

    async fn put_state(
        &self,
        key: &str,
        value: Bytes,
        expected: Option<Revision>,
    ) -> Result<Revision, StoreError> {
        self.ask(|reply| Op::PutState { key: key.to_owned(), value, expected, reply }).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.check_open()?;
        let head = self.shared.ring.head();
        let gauges = self.shared.gauges().clone();
        Ok(StoreStatus {
            kind: "sqlite".to_owned(),
            writable: gauges.problem.is_none(),
            problem: gauges.problem,
            events: head.saturating_sub(gauges.removed),
            head: Sequence(head),
            bytes: gauges.used,
            free_bytes: gauges.free,
            refusals_dropped: self.shared.queue.refusals_dropped(),
        })
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let (mut stats, mut next) = (StoreStats::default(), Some(0));
        while let Some(after) = next {
            (stats, next) = self
                .read(move |conn, shared| {
                    let mut stats = stats;
                    let next = stats::events(conn, &shared.names, after, &mut stats)?;
                    Ok((stats, next))
                })
                .await?;
        }
        self.read(move |conn, shared| {
            let mut stats = stats;
            stats::rest(conn, &shared.folder, &mut stats)?;
            Ok(stats)
        })
        .await
    }

    async fn failed(&self) -> String {
        let mut failure = self.shared.failure();
        loop {
            if let Some(why) = failure.borrow_and_update().clone() {
                return why;
            }
            if failure.changed().await.is_err() {
                // Not as long as `self`, which holds the sender, is there.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn close(&self) {
        let Some(running) = self.stop() else { return };
        self.shared.readers.close().await;
        // Joins threads. Should the caller go away, it happens all the same.
        let _ = tokio::task::spawn_blocking(move || running.end(true)).await;
    }
}
