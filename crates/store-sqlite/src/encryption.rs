//! The keys of a store whose payloads are encrypted.
//!
//! The cipher is AES-256-GCM-SIV (RFC 8452) under a key derived from the configured one, with a random nonce for each
//! row. GCM-SIV is chosen because nothing has to be remembered to keep it safe: a nonce that comes twice, from two
//! copies of a store or in a billion years of rows, shows only whether the two plaintexts are the same.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use hookhouse_core::Secret;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// What tells a key from another, and nothing of the key.
pub(crate) type Fingerprint = [u8; 8];

/// Which keys there are: the one that new rows are sealed with, and former ones that older rows still need.
#[derive(Debug, Clone, Default)]
pub struct Encryption {
    pub(crate) current: Option<Arc<RowKey>>,
    pub(crate) all: Vec<Arc<RowKey>>,
}

impl Encryption {
    /// Seals with `key`, if there is one, and opens with it and the `previous` ones.
    ///
    /// # Errors
    /// [`KeyLength`] for a key that has not 32 bytes.
    pub fn new(key: Option<&Secret>, previous: &[Secret]) -> Result<Self, KeyLength> {
        let made = |key: &Secret| RowKey::new(key).map(Arc::new);
        let current = key.map(made).transpose()?;
        let mut all: Vec<_> = current.iter().cloned().collect();
        for former in previous {
            all.push(made(former)?);
        }
        Ok(Self { current, all })
    }

    /// Whether there is a key to seal with.
    #[must_use]
    pub fn can_seal(&self) -> bool {
        self.current.is_some()
    }

    /// Seals what is kept elsewhere than in the store's file: it opens under this name, with this key, and not
    /// otherwise. `None` where no key is given, or the system has no random bytes.
    #[must_use]
    pub fn seal(&self, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let key = self.current.as_ref()?;
        let sealed = key.seal(&elsewhere(name), bytes.to_vec()).ok()?;
        Some([&key.fingerprint[..], &sealed].concat())
    }

    /// What was sealed under this name; `None` where it was not, or with a key that is not given.
    #[must_use]
    pub fn open(&self, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (fingerprint, sealed) = sealed.split_first_chunk()?;
        self.with(fingerprint)?.open(&elsewhere(name), sealed)
    }

    pub(crate) fn with(&self, fingerprint: &Fingerprint) -> Option<&Arc<RowKey>> {
        self.all.iter().find(|key| key.fingerprint == *fingerprint)
    }
}

/// The same keys for the same ends.
impl PartialEq for Encryption {
    fn eq(&self, other: &Self) -> bool {
        let prints = |keys: &Self| keys.all.iter().map(|key| key.fingerprint).collect::<Vec<_>>();
        self.current.is_some() == other.current.is_some() && prints(self) == prints(other)
    }
}

impl Eq for Encryption {}

/// The place of what is not in the store's file: no row has one that begins so.
fn elsewhere(name: &str) -> Vec<u8> {
    format!("elsewhere: {name}").into_bytes()
}

/// A key that has another length than 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has {KEY_BYTES} bytes, this one has {0}")]
pub struct KeyLength(pub usize);

/// A key, ready for use.
pub(crate) struct RowKey {
    pub(crate) fingerprint: Fingerprint,
    cipher: RandomizedNonceKey,
}

/// Bytes of the nonce behind a sealed row.
const NONCE: usize = 12;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl RowKey {
    fn new(key: &Secret) -> Result<Self, KeyLength> {
        let wrong = KeyLength(key.expose().len());
        if key.expose().len() != KEY_BYTES {
            return Err(wrong);
        }
        let master = Salt::new(HKDF_SHA256, b"hookhouse store encryption 1").extract(key.expose());
        let derive = |purpose: &[u8], out: &mut [u8]| {
            master.expand(&[purpose], Length(out.len())).and_then(|made| made.fill(out)).map_err(|_| wrong)
        };
        let (mut rows, mut fingerprint) = (zeroize::Zeroizing::new([0; KEY_BYTES]), [0; 8]);
        derive(b"rows", &mut *rows)?;
        derive(b"fingerprint", &mut fingerprint)?;
        let cipher = RandomizedNonceKey::new(&AES_256_GCM_SIV, &*rows).map_err(|_| wrong)?;
        Ok(Self { fingerprint, cipher })
    }

    /// Seals bytes for one place: `about` says which, and opens them nowhere else.
    pub(crate) fn seal(&self, about: &[u8], mut bytes: Vec<u8>) -> Result<Vec<u8>, SealFailed> {
        let nonce =
            self.cipher.seal_in_place_append_tag(Aad::from(about), &mut bytes).map_err(|_| SealFailed)?;
        bytes.extend_from_slice(nonce.as_ref());
        Ok(bytes)
    }

    /// The bytes that were sealed for a place; `None` where they were not, or not with this key.
    pub(crate) fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (sealed, nonce) = sealed.split_last_chunk::<NONCE>()?;
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.cipher.open_in_place(nonce, Aad::from(about), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowKey({})", shown(&self.fingerprint))
    }
}

