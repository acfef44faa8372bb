//! Hosts as written: which of them are addresses, in whose reading.
//!
//! A resolver, a URL parser and a person read `0177.1`, `2130706433` and `010.0.0.1` differently, so an address is
//! taken in one spelling only: four decimal numbers, or IPv6 in brackets. Every other host whose last label looks
//! like a number is refused, which is the rule by which URL parsers decide (WHATWG URL, "ends in a number").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Denied, LOOPBACK, check_address};

/// Whether a destination may have this URL, as far as its text tells.
///
/// # Errors
/// [`Denied`], in words for the operator.
pub fn check_host(url: &http::Uri, allow_loopback: bool) -> Result<(), Denied> {
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(Denied::Scheme);
    }
    let authority = url.authority().ok_or(Denied::NoHost)?;
    if authority.as_str().contains('@') {
        return Err(Denied::Userinfo);
    }
    let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    if !after_host.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(Denied::Port);
    }
    match parse(authority.host())? {
        Host::Address(address) => check_address(address, allow_loopback),
        Host::Loopback if allow_loopback => Ok(()),
        Host::Loopback => Err(Denied::LoopbackName { host: authority.host().to_owned() }),
        Host::Metadata => Err(Denied::MetadataName { host: authority.host().to_owned() }),
        Host::Name => Ok(()),
    }
}

/// The addresses that the host stands for without a resolver.
pub(crate) fn addresses(url: &http::Uri) -> Vec<IpAddr> {
    match url.host().map(parse) {
        Some(Ok(Host::Address(address))) => vec![address],
        Some(Ok(Host::Loopback)) => LOOPBACK.to_vec(),
        _ => Vec::new(),
    }
}

/// The port of a URL, its scheme's own where it names none.
pub(crate) fn port(url: &http::Uri) -> u16 {
    url.port_u16().unwrap_or(if url.scheme_str() == Some("https") { 443 } else { 80 })
}

/// The address that a host is, if it is one; `None` for a name to resolve.
pub(crate) fn literal(url: &http::Uri) -> Option<IpAddr> {
    match url.host().map(parse) {
        Some(Ok(Host::Address(address))) => Some(address),
        _ => None,
    }
}

/// What a host is.
enum Host {
    Address(IpAddr),
    Loopback,
    Metadata,
    Name,
}

fn parse(written: &str) -> Result<Host, Denied> {
    if let Some(inner) = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // A zone (`fe80::1%eth0`) and the future forms of RFC 3986 fail here too.
        return inner
            .parse::<Ipv6Addr>()
            .map(|address| Host::Address(address.into()))
            .map_err(|_| Denied::Name { host: written.to_owned() });
    }
    let name = written.trim_end_matches('.').to_ascii_lowercase();
    if name.is_empty() {
        return Err(Denied::NoHost);
    }
    // A percent sign would be decoded by some and not by others; the rest cannot be looked up.
    if name.split('.').any(str::is_empty) || !name.bytes().all(is_name_byte) {
        return Err(Denied::Name { host: written.to_owned() });
    }
    if ends_in_a_number(&name) {
        let plain = written.parse::<Ipv4Addr>().ok();
        return plain
            .map(|address| Host::Address(address.into()))
            .ok_or_else(|| Denied::Spelling { host: written.to_owned(), reads_as: loosely(&name) });
    }
    let is = |names: &[&str]| names.iter().any(|n| name == *n || name.ends_with(&format!(".{n}")));
    Ok(match () {
        () if is(&LOOPBACK_NAMES) => Host::Loopback,
        () if is(&METADATA_NAMES) => Host::Metadata,
        () => Host::Name,
    })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// Whether the last label is digits, or hexadecimal with its `0x`.
fn ends_in_a_number(name: &str) -> bool {
    let label = name.rsplit('.').next().unwrap_or(name);
    label.bytes().all(|b| b.is_ascii_digit())
        || label.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// What `inet_aton` reads: one to four numbers, octal after `0`, hexadecimal after `0x`, the last one filling the
/// rest of the address.
fn loosely(name: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u32> = name.split('.').map(number).collect::<Option<_>>()?;
    let (last, leading) = numbers.split_last()?;
    if leading.len() > 3 || leading.iter().any(|n| *n > 255) {
        return None;
    }
    let free_bits = 32 - 8 * u32::try_from(leading.len()).ok()?;
    if u64::from(*last) >= 1 << free_bits {
        return None;
    }
    let high = leading.iter().fold(0_u32, |value, n| (value << 8) | n);
    let high = u32::try_from(u64::from(high) << free_bits).ok()?;
    Some(Ipv4Addr::from(high | last))
}

fn number(label: &str) -> Option<u32> {
    if let Some(hex) = label.strip_prefix("0x") {
        return if hex.is_empty() { Some(0) } else { u32::from_str_radix(hex, 16).ok() };
    }
    if label.len() > 1 && label.starts_with('0') {
        return u32::from_str_radix(label, 8).ok();
    }
    label.parse().ok()
}

/// `localhost` and what lies under it never leave the machine (RFC 6761 section 6.3); the others are what the usual
/// `/etc/hosts` calls the same. A machine's own name is caught when it is dialled.
const LOOPBACK_NAMES: [&str; 6] =
    ["localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"];

/// Names of metadata services, refused before they resolve to an address that would be.
const METADATA_NAMES: [&str; 3] = ["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"];
