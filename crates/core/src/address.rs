//! Addresses as text.

use std::net::IpAddr;

/// An address in its usual spelling. Every event has one written several times, nearly all of IPv4, and four small numbers
/// need no formatter.
#[must_use]
pub fn address_text(address: IpAddr) -> String {
    let IpAddr::V4(v4) = address else { return address.to_string() };
    let mut text = String::with_capacity(15);
    for (at, octet) in v4.octets().into_iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        for (unit, least) in [(100, 100), (10, 10), (1, 0)] {
            if octet >= least {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_spelled_as_everywhere() {
        for octet in 0..=255 {
            for v4 in [[octet, 0, 9, 10], [99, octet, 100, 255], [1, 2, 3, octet]] {
                let address = IpAddr::from(v4);
                assert_eq!(address_text(address), address.to_string());
            }
        }
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(address_text(v6), v6.to_string());
    }
}
