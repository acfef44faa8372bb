//! The digest of a body in the URL that is signed: `bodySHA256`.

use aws_lc_rs::constant_time;
use data_encoding::HEXLOWER;

use crate::mac;
use crate::verdict::Reject;

/// The parameter's name; the case matters.
pub(crate) const PARAMETER: &str = "bodySHA256";

/// The digest in its only accepted spelling, lower-case hex.
pub(crate) fn of(body: &[u8]) -> String {
    HEXLOWER.encode(&mac::sha256(body))
}

/// What a URL says that the body's digest is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announced<'a>(&'a str);

impl<'a> Announced<'a> {
    /// Reads it from a query.
    ///
    /// # Errors
    /// [`Reject::BodyDigestMismatch`] when there are several copies that differ: SDKs read the first or the last, so a
    /// request could mean two things.
    pub(crate) fn in_query(query: Option<&'a str>) -> Result<Option<Self>, Reject> {
        let mut copies = query.unwrap_or_default().split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name == PARAMETER).then_some(value)
        });
        let Some(first) = copies.next() else { return Ok(None) };
        if copies.all(|copy| copy == first) { Ok(Some(Self(first))) } else { Err(Reject::BodyDigestMismatch) }
    }

    /// Compares it with the body as it was received.
    pub(crate) fn check(self, body: &[u8]) -> Result<(), Reject> {
        constant_time::verify_slices_are_equal(self.0.as_bytes(), of(body).as_bytes())
            .map_err(|_| Reject::BodyDigestMismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, body: &str) -> Option<bool> {
        match Announced::in_query(Some(query)) {
            Ok(None) => None,
            Ok(Some(announced)) => Some(announced.check(body.as_bytes()).is_ok()),
            Err(_) => Some(false),
        }
    }

    #[test]
    fn only_the_exact_digest_of_the_body_passes() {
        let right = of(b"{}");
        assert_eq!(check(&format!("a=1&bodySHA256={right}"), "{}"), Some(true));
        assert_eq!(check(&format!("bodySHA256={right}&bodySHA256={right}"), "{}"), Some(true));
        for query in [
            format!("bodySHA256={}", right.to_uppercase()),
            format!("bodySHA256={right}&bodySHA256={}", of(b"")),
            format!("bodySHA256={}&bodySHA256={right}", of(b"")),
            format!("bodySHA256={right}&bodySHA256"),
            format!("bodySHA256={right}0"),
            format!("bodySHA256={}", &right[1..]),
            format!("bodySHA256=%{:x}{}", right.as_bytes()[0], &right[1..]),
            "bodySHA256=".to_owned(),
            "bodySHA256".to_owned(),
        ] {
            assert_eq!(check(&query, "{}"), Some(false), "{query}");
        }
        assert_eq!(check(&format!("bodysha256={right}"), "{}"), None, "the name's case matters");
        assert_eq!(check(&format!("xbodySHA256={right}"), "{}"), None);
        assert!(Announced::in_query(None).unwrap().is_none());
    }
}
