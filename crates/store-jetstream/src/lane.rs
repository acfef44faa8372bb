//! A destination as a consumer of the log: what was pulled for it, and what is under way.
//!
//! The cluster hands each event to one gateway and waits for its acknowledgement. While an event is here, handed out
//! or not, the gateway says so every now and then; when it stops saying so, the cluster hands the event to another
//! one. What runs out or comes back within this process is handed out again here.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use hookhouse_core::{DestinationName, LeaseToken, SourceName, StoredEvent};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::names::Key;

/// A destination.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) name: DestinationName,
    /// The first place that is its own.
    pub(crate) start: u64,
    state: Mutex<State>,
    /// One lease looks for work at a time.
    pub(crate) looking: tokio::sync::Mutex<()>,
    /// There may be room to pull for.
    pub(crate) room: Notify,
}

#[derive(Debug)]
pub(crate) struct State {
    /// Whether the last subscription named it.
    pub(crate) active: bool,
    pub(crate) sources: Vec<SourceName>,
    /// Events that the cluster gave us.
    pub(crate) held: BTreeMap<u64, Held>,
    /// Exceptions that we lease.
    pub(crate) retries: HashMap<Key, Retry>,
    /// Events that are handed out again may still be coming, until then.
    pub(crate) gathering: Option<Instant>,
    /// How many events a lease last asked for, and when.
    pub(crate) wanted: usize,
    pub(crate) asked: Instant,
}

/// An event that the cluster gave us.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) event: Arc<StoredEvent>,
    /// Where to acknowledge it.
    pub(crate) reply: Subject,
    /// `None` while nobody has it.
    pub(crate) lease: Option<Local>,
}

/// An exception that we lease.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) event: Arc<StoredEvent>,
    pub(crate) revision: u64,
    pub(crate) lease: Local,
}

/// A lease that this process gave out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local {
    pub(crate) token: LeaseToken,
    pub(crate) until: Instant,
    /// Its outcome is being written.
    pub(crate) settling: bool,
}

impl Local {
    fn has_run_out(&self, now: Instant) -> bool {
        !self.settling && self.until <= now
    }
}

impl Lane {
    pub(crate) fn new(name: DestinationName, start: u64, sources: Vec<SourceName>) -> Self {
        let state = State {
            active: true,
            sources,
            held: BTreeMap::new(),
            retries: HashMap::new(),
            gathering: None,
            wanted: 0,
            asked: Instant::now(),
        };
        Self {
            name,
            start,
            state: Mutex::new(state),
            looking: tokio::sync::Mutex::default(),
            room: Notify::new(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long after an event that is handed out again another one may come: the cluster has them in the order in which it
/// missed us, and in the log's order they are to go out.
const GATHERING: Duration = Duration::from_millis(100);

impl State {
    /// An event is handed out again.
    pub(crate) fn gather(&mut self) {
        self.gathering = Some(Instant::now() + GATHERING);
    }

    /// Whether events are coming that may belong before those that are here.
    pub(crate) fn is_gathering(&self, now: Instant) -> bool {
        self.gathering.is_some_and(|until| now < until)
    }

    /// Ends leases that ran out: their deliveries are handed out again.
    pub(crate) fn expire(&mut self, now: Instant) {
        for held in self.held.values_mut() {
            if held.lease.is_some_and(|lease| lease.has_run_out(now)) {
                held.lease = None;
            }
        }
        self.retries.retain(|_, retry| !retry.lease.has_run_out(now));
    }

    /// When the next lease runs out.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let fresh = self.held.values().filter_map(|held| held.lease);
        let retries = self.retries.values().map(|retry| retry.lease);
        fresh.chain(retries).filter(|lease| !lease.settling).map(|lease| lease.until).min()
    }

    /// Takes an event that nobody has, the oldest one.
    pub(crate) fn take(&mut self, lease: Local) -> Option<Arc<StoredEvent>> {
        let held = self.held.values_mut().find(|held| held.lease.is_none())?;
        held.lease = Some(lease);
        Some(Arc::clone(&held.event))
    }

    /// How many events more are wanted here.
    pub(crate) fn room(&self) -> usize {
        let ready = self.held.values().filter(|held| held.lease.is_none()).count();
        if self.active { self.wanted.saturating_sub(ready) } else { 0 }
    }

    pub(crate) fn wants(&self, source: &SourceName) -> bool {
        self.active && self.sources.contains(source)
    }
}
