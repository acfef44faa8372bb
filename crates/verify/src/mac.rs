//! Keys in the form a MAC wants, made once per verifier.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;

use crate::descriptor::{Digest, Encoding};
use crate::secret::Key;
use crate::tag::Tag;

impl Digest {
    pub(crate) fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    /// The length of the digest.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A key's name, its end, and the MAC's state after the key was fed to it.
pub(crate) struct MacKey {
    name: String,
    not_after: Option<Timestamp>,
    mac: hmac::Key,
}

impl MacKey {
    /// A key whose bytes are the secret's own.
    pub(crate) fn new(key: &Key, digest: Digest) -> Self {
        Self::with_bytes(key, digest, key.secret.expose())
    }

    /// A key whose bytes were decoded from the secret.
    pub(crate) fn with_bytes(key: &Key, digest: Digest, bytes: &[u8]) -> Self {
        Self {
            name: key.name.clone(),
            not_after: key.not_after,
            mac: hmac::Key::new(digest.algorithm(), bytes),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The signature of a message that is given in parts.
    pub(crate) fn tag(&self, message: &[&[u8]], encoding: Encoding) -> Tag {
        tag(&self.mac, message, encoding)
    }

    fn is_active(&self, now: Timestamp) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacKey")
            .field("name", &self.name)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// The signature of a message under key bytes that are used once.
pub(crate) fn sign(key: &[u8], digest: Digest, message: &[&[u8]], encoding: Encoding) -> Tag {
    tag(&hmac::Key::new(digest.algorithm(), key), message, encoding)
}

fn tag(key: &hmac::Key, message: &[&[u8]], encoding: Encoding) -> Tag {
    let mut context = hmac::Context::with_key(key);
    for part in message {
        context.update(part);
    }
    Tag::new(context.sign().as_ref(), encoding)
}

/// The SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// The keys that one signature may be made with, in the order they are tried.
#[derive(Debug, Default)]
pub(crate) struct Keyring(Vec<MacKey>);

impl Keyring {
    pub(crate) fn new(keys: impl IntoIterator<Item = MacKey>) -> Self {
        Self(keys.into_iter().collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first key that counts at `now`.
    pub(crate) fn first_active(&self, now: Timestamp) -> Option<&MacKey> {
        self.0.iter().find(|key| key.is_active(now))
    }

    /// The first active key under which `try_key` finds a match.
    ///
    /// # Errors
    /// [`NoMatch`] when there is none. A retired key never accepts: it is tried afterwards, for the message only.
    pub(crate) fn find<T>(
        &self,
        now: Timestamp,
        mut try_key: impl FnMut(&MacKey) -> Option<T>,
    ) -> Result<(&MacKey, T), NoMatch> {
        for key in self.0.iter().filter(|key| key.is_active(now)) {
            if let Some(found) = try_key(key) {
                return Ok((key, found));
            }
        }
        let retired = self.0.iter().find(|key| !key.is_active(now) && try_key(key).is_some());
        Err(NoMatch { retired: retired.map(|key| key.name.clone()) })
    }
}

/// No active key matched.
#[derive(Debug)]
pub(crate) struct NoMatch {
    /// The retired key that would have.
    pub(crate) retired: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn ring(ends: &[Option<&str>]) -> Keyring {
        Keyring::new(ends.iter().enumerate().map(|(index, end)| {
            let mut key = Key::new(format!("k{index}"), Secret::new(format!("secret {index}")).unwrap());
            key.not_after = end.map(|end| end.parse().unwrap());
            MacKey::new(&key, Digest::Sha256)
        }))
    }

    #[test]
    fn active_keys_are_tried_in_order_and_retired_ones_never_accept() {
        let ring = ring(&[Some("2026-01-01T00:00:00Z"), None, None]);
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        let mut tried = Vec::new();
        let found = ring.find(now, |key| {
            tried.push(key.name().to_owned());
            (key.name() == "k2").then_some(())
        });
        assert_eq!(found.unwrap().0.name(), "k2");
        assert_eq!(tried, ["k1", "k2"]);
        let missed = ring.find(now, |key| (key.name() == "k0").then_some(())).unwrap_err();
        assert_eq!(missed.retired.as_deref(), Some("k0"));
        assert_eq!(ring.find(now, |_| None::<()>).unwrap_err().retired, None);
        assert_eq!(ring.first_active(now).unwrap().name(), "k1");
    }

    #[test]
    fn a_mac_over_parts_is_the_mac_over_their_concatenation() {
        let whole = sign(b"k", Digest::Sha1, &[b"abc"], Encoding::Hex);
        let parts = sign(b"k", Digest::Sha1, &[b"a", b"", b"bc"], Encoding::Hex);
        assert!(whole.matches(parts.into_text().as_bytes()));
    }

    #[test]
    fn debug_shows_names_only() {
        let text = format!("{:?}", ring(&[None]));
        assert!(text.contains("k0") && !text.contains("secret 0"), "{text}");
    }
}
