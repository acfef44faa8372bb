//! What happened: every event, every attempt, every challenge, every call. For tests to compare, and for people to read.

mod entry;
mod record;

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

pub use entry::{Entry, Watch};
pub use record::{AttemptRecord, CallRecord, CrcRecord, EventRecord, Family, Fate, Purpose, ValidityRecord};

/// What a platform remembers. The oldest entries of a kind go when there are more than [`Options::ledger`].
///
/// [`Options::ledger`]: super::Options::ledger
#[derive(Debug, Clone, Default, Serialize)]
pub struct Ledger {
    /// What somebody was to be told, once for each webhook, subscription and element; without duplicates and replays.
    pub events: VecDeque<EventRecord>,
    /// Every attempt to deliver, whatever for.
    pub attempts: VecDeque<AttemptRecord>,
    /// Every challenge.
    pub crcs: VecDeque<CrcRecord>,
    /// Every turn between valid and invalid.
    pub validity: VecDeque<ValidityRecord>,
    /// Every API call.
    pub calls: VecDeque<CallRecord>,
    /// API calls by endpoint, forgotten ones too.
    pub counts: BTreeMap<&'static str, u64>,
    #[serde(skip)]
    next: u64,
    #[serde(skip)]
    most: usize,
}

impl Ledger {
    pub(super) fn remembering(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// The number of the next record.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn event(&mut self, record: EventRecord) -> &EventRecord {
        push(&mut self.events, record, self.most)
    }

    pub(super) fn attempt(&mut self, record: AttemptRecord) -> &AttemptRecord {
        push(&mut self.attempts, record, self.most)
    }

    pub(super) fn crc(&mut self, record: CrcRecord) -> &CrcRecord {
        push(&mut self.crcs, record, self.most)
    }

    pub(super) fn turned(&mut self, record: ValidityRecord) -> &ValidityRecord {
        push(&mut self.validity, record, self.most)
    }

    pub(super) fn call(&mut self, record: CallRecord) -> &CallRecord {
        *self.counts.entry(record.endpoint).or_default() += 1;
        push(&mut self.calls, record, self.most)
    }

    /// Writes down what became of an event; what was delivered once stays so.
    pub(super) fn settle(&mut self, event: u64, fate: Fate) {
        if let Ok(at) = self.events.binary_search_by_key(&event, |record| record.number)
            && let Some(record) = self.events.get_mut(at)
            && record.fate != Fate::Delivered
        {
            record.fate = fate;
        }
    }

    /// The keys of the events that had one of these fates, sorted.
    #[must_use]
    pub fn keys(&self, fates: &[Fate]) -> Vec<&str> {
        let chosen = self.events.iter().filter(|event| fates.contains(&event.fate));
        let mut keys: Vec<_> = chosen.map(|event| event.key.as_str()).collect();
        keys.sort_unstable();
        keys
    }
}

fn push<T>(records: &mut VecDeque<T>, record: T, most: usize) -> &T {
    while records.len() >= most.max(1) {
        records.pop_front();
    }
    records.push_back(record);
    records.back().expect("it was just put there")
}
