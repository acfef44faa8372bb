//! Version 1: a line of text.
//!
//! ```text
//! PROXY TCP4 192.0.2.1 198.51.100.1 51000 443 CR LF
//! PROXY TCP6 2001:db8::1 2001:db8::2 51000 443 CR LF
//! PROXY UNKNOWN [anything] CR LF
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::ProxyRefused;

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line there can be, its end included.
pub(super) const LONGEST: usize = 107;

/// How many bytes at least are missing at the end of a line that began; zero for a whole one.
pub(super) fn missing(line: &[u8]) -> Result<usize, ProxyRefused> {
    let (text, missing) = match line {
        [text @ .., b'\r', b'\n'] => (text, 0),
        [text @ .., b'\r'] => (text, 1),
        text => (text, 2),
    };
    if !text.iter().all(|b| b.is_ascii_graphic() || *b == b' ') {
        return Err(ProxyRefused::Malformed("a byte that is no printable ASCII in its line"));
    }
    if line.len() + missing > LONGEST {
        return Err(ProxyRefused::TooLong { most: LONGEST });
    }
    Ok(missing)
}

/// Whom a whole line names.
pub(super) fn parse(line: &[u8]) -> Result<Option<SocketAddr>, ProxyRefused> {
    let malformed = ProxyRefused::Malformed;
    let text = line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok());
    let mut fields = text.ok_or(malformed("no line"))?.split(' ').skip(1);
    let address: fn(&str) -> Option<IpAddr> = match fields.next() {
        Some("UNKNOWN") => return Ok(None),
        Some("TCP4") => |text| text.parse::<Ipv4Addr>().map(IpAddr::V4).ok(),
        Some("TCP6") => |text| text.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
        _ => return Err(malformed("neither TCP4 nor TCP6 nor UNKNOWN")),
    };
    let (Some(source), Some(destination), Some(source_port), Some(destination_port), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(malformed("not two addresses and two ports"));
    };
    let (Some(source), Some(_)) = (address(source), address(destination)) else {
        return Err(malformed("an address that is not one of its family"));
    };
    let (Some(source_port), Some(_)) = (port(source_port), port(destination_port)) else {
        return Err(malformed("a port that is not one"));
    };
    Ok(Some(SocketAddr::new(source, source_port)))
}

/// A decimal number without leading zeros, which could be taken for octal.
fn port(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|port| port.to_string() == text)
}
