//! Replays as jobs, as operators order and see them.

use hookhouse_core::store::{EventQuery, Order};
use hookhouse_core::{DestinationName, EventId, SourceName, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which events. An event is meant when it is all that is said; without anything, every event is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayFilter {
    /// Only these; nothing else may be said then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, max_items = 1000)]
    pub events: Vec<EventId>,
    /// Only of this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source: Option<SourceName>,
    /// Only of this type; `*` stands for any text, as in `post.*`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Only received at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Only those that a signature vouches for, or only those that none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

impl ReplayFilter {
    /// Whether nothing is said but which events, by their names.
    #[must_use]
    pub fn names_only(&self) -> bool {
        *self == Self { events: self.events.clone(), ..Self::default() }
    }

    /// The events that are meant, the oldest first.
    #[must_use]
    pub fn query(&self, limit: usize) -> EventQuery {
        EventQuery {
            source: self.source.clone(),
            event_type: self.event_type.clone(),
            since: self.since,
            until: self.until,
            verified: self.verified,
            order: Order::OldestFirst,
            limit,
            ..EventQuery::default()
        }
    }
}

/// A wish to deliver many events again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReplay {
    /// Which events, as of now: those that arrive later are not replayed.
    #[serde(default)]
    pub filter: ReplayFilter,
    /// Where to; without it, wherever each event's source delivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub destination: Option<DestinationName>,
    /// How many events a second; without it, as fast as the store takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10000)]
    pub rate: Option<u32>,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
}

/// How many events a filter means.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct EventCount {
    /// So many.
    pub events: u64,
    /// Whether all of the log was looked at; otherwise there are at least so many.
    pub complete: bool,
}

/// Where a replay stands: waiting for others; counting its events; making deliveries; through; called off; given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReplayState {
    /// It waits for other replays to end.
    Queued,
    /// It counts its events.
    Counting,
    /// It makes deliveries.
    Running,
    /// It is through.
    Done,
    /// An operator called it off; the deliveries that were made stay.
    Cancelled,
    /// It was given up.
    Failed,
}

impl ReplayState {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed)
    }
}

/// A replay of many events.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Replay)]
pub struct ReplayView {
    /// Its name: `rpl_7`.
    pub id: String,
    /// Where it stands.
    pub state: ReplayState,
    /// Which events.
    pub filter: ReplayFilter,
    /// Where to; `null` for wherever each event's source delivers.
    #[schema(value_type = Option<String>)]
    pub destination: Option<DestinationName>,
    /// How many events a second; `null` for as fast as the store takes them.
    pub rate: Option<u32>,
    /// Who ordered it: the id of a token.
    pub created_by: String,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How many events it is about; `null` until they are counted.
    pub total: Option<u64>,
    /// How many of them are dealt with.
    pub processed: u64,
    /// How many deliveries were made.
    pub deliveries: u64,
    /// How many events are gone, or deliver nowhere.
    pub skipped: u64,
    /// Why it was given up.
    pub error: Option<String>,
}
