//! The sender's book held against the store and the destination.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::application::Taken;
use crate::ledger::{Ledger, Told};

/// What an audit found. The worst is the first: [`lost`](Self::lost).
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Events that were acknowledged.
    pub acknowledged: usize,
    /// Events in the store.
    pub stored: usize,
    /// Events that arrived at the destination.
    pub delivered: usize,
    /// Acknowledged, and not in the store.
    pub lost: Vec<u64>,
    /// More than once in the store.
    pub doubled: Vec<u64>,
    /// In the store or at the destination, and never sent, or not as it was sent.
    pub phantom: usize,
    /// Acknowledged, and never delivered.
    pub undelivered: Vec<u64>,
}

impl Findings {
    /// Holds the book against the store.
    #[must_use]
    pub fn of_store(ledger: &Ledger, events: &[Value]) -> Self {
        let mut findings = Self { stored: events.len(), ..Self::default() };
        let mut copies = BTreeMap::<u64, usize>::new();
        for event in events {
            // The bodies are ASCII: one that is exported otherwise is not what was sent.
            match event["body"].as_str().and_then(|body| ledger.number(body.as_bytes())) {
                Some(number) => *copies.entry(number).or_default() += 1,
                None => findings.phantom += 1,
            }
        }
        findings.doubled =
            copies.iter().filter(|(_, copies)| **copies > 1).map(|(number, _)| *number).collect();
        for (number, told) in (0..).zip(ledger.told()) {
            if told == Told::Acknowledged {
                findings.acknowledged += 1;
                if !copies.contains_key(&number) {
                    findings.lost.push(number);
                }
            }
        }
        findings
    }

    /// Holds the book against the destination, too.
    #[must_use]
    pub fn and_destination(mut self, ledger: &Ledger, taken: &Taken) -> Self {
        self.delivered = taken.events.len();
        self.phantom += taken.foreign;
        let acknowledged = (0..).zip(ledger.told()).filter(|(_, told)| *told == Told::Acknowledged);
        let missing = acknowledged.map(|(number, _)| number).filter(|number| !taken.events.contains(number));
        self.undelivered = missing.collect();
        self
    }

    /// Whether every promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.phantom == 0 && self.undelivered.is_empty()
    }

    /// Takes the findings of another book in.
    pub fn absorb(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.stored += other.stored;
        self.delivered += other.delivered;
        self.phantom += other.phantom;
        self.lost.extend(other.lost);
        self.doubled.extend(other.doubled);
        self.undelivered.extend(other.undelivered);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged: {} lost, {} twice, {} phantom or corrupt, {} undelivered",
            self.acknowledged,
            self.lost.len(),
            self.doubled.len(),
            self.phantom,
            self.undelivered.len()
        )
    }
}
