//! What a SendGrid source is configured with.

use std::time::Duration;

use crate::secret::Key;

/// Keys and policy of a SendGrid source.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// SendGrid's public keys, in base64, the current one first.
    pub public_keys: Vec<Key>,
    /// How far the signed time may lie from ours, to either side; without it, any time will do. SendGrid's retries are
    /// up to 24 hours old.
    pub tolerance: Option<Duration>,
}
