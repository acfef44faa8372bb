use super::*;

fn lines(data: &'static str) -> impl Iterator<Item = &'static str> {
    data.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn check(url: &str, allow_loopback: bool) -> Result<(), Denied> {
    check_host(&url.parse().unwrap(), allow_loopback)
}

/// S01: a URL that is refused nowhere would have to pass the parser and the rules.
#[test]
fn every_denied_spelling_is_denied() {
    let denied: Vec<_> = lines(include_str!("../../tests/data/denied.txt")).collect();
    assert!(denied.len() >= 200, "only {} spellings", denied.len());
    let passed: Vec<_> = denied
        .into_iter()
        .filter(|line| line.parse().is_ok_and(|url| check_host(&url, false).is_ok()))
        .collect();
    assert!(passed.is_empty(), "{passed:#?}");
}

/// S01 at the dial: a name may stand for any of the addresses that the corpus writes plainly.
#[test]
fn every_denied_address_is_denied_at_the_dial() {
    let hosts = lines(include_str!("../../tests/data/denied.txt"))
        .filter_map(|line| line.strip_prefix("http://")?.split('/').next());
    let addresses: Vec<IpAddr> =
        hosts.filter_map(|host| host.trim_matches(['[', ']']).parse().ok()).collect();
    assert!(addresses.len() >= 90, "only {} addresses", addresses.len());
    for address in addresses {
        let denied = Guard::default().check_dial(SocketAddr::new(address, 80), false);
        assert!(matches!(denied, Err(Denied::Address { .. })), "{address}: {denied:?}");
    }
}

#[test]
fn every_allowed_url_is_allowed() {
    for line in lines(include_str!("../../tests/data/allowed.txt")) {
        assert_eq!(check(line, false), Ok(()), "{line}");
    }
}

#[test]
fn the_opt_in_opens_loopback_and_nothing_else() {
    for url in ["http://127.0.0.1:3000/", "http://127.9.9.9/", "http://localhost/", "http://[::1]/"] {
        assert!(check(url, false).is_err(), "{url}");
        assert_eq!(check(url, true), Ok(()), "{url}");
    }
    let loopback =
        ["127.", "localhost", "ip6-l", "[::1]", ":0:1]", "::0001]", "[::0.0.0.1]", "[0::1]", "[::ffff:7f00:"];
    for line in lines(include_str!("../../tests/data/denied.txt")) {
        let opened = line.parse().is_ok_and(|url| check_host(&url, true).is_ok());
        let line = line.to_ascii_lowercase();
        assert!(!opened || loopback.iter().any(|part| line.contains(part)), "{line} opened");
    }
}

#[test]
fn the_operator_reads_what_is_wrong() {
    let said = [
        "http://169.254.169.254/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://0x7f.1/",
        "http://1.2.3.4.5/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://metadata.google.internal/",
        "ftp://example.com/",
        "http://a@example.com/",
        "http://example.com:0/",
    ]
    .map(|url| check(url, false).unwrap_err().to_string())
    .join("\n");
    insta::assert_snapshot!(said, @r"
    169.254.169.254 is a link-local address
    ::ffff:169.254.169.254 is a link-local address
    `0x7f.1` is an unusual spelling of 127.0.0.1: write it plainly
    `1.2.3.4.5` is an unusual spelling of an address: write it plainly
    127.0.0.1 is a loopback address: set allow_loopback = true if this machine is meant
    `localhost` is this machine: set allow_loopback = true if that is meant
    `metadata.google.internal` is a cloud's metadata service
    a destination's URL begins with http:// or https://
    the URL must not hold a user name or a password
    the port is none of 1 to 65535
    ");
}

#[test]
fn every_address_of_a_range_is_in_it() {
    use Forbidden as F;
    for (text, why) in [
        ("0.0.0.0", F::ThisNetwork),
        ("127.0.0.1", F::Loopback),
        ("169.254.0.1", F::LinkLocal),
        ("100.100.100.200", F::Metadata),
        ("224.0.0.1", F::Multicast),
        ("240.0.0.1", F::Reserved),
        ("255.255.255.255", F::Broadcast),
        ("::", F::ThisNetwork),
        ("::1", F::Loopback),
        ("fe80::1", F::LinkLocal),
        ("ff02::1", F::Multicast),
        ("fd00:ec2::254", F::Metadata),
        ("64:ff9b::127.0.0.1", F::Loopback),
        ("2002:a9fe:a9fe::", F::LinkLocal),
    ] {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(check_address(address, false), Err(Denied::Address { address, why }), "{text}");
    }
}

#[test]
fn an_own_listener_is_no_destination_however_it_is_called() {
    let guard = Guard::new(vec!["127.0.0.1:4040".parse().unwrap(), "0.0.0.0:8080".parse().unwrap()]);
    let url = |text: &str| guard.check_url(&text.parse().unwrap(), true);
    for own in [
        "http://127.0.0.1:4040/",
        "http://localhost:4040/",
        "http://[::ffff:127.0.0.1]:4040/",
        "http://127.0.0.1:8080/",
        "http://127.9.9.9:8080/",
        "http://[::1]:8080/",
    ] {
        assert!(matches!(url(own), Err(Denied::OwnListener { .. })), "{own}: {:?}", url(own));
    }
    for other in
        ["http://127.0.0.1:4041/", "http://127.0.0.2:4040/", "http://10.0.0.1:8080/", "http://app:8080/"]
    {
        assert_eq!(url(other), Ok(()), "{other}");
    }
    let dial = |text: &str| guard.check_dial(text.parse().unwrap(), true);
    assert!(matches!(dial("127.0.0.1:8080"), Err(Denied::OwnListener { .. })));
    assert_eq!(dial("10.0.0.1:8080"), Ok(()));
}

/// The machine's own network address shows only on the connection: it talks to itself.
#[test]
fn a_connection_that_stays_on_the_machine_does_not_reach_a_listener_on_every_address() {
    let guard = Guard::new(vec!["[::]:8080".parse().unwrap()]);
    let connected =
        |local: &str, peer: &str| guard.check_connected(local.parse().unwrap(), peer.parse().unwrap(), false);
    assert!(matches!(connected("10.0.0.5:51000", "10.0.0.5:8080"), Err(Denied::OwnListener { .. })));
    assert!(matches!(connected("10.0.0.5:51000", "[::ffff:10.0.0.5]:8080"), Err(Denied::OwnListener { .. })));
    assert_eq!(connected("10.0.0.5:51000", "10.0.0.5:3000"), Ok(()));
    assert_eq!(connected("10.0.0.5:51000", "10.0.0.6:8080"), Ok(()));
    assert!(matches!(connected("10.0.0.5:51000", "169.254.169.254:80"), Err(Denied::Address { .. })));
}
