//! Deliveries that are more than a first try that goes well: waiting, dead, called off, replayed.
//!
//! Each is one message, under a subject of its own that keeps the last one alone. Whoever changes it says which one he
//! has seen, so that of two gateways one wins. That is how a retry is leased, too: the winner has written his name
//! into it. Every gateway follows the stream and has what it needs of each in memory, well under two hundred bytes; the
//! last try is read when somebody asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hookhouse_core::{
    Attempt, DeadReason, DeliveryId, DeliveryState, DestinationName, Edited, EventId, SourceName,
    StoredEvent, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::names::Key;

/// A delivery as its message tells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Exception {
    pub(crate) event: EventId,
    pub(crate) source: SourceName,
    pub(crate) state: DeliveryState,
    /// How often it was tried.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// From when on it may be tried.
    pub(crate) due: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<DeadReason>,
    /// Its event is still to come out of the log for this destination, and is to be passed over then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ahead: bool,
    /// The gateway that has it, while it is leased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) holder: Option<String>,
    /// The last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Attempt>,
    /// What is sent in the place of the event's own bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) edit: Option<EditName>,
}

/// Where an edit is, and whose it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EditName {
    pub(crate) name: String,
    pub(crate) mark: Edited,
}

impl Exception {
    /// The first state of an event's delivery.
    pub(crate) fn of(event: &StoredEvent, state: DeliveryState, now: Timestamp) -> Self {
        Self {
            event: event.id(),
            source: event.record().source.clone(),
            state,
            attempts: 0,
            due: now,
            reason: None,
            ahead: false,
            holder: None,
            last: None,
            edit: None,
        }
    }
}

/// What a gateway remembers of one.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The sequence of its message.
    pub(crate) revision: u64,
    pub(crate) event: EventId,
    pub(crate) state: DeliveryState,
    pub(crate) due: Timestamp,
    pub(crate) ahead: bool,
    pub(crate) holder: Option<String>,
}

impl Entry {
    fn of(exception: &Exception, revision: u64) -> Self {
        Self {
            revision,
            event: exception.event,
            state: exception.state,
            due: exception.due,
            ahead: exception.ahead,
            holder: exception.holder.clone(),
        }
    }

    /// Whether somebody may still want its event.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, DeliveryState::Pending | DeliveryState::Leased | DeliveryState::Waiting)
    }
}

/// Every exception there is, by destination.
#[derive(Debug, Default)]
pub(crate) struct Index {
    lanes: HashMap<DestinationName, Lane>,
    /// The last message that was seen.
    pub(crate) seen: u64,
}

#[derive(Debug, Default)]
struct Lane {
    entries: BTreeMap<Key, Entry>,
    /// Those that time or a worker will move on: by when.
    due: BTreeSet<(Timestamp, Key)>,
    leased: BTreeSet<Key>,
    counts: HashMap<DeliveryState, u64>,
}

impl Index {
    /// Notes what a message says. An older one than what is known changes nothing.
    pub(crate) fn put(
        &mut self,
        destination: &DestinationName,
        key: Key,
        exception: &Exception,
        revision: u64,
    ) {
        let lane = self.lanes.entry(destination.clone()).or_default();
        if lane.entries.get(&key).is_some_and(|known| known.revision >= revision) {
            return;
        }
        lane.forget(key);
        let entry = Entry::of(exception, revision);
        match entry.state {
            DeliveryState::Pending | DeliveryState::Waiting => drop(lane.due.insert((entry.due, key))),
            DeliveryState::Leased => drop(lane.leased.insert(key)),
            _ => {}
        }
        *lane.counts.entry(entry.state).or_default() += 1;
        lane.entries.insert(key, entry);
    }

    /// Notes that there is none any more.
    pub(crate) fn remove(&mut self, destination: &DestinationName, key: Key, revision: u64) {
        if let Some(lane) = self.lanes.get_mut(destination)
            && lane.entries.get(&key).is_some_and(|known| known.revision < revision)
        {
            lane.forget(key);
        }
    }

    pub(crate) fn entry(&self, destination: &DestinationName, key: Key) -> Option<&Entry> {
        self.lanes.get(destination)?.entries.get(&key)
    }

    /// What may be tried now, the longest due first.
    pub(crate) fn due(
        &self,
        destination: &DestinationName,
        now: Timestamp,
        most: usize,
    ) -> Vec<(Key, Entry)> {
        let Some(lane) = self.lanes.get(destination) else { return Vec::new() };
        let due = lane.due.iter().take_while(|(due, _)| *due <= now).take(most);
        due.filter_map(|(_, key)| Some((*key, lane.entries.get(key)?.clone()))).collect()
    }

    /// When the next one becomes due.
    pub(crate) fn next_due(&self, destination: &DestinationName) -> Option<Timestamp> {
        self.lanes.get(destination)?.due.first().map(|(due, _)| *due)
    }

    /// Those that somebody holds.
    pub(crate) fn leased(&self, destination: &DestinationName) -> Vec<(Key, Entry)> {
        let Some(lane) = self.lanes.get(destination) else { return Vec::new() };
        lane.leased.iter().filter_map(|key| Some((*key, lane.entries.get(key)?.clone()))).collect()
    }

    pub(crate) fn count(&self, destination: &DestinationName, state: DeliveryState) -> u64 {
        self.lanes.get(destination).and_then(|lane| lane.counts.get(&state)).copied().unwrap_or(0)
    }

    /// How many have an event that is still to come.
    pub(crate) fn ahead(&self, destination: &DestinationName) -> u64 {
        let Some(lane) = self.lanes.get(destination) else { return 0 };
        lane.entries.values().filter(|entry| entry.ahead).count() as u64
    }

    /// The oldest event that is not done with.
    pub(crate) fn oldest_open(&self, destination: &DestinationName) -> Option<u64> {
        let lane = self.lanes.get(destination)?;
        let open = lane.due.iter().map(|(_, key)| key).chain(&lane.leased);
        open.map(|(sequence, _)| *sequence).min()
    }

    /// All of one event.
    pub(crate) fn of_event(&self, sequence: u64) -> Vec<(DestinationName, Key, Entry)> {
        let all = self.lanes.iter().flat_map(|(destination, lane)| {
            let own = lane.entries.range((sequence, 0)..=(sequence, u64::MAX));
            own.map(|(key, entry)| (destination.clone(), *key, entry.clone()))
        });
        all.collect()
    }

    /// The newest events that have one in a state, before a place: at most `most`, newest first.
    pub(crate) fn events_with(
        &self,
        state: DeliveryState,
        destination: Option<&DestinationName>,
        before: u64,
        most: usize,
    ) -> Vec<u64> {
        let mut found = BTreeSet::new();
        let lanes = self.lanes.iter().filter(|(name, _)| destination.is_none_or(|wanted| wanted == *name));
        for (_, lane) in lanes {
            let of_state = lane.entries.range(..(before, 0)).rev().filter(|(_, entry)| entry.state == state);
            found.extend(of_state.map(|((sequence, _), _)| *sequence).take(most));
        }
        found.into_iter().rev().take(most).collect()
    }
}

impl Lane {
    fn forget(&mut self, key: Key) {
        if let Some(old) = self.entries.remove(&key) {
            self.due.remove(&(old.due, key));
            self.leased.remove(&key);
            if let Some(count) = self.counts.get_mut(&old.state) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

/// The delivery of an entry.
pub(crate) fn id(destination: &DestinationName, key: Key, event: EventId) -> DeliveryId {
    DeliveryId { event, destination: destination.clone(), round: key.1 }
}
