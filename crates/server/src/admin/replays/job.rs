//! A replay as the store keeps it.

use hookhouse_core::{DestinationName, Sequence, Timestamp};
use serde::{Deserialize, Serialize};

use crate::admin::view::{ReplayFilter, ReplayState, ReplayView};

/// A replay, with how far it has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) state: ReplayState,
    pub(super) filter: ReplayFilter,
    pub(super) destination: Option<DestinationName>,
    pub(super) rate: Option<u32>,
    pub(super) created_by: String,
    pub(super) created_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    /// The newest event when it was ordered: later ones are not meant.
    pub(super) until: Sequence,
    pub(super) total: Option<u64>,
    /// The last event that was dealt with; of a list of names, how many were.
    pub(super) position: u64,
    pub(super) processed: u64,
    pub(super) deliveries: u64,
    pub(super) skipped: u64,
    pub(super) error: Option<String>,
}

impl Job {
    pub(super) fn view(&self) -> ReplayView {
        ReplayView {
            id: name(self.number),
            state: self.state,
            filter: self.filter.clone(),
            destination: self.destination.clone(),
            rate: self.rate,
            created_by: self.created_by.clone(),
            created_at: self.created_at,
            finished_at: self.finished_at,
            total: self.total,
            processed: self.processed,
            deliveries: self.deliveries,
            skipped: self.skipped,
            error: self.error.clone(),
        }
    }

    /// Nothing more will happen.
    pub(super) fn finish(&mut self, state: ReplayState, now: Timestamp) {
        self.state = state;
        self.finished_at = Some(now);
    }
}

/// What a replay is called.
pub(super) fn name(number: u64) -> String {
    format!("rpl_{number}")
}

/// The replay that is called so.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("rpl_")?;
    let number: u64 = digits.parse().ok()?;
    (digits == number.to_string()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_spelt_in_one_way() {
        assert_eq!(number(&name(17)), Some(17));
        for bad in ["", "rpl_", "rpl_017", "rpl_+1", "evt_1", "rpl_1 "] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
