//! What a store holds, counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::StoredEvent;
use crate::names::SourceName;
use crate::store::{EventQuery, EventStore, Order, RefusalQuery, StoreError};

/// What a store holds. Counting it is a look at every event, so nothing waits for these numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoreStats {
    /// What kind of store: `sqlite`.
    pub kind: String,
    /// The number of its format, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<u32>,
    /// Events.
    pub events: u64,
    /// Bytes of their targets, headers and bodies, as they lie in the store.
    pub bytes: u64,
    /// When the first of them was received.
    pub oldest: Option<Timestamp>,
    /// When the last of them was received.
    pub newest: Option<Timestamp>,
    /// The same for each source that has events, by name.
    pub sources: Vec<SourceStats>,
    /// Deliveries that are more than a place in the log, by state: retries that wait, dead letters, replays.
    pub exceptions: BTreeMap<String, u64>,
    /// Refusals on record.
    pub refusals: u64,
    /// What else this kind of store counts, by name.
    pub details: BTreeMap<String, u64>,
}

/// What a store holds of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStats {
    /// Which.
    pub source: SourceName,
    /// Its events.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the first of them was received.
    pub oldest: Timestamp,
    /// When the last of them was received.
    pub newest: Timestamp,
}

impl StoreStats {
    /// Counts an event.
    pub fn add(&mut self, source: &SourceName, received: Timestamp, bytes: u64) {
        self.events += 1;
        self.bytes += bytes;
        self.oldest = Some(self.oldest.map_or(received, |oldest| oldest.min(received)));
        self.newest = Some(self.newest.map_or(received, |newest| newest.max(received)));
        let at = self.sources.binary_search_by(|known| known.source.cmp(source));
        let place = match at {
            Ok(place) => place,
            Err(place) => {
                let first = SourceStats {
                    source: source.clone(),
                    events: 0,
                    bytes: 0,
                    oldest: received,
                    newest: received,
                };
                self.sources.insert(place, first);
                place
            }
        };
        if let Some(known) = self.sources.get_mut(place) {
            known.events += 1;
            known.bytes += bytes;
            known.oldest = known.oldest.min(received);
            known.newest = known.newest.max(received);
        }
    }

    /// Counts what any store shows: page after page of events and refusals, and what its destinations wait for.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of<S: EventStore + ?Sized>(store: &S) -> Result<Self, StoreError> {
        let mut stats = Self { kind: store.status().await?.kind, ..Self::default() };
        let mut query = EventQuery { order: Order::OldestFirst, limit: 1_000, ..EventQuery::default() };
        loop {
            let page = store.events(&query).await?;
            for event in &page.items {
                stats.add(&event.record().source, event.record().received_at, weight(event));
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        let mut query = RefusalQuery { limit: 1_000, ..RefusalQuery::default() };
        loop {
            let page = store.refusals(&query).await?;
            stats.refusals += page.items.len() as u64;
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        for backlog in store.backlogs().await? {
            for (state, count) in [("waiting", backlog.waiting), ("dead", backlog.dead)] {
                if count > 0 {
                    *stats.exceptions.entry(state.to_owned()).or_default() += count;
                }
            }
        }
        Ok(stats)
    }
}

/// Bytes of an event's target, headers and body.
fn weight(event: &StoredEvent) -> u64 {
    let request = &event.record().request;
    (request.target.len() + request.headers.as_bytes().len() + request.body.len()) as u64
}
