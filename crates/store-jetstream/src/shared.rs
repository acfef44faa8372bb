//! What every part of the store has in common.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hookhouse_core::{
    Clock, DestinationName, EventId, Refusal, Sequence, StoreError, StoredEvent, Timestamp,
};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::exceptions::{Exception, Index};
use crate::lane::Lane;
use crate::link::{Link, Outgoing, Refused};
use crate::names::{Key, Names};
use crate::options::Options;
use crate::record::{self, Mark};
use crate::values::Values;

/// What every part of the store has in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) link: Link,
    pub(crate) names: Names,
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    /// This process, as others see it.
    pub(crate) gateway: String,
    pub(crate) index: Mutex<Index>,
    pub(crate) lanes: RwLock<HashMap<DestinationName, Arc<Lane>>>,
    /// The destinations of every gateway that is alive, and who is.
    pub(crate) alive: Mutex<Alive>,
    /// Appends that may be under way at once.
    pub(crate) appends: Semaphore,
    /// Of those, batches: the servers bound how many of them they hold open.
    pub(crate) batches: Semaphore,
    pub(crate) refusals: mpsc::Sender<Refusal>,
    pub(crate) refusals_dropped: AtomicU64,
    /// Why events are not taken, as long as that is so.
    pub(crate) full: Mutex<Option<String>>,
    /// One walk of retention at a time.
    pub(crate) retiring: tokio::sync::Mutex<()>,
    /// What is known of the small shared state.
    pub(crate) values: Values,
    /// Something changed that a waiting lease may want.
    pub(crate) changed: Notify,
    /// The store is closed, or gone.
    pub(crate) closed: CancellationToken,
    /// When something that a consumer counts was last acknowledged to us.
    wrote: Mutex<Option<Instant>>,
    last_id_ms: AtomicI64,
    last_token: AtomicU64,
}

/// Who is alive.
#[derive(Debug, Default)]
pub(crate) struct Alive {
    pub(crate) gateways: HashSet<String>,
    /// Those that something is held by and that were not there, and how often somebody looked since.
    pub(crate) suspects: HashMap<String, u32>,
    pub(crate) destinations: HashSet<DestinationName>,
}

/// Appends that may be under way at once; more are overload.
const MOST_APPENDS: usize = 2048;
/// How far a replica may be behind before counts are a little old.
const CATCHING_UP: Duration = Duration::from_millis(150);
/// A server holds fifty batches of a stream open, of all gateways.
const MOST_BATCHES: usize = 20;
/// A server alone makes a folder for each: many at once are slower than one after the other.
const MOST_ON_ONE: usize = 4;

impl Shared {
    pub(crate) fn new(
        link: Link,
        names: Names,
        options: Options,
        clock: Arc<dyn Clock>,
        refusals: mpsc::Sender<Refusal>,
    ) -> Self {
        Self {
            link,
            names,
            clock,
            gateway: format!("{:016x}", rand::random::<u64>()),
            index: Mutex::default(),
            lanes: RwLock::default(),
            alive: Mutex::default(),
            appends: Semaphore::new(MOST_APPENDS),
            batches: Semaphore::new(if options.replicas > 1 { MOST_BATCHES } else { MOST_ON_ONE }),
            refusals,
            refusals_dropped: AtomicU64::new(0),
            full: Mutex::default(),
            retiring: tokio::sync::Mutex::default(),
            values: Values::default(),
            changed: Notify::new(),
            closed: CancellationToken::new(),
            options,
            wrote: Mutex::default(),
            last_id_ms: AtomicI64::new(i64::MIN),
            last_token: AtomicU64::new(0),
        }
    }

    pub(crate) fn open(&self) -> Result<(), StoreError> {
        if self.closed.is_cancelled() { Err(StoreError::Closed) } else { Ok(()) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn alive(&self) -> MutexGuard<'_, Alive> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn full(&self) -> MutexGuard<'_, Option<String>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lane(&self, destination: &DestinationName) -> Option<Arc<Lane>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).get(destination).cloned()
    }

