//! Reads a request that somebody pasted: from a log, a tunnel's inspector, or a packet capture.

use std::borrow::Cow;

use bytes::Bytes;

use crate::request::{HeaderError, Headers, Request};

/// A longer head is not one of a webhook.
const LONGEST_HEAD: usize = 64 << 10;

/// Why a text is not a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RawHttpError {
    /// There is nothing.
    #[error("there is no request")]
    Empty,
    /// The head goes on for too long, or the text is no head at all.
    #[error("the head is longer than 64 KiB: this is not an HTTP request")]
    HeadTooLong,
    /// The first line is not `METHOD target HTTP/1.1`.
    #[error("the first line is not `METHOD /path HTTP/1.1`")]
    RequestLine,
    /// A line of the head is not `Name: value`.
    #[error("line {line} of the head is not `Name: value`")]
    HeaderLine {
        /// The line, counted from 1.
        line: usize,
    },
    /// A header that HTTP could not carry.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// `Content-Length` is no number, or there are two that differ.
    #[error("`Content-Length` is not one number")]
    ContentLength,
    /// The body ends early.
    #[error(
        "the body has {found} bytes, and `Content-Length` says {expected}: it was cut, or its line ends were converted"
    )]
    BodyTooShort {
        /// What `Content-Length` says.
        expected: usize,
        /// What is there.
        found: usize,
    },
}

/// Reads a request as HTTP/1.1 writes it.
///
/// Lines of the head end with CR LF or LF. The body is as long as `Content-Length` says, so that a line end which an
/// editor added is left out, and else the rest; chunks are put together where they are all there. An absolute target
/// loses its scheme and host.
///
/// # Errors
/// When the text is no such request.
pub fn parse_raw_http(bytes: &[u8]) -> Result<Request, RawHttpError> {
    let mut rest = bytes;
    // What is copied out of a terminal begins with empty lines.
    while let Some(after) = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")) {
        rest = after;
    }
    let first = line(&mut rest)?.ok_or(RawHttpError::Empty)?;
    let (method, target, host) = request_line(first).ok_or(RawHttpError::RequestLine)?;
    let mut fields: Vec<(&str, &[u8])> = Vec::new();
    let head_begins = rest.len();
    let mut number = 1;
    // A request without a body may end without the empty line.
    while let Some(text) = line(&mut rest)?.filter(|text| !text.is_empty()) {
        number += 1;
        if head_begins - rest.len() > LONGEST_HEAD {
            return Err(RawHttpError::HeadTooLong);
        }
        fields.push(field(text).ok_or(RawHttpError::HeaderLine { line: number })?);
    }
    if let Some(host) = host
        && !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        fields.push(("host", host.as_bytes()));
    }
    let headers = Headers::from_pairs(fields)?;
    let body = body(&headers, rest)?;
    Ok(Request { method: Cow::Owned(method.to_owned()), target: target.to_owned(), headers, body })
}

/// The next line without its end; `None` where there is nothing left.
fn line<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RawHttpError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let end = rest.iter().take(LONGEST_HEAD).position(|b| *b == b'\n');
    if end.is_none() && rest.len() > LONGEST_HEAD {
        return Err(RawHttpError::HeadTooLong);
    }
    let (text, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((*rest, b""));
    *rest = after.strip_prefix(b"\n").unwrap_or(after);
    Ok(Some(text.strip_suffix(b"\r").unwrap_or(text)))
}

/// Method, target in origin form, and the host of an absolute one.
fn request_line(line: &[u8]) -> Option<(&str, &str, Option<&str>)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ').filter(|word| !word.is_empty());
    // No HTTP line has a tab or a lone carriage return in its target; a text that has one was put together wrongly.
    let (method, target) = (words.next()?, words.next().filter(|target| !target.contains(char::is_control))?);
    let is_version = words.next().is_none_or(|version| version.starts_with("HTTP/"));
    let is_method = method.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'));
    if !is_version || !is_method || words.next().is_some() {
        return None;
    }
    if target.starts_with('/') {
        return Some((method, target, None));
    }
    let (scheme, rest) = target.split_once("://")?;
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (is_http && !path.starts_with('?')).then_some((
        method,
        if path.is_empty() { "/" } else { path },
        Some(host),
    ))
}

fn field(line: &[u8]) -> Option<(&str, &[u8])> {
    let (name, value) = line.split_at_checked(line.iter().position(|b| *b == b':')?)?;
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
    Some((name, value.strip_prefix(b":")?.trim_ascii()))
}

fn body(headers: &Headers, rest: &[u8]) -> Result<Bytes, RawHttpError> {
    let is_chunked =
        headers.all("transfer-encoding").any(|coding| coding.to_ascii_lowercase().ends_with(b"chunked"));
    if is_chunked && let Some(whole) = unchunked(rest) {
        return Ok(Bytes::from(whole));
    }
    let mut lengths = headers.all("content-length");
    let Some(length) = lengths.next() else { return Ok(Bytes::copy_from_slice(rest)) };
    if lengths.any(|other| other != length) {
        return Err(RawHttpError::ContentLength);
    }
    let digits = std::str::from_utf8(length).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let expected: usize = digits.and_then(|text| text.parse().ok()).ok_or(RawHttpError::ContentLength)?;
    let (body, _) =
        rest.split_at_checked(expected).ok_or(RawHttpError::BodyTooShort { expected, found: rest.len() })?;
    Ok(Bytes::copy_from_slice(body))
}

