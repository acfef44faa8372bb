//! A destination, as configuration describes it.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{DestinationName, Secret};

use crate::salesforce;

/// Where events go, and how.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Its name.
    pub name: DestinationName,
    /// What is there.
    pub kind: Kind,
    /// Where to: `http` or `https`, without userinfo and fragment. An event's raw query is appended to an application's;
    /// of Salesforce, it is the login host.
    pub url: http::Uri,
    /// Whether 127.0.0.0/8 and ::1 may be dialled.
    pub allow_loopback: bool,
    /// How long one attempt may take, from dialling to the end of the answer.
    pub timeout: Duration,
    /// How many attempts run at once.
    pub concurrency: usize,
    /// When to try again.
    pub retry: RetrySchedule,
    /// With what to sign.
    pub sign: Option<DestinationSigning>,
}

/// What a destination is, and so what an attempt does.
#[derive(Debug, Clone)]
pub enum Kind {
    /// An application: it gets the request that was received.
    Http,
    /// A Salesforce org: it gets records.
    Salesforce(Arc<salesforce::Settings>),
}

/// When a failed delivery is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrySchedule {
    /// The pauses: before the second try, the third, and so on. After the last one the delivery is dead.
    pub pauses: Vec<Duration>,
    /// How far a pause strays from its length, as a share of it on either side: 0.2 makes 8 s to 12 s of 10 s.
    pub jitter: f64,
}

/// How requests to a destination are signed.
#[derive(Debug, Clone)]
pub enum DestinationSigning {
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature` (standardwebhooks.com).
    StandardWebhooks(Secret),
    /// As the event's own provider signs, for this URL and now.
    Provider(Secret),
}
