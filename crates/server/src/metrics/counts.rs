//! What was counted, for those who look at one source or one destination.

use std::sync::PoisonError;

use hookhouse_core::{DestinationName, SourceName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Metrics;

/// What became of a source's requests, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestCounts {
    /// Requests that became events.
    pub accepted: u64,
    /// Repeats, which were acknowledged and not stored again.
    pub duplicate: u64,
    /// Challenges that were answered.
    pub challenges: u64,
    /// Requests that were turned away.
    pub refused: u64,
}

/// What came of the attempts to deliver to a destination, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptCounts {
    /// Answered with 2xx.
    pub delivered: u64,
    /// Answered with another status.
    pub refused: u64,
    /// Not answered.
    pub failed: u64,
    /// Not sent, because the destination does not want them.
    pub skipped: u64,
}

impl Metrics {
    /// What became of a source's requests.
    pub(crate) fn requests(&self, source: &SourceName) -> RequestCounts {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources.get(source).map(|source| source.counts()).unwrap_or_default()
    }

    /// What came of the attempts to deliver to a destination.
    pub(crate) fn attempts(&self, destination: &DestinationName) -> AttemptCounts {
        self.destination(destination).map(|destination| destination.counts()).unwrap_or_default()
    }
}
