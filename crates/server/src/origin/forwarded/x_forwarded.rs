//! `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `-Prefix`: lists without a standard.

use http::HeaderMap;

use super::{Doubt, MOST_HOPS, Node};

pub(super) const FOR: &str = "x-forwarded-for";
pub(super) const PROTO: &str = "x-forwarded-proto";
pub(super) const HOST: &str = "x-forwarded-host";
pub(super) const PORT: &str = "x-forwarded-port";
pub(super) const PREFIX: &str = "x-forwarded-prefix";

/// The addresses, the nearest proxy's client last. One that is none makes the whole header malformed.
pub(super) fn chain(headers: &HeaderMap) -> Result<Option<Vec<Node>>, Doubt> {
    if !headers.contains_key(FOR) {
        return Ok(None);
    }
    let node = |text: &str| Node::parse_bare(text).ok_or_else(|| Doubt::malformed(FOR, text));
    list(headers, FOR)?.into_iter().map(node).collect::<Result<_, _>>().map(Some)
}

/// The value for a hop. One value is everybody's; of several, each hop's own is as far from the right as its address.
pub(super) fn at_hop<'h>(
    headers: &'h HeaderMap,
    header: &'static str,
    from_right: usize,
) -> Result<Option<&'h str>, Doubt> {
    let values = list(headers, header)?;
    match values.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => match several.iter().rev().nth(from_right) {
            Some(own) => Ok(Some(own)),
            None => Err(Doubt::Ambiguous { header }),
        },
    }
}

/// A port from 1 to 65535, in its only spelling.
pub(super) fn port(header: &'static str, text: &str) -> Result<u16, Doubt> {
    let port = text.parse::<u16>().ok().filter(|port| *port != 0 && port.to_string() == text);
    port.ok_or_else(|| Doubt::malformed(header, text))
}

/// The path in front of the request's own, if there is one, without a slash at its end. Several are ambiguous: some
/// proxies append theirs and some replace what is there.
pub(super) fn prefix(headers: &HeaderMap) -> Result<Option<String>, Doubt> {
    let text = match list(headers, PREFIX)?.as_slice() {
        [] => return Ok(None),
        [only] => *only,
        _ => return Err(Doubt::Ambiguous { header: PREFIX }),
    };
    let segment = |b: u8| b.is_ascii_graphic() && !b"?#\\\"<>".contains(&b);
    if !text.starts_with('/') || !text.bytes().all(segment) {
        return Err(Doubt::malformed(PREFIX, text));
    }
    Ok(Some(text.trim_end_matches('/')).filter(|prefix| !prefix.is_empty()).map(str::to_owned))
}

/// The values of all lines, less the empty ones (RFC 9110 section 5.6.1.2).
fn list<'h>(headers: &'h HeaderMap, header: &'static str) -> Result<Vec<&'h str>, Doubt> {
    let mut values = Vec::new();
    for line in lines(headers, header) {
        for value in
            line?.split(',').map(|value| value.trim_matches([' ', '\t'])).filter(|value| !value.is_empty())
        {
            if values.len() >= MOST_HOPS {
                return Err(Doubt::TooManyHops { header });
            }
            values.push(value);
        }
    }
    Ok(values)
}

/// The lines of a header, in the order in which they came.
pub(super) fn lines<'h>(
    headers: &'h HeaderMap,
    header: &'static str,
) -> impl Iterator<Item = Result<&'h str, Doubt>> {
    headers.get_all(header).iter().map(move |line| line.to_str().map_err(|_| Doubt::Unprintable { header }))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn a_value_belongs_to_the_hop_that_is_as_far_from_the_right() {
        let ambiguous = Err(Doubt::Ambiguous { header: PROTO });
        for (lines, from_right, value) in [
            (&["https"][..], 0, Ok(Some("https"))),
            (&["https"], 3, Ok(Some("https"))),
            (&["https, http"], 0, Ok(Some("http"))),
            (&["https, http"], 1, Ok(Some("https"))),
            (&["https", "http"], 1, Ok(Some("https"))),
            (&["https, http"], 2, ambiguous),
            (&["", " ,"], 0, Ok(None)),
            (&[], 0, Ok(None)),
        ] {
            assert_eq!(at_hop(&headers(PROTO, lines), PROTO, from_right), value, "{lines:?} {from_right}");
        }
    }

    #[test]
    fn ports() {
        assert_eq!(port(PORT, "443"), Ok(443));
        for text in ["0", "080", "+80", "65536", "-1", "https", "8 0"] {
            assert!(matches!(port(PORT, text), Err(Doubt::Malformed { .. })), "{text}");
        }
    }

    #[test]
    fn prefixes() {
        for (text, read) in
            [("/a/b", Some("/a/b")), ("/a/", Some("/a")), ("/", None), ("", None), ("/a%20b", Some("/a%20b"))]
        {
            assert_eq!(prefix(&headers(PREFIX, &[text])).unwrap().as_deref(), read, "{text}");
        }
        for text in ["a", "/a?b", "/a#b", "/a b", "/a\\b", "https://h/a", "/a\"", "/<a>"] {
            assert!(matches!(prefix(&headers(PREFIX, &[text])), Err(Doubt::Malformed { .. })), "{text}");
        }
        assert_eq!(prefix(&headers(PREFIX, &["/a", "/b"])), Err(Doubt::Ambiguous { header: PREFIX }));
    }
}
