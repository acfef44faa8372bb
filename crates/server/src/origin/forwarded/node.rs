//! How a hop is named: RFC 7239 section 6, and the looser ways of `X-Forwarded-For`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    /// Its address, in canonical form. Its port says nothing.
    Address(IpAddr),
    /// `unknown`, or a name that its proxy made up.
    Hidden,
}

impl Node {
    /// `node = nodename [ ":" node-port ]`; an IPv6 address has brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (text, None),
        };
        if !port.is_none_or(is_port) {
            return None;
        }
        if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) {
            return Some(Self::Hidden);
        }
        let address = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(v6) => IpAddr::V6(v6.parse::<Ipv6Addr>().ok()?),
            None => IpAddr::V4(name.parse::<Ipv4Addr>().ok()?),
        };
        Some(Self::Address(address.to_canonical()))
    }

    /// The same, or an IPv6 address without brackets, which is how `X-Forwarded-For` has it mostly.
    pub(super) fn parse_bare(text: &str) -> Option<Self> {
        match text.parse::<Ipv6Addr>() {
            Ok(address) => Some(Self::Address(IpAddr::V6(address).to_canonical())),
            Err(_) => Self::parse(text),
        }
    }
}

/// `1*5DIGIT`, which is to be a port too, or an obfuscated one.
fn is_port(text: &str) -> bool {
    let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    digits && text.parse::<u16>().is_ok() || is_obfuscated(text)
}

/// `"_" 1*( ALPHA / DIGIT / "." / "_" / "-" )`.
fn is_obfuscated(text: &str) -> bool {
    text.strip_prefix('_').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<Node> {
        Some(Node::Address(text.parse().unwrap()))
    }

    #[test]
    fn nodes_of_rfc_7239() {
        for (text, node) in [
            ("192.0.2.43", address("192.0.2.43")),
            ("192.0.2.43:47011", address("192.0.2.43")),
            ("192.0.2.43:_gazonk", address("192.0.2.43")),
            ("[2001:db8:cafe::17]", address("2001:db8:cafe::17")),
            ("[2001:db8:cafe::17]:4711", address("2001:db8:cafe::17")),
            ("[::ffff:192.0.2.43]", address("192.0.2.43")),
            ("unknown", Some(Node::Hidden)),
            ("UNKNOWN:80", Some(Node::Hidden)),
            ("_gazonk", Some(Node::Hidden)),
            ("_a.b-c_d:_p", Some(Node::Hidden)),
        ] {
            assert_eq!(Node::parse(text), node, "{text}");
        }
        for text in [
            "",
            ":",
            "_",
            "192.0.2",
            "192.0.2.043",
            "192.0.2.43:",
            "192.0.2.43:x",
            "192.0.2.43:123456",
            "192.0.2.43:65536",
            "192.0.2.43:+1",
            "192.0.2.43/32",
            "2001:db8::1",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]x",
            "[::1]:x",
            "[::1]:",
            "[[::1]]",
            "[192.0.2.1]",
            "[fe80::1%eth0]",
            " 192.0.2.43",
            "localhost",
            "0x7f.1",
            "3232235521",
            "_a b",
        ] {
            assert_eq!(Node::parse(text), None, "{text}");
        }
    }

    #[test]
    fn x_forwarded_for_has_ipv6_without_brackets_too() {
        assert_eq!(Node::parse_bare("2001:db8::1"), address("2001:db8::1"));
        assert_eq!(Node::parse_bare("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_eq!(Node::parse_bare("[2001:db8::1]:443"), address("2001:db8::1"));
        assert_eq!(Node::parse_bare("192.0.2.1:443"), address("192.0.2.1"));
        assert_eq!(Node::parse_bare("2001:db8::1%1"), None);
    }
}
