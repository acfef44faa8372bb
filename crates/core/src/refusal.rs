//! Requests that were turned away.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::names::SourceName;

/// A request that was turned away, and why. It holds nothing that a sender could use and no credential: the body and
/// the query stay out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The id that the sender was told.
    pub request_id: String,
    /// When it arrived.
    pub at: Timestamp,
    /// The endpoint; `None` where the path is nobody's.
    pub source: Option<SourceName>,
    /// The sender's address.
    pub peer: Option<IpAddr>,
    /// The method, cut to a printable length.
    pub method: String,
    /// The path without its query, cut to a printable length.
    pub path: String,
    /// The status that was answered; 0 where the connection was closed without an answer.
    pub status: u16,
    /// The reason as a stable word: `sig.mismatch`.
    pub code: String,
    /// The reason in words.
    pub reason: String,
    /// How long the body was, as far as it was read.
    pub body_bytes: u64,
}

/// A refusal in the store, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRefusal {
    /// Its place in the log of refusals.
    pub sequence: Sequence,
    /// What was refused.
    #[serde(flatten)]
    pub refusal: Refusal,
}
