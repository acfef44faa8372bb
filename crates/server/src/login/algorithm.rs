//! The hash functions of Digest.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

/// A hash function of RFC 7616, without `-sess`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha256,
    /// For senders that know nothing else. Forging needs a preimage of a keyed text, not a collision, so it still
    /// holds; what it does not do is protect a weak password from whoever listens.
    Md5,
}

impl Algorithm {
    /// The algorithm by its name, in any case.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        [Self::Sha256, Self::Md5].into_iter().find(|known| known.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Its name in a challenge.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// What evidence calls a login by it.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Sha256 => "digest-sha256",
            Self::Md5 => "digest-md5",
        }
    }

    /// `H` of the parts with colons between them, in lower-case hex: every hash of RFC 7616 section 3.4 has this form.
    pub(super) fn hash(self, parts: &[&[u8]]) -> Zeroizing<String> {
        let text = Zeroizing::new(parts.join(&b':'));
        Zeroizing::new(match self {
            Self::Sha256 => HEXLOWER.encode(digest(&SHA256, &text).as_ref()),
            Self::Md5 => HEXLOWER.encode(&Md5::digest(&*text)),
        })
    }
}
