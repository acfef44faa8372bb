//! Networks in CIDR notation, and the named sets of them.
//!
//! Nothing is guessed. `10.0.0.1/8` is either the host or the network, `010.0.0.1` is 10.0.0.1 to some programs and
//! 8.0.0.1 to others, and a list with a network of everything in it is no list. An IPv4 network written as IPv6
//! (`::ffff:10.0.0.0/104`) is the IPv4 network: peers are compared in that form.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::diagnostic::{Code, Diagnostic};
use super::field::{Field, Given};
use super::loader::Loader;
use super::suggestion::did_you_mean;

/// The networks that X sends from, as its guide to webhook security lists them. X's current pages do not repeat the
/// list, so its age is unknown: that is why a named set is only counted unless the operator has it enforced.
const X: &[&str] = &[
    "199.59.148.0/22",
    "199.16.156.0/22",
    "192.133.77.0/26",
    "64.63.15.0/24",
    "64.63.31.0/24",
    "64.63.47.0/24",
    "202.160.128.0/24",
    "202.160.129.0/24",
    "202.160.130.0/24",
];

/// Why a text is no network, and what to write instead.
#[derive(Debug)]
struct Refused {
    message: String,
    help: Option<String>,
}

impl Loader<'_> {
    /// The networks of a named set. Whatever is wrong is reported.
    pub(super) fn named_networks(&self, given: &Given<String>) -> Vec<IpNet> {
        if given.value == "@x" {
            return X.iter().filter_map(|network| parse(network).ok()).collect();
        }
        self.report.push(
            Diagnostic::error(Code::Cidr, &given.span, format!("there is no named set `{}`", given.value))
                .help(did_you_mean(&given.value, &["@x"], "the named sets are")),
        );
        Vec::new()
    }

    /// Whether each connection begins with a PROXY preamble. Whatever is wrong is reported.
    pub(super) fn proxy_protocol(&self, field: &Field<bool>, trusted_proxies: &[IpNet]) -> bool {
        if let Some(given) = field.given().filter(|given| given.value)
            && trusted_proxies.is_empty()
        {
            self.report.missing_key(
                &given.span,
                "trusted_proxies",
                "a PROXY preamble counts only from a proxy that is trusted",
                "`trusted_proxies = [\"10.0.0.0/8\"]`, with the addresses of your proxies",
            );
        }
        field.value().copied().unwrap_or(false)
    }

    /// One network; an address without a prefix length is a network of its own. Whatever is wrong is reported.
    pub(super) fn network(&self, given: &Given<String>) -> Option<IpNet> {
        parse(&given.value)
            .map_err(|Refused { message, help }| {
                self.report.push(Diagnostic::error(Code::Cidr, &given.span, message).maybe_help(help));
            })
            .ok()
    }
}

fn parse(text: &str) -> Result<IpNet, Refused> {
    let refuse = |message: String, help: &str| Refused { message, help: Some(help.to_owned()) };
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        let plain = without_leading_zeros(address);
        if plain.parse::<IpAddr>().is_ok() {
            let rest = prefix.map(|prefix| format!("/{prefix}")).unwrap_or_default();
            let message = format!("`{text}` has a leading zero, which some programs read as octal");
            return Err(refuse(message, &format!("did you mean `{plain}{rest}`?")));
        }
        let message = format!("`{text}` is not an IP address or network");
        return Err(refuse(message, "write it like `192.0.2.0/24`, `2001:db8::/32` or `192.0.2.7`"));
    };
    let width: u8 = if address.is_ipv4() { 32 } else { 128 };
    let length = match prefix {
        None => width,
        Some(prefix) => {
            let length =
                prefix.parse::<u8>().ok().filter(|length| *length <= width && length.to_string() == prefix);
            length.ok_or_else(|| {
                let message = format!("`{text}`: `/{prefix}` is not the length of a prefix");
                refuse(message, &format!("it is a number from 1 to {width}"))
            })?
        }
    };
    if length == 0 {
        let message = format!("`{text}` is every address, so that the list says nothing");
        return Err(refuse(message, "leave the list out"));
    }
    let network = IpNet::new(address, length)
        .map_err(|_| Refused { message: format!("`{text}` is not a network"), help: None })?;
    if network.trunc() != network {
        let message =
            format!("`{text}` has bits set after the first {length}: it is an address in a network");
        let help = format!("did you mean `{}`, or the one address `{address}/{width}`?", network.trunc());
        return Err(refuse(message, &help));
    }
    Ok(unmapped(network))
}

