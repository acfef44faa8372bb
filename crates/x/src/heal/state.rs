//! What the machine knows, as it is kept between runs.

use std::collections::VecDeque;

use hookhouse_core::Timestamp;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::policy::MOST_CALLS_AN_HOUR;
use crate::calls::webhooks::Webhook;
use crate::id::WebhookId;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// What it is all about: with another URL the rest means nothing.
    pub(super) url: String,
    pub(super) watching_since: Timestamp,
    pub(super) webhook: Option<WebhookId>,
    pub(super) phase: Phase,
    /// Nothing is done before.
    pub(super) due: Timestamp,
    pub(super) trouble: Option<Trouble>,
    pub(super) want: Option<Want>,
    /// When X was last seen to call it valid.
    pub(super) seen_valid: Option<Timestamp>,
    /// When X last challenged it and was answered.
    pub(super) last_crc: Option<Timestamp>,
    /// When X was last asked to.
    pub(super) last_asked: Option<Timestamp>,
    /// In a row.
    pub(super) failures: u32,
    pub(super) last_error: Option<String>,
    /// What our own challenge found out, if it was not answered rightly.
    pub(super) last_fault: Option<String>,
    /// When X is last known to have reached us, from when on our own challenges find something in the way.
    #[serde(default)]
    pub(super) cut_off_since: Option<Timestamp>,
    pub(super) calls: Calls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    Look,
    Probe,
    Validate,
    Register,
    /// Looking how a challenge went; `again` for whether a second look is allowed.
    Confirm {
        again: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trouble {
    Invalid { since: Timestamp },
    Missing { since: Timestamp },
}

/// Why a webhook that is valid is to be challenged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Want {
    Outage,
    Doubt,
    Stale,
}

impl Want {
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Outage => "after an outage of our own",
            Self::Doubt => "X had said that a challenge failed",
            Self::Stale => "none had come for long",
        }
    }
}

impl State {
    pub(super) fn new(url: &str, now: Timestamp) -> Self {
        Self {
            url: url.to_owned(),
            watching_since: now,
            webhook: None,
            phase: Phase::Look,
            due: now,
            trouble: None,
            want: None,
            seen_valid: None,
            last_crc: None,
            last_asked: None,
            failures: 0,
            last_error: None,
            last_fault: None,
            cut_off_since: None,
            calls: Calls::default(),
        }
    }

    /// From when on X may have sent nothing, or in vain: since it was last seen valid, or else, of a webhook that was
    /// never seen so, since it exists; and earlier where something had been in the way before X called it invalid.
    pub(super) fn gap_begins(&mut self, webhook: &Webhook) -> Option<Timestamp> {
        let seen = self.seen_valid.or_else(|| webhook.created_at.as_deref()?.parse().ok());
        self.cut_off_since.take().into_iter().chain(seen).min()
    }
}

/// When the last calls were made: as many as an hour may have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Calls(VecDeque<Timestamp>);

impl Calls {
    pub(super) fn note(&mut self, now: Timestamp) {
        self.0.push_back(now);
        while self.0.len() > MOST_CALLS_AN_HOUR {
            self.0.pop_front();
        }
    }

    /// Until when the hour has no call left.
    pub(super) fn full_until(&self, now: Timestamp) -> Option<Timestamp> {
        let first = *self.0.front().filter(|_| self.0.len() >= MOST_CALLS_AN_HOUR)?;
        // A clock that was set back would keep the hour full for longer than one.
        let end = first.checked_add(SignedDuration::from_hours(1)).ok()?;
        let latest = now.checked_add(SignedDuration::from_hours(1)).ok()?;
        (now < end).then_some(end.min(latest))
    }
}