/// A fingerprint as people compare it.
pub(crate) fn shown(fingerprint: &[u8]) -> String {
    fingerprint.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("sealing a row failed")]
pub(crate) struct SealFailed;

impl From<SealFailed> for rusqlite::Error {
    fn from(failed: SealFailed) -> Self {
        Self::ToSqlConversionFailure(Box::new(failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret {
        Secret::new([byte; KEY_BYTES]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_with_its_key_and_not_otherwise() {
        let keys = Encryption::new(Some(&key(1)), &[key(2)]).unwrap();
        let [one, two] = &keys.all[..] else { panic!("two keys") };
        assert_eq!(keys.current.as_ref().unwrap().fingerprint, one.fingerprint);
        assert_ne!(one.fingerprint, two.fingerprint);
        let sealed = one.seal(b"here", b"hush hush".to_vec()).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert_eq!(one.open(b"here", &sealed).as_deref(), Some(&b"hush hush"[..]));
        assert_eq!(one.open(b"there", &sealed), None);
        assert_eq!(two.open(b"here", &sealed), None);
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert_eq!(one.open(b"here", &broken), None, "byte {at}");
            assert_eq!(one.open(b"here", &sealed[..at]), None, "cut at {at}");
        }
        assert_ne!(one.seal(b"here", b"hush hush".to_vec()).unwrap(), sealed, "a nonce of its own");
    }

    #[test]
    fn what_is_kept_elsewhere_opens_with_a_former_key_too_and_under_its_name_alone() {
        let old = Encryption::new(Some(&key(1)), &[]).unwrap();
        let new = Encryption::new(Some(&key(2)), &[key(1)]).unwrap();
        let sealed = old.seal("account", b"hush hush").unwrap();
        assert_eq!(new.open("account", &sealed).as_deref(), Some(&b"hush hush"[..]));
        assert_eq!(new.open("certificate", &sealed), None);
        assert_eq!(old.open("account", &new.seal("account", b"hush hush").unwrap()), None);
        assert_eq!(new.open("account", b"short"), None);
        assert_eq!(Encryption::default().seal("account", b"hush hush"), None);
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
    }

    #[test]
    fn a_key_has_32_bytes() {
        for length in [1, 31, 33, 64] {
            let wrong = Secret::new(vec![7; length]).unwrap();
            assert_eq!(Encryption::new(Some(&wrong), &[]).unwrap_err(), KeyLength(length));
            assert_eq!(Encryption::new(None, &[wrong]).unwrap_err(), KeyLength(length));
        }
    }

    #[test]
    fn a_key_is_not_printed() {
        let keys = Encryption::new(Some(&key(65)), &[]).unwrap();
        let printed = format!("{keys:?}");
        assert!(!printed.contains("65") && !printed.contains("AAAA"), "{printed}");
        assert!(printed.contains(&shown(&keys.all[0].fingerprint)));
    }

    #[test]
    fn keys_are_the_same_if_they_do_the_same() {
        let keys = |current, previous: &[u8]| {
            let previous: Vec<_> = previous.iter().copied().map(key).collect();
            Encryption::new(Option::map(current, key).as_ref(), &previous).unwrap()
        };
        assert_eq!(keys(Some(1), &[2]), keys(Some(1), &[2]));
        for other in [keys(Some(2), &[1]), keys(None, &[1, 2]), keys(Some(1), &[]), Encryption::default()] {
            assert_ne!(keys(Some(1), &[2]), other);
        }
    }
}
