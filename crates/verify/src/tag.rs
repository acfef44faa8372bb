//! Signatures in their written form, compared in constant time.
//!
//! What arrived is never decoded. The expected signature is written out and the two texts are compared, so that there
//! is one spelling of every signature: no aliases in base64's last character, no other case in hex, no blanks.

use std::fmt;

use aws_lc_rs::constant_time;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};

use crate::descriptor::Encoding;

/// The signature that a message must carry.
///
/// It has no `PartialEq`, so that nothing compares it but [`Tag::matches`].
pub struct Tag(String);

impl Tag {
    pub(crate) fn new(digest: &[u8], encoding: Encoding) -> Self {
        Self(match encoding {
            Encoding::Hex => HEXLOWER.encode(digest),
            Encoding::Base64 => BASE64.encode(digest),
            Encoding::Base64Url => BASE64URL_NOPAD.encode(digest),
        })
    }

    /// Whether `received` is this signature. The time it takes depends on the two lengths alone, and the length of a
    /// signature is no secret.
    #[must_use]
    pub fn matches(&self, received: &[u8]) -> bool {
        self.0.len() == received.len()
            && constant_time::verify_slices_are_equal(self.0.as_bytes(), received).is_ok()
    }

    /// The text, for a request that is being signed.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag([redacted])")
    }
}

/// Whether `text` has the form in which a digest of `bytes` bytes is written: its length, its alphabet, its padding.
///
/// The form is public knowledge, so this may answer early.
pub(crate) fn is_well_formed(text: &[u8], bytes: usize, encoding: Encoding) -> bool {
    match encoding {
        Encoding::Hex => {
            text.len() == bytes * 2 && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        }
        Encoding::Base64 => {
            let padding = (3 - bytes % 3) % 3;
            text.len() == bytes.div_ceil(3) * 4
                && text.split_at_checked(text.len() - padding).is_some_and(|(digits, pad)| {
                    digits.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
                        && pad.iter().all(|b| *b == b'=')
                })
        }
        Encoding::Base64Url => {
            text.len() == (bytes * 4).div_ceil(3)
                && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Encoding; 3] = [Encoding::Hex, Encoding::Base64, Encoding::Base64Url];

    #[test]
    fn a_tag_matches_its_own_text_and_nothing_shorter_longer_or_other() {
        for encoding in ALL {
            let digest = [0xfb_u8; 32];
            let text = Tag::new(&digest, encoding).into_text();
            let tag = Tag::new(&digest, encoding);
            assert!(tag.matches(text.as_bytes()));
            assert!(!tag.matches(b""));
            assert!(!tag.matches(&text.as_bytes()[..text.len() - 1]));
            assert!(!tag.matches(format!("{text}=").as_bytes()));
            for at in 0..text.len() {
                let mut other = text.clone().into_bytes();
                other[at] ^= 1;
                assert!(!tag.matches(&other), "byte {at} of {encoding:?}");
            }
        }
    }

    #[test]
    fn well_formed_is_what_a_tag_is_written_as() {
        for encoding in ALL {
            for bytes in [20_usize, 32, 64] {
                let text = Tag::new(&vec![0xfb; bytes], encoding).into_text();
                assert!(is_well_formed(text.as_bytes(), bytes, encoding), "{text}");
                for other in ["", "=", &text[1..], &format!("{text}A"), &text.replacen(&text[..1], " ", 1)] {
                    assert!(!is_well_formed(other.as_bytes(), bytes, encoding), "{other} as {encoding:?}");
                }
            }
        }
        assert!(!is_well_formed(&b"AB".repeat(32), 32, Encoding::Hex), "upper case");
        assert!(!is_well_formed(&b"=".repeat(44), 32, Encoding::Base64));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Tag::new(b"hush", Encoding::Hex)), "Tag([redacted])");
    }
}
