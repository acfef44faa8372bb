//! `Forwarded`: RFC 7239 section 4, to the letter.
//!
//! ```text
//! Forwarded         = 1#forwarded-element
//! forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
//! forwarded-pair    = token "=" ( token / quoted-string )
//! ```
//!
//! Leniency would be a hole: a client that opens a quote and leaves it open could have the address that the proxy appends
//! read as part of its own string. So one malformed byte makes the whole header malformed, and each line of the header
//! must be well-formed alone. Empty elements of the list are passed over (RFC 9110 section 5.6.1.2). A `for`, `by`,
//! `host` or `proto` may stand once in an element; parameters that are not known are passed over, repeated or not.

use http::HeaderMap;

use super::{Doubt, MOST_HOPS, Node, x_forwarded};

pub(super) const HEADER: &str = "forwarded";

/// What one proxy says of the request it got.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Who made it; hidden too where there is no `for`.
    pub(super) node: Node,
    /// The `Host` it had, unchecked.
    pub(super) host: Option<String>,
    /// The scheme it was made with, unchecked.
    pub(super) proto: Option<String>,
}

/// The elements of all lines, the nearest proxy's last.
pub(super) fn read(headers: &HeaderMap) -> Result<Option<Vec<Element>>, Doubt> {
    let mut elements = None;
    for line in x_forwarded::lines(headers, HEADER) {
        read_line(line?, elements.get_or_insert_default())?;
    }
    Ok(elements)
}

fn read_line(line: &str, elements: &mut Vec<Element>) -> Result<(), Doubt> {
    let malformed = |at: &str| Doubt::malformed(HEADER, at);
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(BLANK);
        if !rest.is_empty() && !rest.starts_with(',') {
            if elements.len() >= MOST_HOPS {
                return Err(Doubt::TooManyHops { header: HEADER });
            }
            let (element, after) = element(rest).map_err(malformed)?;
            elements.push(element);
            rest = after.trim_start_matches(BLANK);
        }
        if rest.is_empty() {
            return Ok(());
        }
        rest = rest.strip_prefix(',').ok_or_else(|| malformed(rest))?;
    }
}

const BLANK: [char; 2] = [' ', '\t'];

/// An element and what follows it; the error is where it stopped making sense.
fn element(text: &str) -> Result<(Element, &str), &str> {
    let (mut node, mut by, mut host, mut proto) = (None, None, None, None);
    let mut rest = text;
    loop {
        if let Some((name, after)) = token(rest) {
            let (value, after) = value(after.strip_prefix('=').ok_or(after)?)?;
            let repeated = match name.to_ascii_lowercase().as_str() {
                "for" => node.replace(Node::parse(&value).ok_or(rest)?).is_some(),
                "by" => by.replace(value).is_some(),
                "host" => host.replace(value).is_some(),
                "proto" => proto.replace(value).is_some(),
                _ => false,
            };
            if repeated {
                return Err(rest);
            }
            rest = after;
        }
        match rest.strip_prefix(';') {
            Some(after) => rest = after,
            None => return Ok((Element { node: node.unwrap_or(Node::Hidden), host, proto }, rest)),
        }
    }
}

/// A token, if one stands here, and what follows it (RFC 9110 section 5.6.2).
fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|b| !(b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)));
    text.split_at_checked(end.unwrap_or(text.len())).filter(|(token, _)| !token.is_empty())
}

