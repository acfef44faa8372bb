//! Secrets, and the named keys made of them.

use std::fmt;

use jiff::Timestamp;
use zeroize::Zeroizing;

/// Bytes that must not be seen: never empty, never printed, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    ///
    /// # Errors
    /// [`EmptySecret`]: an empty key makes a signature that anybody can make.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, EmptySecret> {
        let bytes = Zeroizing::new(bytes.into());
        if bytes.is_empty() { Err(EmptySecret) } else { Ok(Self(bytes)) }
    }

    /// The bytes, for a MAC or for the one place that must send them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A secret was empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret must not be empty")]
pub struct EmptySecret;

/// A secret with the name operators know it by and, for a former one, the moment it stops to count.
#[derive(Debug, Clone)]
pub struct Key {
    /// What evidence and logs call it: `consumer_secret`, `previous_secrets[0]`.
    pub name: String,
    /// The secret itself.
    pub secret: Secret,
    /// From this moment on the key accepts nothing; it is still tried, so that a refusal can say "retired key".
    pub not_after: Option<Timestamp>,
}

impl Key {
    /// A key that does not expire.
    pub fn new(name: impl Into<String>, secret: Secret) -> Self {
        Self { name: name.into(), secret, not_after: None }
    }

    /// Whether the key still counts at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_empty_and_never_printed() {
        assert_eq!(Secret::new("").unwrap_err(), EmptySecret);
        let key = Key::new("k", Secret::new("hush").unwrap());
        assert!(!format!("{key:?}").contains("hush"));
    }

    #[test]
    fn a_key_ends_at_its_moment() {
        let mut key = Key::new("k", Secret::new("s").unwrap());
        let end: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        assert!(key.is_active(end));
        key.not_after = Some(end);
        assert!(!key.is_active(end));
        assert!(key.is_active(end - jiff::SignedDuration::from_millis(1)));
    }
}
