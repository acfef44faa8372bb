//! The token that opens the admin API to whoever may read the store's folder.

use std::fmt;
use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;

use crate::runtime::write_private;
use crate::server::ServeError;

/// A bearer token: 256 random bits, kept as its digest.
pub struct Token([u8; 32]);

impl Token {
    /// The file in the store's folder.
    pub const FILE: &'static str = "admin.token";

    /// Reads the token of a store, or makes one, readable by its owner alone. Its text comes along where it was made
    /// now: nobody has seen it yet.
    ///
    /// # Errors
    /// When the file can neither be read nor written.
    pub fn keep(folder: &Path) -> Result<(Self, Option<String>), ServeError> {
        let file = folder.join(Self::FILE);
        let kept = std::fs::read_to_string(&file).ok().filter(|text| text.trim().len() >= 32);
        if let Some(text) = kept {
            return Ok((Self(fingerprint(text.trim())), None));
        }
        let text = BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>());
        write_private(&file, &text).map_err(|source| ServeError::Folder { file: Self::FILE, source })?;
        Ok((Self(fingerprint(&text)), Some(text)))
    }

    /// Whether this is the token. Both sides are digests, so neither length nor content shows in the time it takes.
    pub(crate) fn matches(&self, offered: &str) -> bool {
        verify_slices_are_equal(&self.0, &fingerprint(offered)).is_ok()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The digest that is kept of a token.
pub(super) fn fingerprint(text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_private_and_matches_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (first, shown) = Token::keep(folder.path()).unwrap();
        let file = folder.path().join(Token::FILE);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(first.matches(text.trim()));
        assert_eq!(shown.as_deref(), Some(text.trim()));
        let (again, shown) = Token::keep(folder.path()).unwrap();
        assert!(again.matches(text.trim()));
        assert_eq!(shown, None, "shown once");
        for wrong in ["", "x", &text.trim()[1..], &text] {
            assert!(!first.matches(wrong));
        }
    }
}