/// A token or a quoted string, unquoted, and what follows it (RFC 9110 section 5.6.4).
fn value(text: &str) -> Result<(String, &str), &str> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(token, after)| (token.to_owned(), after)).ok_or(text);
    };
    let mut unquoted = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next() {
            Some('"') => return Ok((unquoted, rest.as_str())),
            Some('\\') => unquoted.push(rest.next().ok_or(text)?),
            Some(other) => unquoted.push(other),
            None => return Err(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parse(lines: &[&str]) -> Result<Vec<Element>, Doubt> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HEADER, HeaderValue::from_str(line).unwrap());
        }
        read(&headers).map(Option::unwrap)
    }

    fn nodes(lines: &[&str]) -> Vec<String> {
        let shown = |element: Element| match element.node {
            Node::Address(address) => address.to_string(),
            Node::Hidden => "hidden".to_owned(),
        };
        parse(lines).unwrap().into_iter().map(shown).collect()
    }

    #[test]
    fn the_examples_of_the_rfc() {
        assert_eq!(nodes(&[r#"for="_gazonk""#]), ["hidden"]);
        assert_eq!(nodes(&[r#"For="[2001:db8:cafe::17]:4711""#]), ["2001:db8:cafe::17"]);
        assert_eq!(nodes(&["for=192.0.2.60;proto=http;by=203.0.113.43"]), ["192.0.2.60"]);
        assert_eq!(nodes(&["for=192.0.2.43, for=198.51.100.17"]), ["192.0.2.43", "198.51.100.17"]);
        assert_eq!(nodes(&["for=_hidden, for=_SEVKISEK"]), ["hidden", "hidden"]);
        let three = ["192.0.2.43", "2001:db8:cafe::17", "hidden"];
        assert_eq!(nodes(&[r#"for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown"#]), three);
        assert_eq!(nodes(&[r#"for=192.0.2.43, for="[2001:db8:cafe::17]", for=unknown"#]), three);
        assert_eq!(nodes(&["for=192.0.2.43", r#"for="[2001:db8:cafe::17]", for=unknown"#]), three);
        assert_eq!(nodes(&[r#"for="192.0.2.43:47011""#]), ["192.0.2.43"]);
        assert_eq!(nodes(&[r#"proto=http;host="example.com:8080";by="[2001:db8::1]""#]), ["hidden"]);
    }

    #[test]
    fn names_are_case_insensitive_and_values_are_unquoted() {
        let parsed = parse(&[r#"FOR=192.0.2.1;Host="a\.b:80";PROTO="h\ttps";ext="a,b;c\"d";;x=1"#]).unwrap();
        let node = Node::Address("192.0.2.1".parse().unwrap());
        assert_eq!(
            parsed,
            [Element { node, host: Some("a.b:80".to_owned()), proto: Some("https".to_owned()) }]
        );
    }

    #[test]
    fn empty_elements_are_passed_over() {
        assert_eq!(nodes(&[", for=192.0.2.1 ,\t, for=192.0.2.2,"]), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(parse(&["", " , "]).unwrap(), []);
        assert_eq!(nodes(&[";"]), ["hidden"]);
        assert_eq!(read(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn what_is_not_of_this_form_is_malformed_as_a_whole() {
        for line in [
            "192.0.2.1",
            "for",
            "for=",
            "=192.0.2.1",
            "for =192.0.2.1",
            "for= 192.0.2.1",
            "for=192.0.2.1; proto=http",
            "for=192.0.2.1 ;proto=http",
            "for=192.0.2.1 for=192.0.2.2",
            "for=192.0.2.1:80",
            "for=[2001:db8::1]",
            "for=2001:db8::1",
            r#"for="2001:db8::1""#,
            r#"for="[::1]:x""#,
            r#"for="[::1]"#,
            r#"for="192.0.2.1\"#,
            r#"for="192.0.2.1"x"#,
            r#"for="""#,
            "for=localhost",
            "for=192.0.2.1;for=192.0.2.1",
            "for=192.0.2.1;host=a;HOST=b",
            "for=192.0.2.1;proto=http;proto=http",
            "by=_a;by=_a",
            "for=bad, for=192.0.2.1",
            "for=192.0.2.1, for=bad",
        ] {
            assert!(matches!(parse(&[line]), Err(Doubt::Malformed { .. })), "{line}: {:?}", parse(&[line]));
        }
    }

    /// A client's open quote must not swallow what the proxy appends, on the same line or on the next.
    #[test]
    fn an_open_quote_swallows_nothing() {
        for lines in [
            &[r#"for=199.59.148.1;x=", for=203.0.113.9"#][..],
            &[r#"for=199.59.148.1;x=", for=203.0.113.9;by="_p""#],
            &[r#"for=199.59.148.1;x=", for="[2001:db8::9]""#],
            &[r#"for=199.59.148.1;x=""#, "for=203.0.113.9"],
            &[r#"for=199.59.148.1;x=""#, r#"for="[2001:db8::9]""#],
        ] {
            assert!(matches!(parse(lines), Err(Doubt::Malformed { .. })), "{lines:?}");
        }
    }

    #[test]
    fn hops_are_counted_over_all_lines() {
        let sixteen = ["for=_a"; 16].join(",");
        assert_eq!(parse(&[&sixteen, &sixteen]).unwrap().len(), 32);
        assert_eq!(parse(&[&sixteen, &sixteen, "for=_a"]), Err(Doubt::TooManyHops { header: HEADER }));
    }
}
