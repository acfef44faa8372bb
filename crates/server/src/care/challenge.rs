//! The challenges of a source: when X asked, and whether it was X.

use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{EventStore, SourceName, StoreError, Timestamp};
use hookhouse_x::heal::{ALERT_AFTER, Alert, INVALIDATED_AFTER};
use serde::{Deserialize, Serialize};

/// A challenge that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// When.
    pub at: Timestamp,
    /// Whether it was signed: what is not may be anybody's.
    pub signed: bool,
    /// The key that the answer was made with.
    pub key: String,
    /// How old it was by its own word, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<i64>,
    /// How long the answer took, in microseconds.
    pub took_us: u64,
}

/// What is known of a source's challenges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenges {
    /// Since when they are watched.
    pub since: Timestamp,
    /// The last one.
    pub last: Option<Challenge>,
    /// The last one that was signed.
    pub last_signed: Option<Challenge>,
}

impl Challenges {
    fn new(since: Timestamp) -> Self {
        Self { since, last: None, last_signed: None }
    }

    pub(super) fn add(&mut self, challenge: Challenge) {
        if challenge.signed {
            self.last_signed = Some(challenge.clone());
        }
        self.last = Some(challenge);
    }

    /// Adds what others know.
    pub(super) fn merge(&mut self, others: &Self) {
        let later = |mine: &mut Option<Challenge>, other: &Option<Challenge>| {
            let newest = |one: &Option<Challenge>| one.as_ref().map(|one| one.at);
            if newest(other) > newest(mine) {
                mine.clone_from(other);
            }
        };
        later(&mut self.last, &others.last);
        later(&mut self.last_signed, &others.last_signed);
        self.since = self.since.min(others.since);
    }

    /// When X gives the webhook up unless it is answered before. X's grace is four hours after the day that a success is
    /// good for.
    pub(super) fn invalidated_at(&self) -> Option<Timestamp> {
        after(self.last.as_ref()?.at, INVALIDATED_AFTER)
    }

    /// Silence that is not usual.
    pub(super) fn alert(&self, now: Timestamp) -> Option<Alert> {
        let since = self.last.as_ref().map_or(self.since, |last| last.at);
        after(since, ALERT_AFTER).filter(|limit| *limit <= now).map(|_| Alert::NoChallenge { since })
    }
}

fn after(at: Timestamp, by: Duration) -> Option<Timestamp> {
    at.checked_add(by).ok()
}

/// Where they are kept.
pub(super) fn key(source: &SourceName) -> String {
    format!("x/challenges/{source}")
}

/// What the store knows of a source.
pub(super) async fn load(store: &dyn EventStore, source: &SourceName, now: Timestamp) -> Challenges {
    let saved = store.state(&key(source)).await.ok().flatten();
    saved.and_then(|entry| serde_json::from_slice(&entry.value).ok()).unwrap_or_else(|| Challenges::new(now))
}

/// Keeps what is known of a source, together with what others have kept meanwhile.
pub(super) async fn save(
    store: &dyn EventStore,
    source: &SourceName,
    challenges: &Challenges,
) -> Result<(), StoreError> {
    let key = key(source);
    for _ in 0..MOST_RACES {
        let kept = store.state(&key).await?;
        let mut all = challenges.clone();
        if let Some(others) = kept.as_ref().and_then(|entry| serde_json::from_slice(&entry.value).ok()) {
            all.merge(&others);
        }
        let value = serde_json::to_vec(&all).map_err(|error| StoreError::Read(error.to_string()))?;
        match store.put_state(&key, Bytes::from(value), kept.map(|entry| entry.revision)).await {
            Err(StoreError::Conflict) => {}
            other => return other.map(drop),
        }
    }
    Err(StoreError::Conflict)
}

const MOST_RACES: usize = 8;
