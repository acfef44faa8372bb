//! What an X source is configured with.

use std::time::Duration;

use crate::secret::Key;

/// Keys and policy of an X source.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Consumer secrets (OAuth 1.0a API key secrets), the current one first.
    pub consumer: Vec<Key>,
    /// OAuth 2.0 client secrets, the current one first.
    pub oauth2: Vec<Key>,
    /// How challenges are answered.
    pub crc: CrcPolicy,
}

/// How challenges are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CrcPolicy {
    /// Whether the challenge must be signed.
    pub signature: CrcSignature,
    /// Which tokens are signed.
    pub shape: CrcShape,
    /// Whose key answers an unsigned challenge.
    pub key: CrcKey,
    /// How far the time in a signed challenge's nonce may lie from ours; without it, an old one is answered and noted.
    /// An unsigned challenge has no time to speak of, so this means most beside [`CrcSignature::Require`].
    pub max_age: Option<Duration>,
}

/// Whether a challenge must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrcSignature {
    /// A signature is checked where there is one. X does not promise to sign every challenge.
    #[default]
    IfPresent,
    /// An unsigned challenge is refused.
    Require,
}

/// Which tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrcShape {
    /// Any [`CrcToken`](super::CrcToken), as X's own guide has users try `foo`.
    #[default]
    Any,
    /// Only what X sends today: base64 of a UUID, beside a nonce that is the base64 of a time. Whoever asks can then
    /// choose among meaningless values alone; if X changes its challenge, none is answered.
    XStrict,
}

/// Whose key answers an unsigned challenge. X's pages disagree on which one it expects of an app that has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrcKey {
    /// The consumer secret.
    #[default]
    Consumer,
    /// The OAuth 2.0 client secret.
    Oauth2,
}
