//! What a request's head must be before anything is made of it.
//!
//! hyper parses well; what it lets through and we do not is here: methods, targets, `Host`, codings, sizes.
//! Everything is judged on the bytes received; nothing is decoded or normalised.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Version};

use crate::answer::{Refuse, Refused};

/// The most header fields.
const MAX_FIELDS: usize = 64;
/// The longest request head, in bytes, as it stood on the wire.
const MAX_HEAD: usize = 32 * 1024;
/// The longest request target, in bytes.
const MAX_TARGET: usize = 8 * 1024;

/// A head that passed: the raw target, and the host it was addressed to.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// Path and query, as received.
    pub(crate) target: &'a str,
}

/// Checks a head. `hosts` are the ones that are served, in lower case without port; empty for any.
pub(crate) fn check<'a>(parts: &'a Parts, hosts: &[String]) -> Result<Head<'a>, Refused> {
    check_sizes(parts)?;
    check_method(parts.method.as_str())?;
    let target = check_target(parts)?;
    check_host(parts, hosts)?;
    check_framing(&parts.headers)?;
    Ok(Head { target })
}

fn check_sizes(parts: &Parts) -> Result<(), Refused> {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET {
        return Err(Refused::new(
            Refuse::UriTooLong,
            "http.uri_too_long",
            format!("the target has {target} bytes; {MAX_TARGET} are taken"),
        ));
    }
    let fields = parts.headers.len();
    // "METHOD SP target SP HTTP/1.1 CRLF", and "name: value CRLF" for each field.
    let head = parts.headers.iter().fold(target + parts.method.as_str().len() + 12, |sum, (name, value)| {
        sum + name.as_str().len() + value.len() + 4
    });
    if fields > MAX_FIELDS || head > MAX_HEAD {
        return Err(Refused::new(
            Refuse::HeadersTooLarge,
            "http.head_too_large",
            format!("{fields} header fields, {head} bytes; {MAX_FIELDS} and {MAX_HEAD} are taken"),
        ));
    }
    Ok(())
}

/// Methods are case-sensitive (RFC 9110 section 9.1). CONNECT and TRACE have no business here.
fn check_method(method: &str) -> Result<(), Refused> {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => Ok(()),
        _ => Err(Refused::new(
            Refuse::NotImplemented,
            "http.method",
            "the method is not one that is served anywhere",
        )),
    }
}

/// Origin form of printable ASCII with whole %-escapes; an absolute form only for the host that `Host` names.
fn check_target(parts: &Parts) -> Result<&str, Refused> {
    let bad = |reason: &str| Refused::new(Refuse::BadRequest, "http.target_invalid", reason);
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    if !target.starts_with('/') {
        return Err(bad("the target does not begin with `/`"));
    }
    let bytes = target.as_bytes();
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(bad("the target has a byte that is not printable ASCII"));
    }
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let whole =
        bytes.iter().enumerate().filter(|(_, b)| **b == b'%').all(|(at, _)| hex(at + 1) && hex(at + 2));
    if whole { Ok(target) } else { Err(bad("the target has a broken %-escape")) }
}

/// Exactly one well-formed host, one that is served, and the same one wherever it is named (RFC 9112 section 3.2).
fn check_host(parts: &Parts, hosts: &[String]) -> Result<(), Refused> {
    let bad = |reason: &str| Refused::new(Refuse::BadRequest, "http.host_invalid", reason);
    let mut values = parts.headers.get_all(HOST).iter();
    let (field, authority) = (values.next(), parts.uri.authority());
    if values.next().is_some() {
        return Err(bad("more than one `Host`"));
    }
    let field = match field.map(|value| value.to_str()) {
        None => None,
        Some(Ok(host)) if is_host(host) => Some(host),
        Some(_) => return Err(bad("`Host` is not a host name or address with an optional port")),
    };
    if let Some(authority) = authority {
        if !is_host(authority.as_str()) {
            return Err(bad("the target's authority is not a host with an optional port"));
        }
        if field.is_some_and(|host| !host.eq_ignore_ascii_case(authority.as_str())) {
            return Err(Refused::new(
                Refuse::BadRequest,
                "http.host_mismatch",
                "the target names another host than `Host`",
            ));
        }
    }
    let host = field.or(authority.map(http::uri::Authority::as_str));
    if host.is_none() && parts.version >= Version::HTTP_11 {
        return Err(bad("no `Host`"));
    }
    let served = hosts.is_empty()
        || host.is_some_and(|host| hosts.iter().any(|known| known.eq_ignore_ascii_case(without_port(host))));
    if served {
        Ok(())
    } else {
        Err(Refused::new(
            Refuse::Misdirected,
            "http.unknown_host",
            "`Host` is not one of `hosts` in [server]: add it there if it is yours",
        ))
    }
}

/// `uri-host [":" port]` of RFC 9110 section 7.2, without userinfo.
pub(crate) fn is_host(text: &str) -> bool {
    let (host, port) = split_port(text);
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']').is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&b))
        }
    };
    name && port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok())
}

/// A host without its port.
pub(crate) fn without_port(text: &str) -> &str {
    split_port(text).0
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// How the body is framed and coded: signatures are over the bytes on the wire, so nothing is inflated.
fn check_framing(headers: &HeaderMap) -> Result<(), Refused> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if codings.next().is_some() {
            return Err(Refused::new(
                Refuse::BadRequest,
                "http.te_malformed",
                "more than one `Transfer-Encoding`",
            ));
        }
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Refused::new(
                Refuse::NotImplemented,
                "http.te_unsupported",
                "a `Transfer-Encoding` other than `chunked`",
            ));
        }
    }
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(Refused::new(
            Refuse::BadRequest,
            "http.dup_content_length",
            "more than one `Content-Length`",
        ));
    }
    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Refused::new(
            Refuse::UnsupportedMedia,
            "body.content_encoding",
            "a `Content-Encoding`: bodies are verified as they are on the wire",
        ));
    }
    if headers.get_all(EXPECT).iter().any(|expect| !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refused::new(
            Refuse::ExpectationFailed,
            "http.expect",
            "an `Expect` other than `100-continue`",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in ["h", "h:80", "h:", "a.b-c_d", "[::1]", "[::1]:8080", "127.0.0.1:1"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", ":80", "a/b", "a b", "u@h", "h:x", "h:99999", "::1", "[::1", "[x]", "a\u{e4}"] {
            assert!(!is_host(bad), "{bad}");
        }
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
        assert_eq!(without_port("h:80"), "h");
    }
}
