//! The `Authorization` header: one field, a scheme, and what follows it.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::refused::Fault;

/// The longest value that is looked at, in bytes.
const MAX_VALUE: usize = 8 * 1024;

/// What a request offers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authorization<'a> {
    /// The `token68` after `Basic`.
    Basic(&'a [u8]),
    /// The parameters after `Digest`.
    Digest(&'a [u8]),
    /// Another scheme.
    Other,
}

impl<'a> Authorization<'a> {
    /// The one `Authorization` of a request, or none. Two of them may mean one thing here and another behind us.
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Option<Self>, Fault> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Self::parse(value.as_bytes()).map(Some),
            (Some(_), Some(_)) => Err(Fault::Repeated),
        }
    }

    /// `auth-scheme 1*SP …` (RFC 9110 section 11.4); the scheme in any case.
    fn parse(value: &'a [u8]) -> Result<Self, Fault> {
        if value.len() > MAX_VALUE {
            return Err(Fault::Malformed("it is longer than 8 KiB"));
        }
        let end = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
        let (scheme, rest) = value.split_at_checked(end).unwrap_or((value, b""));
        let rest = rest.trim_ascii();
        if scheme.is_empty() || rest.is_empty() {
            return Err(Fault::Malformed("it is not a scheme and something after it"));
        }
        Ok(match scheme {
            _ if scheme.eq_ignore_ascii_case(b"basic") => Self::Basic(rest),
            _ if scheme.eq_ignore_ascii_case(b"digest") => Self::Digest(rest),
            _ => Self::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_come_in_any_case_and_with_any_number_of_blanks() {
        assert_eq!(Authorization::parse(b"bAsIc  YQ== "), Ok(Authorization::Basic(b"YQ==")));
        assert_eq!(Authorization::parse(b"DIGEST a=b, c=d"), Ok(Authorization::Digest(b"a=b, c=d")));
        assert_eq!(Authorization::parse(b"Bearer x"), Ok(Authorization::Other));
        assert_eq!(Authorization::parse(b"Basic,x y"), Ok(Authorization::Other));
    }

    #[test]
    fn half_a_header_is_malformed() {
        for value in [&b""[..], b" ", b"Basic", b"Basic ", b" Basic x", b"Digest\tx"] {
            assert!(matches!(Authorization::parse(value), Err(Fault::Malformed(_))), "{value:?}");
        }
    }
}
