//! Nonces: a time and a salt under a MAC, so that a challenge costs no memory.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use hookhouse_core::SourceName;

/// The key of a login's nonces: 32 random bytes, made at start and used for one login alone, because what counts the
/// uses of a nonce begins and ends with it. After a restart, nonces from before are foreign; a sender that knows the
/// password is given a new one. Gateways of a cluster share it, and count the uses together.
pub struct NonceKey(hmac::Key);

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

impl NonceKey {
    /// A key from random bytes.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &random))
    }

    /// The key of a source's nonces, of one that all sources have in common.
    pub(crate) fn of_source(common: &[u8; KEY_BYTES], source: &SourceName) -> Self {
        let common = hmac::Key::new(hmac::HMAC_SHA256, common);
        let own = hmac::sign(&common, &[b"digest nonces of ", source.as_str().as_bytes()].concat());
        Self(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()))
    }
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What tells nonces apart. The order is that of their issue, to a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NonceId {
    /// When it was issued, in milliseconds of Unix time.
    pub(super) issued: i64,
    /// What keeps two of one millisecond apart: with one nonce between them, two senders would seem to repeat.
    pub(super) salt: u64,
}

impl NonceId {
    /// Whether it was made later than any gateway's clock can be, by one that was wrong: it would be good for longer than
    /// its uses are remembered.
    pub(super) fn is_ahead(self, now: i64) -> bool {
        self.issued.saturating_sub(now) > SKEW
    }
}

impl fmt::Display for NonceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.issued, self.salt)
    }
}

/// How far the clocks of gateways may be apart, in milliseconds.
pub(super) const SKEW: i64 = 5 * 60 * 1000;

/// Makes nonces and knows them again.
#[derive(Debug)]
pub(super) struct Mint {
    key: NonceKey,
    count: AtomicU64,
}

impl Mint {
    pub(super) fn new(key: NonceKey) -> Self {
        Self { key, count: AtomicU64::new(0) }
    }

    /// One of several with the same key: they count from different places, so that no two make the same nonce.
    pub(super) fn beside_others(key: NonceKey) -> Self {
        Self { key, count: AtomicU64::new(rand::random()) }
    }

    /// A nonce that was never issued before. The salt is made from a counter, but does not tell its value.
    pub(super) fn issue(&self, issued: i64) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mask = hmac::sign(&self.key.0, &[b"salt".as_slice(), &count.to_be_bytes()].concat());
        let salt = mask.as_ref().first_chunk().map_or(count, |bytes| u64::from_be_bytes(*bytes));
        let (head, tag) = self.seal(NonceId { issued, salt });
        BASE64URL_NOPAD.encode(&[&head, tag.as_ref()].concat())
    }

    /// Whose nonce it is, if it is ours.
    pub(super) fn open(&self, nonce: &[u8]) -> Option<NonceId> {
        let bytes = BASE64URL_NOPAD.decode(nonce.get(..ENCODED).filter(|_| nonce.len() == ENCODED)?).ok()?;
        let (head, tag) = bytes.split_first_chunk::<HEAD>()?;
        let (issued, salt) = head.split_first_chunk::<8>()?;
        hmac::verify(&self.key.0, &labelled(head), tag).ok()?;
        Some(NonceId { issued: i64::from_be_bytes(*issued), salt: u64::from_be_bytes(*salt.first_chunk()?) })
    }

    fn seal(&self, id: NonceId) -> ([u8; HEAD], hmac::Tag) {
        let mut head = [0; HEAD];
        let (issued, salt) = head.split_at_mut(8);
        issued.copy_from_slice(&id.issued.to_be_bytes());
        salt.copy_from_slice(&id.salt.to_be_bytes());
        (head, hmac::sign(&self.key.0, &labelled(&head)))
    }
}

/// What the MAC is over: never what a salt is made from.
fn labelled(head: &[u8; HEAD]) -> Vec<u8> {
    [b"nonce".as_slice(), head].concat()
}

/// A time and a salt.
const HEAD: usize = 16;
/// The length of a nonce: 48 bytes in base64.
const ENCODED: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn mint(byte: u8) -> Mint {
        Mint::new(NonceKey::new([byte; 32]))
    }

    #[test]
    fn nonces_of_one_millisecond_differ() {
        let mint = mint(1);
        let issued: HashSet<_> =
            (0..1_000).map(|_| mint.open(mint.issue(5).as_bytes()).unwrap().salt).collect();
        assert_eq!(issued.len(), 1_000);
    }

    #[test]
    fn another_key_makes_other_nonces() {
        assert!(mint(1).open(mint(2).issue(5).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn a_nonce_is_known_again_and_any_other_text_is_not(
            issued in any::<i64>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mint = mint(1);
            let nonce = mint.issue(issued).into_bytes();
            prop_assert_eq!(mint.open(&nonce).map(|id| id.issued), Some(issued));
            let mut changed = nonce.clone();
            changed[at.index(nonce.len())] = byte;
            prop_assert_eq!(mint.open(&changed).is_some(), changed == nonce);
            prop_assert!(mint.open(&nonce[..at.index(nonce.len())]).is_none());
            prop_assert!(mint.open(&[&nonce[..], &[byte]].concat()).is_none());
        }
    }
}