/// The IPv4 network that an IPv4-mapped one is.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6
        .addr()
        .to_ipv4_mapped()
        .and_then(|address: std::net::Ipv4Addr| Ipv4Net::new(address, v6.prefix_len().checked_sub(96)?).ok());
    v4.map_or(network, IpNet::V4)
}

/// `010.0.0.1` as `10.0.0.1`.
fn without_leading_zeros(address: &str) -> String {
    let octet = |octet: &str| match octet.trim_start_matches('0') {
        "" if !octet.is_empty() => "0".to_owned(),
        rest => rest.to_owned(),
    };
    address.split('.').map(octet).collect::<Vec<_>>().join(".")
}

/// Whether an address is this machine's own loopback, IPv4-mapped ones included.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6 == Ipv6Addr::LOCALHOST || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case P07.
    #[test]
    fn what_could_mean_two_things_is_refused() {
        let told = |text| {
            let refused = parse(text).unwrap_err();
            refused.message + &refused.help.map(|help| format!(" | {help}")).unwrap_or_default()
        };
        insta::assert_snapshot!(
            ["10.0.0.1/8", "::/0", "0.0.0.0/0", "1.2.3.4/33", "010.0.0.1", "010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/",
             "10/8", "", "2001:db8::1/32", "::ffff:10.0.0.1/104", "fe80::1%eth0", "10.0.0.0/+8", "localhost"]
                .map(told)
                .join("\n"),
            @r#"
        `10.0.0.1/8` has bits set after the first 8: it is an address in a network | did you mean `10.0.0.0/8`, or the one address `10.0.0.1/32`?
        `::/0` is every address, so that the list says nothing | leave the list out
        `0.0.0.0/0` is every address, so that the list says nothing | leave the list out
        `1.2.3.4/33`: `/33` is not the length of a prefix | it is a number from 1 to 32
        `010.0.0.1` has a leading zero, which some programs read as octal | did you mean `10.0.0.1`?
        `010.0.0.0/8` has a leading zero, which some programs read as octal | did you mean `10.0.0.0/8`?
        `10.0.0.0/08`: `/08` is not the length of a prefix | it is a number from 1 to 32
        `10.0.0.0/`: `/` is not the length of a prefix | it is a number from 1 to 32
        `10/8` is not an IP address or network | write it like `192.0.2.0/24`, `2001:db8::/32` or `192.0.2.7`
        `` is not an IP address or network | write it like `192.0.2.0/24`, `2001:db8::/32` or `192.0.2.7`
        `2001:db8::1/32` has bits set after the first 32: it is an address in a network | did you mean `2001:db8::/32`, or the one address `2001:db8::1/128`?
        `::ffff:10.0.0.1/104` has bits set after the first 104: it is an address in a network | did you mean `::ffff:10.0.0.0/104`, or the one address `::ffff:10.0.0.1/128`?
        `fe80::1%eth0` is not an IP address or network | write it like `192.0.2.0/24`, `2001:db8::/32` or `192.0.2.7`
        `10.0.0.0/+8`: `/+8` is not the length of a prefix | it is a number from 1 to 32
        `localhost` is not an IP address or network | write it like `192.0.2.0/24`, `2001:db8::/32` or `192.0.2.7`
        "#
        );
    }

    #[test]
    fn networks_and_addresses() {
        for (text, read) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), read, "{text}");
        }
    }

    #[test]
    fn every_network_of_a_named_set_is_one() {
        assert!(X.iter().all(|network| parse(network).is_ok()));
    }
}