/// The body that chunks make, if the text is all of them; what a tool has already put together is not.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(rest.len());
    loop {
        let size = line(&mut rest).ok()??;
        let size = std::str::from_utf8(size.split(|b| *b == b';').next()?).ok()?.trim();
        let is_hex = !size.is_empty() && size.bytes().all(|b| b.is_ascii_hexdigit());
        let size = usize::from_str_radix(size, 16).ok().filter(|_| is_hex)?;
        if size == 0 {
            return Some(whole);
        }
        let (chunk, after) = rest.split_at_checked(size)?;
        whole.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n"))?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Request {
        parse_raw_http(text.as_bytes()).unwrap()
    }

    fn error(text: &str) -> RawHttpError {
        parse_raw_http(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_pasted_request_is_read() {
        for end in ["\r\n", "\n"] {
            let text =
                format!("POST /a?b=%20c HTTP/1.1{end}Host: h{end}X-A:  1 {end}x-a:{end}{end}body\r\n\n");
            let request = parsed(&text);
            assert_eq!((request.method.as_ref(), request.target.as_str()), ("POST", "/a?b=%20c"));
            let headers: Vec<_> = request.headers.iter().collect();
            assert_eq!(headers, [("host", &b"h"[..]), ("x-a", b"1"), ("x-a", b"")]);
            assert_eq!(request.body.as_ref(), b"body\r\n\n");
        }
        assert_eq!(parsed("\r\n\nGET /a").body.as_ref(), b"");
        assert_eq!(parsed("GET /a HTTP/2\nhost: h").headers.one("host"), Ok(Some(&b"h"[..])));
    }

    #[test]
    fn the_body_is_as_long_as_the_head_says() {
        let with =
            |length: &str, body: &str| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}");
        assert_eq!(parsed(&with("4", "body\n")).body.as_ref(), b"body");
        assert_eq!(parsed(&with("0", "\n")).body.as_ref(), b"");
        assert_eq!(error(&with("5", "body")), RawHttpError::BodyTooShort { expected: 5, found: 4 });
        for length in ["+4", "4, 4", "x", "", "-1", "99999999999999999999999"] {
            assert_eq!(error(&with(length, "body")), RawHttpError::ContentLength, "{length}");
        }
        let two = "POST / HTTP/1.1\nContent-Length: 1\nContent-Length: 2\n\nbody";
        assert_eq!(error(two), RawHttpError::ContentLength);
    }

    #[test]
    fn chunks_are_put_together_where_they_are_there() {
        let with = |body: &str| format!("POST / HTTP/1.1\nTransfer-Encoding: gzip, chunked\n\n{body}");
        assert_eq!(
            parsed(&with("4\r\nbody\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n")).body.as_ref(),
            b"body0123456789"
        );
        for body in ["body", "4\r\nbo", "4\r\nbodyx", "+4\r\nbody\r\n0\r\n", ""] {
            assert_eq!(parsed(&with(body)).body.as_ref(), body.as_bytes(), "put together already");
        }
    }

    #[test]
    fn an_absolute_target_loses_its_host_to_the_header() {
        let request = parsed("GET https://u:p@h.example:8443/a?b HTTP/1.1\n\n");
        assert_eq!(request.target, "/a?b");
        assert_eq!(request.headers.one("host"), Ok(Some(&b"h.example:8443"[..])));
        let request = parsed("GET https://h.example HTTP/1.1\nHost: inner\n\n");
        assert_eq!((request.target.as_str(), request.headers.one("host")), ("/", Ok(Some(&b"inner"[..]))));
    }

    /// Found by fuzzing: a carriage return that a tool left inside a line became part of the target.
    #[test]
    fn a_control_character_in_the_target_is_refused() {
        for line in ["GET /a\rb HTTP/1.1", "GET /a\t HTTP/1.1", "GET http://h/a\u{7f} HTTP/1.1"] {
            assert_eq!(error(&format!("{line}\n\n")), RawHttpError::RequestLine, "{line:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(error(""), RawHttpError::Empty);
        assert_eq!(error("\n\r\n"), RawHttpError::Empty);
        for line in
            ["GET", "GET a HTTP/1.1", "GET / HTTP/1.1 x", "GET / x", "{\"a\": 1}", "HTTP/1.1 200 OK", "GET *"]
        {
            assert_eq!(error(&format!("{line}\n\n")), RawHttpError::RequestLine, "{line}");
        }
        assert_eq!(error("GET / HTTP/1.1\nHost: h\nno colon\n\n"), RawHttpError::HeaderLine { line: 3 });
        assert_eq!(error("GET / HTTP/1.1\n: v\n\n"), RawHttpError::HeaderLine { line: 2 });
        assert_eq!(error("GET / HTTP/1.1\na b: v\n\n"), RawHttpError::Header(HeaderError::Name));
        assert_eq!(error(&format!("GET /{}", "a".repeat(70_000))), RawHttpError::HeadTooLong);
        assert_eq!(error(&format!("GET / HTTP/1.1\n{}", "a: b\n".repeat(20_000))), RawHttpError::HeadTooLong);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), head in any::<bool>()) {
            let start: &[u8] = if head { b"POST / HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length: 3\n\n" } else { b"" };
            drop(parse_raw_http(&[start, &bytes].concat()));
        }
    }
}
