//! From the embedded store to a cluster: events, what is still to be delivered, tries, answers, and where every
//! destination stands.
//!
//! The embedded store is read as it is; nothing of it is changed. What was delivered is not delivered again: each
//! destination goes on at the event where it was, and what it owed before that is written down one by one. Events get
//! new ids, since an id says where its event lies.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hookhouse_core::store::{Cursor, DeliveryQuery, EventQuery, Order, Page};
use hookhouse_core::{
    Clock, DeliveryState, DestinationName, EventStore, SourceName, StoreError, StoredEvent, SystemClock,
};
use hookhouse_store_jetstream::{Import, ImportError, Rest};
use hookhouse_store_sqlite::{Encryption, OpenError, SqliteStore};
use serde::Serialize;

use super::{Unopened, cluster};
use crate::config::StoreConfig;

/// Events that are read at once.
const PAGE: usize = 64;
/// Their bytes, about, that are sent at once.
const BATCH_BYTES: usize = 1 << 20;
/// Deliveries of one event that are copied.
const DELIVERIES: usize = 1_000;

/// What came of it, in all: an earlier copy that broke off is counted too.
#[derive(Debug, Clone, Serialize)]
pub struct Copied {
    /// Events.
    pub events: u64,
    /// Of these, those that were there from an earlier copy.
    pub resumed: u64,
    /// Deliveries that are not done with, by state.
    pub deliveries: BTreeMap<String, u64>,
    /// Tries.
    pub attempts: u64,
    /// What senders were answered.
    pub answers: u64,
    /// Destinations, with the place in the cluster's log where each goes on.
    pub destinations: BTreeMap<String, u64>,
}

/// Why it did not come to an end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The embedded store cannot be read.
    #[error(transparent)]
    From(#[from] OpenError),
    /// The cluster cannot be written to.
    #[error(transparent)]
    To(#[from] Unopened),
    /// What is there, or what became of it.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The embedded store could not be read to its end.
    #[error("the embedded store could not be read: {0}")]
    Read(StoreError),
}

/// Copies a store; told how many of how many events are there.
///
/// # Errors
/// When it does not come to an end. It can be begun again then, and goes on where it was.
pub async fn copy(
    from: &Path,
    keys: &Encryption,
    to: &StoreConfig,
    told: &mut dyn FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let source = SqliteStore::open_read_only_with(from, keys)?;
    let store = cluster::connect(to, 0, clock).await?;
    let copied = copy_all(&source, &store, told).await;
    store.close().await;
    copied
}

async fn copy_all(
    source: &SqliteStore,
    store: &hookhouse_store_jetstream::JetStreamStore,
    told: &mut dyn FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    let of = source.status().await.map_err(CopyError::Read)?.events;
    let positions: BTreeMap<_, _> = source.positions().into_iter().collect();
    let first = page(source, None, 1).await?.items.first().map(|event| event.id());
    let mut import = store.import(first).await?;
    let resumed = import.progress().events;
    let mut cursor = (import.progress().done > 0).then_some(Cursor(import.progress().done));
    while !import.progress().finished {
        told(import.progress().events, of);
        let Page { items, next } = page(source, cursor, PAGE).await?;
        for batch in batches(&items) {
            copy_batch(source, &mut import, batch, &positions).await?;
        }
        if next.is_none() {
            state(source, &import, &positions).await?;
            let destinations: Vec<_> = positions.keys().cloned().collect();
            import.finish(&destinations).await?;
        }
        cursor = next;
    }
    told(import.progress().events, of);
    let progress = import.progress();
    let next = progress.last + 1;
    let start = |name: &DestinationName| progress.starts.get(name).copied().unwrap_or(next);
    Ok(Copied {
        events: progress.events,
        resumed,
        deliveries: progress.deliveries.clone(),
        attempts: progress.attempts,
        answers: progress.answers,
        destinations: positions.keys().map(|name| (name.to_string(), start(name))).collect(),
    })
}

async fn page(
    source: &SqliteStore,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<Page<Arc<StoredEvent>>, CopyError> {
    let query = EventQuery { order: Order::OldestFirst, cursor, limit, ..EventQuery::default() };
    source.events(&query).await.map_err(CopyError::Read)
}

/// What fits into one write: at least one event.
fn batches(events: &[Arc<StoredEvent>]) -> impl Iterator<Item = &[Arc<StoredEvent>]> {
    let mut rest = events;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|event| {
            bytes += event.body().len() + event.headers().as_bytes().len();
            bytes <= BATCH_BYTES
        });
        let (batch, after) = rest.split_at_checked(fits.count().max(1))?;
        rest = after;
        Some(batch)
    })
}

async fn copy_batch(
    source: &SqliteStore,
    import: &mut Import,
    batch: &[Arc<StoredEvent>],
    positions: &BTreeMap<DestinationName, u64>,
) -> Result<(), CopyError> {
    let Some(done) = batch.last().map(|event| event.sequence().0) else { return Ok(()) };
    let ids = import.events(batch).await?;
    let mut rests = Vec::new();
    let mut starts = BTreeMap::new();
    for (event, id) in batch.iter().zip(ids) {
        let place = event.sequence().0;
        for (name, _) in positions.iter().filter(|(_, position)| **position < place) {
            starts.entry(name.clone()).or_insert(id.position());
        }
        rests.push((id, rest(source, event, positions).await.map_err(CopyError::Read)?));
    }
    import.rest(rests).await?;
    Ok(import.commit(done, batch.len() as u64, starts).await?)
}

/// What an event has beside itself. What its destinations have not looked at yet comes to them out of the log.
async fn rest(
    source: &SqliteStore,
    event: &StoredEvent,
    positions: &BTreeMap<DestinationName, u64>,
) -> Result<Rest, StoreError> {
    let query = DeliveryQuery { event: Some(event.id()), limit: DELIVERIES, ..DeliveryQuery::default() };
    let mut deliveries = Vec::new();
    for delivery in source.deliveries(&query).await?.items {
        let has_looked =
            positions.get(&delivery.id.destination).is_some_and(|position| *position >= event.sequence().0);
        let comes_by_itself =
            matches!(delivery.state, DeliveryState::Pending) && delivery.id.round == 0 && !has_looked;
        if delivery.state == DeliveryState::Delivered || comes_by_itself {
            continue;
        }
        let edit = match &delivery.edited {
            Some(_) => source.edit(&delivery.id).await?,
            None => None,
        };
        deliveries.push((delivery, edit));
    }
    // The newest is first there.
    deliveries.reverse();
    Ok(Rest {
        deliveries,
        attempts: source.attempts(event.id()).await?,
        answer: source.answer(event.id()).await?,
    })
}

/// Of the small shared state, what must not be forgotten: what operators hold, who may come in, what X said.
async fn state(
    source: &SqliteStore,
    import: &Import,
    positions: &BTreeMap<DestinationName, u64>,
) -> Result<(), CopyError> {
    let stats = source.stats().await.map_err(CopyError::Read)?;
    let of_source = |name: &SourceName| [format!("x/care/{name}"), format!("x/challenges/{name}")];
    let keys = ["server/alive", "admin/tokens"]
        .map(str::to_owned)
        .into_iter()
        .chain(positions.keys().map(|name| format!("pause/{name}")))
        .chain(stats.sources.iter().flat_map(|stats| of_source(&stats.source)));
    for key in keys {
        if let Some(entry) = source.state(&key).await.map_err(CopyError::Read)? {
            import.state(&key, entry.value).await?;
        }
    }
    Ok(())
}
