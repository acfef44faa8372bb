//! Whether an address is on one of several networks, IPv4 as IPv4 on both sides.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Whether an address is on any of the networks.
pub(super) fn cover(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| canonical(*network).contains(&address))
}

/// The IPv4 network that an IPv4-mapped one is. One that holds more than mapped addresses, as `::/64` does, stays what
/// it is and covers no IPv4 address: nobody means the whole IPv4 internet by it.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let length = v6.prefix_len().checked_sub(96);
    let v4 = v6
        .addr()
        .to_ipv4_mapped()
        .zip(length)
        .and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    v4.map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_canonical() {
        for (network, address, on) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
            ("::ffff:0.0.0.0/96", "203.0.113.9", true),
            ("::/64", "10.1.2.3", false),
            ("::/64", "::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "10.1.2.3", false),
            ("10.0.0.0/8", "::10.1.2.3", false),
        ] {
            assert_eq!(
                cover(&[network.parse().unwrap()], address.parse().unwrap()),
                on,
                "{address} on {network}"
            );
        }
        assert!(!cover(&[], "10.0.0.1".parse().unwrap()));
    }
}
