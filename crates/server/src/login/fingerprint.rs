//! Texts that are compared without a trace in time.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

/// The SHA-256 of a text: comparing two of them tells neither a length nor a common beginning.
pub(super) struct Fingerprint(Zeroizing<[u8; 32]>);

impl Fingerprint {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut out = Zeroizing::new([0; 32]);
        out.copy_from_slice(digest(&SHA256, text).as_ref());
        Self(out)
    }

    /// Whether it is the fingerprint of `text`.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        verify_slices_are_equal(&*self.0, &*Self::of(text).0).is_ok()
    }
}

/// A password's digest can be guessed at leisure, so it shows as little as the password.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
