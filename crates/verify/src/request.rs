//! What arrived: method, raw target, headers and body, none of it parsed or normalised.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// One HTTP request, as received.
///
/// Signatures cover bytes, so nothing here is decoded: the target is the request line's, the header values are the
/// wire's, the body is what the sender sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, in the sender's spelling: `POST`.
    pub method: Cow<'static, str>,
    /// The request target in origin form, undecoded: `/webhooks/x?crc_token=…`.
    pub target: String,
    /// The header fields, in order.
    pub headers: Headers,
    /// The body, exactly as received.
    pub body: Bytes,
}

impl Request {
    /// A request from its parts; header names are lower-cased, values kept byte for byte.
    ///
    /// # Errors
    /// When a header name or value could not have been sent in an HTTP/1.1 message.
    pub fn new<N, V>(
        method: impl Into<Cow<'static, str>>,
        target: impl Into<String>,
        headers: &[(N, V)],
        body: impl Into<Bytes>,
    ) -> Result<Self, HeaderError>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        Ok(Self {
            method: method.into(),
            target: target.into(),
            headers: Headers::from_pairs(headers.iter().map(|(n, v)| (n.as_ref(), v.as_ref())))?,
            body: body.into(),
        })
    }

    /// The target up to the first `?`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The target after the first `?`, undecoded; `None` where there is no `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// Prints no value that a signature, a credential or a person's words could be in.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Header fields in the order they arrived: names lower-cased, values byte-exact.
///
/// One buffer in HTTP's own form, `name: value\r\n` for each field, so that a request costs one allocation for all of
/// its headers and a store can keep them as they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Bytes);

impl Headers {
    /// Fields from names and values.
    ///
    /// # Errors
    /// When a name is no HTTP token, or a value has a control character other than a tab: either would change the
    /// shape of the buffer.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, HeaderError> {
        let mut block = Vec::with_capacity(1024);
        for (name, value) in pairs {
            let start = block.len();
            block.extend(name.bytes().map(|b| TOKEN.get(usize::from(b)).copied().unwrap_or(NO_TOKEN)));
            if name.is_empty() || block.get(start..).is_some_and(|name| name.contains(&NO_TOKEN)) {
                return Err(HeaderError::Name);
            }
            // All of them are looked at, which is faster than to stop at the first.
            if value.iter().fold(false, |odd, b| odd | ((*b < 0x20 && *b != b'\t') || *b == 0x7f)) {
                return Err(HeaderError::Value { name: name.to_ascii_lowercase() });
            }
            block.extend_from_slice(b": ");
            block.extend_from_slice(value);
            block.extend_from_slice(b"\r\n");
        }
        // As large as it is, because it is kept for as long as the request is.
        Ok(Self(Bytes::copy_from_slice(&block)))
    }

    /// Fields from the buffer that [`Headers::as_bytes`] gave.
    ///
    /// # Errors
    /// When the buffer is not of that form.
    pub fn parse(block: Bytes) -> Result<Self, HeaderError> {
        let parsed = Self(block);
        let rebuilt = Self::from_pairs(parsed.iter())?;
        if rebuilt == parsed { Ok(parsed) } else { Err(HeaderError::Block) }
    }

    /// The buffer: `name: value\r\n` for each field.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            // A name has no colon and a value no carriage return, so the first of each ends them.
            let (line, tail) = rest.split_at_checked(rest.iter().position(|b| *b == b'\r')?)?;
            let (name, value) = line.split_at_checked(line.iter().position(|b| *b == b':')?)?;
            rest = tail.strip_prefix(b"\r\n")?;
            Some((std::str::from_utf8(name).ok()?, value.strip_prefix(b": ")?))
        })
    }

    /// Every value of a field, in order; `name` in lower case.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        // As `iter`, but what the other names are does not matter.
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            loop {
                let (line, tail) = rest.split_at_checked(rest.iter().position(|b| *b == b'\r')?)?;
                rest = tail.strip_prefix(b"\r\n")?;
                let value = line.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b": "));
                if value.is_some() {
                    return value;
                }
            }
        })
    }

    /// The value of a field that must not be repeated.
    ///
    /// # Errors
    /// [`Repeated`] when the field occurs more than once: which of them a proxy, a framework or the sender meant is
    /// not ours to guess.
    pub fn one(&self, name: &str) -> Result<Option<&[u8]>, Repeated> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Repeated),
        }
    }
}

/// Names only: values may hold signatures and credentials.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// A field that must occur at most once occurs twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated;

/// A header that HTTP could not carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The name is empty or holds a character outside RFC 9110's `token`.
    #[error("a header name is not an HTTP token")]
    Name,
    /// The value holds a control character.
    #[error("the value of header `{name}` has a control character")]
    Value {
        /// The field's name.
        name: String,
    },
    /// The buffer is not `name: value\r\n` lines.
    #[error("not a block of header lines")]
    Block,
}

/// What a byte of a name is in lower case, where a token may have it (RFC 9110 section 5.6.2).
const TOKEN: [u8; 256] = {
    let mut table = [NO_TOKEN; 256];
    let mut byte = 0;
    while byte < table.len() {
        let b = byte as u8;
        if b.is_ascii_alphanumeric()
            || matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        {
            table[byte] = b.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Stands in the table for what no token has.
const NO_TOKEN: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_order_repeats_and_bytes() {
        let headers =
            Headers::from_pairs([("X-A", &b"1"[..]), ("b", b""), ("x-a", b"caf\xc3\xa9: \xff")]).unwrap();
        assert_eq!(
            headers.iter().collect::<Vec<_>>(),
            [("x-a", &b"1"[..]), ("b", b""), ("x-a", b"caf\xc3\xa9: \xff")]
        );
        assert_eq!(headers.one("b"), Ok(Some(&b""[..])));
        assert_eq!(headers.one("c"), Ok(None));
        assert_eq!(headers.one("x-a"), Err(Repeated));
        assert_eq!(headers.one("x-"), Ok(None));
        assert_eq!(headers.one(""), Ok(None));
        assert_eq!(headers.all("x-a").collect::<Vec<_>>(), [&b"1"[..], b"caf\xc3\xa9: \xff"]);
        assert_eq!(Headers::parse(headers.as_bytes().clone()), Ok(headers));
    }

    #[test]
    fn what_would_change_the_block_is_refused() {
        for (name, value) in [("", &b"v"[..]), ("a b", b"v"), ("a:", b"v"), ("a", b"v\r\nb: c"), ("a", b"\0")]
        {
            assert!(Headers::from_pairs([(name, value)]).is_err(), "{name:?}");
        }
        for block in [&b"a: b"[..], b"a b\r\n", b"A: b\r\n", b"a: b\r\ngarbage"] {
            assert!(Headers::parse(Bytes::copy_from_slice(block)).is_err(), "{block:?}");
        }
    }

    #[test]
    fn the_target_splits_at_the_first_question_mark_only() {
        let request = Request::new("GET", "/a?b?c=%3F", &[] as &[(&str, &str)], "").unwrap();
        assert_eq!((request.path(), request.query()), ("/a", Some("b?c=%3F")));
    }

    #[test]
    fn debug_shows_no_values() {
        let request = Request::new("POST", "/p?token=hush", &[("authorization", "hush")], "hush").unwrap();
        assert!(!format!("{request:?}").contains("hush"));
    }
}
