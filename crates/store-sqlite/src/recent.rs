//! The newest events, kept in memory: a destination that keeps up is served from here and never reads the disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookhouse_core::StoredEvent;

/// An event with the number of its source.
#[derive(Debug, Clone)]
pub(crate) struct Recent {
    pub(crate) source: i64,
    pub(crate) event: Arc<StoredEvent>,
}

impl Recent {
    fn sequence(&self) -> u64 {
        self.event.sequence().0
    }

    fn bytes(&self) -> usize {
        self.event.body().len() + self.event.headers().as_bytes().len() + 256
    }
}

/// The last stretch of the log, bounded by count and by bytes.
#[derive(Debug)]
pub(crate) struct Ring {
    inner: Mutex<Inner>,
    max_events: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Inner {
    events: VecDeque<Recent>,
    bytes: usize,
    /// Every event after this one is here.
    complete_after: u64,
    head: u64,
}

/// What a look into the ring gives.
#[derive(Debug)]
pub(crate) enum Look {
    /// The events that pass, and how far the look went.
    Here { events: Vec<Recent>, scanned: u64 },
    /// The stretch begins before the ring does: ask the disk, up to and including this event.
    OnDisk { until: u64 },
}

impl Ring {
    pub(crate) fn new(head: u64, max_events: usize, max_bytes: usize) -> Self {
        let inner = Inner { events: VecDeque::new(), bytes: 0, complete_after: head, head };
        Self { inner: Mutex::new(inner), max_events, max_bytes }
    }

    /// Takes committed events in, and gives back those that there is no room for any more: to be freed where they were
    /// allocated, so that the allocator finds the pieces again for the next ones.
    pub(crate) fn push(&self, committed: Vec<Recent>) -> Vec<Recent> {
        let mut evicted = Vec::new();
        let mut inner = self.lock();
        for recent in committed {
            inner.bytes += recent.bytes();
            inner.head = recent.sequence();
            inner.events.push_back(recent);
        }
        while inner.events.len() > self.max_events || inner.bytes > self.max_bytes {
            let Some(oldest) = inner.events.pop_front() else { break };
            inner.bytes -= oldest.bytes();
            inner.complete_after = oldest.sequence();
            evicted.push(oldest);
        }
        evicted
    }

    /// Drops events that were removed from the log.
    pub(crate) fn forget(&self, removed: &[u64]) {
        let mut inner = self.lock();
        for sequence in
            removed.iter().filter(|sequence| **sequence > inner.complete_after).collect::<Vec<_>>()
        {
            if let Ok(at) = inner.events.binary_search_by_key(sequence, Recent::sequence)
                && let Some(recent) = inner.events.remove(at)
            {
                inner.bytes -= recent.bytes();
            }
        }
    }

    /// The newest committed event.
    pub(crate) fn head(&self) -> u64 {
        self.lock().head
    }

    /// One event.
    pub(crate) fn event(&self, sequence: u64) -> Option<Arc<StoredEvent>> {
        let inner = self.lock();
        let at = inner.events.binary_search_by_key(&sequence, Recent::sequence).ok()?;
        inner.events.get(at).map(|recent| Arc::clone(&recent.event))
    }

    /// Up to `max` events after `after` that pass.
    pub(crate) fn after(&self, after: u64, max: usize, pass: impl Fn(i64) -> bool) -> Look {
        let inner = self.lock();
        if after < inner.complete_after {
            return Look::OnDisk { until: inner.complete_after };
        }
        let start = inner.events.partition_point(|recent| recent.sequence() <= after);
        let mut scanned = after;
        let mut events = Vec::new();
        for recent in inner.events.range(start..) {
            if events.len() == max {
                return Look::Here { events, scanned };
            }
            scanned = recent.sequence();
            if pass(recent.source) {
                events.push(recent.clone());
            }
        }
        Look::Here { events, scanned: inner.head.max(after) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
