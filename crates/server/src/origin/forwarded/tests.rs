//! The walk from the peer to the client, and what a client can do to it.

use http::HeaderValue;
use proptest::prelude::*;

use super::super::allow::{Decision, decide, decide_unknown};
use super::*;
use crate::config::AllowIps;

const PROXY: &str = "10.0.0.1";
const OUTSIDE: &str = "203.0.113.9";
const OF_X: &str = "199.59.148.1";

fn trust() -> Trust {
    Trust::new(["10.0.0.0/8", "2001:db8:10::/48"].map(|network| network.parse().unwrap()).into())
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn origin(peer: &str, pairs: &[(&'static str, &str)]) -> Result<Origin, OriginRefused> {
    trust().origin(peer.parse().unwrap(), &headers(pairs))
}

fn client(peer: &str, pairs: &[(&'static str, &str)]) -> String {
    origin(peer, pairs).unwrap().client.to_string()
}

fn reason(pairs: &[(&'static str, &str)]) -> Doubt {
    let refused = origin(PROXY, pairs).unwrap_err();
    assert_eq!(refused.code(), "proxy.header_invalid");
    refused.reason
}

fn x_alone() -> AllowIps {
    AllowIps { enforce: vec!["199.59.148.0/22".parse().unwrap()], monitor: Vec::new() }
}

/// Case P01.
#[test]
fn p01_an_untrusted_peer_is_the_client_whatever_it_says() {
    for name in HEADERS {
        let value = if name == "forwarded" { "for=199.59.148.1" } else { OF_X };
        let origin = origin(OUTSIDE, &[(name, value)]).unwrap();
        assert_eq!((origin.client.to_string().as_str(), origin.via_proxy), (OUTSIDE, false), "{name}");
        assert_eq!((&origin.proto, &origin.host, &origin.port, &origin.prefix), (&None, &None, &None, &None));
        let note = origin.note.unwrap();
        assert_eq!(note.code(), "proxy.untrusted_header");
        assert!(note.to_string().contains(name) && note.to_string().contains(OUTSIDE), "{note}");
        assert_eq!(decide(&x_alone(), origin.client), Decision::Denied);
    }
    // What it says is not even read.
    assert_eq!(client(OUTSIDE, &[("forwarded", "for=\"")]), OUTSIDE);
    assert_eq!(origin(OUTSIDE, &[("x-real-ip", OF_X)]).unwrap().note, None);
    assert_eq!(Trust::default().origin(OF_X.parse().unwrap(), &HeaderMap::new()).unwrap().note, None);
}

/// Case P02.
#[test]
fn p02_the_rightmost_untrusted_hop_wins() {
    for (pairs, expected) in [
        (&[("x-forwarded-for", "199.59.148.1, 203.0.113.9")][..], OUTSIDE),
        (&[("x-forwarded-for", "199.59.148.1"), ("x-forwarded-for", "203.0.113.9")], OUTSIDE),
        (&[("x-forwarded-for", "199.59.148.1, 203.0.113.9, 10.1.1.1, 2001:db8:10::5")], OUTSIDE),
        (&[("x-forwarded-for", "199.59.148.1,10.1.1.1,203.0.113.9,10.2.2.2")], OUTSIDE),
        (&[("x-forwarded-for", "unknown, 203.0.113.9")], OUTSIDE),
        (&[("forwarded", "for=199.59.148.1, for=203.0.113.9")], OUTSIDE),
        (
            &[
                ("forwarded", "for=199.59.148.1"),
                ("forwarded", r#"for=203.0.113.9, for="[2001:db8:10::5]:99""#),
            ],
            OUTSIDE,
        ),
        (&[("forwarded", "for=_hidden, for=203.0.113.9, for=10.3.3.3")], OUTSIDE),
        (&[("x-forwarded-for", "203.0.113.9:51000")], OUTSIDE),
        (&[("x-forwarded-for", "::ffff:203.0.113.9, ::ffff:10.0.0.7")], OUTSIDE),
        (&[("x-forwarded-for", "[2001:db8::1]:443")], "2001:db8::1"),
        (&[("x-forwarded-for", "10.5.5.5, 10.6.6.6")], "10.5.5.5"),
        (&[], PROXY),
    ] {
        for peer in [PROXY, "::ffff:10.0.0.1", "2001:db8:10::1"] {
            let expected = if pairs.is_empty() {
                peer.parse::<IpAddr>().unwrap().to_canonical().to_string()
            } else {
                expected.to_owned()
            };
            assert_eq!(client(peer, pairs), expected, "{peer} {pairs:?}");
        }
    }
    let attacked = origin(PROXY, &[("x-forwarded-for", "199.59.148.1, 203.0.113.9")]).unwrap();
    assert_eq!(decide(&x_alone(), attacked.client), Decision::Denied);
    let genuine = origin(PROXY, &[("x-forwarded-for", "203.0.113.9, 199.59.148.1")]).unwrap();
    assert_eq!(decide(&x_alone(), genuine.client), Decision::Allowed);
}

/// Case P04.
#[test]
fn p04_what_has_no_one_meaning_is_refused() {
    let hops = |count: usize| vec!["10.0.0.2"; count].join(",");
    let elements = |count: usize| vec!["for=10.0.0.2"; count].join(",");
    let differ = reason(&[("forwarded", "for=199.59.148.1"), ("x-forwarded-for", OUTSIDE)]);
    assert_eq!(
        differ,
        Doubt::ClientsDiffer { forwarded: OF_X.parse().unwrap(), x_forwarded_for: OUTSIDE.parse().unwrap() }
    );
    for (pairs, expected) in [
        ([("forwarded", "for=unknown")], Doubt::AddressHidden { header: "forwarded" }),
        ([("forwarded", "for=_gazonk, for=10.0.0.2")], Doubt::AddressHidden { header: "forwarded" }),
        ([("forwarded", "for=203.0.113.9, proto=https")], Doubt::AddressHidden { header: "forwarded" }),
        ([("x-forwarded-for", "203.0.113.9, unknown")], Doubt::AddressHidden { header: "x-forwarded-for" }),
        ([("forwarded", r#"for="[::1]:x""#)], Doubt::malformed("forwarded", r#"for="[::1]:x""#)),
        ([("x-forwarded-for", "[::1]:x")], Doubt::malformed("x-forwarded-for", "[::1]:x")),
        ([("x-forwarded-for", "x, 203.0.113.9")], Doubt::malformed("x-forwarded-for", "x")),
        ([("x-forwarded-for", "\"203.0.113.9\"")], Doubt::malformed("x-forwarded-for", "\"203.0.113.9\"")),
        ([("x-forwarded-for", "")], Doubt::Empty { header: "x-forwarded-for" }),
        ([("forwarded", " , ")], Doubt::Empty { header: "forwarded" }),
        ([("x-forwarded-for", &hops(33))], Doubt::TooManyHops { header: "x-forwarded-for" }),
        ([("forwarded", &elements(33))], Doubt::TooManyHops { header: "forwarded" }),
    ] {
        assert_eq!(reason(&pairs), expected);
    }
    assert_eq!(client(PROXY, &[("x-forwarded-for", &hops(32))]), "10.0.0.2");
    assert_eq!(client(PROXY, &[("forwarded", &elements(32))]), "10.0.0.2");
    let mut raw = HeaderMap::new();
    raw.append("x-forwarded-for", HeaderValue::from_bytes(b"203.0.113.9\xff").unwrap());
    let refused = trust().origin(PROXY.parse().unwrap(), &raw).unwrap_err();
    assert_eq!(refused.reason, Doubt::Unprintable { header: "x-forwarded-for" });
}

/// Case P04: closed where a list applies, and open as the proxy's own elsewhere.
#[test]
fn p04_the_caller_decides_by_its_list() {
    let refused = origin(PROXY, &[("forwarded", "for=unknown;proto=https;host=h")]).unwrap_err();
    assert_eq!(decide_unknown(&x_alone()), Decision::Denied);
    assert_eq!(decide_unknown(&AllowIps::default()), Decision::Allowed);
    let known = refused.clone().into_origin();
    assert_eq!((known.client.to_string().as_str(), known.via_proxy), (PROXY, true));
    assert_eq!((known.proto, known.host, known.note), (None, None, Some(refused.reason)));
}

#[test]
fn headers_that_lead_to_one_client_agree() {
    let pairs = [
        ("forwarded", "for=\"203.0.113.9:99\", for=10.1.1.1"),
        ("x-forwarded-for", "junk_is_not, 203.0.113.9"),
    ];
    assert!(origin(PROXY, &pairs).is_err(), "not when one of them is malformed");
    let pairs =
        [("forwarded", "for=\"203.0.113.9:99\", for=10.1.1.1"), ("x-forwarded-for", "1.1.1.1, 203.0.113.9")];
    assert_eq!(client(PROXY, &pairs), OUTSIDE);
}

#[test]
fn what_was_called_is_told_by_the_proxy_that_the_client_called() {
    let told = |pairs: &[(&'static str, &str)]| {
        let Origin { proto, host, port, prefix, note, via_proxy, .. } = origin(PROXY, pairs).unwrap();
        assert!(via_proxy);
        assert_eq!(note, None, "{pairs:?}");
        (proto, host.unwrap_or_default(), port, prefix.unwrap_or_default())
    };
    let is = |proto, host: &str, port, prefix: &str| (proto, host.to_owned(), port, prefix.to_owned());
    let (https, http) = (Some(Proto::Https), Some(Proto::Http));
    let chain = ("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.1.1.1");
    for (pairs, expected) in [
        (&[][..], is(None, "", None, "")),
        (
            &[("x-forwarded-proto", "HTTPS"), ("x-forwarded-host", "H.example:8443")],
            is(https, "H.example", Some(8443), ""),
        ),
        (
            &[("x-forwarded-proto", "wss"), ("x-forwarded-port", "443"), ("x-forwarded-prefix", "/p/")],
            is(https, "", Some(443), "/p"),
        ),
        (&[chain, ("x-forwarded-proto", "https")], is(https, "", None, "")),
        (&[chain, ("x-forwarded-proto", "https, http")], is(https, "", None, "")),
        (&[chain, ("x-forwarded-proto", "https, http, https")], is(http, "", None, "")),
        (
            &[("x-forwarded-for", "1.1.1.1, 203.0.113.9"), ("x-forwarded-host", "spoofed, h")],
            is(None, "h", None, ""),
        ),
        (
            &[(
                "forwarded",
                "for=1.1.1.1;proto=http;host=spoofed, for=203.0.113.9;proto=https;host=\"h:444\", for=10.1.1.1;proto=http;host=inner, for=10.2.2.2",
            )],
            is(https, "h", Some(444), ""),
        ),
        (
            &[
                ("forwarded", "for=203.0.113.9;proto=https;host=H"),
                ("x-forwarded-for", OUTSIDE),
                ("x-forwarded-proto", "wss"),
                ("x-forwarded-host", "h"),
                ("x-forwarded-port", "8443"),
                ("x-forwarded-prefix", "/p"),
            ],
            is(https, "H", Some(8443), "/p"),
        ),
        // Each list is counted from its own right end: only the outer proxy speaks `Forwarded` here.
        (
            &[
                ("forwarded", "for=203.0.113.9;proto=https;host=\"h:8443\""),
                ("x-forwarded-for", "203.0.113.9, 10.1.1.1"),
                ("x-forwarded-proto", "https, http"),
                ("x-forwarded-host", "h, inner"),
            ],
            is(https, "h", Some(8443), ""),
        ),
        (
            &[("forwarded", "for=203.0.113.9;host=\"[2001:db8::1]:8443\"")],
            is(None, "[2001:db8::1]", Some(8443), ""),
        ),
    ] {
        assert_eq!(told(pairs), expected, "{pairs:?}");
    }
}

#[test]
fn doubt_about_what_was_called_is_none_about_the_client() {
    for (name, value, other) in [
        ("x-forwarded-proto", "gopher", "x-forwarded-port"),
        ("x-forwarded-host", "a b", "x-forwarded-port"),
        ("x-forwarded-host", "a@b", "x-forwarded-port"),
        ("x-forwarded-host", "h:080", "x-forwarded-port"),
        ("x-forwarded-host", "h:81", "x-forwarded-port"),
        ("x-forwarded-port", "8x", "x-forwarded-proto"),
        ("x-forwarded-prefix", "no-slash", "x-forwarded-port"),
        ("x-forwarded-prefix", "/a, /b", "x-forwarded-port"),
        ("forwarded", "for=203.0.113.9;proto=ftp", "x-forwarded-port"),
        ("forwarded", "for=203.0.113.9;host=\"a/b\"", "x-forwarded-port"),
    ] {
        let fine = if other == "x-forwarded-port" { "80" } else { "http" };
        let origin = origin(PROXY, &[("x-forwarded-for", OUTSIDE), (name, value), (other, fine)]).unwrap();
        assert_eq!(origin.client.to_string(), OUTSIDE, "{name}: {value}");
        assert_eq!(origin.note.as_ref().map(Doubt::code), Some("proxy.header_invalid"), "{name}: {value}");
        let Origin { proto, host, port, prefix, .. } = origin;
        assert_eq!((proto, host, port, prefix), (None, None, None, None), "{name}: {value}");
    }
    let short =
        [("x-forwarded-for", "203.0.113.9, 10.1.1.1, 10.2.2.2"), ("x-forwarded-proto", "https, http")];
    assert_eq!(origin(PROXY, &short).unwrap().note, Some(Doubt::Ambiguous { header: "x-forwarded-proto" }));
    for (name, value, what) in [
        ("x-forwarded-proto", "http", "scheme"),
        ("x-forwarded-host", "other", "host"),
        ("x-forwarded-host", "h:445", "port"),
        ("x-forwarded-port", "445", "port"),
    ] {
        let forwarded = ("forwarded", "for=203.0.113.9;proto=https;host=\"h:444\"");
        let told = origin(PROXY, &[forwarded, ("x-forwarded-for", OUTSIDE), (name, value)]).unwrap();
        assert_eq!(told.note, Some(Doubt::CalledTwice { what }), "{name}: {value}");
    }
}

#[test]
fn a_reason_repeats_only_a_little_of_the_header() {
    let long = "x".repeat(5000);
    let told = reason(&[("x-forwarded-for", &long)]).to_string();
    assert!(told.len() < 120 && told.contains("x-forwarded-for"), "{told}");
}

/// Text as a header value may have it, rich in what the grammars are made of.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("for="),
        Just("for=199.59.148.1"),
        Just("for=\""),
        Just("\""),
        Just("\\"),
        Just(","),
        Just(", "),
        Just(";"),
        Just("proto=https"),
        Just("host=h"),
        Just("199.59.148.1"),
        Just("10.0.0.1"),
        Just("[::1]"),
        Just(":443"),
        Just("unknown"),
        Just("_x"),
        Just("by=_p"),
        Just("="),
        Just("x=\"a"),
        Just(" "),
        Just("\t"),
        Just("::ffff:199.59.148.1"),
    ];
    prop_oneof![proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()), "[\t -~]{0,60}",]
}

fn address(trusted: bool) -> impl Strategy<Value = IpAddr> {
    any::<[u8; 3]>().prop_map(move |[b, c, d]| IpAddr::from([if trusted { 10 } else { 203 }, b, c, d]))
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(values in proptest::collection::vec((0..HEADERS.len(), proptest::collection::vec(any::<u8>(), 0..80)), 0..8)) {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(HEADERS[name], value);
            }
        }
        let _ = trust().origin(PROXY.parse().unwrap(), &headers);
    }

    /// Whatever the client puts in front, on the same line or on one of its own, what the proxies append decides.
    #[test]
    fn a_spoofed_left_part_never_wins(
        left in hostile(),
        own_line in any::<bool>(),
        hops in proptest::collection::vec(address(true), 0..3),
        other in proptest::option::of(hostile()),
        x in any::<bool>(),
    ) {
        let (name, element, untouched) = if x { ("x-forwarded-for", "", "forwarded") } else { ("forwarded", "for=", "x-forwarded-for") };
        let appended = [OUTSIDE.parse().unwrap()].iter().chain(&hops).map(|hop| format!("{element}{hop}")).collect::<Vec<_>>().join(", ");
        let mut headers = HeaderMap::new();
        let mut append = |name: &'static str, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.append(name, value);
            }
        };
        if own_line {
            append(name, &left);
            append(name, &appended);
        } else {
            append(name, &format!("{left}, {appended}"));
        }
        // The proxies pass the client's copy of the other header on.
        if let Some(other) = other {
            append(untouched, &other);
        }
        if let Ok(origin) = trust().origin(PROXY.parse().unwrap(), &headers) {
            prop_assert_eq!(origin.client.to_string(), OUTSIDE);
        }
    }

    /// The walk against its definition, with both headers and all spellings.
    #[test]
    fn the_walk_ends_at_the_rightmost_untrusted_hop(
        hops in proptest::collection::vec(prop_oneof![address(true), address(false)], 1..=32),
        mapped in any::<bool>(),
        both in any::<bool>(),
    ) {
        let spelled = |hop: &IpAddr| match hop {
            IpAddr::V4(v4) if mapped => IpAddr::V6(v4.to_ipv6_mapped()),
            other => *other,
        };
        let chain = hops.iter().map(|hop| spelled(hop).to_string()).collect::<Vec<_>>().join(", ");
        let elements = hops.iter().map(|hop| match spelled(hop) {
            IpAddr::V4(v4) => format!("for={v4}"),
            IpAddr::V6(v6) => format!("for=\"[{v6}]:443\";by=_p"),
        }).collect::<Vec<_>>().join(",");
        let mut pairs = vec![("x-forwarded-for", &*chain)];
        if both {
            pairs.push(("forwarded", &elements));
        }
        let expected = hops.iter().rev().find(|hop| !trust().trusts(**hop)).unwrap_or(&hops[0]);
        prop_assert_eq!(origin(PROXY, &pairs).unwrap().client, *expected);
        prop_assert_eq!(origin(OUTSIDE, &pairs).unwrap().client.to_string(), OUTSIDE);
    }
}
