//! Exceptions, counted.

use hookhouse_core::DeliveryState;

/// How many exceptions there are in the file, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) pending: u64,
    pub(crate) waiting: u64,
    pub(crate) dead: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, state: DeliveryState) {
        if let Some(count) = self.of(state) {
            *count += 1;
        }
    }

    pub(crate) fn remove(&mut self, state: DeliveryState) {
        if let Some(count) = self.of(state) {
            *count = count.saturating_sub(1);
        }
    }

    pub(crate) fn of(&mut self, state: DeliveryState) -> Option<&mut u64> {
        match state {
            DeliveryState::Pending => Some(&mut self.pending),
            DeliveryState::Waiting => Some(&mut self.waiting),
            DeliveryState::Dead => Some(&mut self.dead),
            DeliveryState::Leased | DeliveryState::Delivered | DeliveryState::Cancelled => None,
        }
    }
}
