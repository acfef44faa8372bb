//! Addresses that no event may go to.
//!
//! The ranges are those of the IANA special-purpose registries for IPv4 and IPv6; the metadata addresses are the ones
//! that the clouds document. An IPv4 address inside an IPv6 one counts as the address it stands for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Denied;

/// What a forbidden address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forbidden {
    /// 0.0.0.0/8 and `::`: a host without an address. Linux connects 0.0.0.0 to itself.
    ThisNetwork,
    /// 127.0.0.0/8 and `::1`, without the opt-in.
    Loopback,
    /// 169.254.0.0/16 and fe80::/10, where most metadata services are.
    LinkLocal,
    /// A metadata service elsewhere.
    Metadata,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 240.0.0.0/4.
    Reserved,
    /// 255.255.255.255.
    Broadcast,
}

/// Whether an address may be dialled.
///
/// # Errors
/// [`Denied::Address`] with the address as given and what it, or the IPv4 address inside it, is.
pub fn check_address(address: IpAddr, allow_loopback: bool) -> Result<(), Denied> {
    let forbidden = match address {
        IpAddr::V4(v4) => forbidden_v4(v4, allow_loopback),
        IpAddr::V6(v6) => forbidden_v6(v6, allow_loopback),
    };
    forbidden.map_or(Ok(()), |why| Err(Denied::Address { address, why }))
}

fn forbidden_v4(address: Ipv4Addr, allow_loopback: bool) -> Option<Forbidden> {
    match address.octets() {
        [0, ..] => Some(Forbidden::ThisNetwork),
        [127, ..] => (!allow_loopback).then_some(Forbidden::Loopback),
        [169, 254, ..] => Some(Forbidden::LinkLocal),
        octets if METADATA_V4.contains(&octets) => Some(Forbidden::Metadata),
        [224..=239, ..] => Some(Forbidden::Multicast),
        [255, 255, 255, 255] => Some(Forbidden::Broadcast),
        [240..=255, ..] => Some(Forbidden::Reserved),
        _ => None,
    }
}

fn forbidden_v6(address: Ipv6Addr, allow_loopback: bool) -> Option<Forbidden> {
    if address.is_unspecified() {
        return Some(Forbidden::ThisNetwork);
    }
    if address.is_loopback() {
        return (!allow_loopback).then_some(Forbidden::Loopback);
    }
    if let Some(v4) = address.to_ipv4_mapped() {
        // The kernel dials a mapped address as the IPv4 one, so the opt-in counts here too; no other form needs it.
        return forbidden_v4(v4, allow_loopback);
    }
    let segments = address.segments();
    match segments {
        [0xfe80..=0xfebf, ..] => Some(Forbidden::LinkLocal),
        [0xff00..=0xffff, ..] => Some(Forbidden::Multicast),
        [0xfd00, 0x0ec2, ..] => Some(Forbidden::Metadata),
        _ if METADATA_V6.contains(&segments) => Some(Forbidden::Metadata),
        _ => forbidden_inside(embedded(address)),
    }
}

/// The verdict on the IPv4 addresses that one IPv6 address may stand for.
///
/// Where the prefix does not tell which of several readings is meant, a reading in 0.0.0.0/8 is one that is not
/// meant, unless there is no other.
fn forbidden_inside(readings: Vec<Ipv4Addr>) -> Option<Forbidden> {
    let meant: Vec<_> = readings.iter().filter(|v4| v4.octets()[0] != 0).copied().collect();
    let readings = if meant.is_empty() { readings } else { meant };
    readings.into_iter().find_map(|v4| forbidden_v4(v4, false))
}

/// The IPv4 addresses that an IPv6 address, other than a mapped one, may stand for.
fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let o = address.octets();
    match address.segments() {
        // `::a.b.c.d`, deprecated (RFC 4291 section 2.5.5.1); `::ffff:0:a.b.c.d`, translated (RFC 2765 section 2.1).
        [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..]
        // 64:ff9b::/96, the well-known prefix of NAT64 (RFC 6052).
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![last(o)],
        // 64:ff9b:1::/48, for a network's own NAT64 (RFC 8215): it may use the whole /48 or any longer prefix in it,
        // and each length has its own place for the address (RFC 6052 section 2.2), around the zero octet 8.
        [0x64, 0xff9b, 1, ..] => vec![
            Ipv4Addr::new(o[6], o[7], o[9], o[10]),
            Ipv4Addr::new(o[7], o[9], o[10], o[11]),
            Ipv4Addr::new(o[9], o[10], o[11], o[12]),
            last(o),
        ],
        // 2002::/16, 6to4 (RFC 3056).
        [0x2002, ..] => vec![Ipv4Addr::new(o[2], o[3], o[4], o[5])],
        // 2001::/32, Teredo (RFC 4380): the server's address, and the client's with every bit turned.
        [0x2001, 0, ..] => vec![
            Ipv4Addr::new(o[4], o[5], o[6], o[7]),
            Ipv4Addr::new(!o[12], !o[13], !o[14], !o[15]),
        ],
        _ => Vec::new(),
    }
}

fn last([.., a, b, c, d]: [u8; 16]) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// Metadata services outside the link-local range: Alibaba Cloud, Oracle Cloud (classic), and Azure's platform address.
const METADATA_V4: [[u8; 4]; 3] = [[100, 100, 100, 200], [192, 0, 0, 192], [168, 63, 129, 16]];

/// Metadata services in IPv6: Google's and Oracle's. AWS has fd00:ec2::/32 for all of its instance services.
const METADATA_V6: [[u16; 8]; 2] =
    [[0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]];
