//! What was done, in a line each: for the log, for people.

use std::fmt;

use hookhouse_core::Timestamp;
use serde::Serialize;

use crate::id::{JobId, WebhookId};
use crate::window::{Window, clock};

/// Something that was done or found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Deed {
    /// X stopped sending.
    FoundInvalid {
        /// The webhook.
        webhook: WebhookId,
        /// When X last called it valid, where that is known.
        last_valid: Option<Timestamp>,
    },
    /// X does not have the URL.
    FoundMissing {
        /// The URL.
        url: String,
    },
    /// X has been told to challenge, and calls the webhook valid again.
    Revalidated {
        /// The webhook.
        webhook: WebhookId,
        /// For how long it was not, as far as we know: `2h 10m`.
        invalid_for: String,
    },
    /// A webhook that was valid has been challenged: after an outage, or because no challenge had come for long.
    Refreshed {
        /// The webhook.
        webhook: WebhookId,
        /// Why.
        why: &'static str,
    },
    /// X calls the webhook valid again, without our doing.
    Recovered {
        /// The webhook.
        webhook: WebhookId,
        /// For how long it was not.
        invalid_for: String,
    },
    /// The URL was registered.
    Registered {
        /// The webhook.
        webhook: WebhookId,
    },
    /// It did not work; it will be tried again.
    HealFailed {
        /// What did not work.
        what: &'static str,
        /// Why not, and what to do.
        why: String,
        /// When it is tried again.
        again: Timestamp,
    },
    /// The URL answers so that a challenge now would invalidate a webhook that is valid: none is asked for.
    Postponed {
        /// What is wrong, and what to do.
        why: String,
        /// When it is tried again.
        again: Timestamp,
    },
    /// X takes on a replay.
    ReplayStarted {
        /// Which.
        job: JobId,
        /// Of what.
        window: Window,
    },
    /// A window was sent again, whole.
    Replayed {
        /// Which job.
        job: JobId,
        /// What.
        window: Window,
    },
    /// A replay did not end well, or not at all; the window will be asked for again.
    ReplayFailed {
        /// The window.
        window: Window,
        /// Why.
        why: String,
        /// When it is tried again.
        again: Timestamp,
    },
    /// What of a gap cannot be had any more.
    Lost {
        /// The window.
        window: Window,
        /// Why.
        why: String,
    },
    /// A window was asked for several times, and X never said that all of it was sent.
    Doubtful {
        /// The window.
        window: Window,
    },
}

impl Deed {
    /// Whether somebody should look: the log's level.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::FoundInvalid { .. }
            | Self::FoundMissing { .. }
            | Self::HealFailed { .. }
            | Self::Postponed { .. }
            | Self::ReplayFailed { .. }
            | Self::Lost { .. }
            | Self::Doubtful { .. } => true,
            Self::Revalidated { .. }
            | Self::Refreshed { .. }
            | Self::Recovered { .. }
            | Self::Registered { .. }
            | Self::ReplayStarted { .. }
            | Self::Replayed { .. } => false,
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FoundInvalid { webhook, last_valid } => {
                write!(f, "X calls webhook {webhook} invalid and sends nothing")?;
                last_valid.map_or(Ok(()), |at| write!(f, "; it was valid at {}", clock(at)))
            }
            Self::FoundMissing { url } => write!(f, "X has no webhook for {url}"),
            Self::Revalidated { webhook, invalid_for } => {
                write!(f, "re-validated webhook {webhook} after {invalid_for} invalid")
            }
            Self::Refreshed { webhook, why } => write!(f, "had X challenge webhook {webhook}: {why}"),
            Self::Recovered { webhook, invalid_for } => {
                write!(f, "X calls webhook {webhook} valid again after {invalid_for}")
            }
            Self::Registered { webhook } => {
                write!(f, "registered webhook {webhook}; subscriptions are made anew for a new webhook")
            }
            Self::HealFailed { what, why, again } => {
                write!(f, "{what} failed: {why}; again at {}", clock(*again))
            }
            Self::Postponed { why, again } => {
                write!(
                    f,
                    "no challenge asked for, it would invalidate the webhook: {why}; again at {}",
                    clock(*again)
                )
            }
            Self::ReplayStarted { job, window } => write!(f, "X replays {window} (job {job})"),
            Self::Replayed { job, window } => write!(f, "X replayed {window} (job {job})"),
            Self::ReplayFailed { window, why, again } => {
                write!(f, "replay of {window} failed: {why}; again at {}", clock(*again))
            }
            Self::Lost { window, why } => {
                write!(f, "what was missed from {window} cannot be had any more: {why}")
            }
            Self::Doubtful { window } => {
                write!(f, "events of {window} may be incomplete: X never said that the replay was whole")
            }
        }
    }
}