    pub(crate) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn token(&self) -> u64 {
        self.last_token.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Says once, in the whole cluster, who does what.
    pub(crate) fn nonce(&self) -> String {
        format!("{}-{}", self.gateway, self.token())
    }

    /// What makes the next event's id. Time does not go back in ids, whatever the clock does.
    pub(crate) fn mark(&self) -> Mark {
        let now = self.now().as_millisecond();
        let ms = self.last_id_ms.fetch_max(now, Ordering::Relaxed).max(now);
        Mark { ms, random: rand::random::<u32>() & 0x3f_ffff }
    }

    /// Something that a consumer counts was acknowledged.
    pub(crate) fn note_write(&self) {
        *self.wrote.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Waits until the servers that keep consumers have heard of what was acknowledged to us: each counts what its own
    /// replica has, which is a moment behind the quorum.
    pub(crate) async fn let_replicas_catch_up(&self) {
        let wrote = *self.wrote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wrote) = wrote.filter(|_| self.options.replicas > 1) {
            tokio::time::sleep_until(wrote + CATCHING_UP).await;
        }
    }

    /// Ids from here on are not before this one.
    pub(crate) fn saw(&self, mark: Mark) {
        self.last_id_ms.fetch_max(mark.ms, Ordering::Relaxed);
    }

    /// An event by its id.
    pub(crate) async fn event(&self, id: EventId) -> Result<Option<Arc<StoredEvent>>, StoreError> {
        Ok(self.event_at(id.position()).await?.filter(|event| event.id() == id))
    }

    /// The event at a place.
    pub(crate) async fn event_at(&self, sequence: u64) -> Result<Option<Arc<StoredEvent>>, StoreError> {
        if sequence == 0 {
            return Ok(None);
        }
        let found = self.link.at(&self.names.events, sequence).await?;
        Ok(found.and_then(|raw| self.read(raw.sequence, &raw.payload)))
    }

    /// An event from its message. What is damaged is reported and never served.
    pub(crate) fn read(&self, sequence: u64, payload: &bytes::Bytes) -> Option<Arc<StoredEvent>> {
        let Some((event, mark)) = record::read_event(sequence, payload) else {
            // The keys of events lie in the same stream.
            if payload.first() != Some(&b'{') {
                tracing::error!(sequence, "store.corrupt_record: an event is damaged; it will not be served");
            }
            return None;
        };
        debug_assert_eq!(event.sequence(), Sequence(sequence));
        self.saw(mark);
        Some(Arc::new(event))
    }

    /// Writes a delivery's new state, if its message is still the expected one (0: if it has none).
    pub(crate) async fn write(
        &self,
        destination: &DestinationName,
        key: Key,
        exception: &Exception,
        expected: u64,
        nonce: &str,
    ) -> Result<u64, Refused> {
        let payload = serde_json::to_vec(exception)
            .map_err(|error| Refused::Store(StoreError::Read(error.to_string())))?;
        let message = Outgoing::new(self.names.delivery(destination, key), payload);
        let written = self.link.replace(&self.names.deliveries, message, expected, nonce).await;
        match written {
            Ok(revision) => {
                self.index().put(destination, key, exception, revision);
                self.changed.notify_waiters();
                Ok(revision)
            }
            Err(Refused::Conflict) => {
                self.look_again(destination, key).await.map_err(Refused::Store)?;
                Err(Refused::Conflict)
            }
            Err(other) => Err(other),
        }
    }

    /// What the cluster knows of a delivery now, which the index then knows too.
    pub(crate) async fn look_again(
        &self,
        destination: &DestinationName,
        key: Key,
    ) -> Result<Option<(u64, Exception)>, StoreError> {
        let subject = self.names.delivery(destination, key);
        let Some(raw) = self.link.last(&self.names.deliveries, &subject).await? else { return Ok(None) };
        if raw.is_marker {
            self.index().remove(destination, key, raw.sequence);
            return Ok(None);
        }
        let exception: Exception = serde_json::from_slice(&raw.payload)
            .map_err(|error| StoreError::Read(format!("`{subject}` is not a delivery: {error}")))?;
        self.index().put(destination, key, &exception, raw.sequence);
        Ok(Some((raw.sequence, exception)))
    }
}
