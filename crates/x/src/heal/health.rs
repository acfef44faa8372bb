//! How a webhook is, for people and for alerts.

use std::fmt;

use hookhouse_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::Healer;
use super::policy::{ALERT_AFTER, INVALIDATED_AFTER};
use super::state::Trouble;
use crate::id::WebhookId;
use crate::window::clock;

/// How a webhook is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The URL.
    pub url: String,
    /// The webhook, once it was seen.
    pub webhook: Option<WebhookId>,
    /// What X says of it.
    pub condition: Condition,
    /// When X was last asked and called it valid.
    pub seen_valid: Option<Timestamp>,
    /// When X last challenged it and was answered.
    pub last_crc: Option<Timestamp>,
    /// When X invalidates it unless it is answered before.
    pub invalidated_at: Option<Timestamp>,
    /// When X is asked again.
    pub next_look: Timestamp,
    /// Failures in a row.
    pub failures: u32,
    /// What the last one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What somebody should look at.
    pub alerts: Vec<Alert>,
}

/// What X says of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It was not asked yet.
    Unknown,
    /// It sends events.
    Valid,
    /// It does not, since about this moment.
    Invalid {
        /// When we noticed.
        since: Timestamp,
    },
    /// It does not know the URL.
    Missing {
        /// When we noticed.
        since: Timestamp,
    },
}

/// Something that somebody should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alert {
    /// No challenge was answered for 20 hours.
    NoChallenge {
        /// Since when: the last one, or the beginning of watching.
        since: Timestamp,
    },
    /// X sends nothing.
    Invalid {
        /// When we noticed.
        since: Timestamp,
    },
    /// X does not know the URL.
    Missing {
        /// When we noticed.
        since: Timestamp,
    },
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChallenge { since } => {
                write!(
                    f,
                    "no challenge of X's was answered since {}: it gives a webhook up after 28 hours",
                    clock(*since)
                )
            }
            Self::Invalid { since } => {
                write!(f, "X calls the webhook invalid since {} and sends nothing", clock(*since))
            }
            Self::Missing { since } => write!(f, "X does not know the webhook, since {}", clock(*since)),
        }
    }
}

impl Healer {
    /// How the webhook is.
    #[must_use]
    pub fn health(&self, now: Timestamp) -> Health {
        let state = &self.state;
        let mut alerts = Vec::new();
        let condition = match state.trouble {
            Some(Trouble::Invalid { since }) => {
                alerts.push(Alert::Invalid { since });
                Condition::Invalid { since }
            }
            Some(Trouble::Missing { since }) => {
                alerts.push(Alert::Missing { since });
                Condition::Missing { since }
            }
            None if state.seen_valid.is_some() => Condition::Valid,
            None => Condition::Unknown,
        };
        let since = state.last_crc.unwrap_or(state.watching_since);
        if since.checked_add(ALERT_AFTER).is_ok_and(|limit| limit <= now) {
            alerts.push(Alert::NoChallenge { since });
        }
        Health {
            url: state.url.clone(),
            webhook: state.webhook.clone(),
            condition,
            seen_valid: state.seen_valid,
            last_crc: state.last_crc,
            invalidated_at: state.last_crc.and_then(|last| last.checked_add(INVALIDATED_AFTER).ok()),
            next_look: state.due,
            failures: state.failures,
            last_error: state.last_error.clone(),
            alerts,
        }
    }
}
