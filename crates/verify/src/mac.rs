//! Keys in the form that a MAC wants, made once per verifier.

use std::fmt;

use aws_lc_rs::{constant_time, digest, hmac};

use crate::descriptor::{Digest, Encoding};
use crate::keyring::Named;
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

/// The MAC's state after a key was fed to it.
pub(crate) struct MacKey(hmac::Key);

impl MacKey {
    pub(crate) fn new(digest: Digest, bytes: &[u8]) -> Self {
        Self(hmac::Key::new(digest.algorithm(), bytes))
    }

    /// A key whose bytes are the secret's own, under its name.
    pub(crate) fn named(key: &Key, digest: Digest) -> Named<Self> {
        Named::new(key, Self::new(digest, key.secret.expose()))
    }

    /// The signature of a message that is given in parts.
    pub(crate) fn tag(&self, message: &[&[u8]], encoding: Encoding) -> Tag {
        Tag::new(self.mac(message).as_ref(), encoding)
    }

    /// Whether the MAC of a message is these bytes, in constant time.
    pub(crate) fn makes(&self, message: &[&[u8]], bytes: &[u8]) -> bool {
        let mac = self.mac(message);
        mac.as_ref().len() == bytes.len()
            && constant_time::verify_slices_are_equal(mac.as_ref(), bytes).is_ok()
    }

    fn mac(&self, message: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in message {
            context.update(part);
        }
        context.sign()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey([redacted])")
    }
}

/// The signature of a message under key bytes that are used once.
pub(crate) fn sign(key: &[u8], digest: Digest, message: &[&[u8]], encoding: Encoding) -> Tag {
    MacKey::new(digest, key).tag(message, encoding)
}

/// The SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_over_parts_is_the_mac_over_their_concatenation() {
        let whole = sign(b"k", Digest::Sha1, &[b"abc"], Encoding::Hex);
        let parts = sign(b"k", Digest::Sha1, &[b"a", b"", b"bc"], Encoding::Hex);
        assert!(whole.matches(parts.into_text().as_bytes()));
    }

    #[test]
    fn a_key_makes_its_mac_and_nothing_else() {
        let key = MacKey::new(Digest::Sha256, b"k");
        let mac = key.mac(&[b"m"]);
        assert!(key.makes(&[b"m"], mac.as_ref()));
        for other in [&b""[..], &mac.as_ref()[1..], &[0; 32]] {
            assert!(!key.makes(&[b"m"], other));
        }
        assert!(!key.makes(&[b"n"], mac.as_ref()));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", MacKey::new(Digest::Sha1, b"hush")), "MacKey([redacted])");
    }
}
