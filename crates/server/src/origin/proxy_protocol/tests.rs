//! Preambles whole, broken, slow and followed by something.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use proptest::prelude::*;
use proxy_header::{ProxiedAddress, ProxyHeader, SslInfo, Tlv};
use tokio::io::ReadBuf;

use super::*;

/// A peer that sends so many bytes at a time, and then closes.
struct Peer<'a> {
    sent: &'a [u8],
    at_a_time: usize,
}

impl AsyncRead for Peer<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.at_a_time.min(into.remaining()).min(self.sent.len());
        let (now, later) = self.sent.split_at(count);
        into.put_slice(now);
        self.sent = later;
        Poll::Ready(Ok(()))
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// What is read, and what is left for the next parser.
fn read_from(sent: &[u8], at_a_time: usize) -> (Result<Option<SocketAddr>, ProxyRefused>, &[u8]) {
    run(async {
        let mut peer = Peer { sent, at_a_time };
        let read = read(&mut peer, soon()).await;
        (read, peer.sent)
    })
}

fn refusal(sent: &[u8]) -> String {
    let refusals =
        [1, 2, 7, usize::MAX].map(|at_a_time| format!("{:?}", read_from(sent, at_a_time).0.unwrap_err()));
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");
    refusals[0].clone()
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [v2::SIGNATURE, &[command, family], &length, block].concat()
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}

/// 192.0.2.1:51000 to 198.51.100.1:443.
const TCP4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 1, 0xc7, 0x38, 0x01, 0xbb];

fn with_checksum(before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut whole = v2(0x21, 0x11, &[TCP4, before, &tlv(0x03, &[0; 4]), after].concat());
    let sum = crc32c::of(&[&whole]).to_be_bytes();
    let at = 16 + TCP4.len() + before.len() + 3;
    whole[at..at + 4].copy_from_slice(&sum);
    whole
}

fn client(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn a_client_is_named_and_nothing_behind_the_preamble_is_read() {
    let tcp6: Vec<u8> =
        [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 16], &[0xc7, 0x38, 1, 0xbb]].concat();
    let mapped: Vec<u8> =
        [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, 1], &[0; 16], &[0xc7, 0x38, 1, 0xbb]].concat();
    let tls = [&[7, 0, 0, 0, 0][..], &tlv(0x21, b"TLSv1.3"), &tlv(0x22, b"h")].concat();
    let worst = b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(worst.len(), v1::LONGEST);
    for (preamble, expected) in [
        (b"PROXY TCP4 192.0.2.1 198.51.100.1 51000 443\r\n".to_vec(), client("192.0.2.1:51000")),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n".to_vec(), client("[2001:db8::1]:0")),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n".to_vec(), client("192.0.2.1:1")),
        (b"PROXY TCP6 :: :: 0 0\r\n".to_vec(), client("[::]:0")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (worst.to_vec(), None),
        (v2(0x21, 0x11, TCP4), client("192.0.2.1:51000")),
        (v2(0x21, 0x21, &tcp6), client("[2001:db8::1]:51000")),
        (v2(0x21, 0x21, &mapped), client("192.0.2.1:51000")),
        (
            v2(0x21, 0x11, &[TCP4, &tlv(0x04, &[]), &tlv(0x20, &tls), &tlv(0xe0, b"own")].concat()),
            client("192.0.2.1:51000"),
        ),
        (v2(0x21, 0x11, &[TCP4, &tlv(0x04, &[0; 4096 - 15])].concat()), client("192.0.2.1:51000")),
        (with_checksum(&[], &[]), client("192.0.2.1:51000")),
        (with_checksum(&tlv(0x04, b"pad"), &tlv(0x05, b"id")), client("192.0.2.1:51000")),
        (v2(0x21, 0x00, &[]), None),
        (v2(0x21, 0x00, &tlv(0x04, b"pad")), None),
    ] {
        for at_a_time in [1, 3, 16, usize::MAX] {
            for rest in [&b""[..], b"\r\n", b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n"]
            {
                let sent = [&preamble, rest].concat();
                let (read, left) = read_from(&sent, at_a_time);
                assert_eq!(read.unwrap(), expected, "{}", preamble.escape_ascii());
                assert_eq!(left, rest, "{}", preamble.escape_ascii());
            }
        }
    }
}

/// Case P06: `LOCAL` is the proxy itself, whatever its block says.
#[test]
fn p06_local_is_the_socket_address() {
    // A health check of HAProxy, with a checksum and an empty TLS extension.
    let haproxy = b"\r\n\r\n\0\r\nQUIT\n \0\0\x0f\x03\0\x04\x88\x9d\xa1\xdf \0\x05\0\0\0\0\0";
    let trust = Trust::new(vec!["10.0.0.0/8".parse().unwrap()]);
    for preamble in [
        haproxy.to_vec(),
        v2(0x20, 0x00, &[]),
        v2(0x20, 0x11, &[]),
        v2(0x20, 0x31, &[7; 216]),
        v2(0x20, 0x99, b"junk"),
    ] {
        let sent = [&preamble[..], b"GET /"].concat();
        let mut peer = Peer { sent: &sent, at_a_time: 5 };
        let from = run(accept(&mut peer, "[::ffff:10.0.0.1]:9".parse().unwrap(), &trust, soon())).unwrap();
        assert_eq!((from, peer.sent), ("10.0.0.1:9".parse().unwrap(), &b"GET /"[..]));
    }
}

/// The checksum of the capture above is right: another implementation's word for where it is and what it is over.
#[test]
fn a_foreign_checksum_is_what_we_compute() {
    let head = b"\r\n\r\n\0\r\nQUIT\n \0\0\x0f\x03\0\x04";
    assert_eq!(crc32c::of(&[head, &[0; 4], b" \0\x05\0\0\0\0\0"]), 0x889d_a1df);
}

/// Case P05: required means from trusted peers, and from each of them.
#[test]
fn p05_untrusted_peers_and_missing_preambles_are_closed() {
    let preamble = b"PROXY TCP4 192.0.2.1 198.51.100.1 51000 443\r\nGET /";
    let trust = Trust::new(vec!["10.0.0.0/8".parse().unwrap()]);
    let accepted = |peer: &str, trust: &Trust| {
        let mut io = Peer { sent: preamble, at_a_time: usize::MAX };
        let accepted = run(accept(&mut io, peer.parse().unwrap(), trust, soon()));
        (accepted, io.sent.len())
    };
    for (peer, trust) in
        [("203.0.113.9:1", &trust), ("[::ffff:203.0.113.9]:1", &trust), ("10.0.0.1:1", &Trust::default())]
    {
        let (refused, left) = accepted(peer, trust);
        assert!(matches!(refused, Err(ProxyRefused::Untrusted)), "{peer}");
        assert_eq!(left, preamble.len(), "nothing was read of {peer}");
    }
    let (from, left) = accepted("[::ffff:10.0.0.1]:1", &trust);
    assert_eq!((from.unwrap(), left), ("192.0.2.1:51000".parse().unwrap(), 5));

    for sent in [
        &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
        b"G",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"proxy TCP4 192.0.2.1 198.51.100.1 51000 443\r\n",
        b"PROXYTCP4 192.0.2.1 198.51.100.1 51000 443\r\n",
        b" PROXY TCP4 192.0.2.1 198.51.100.1 51000 443\r\n",
        b"\r\n\r\n\0\r\nQUIT \x21\x11\0\x0c",
        b"\r\n\r\nGET / HTTP/1.1\r\n",
    ] {
        assert_eq!(refusal(sent), "Missing", "{}", sent.escape_ascii());
    }
    assert_eq!(refusal(b""), "Silent");
}

/// Case P05: a listener that knows no preamble recognises one only to close.
#[test]
fn p05_a_preamble_nobody_asked_for_is_recognised() {
    assert!(is_preamble(b"PROXY TCP4 192.0.2.1 1"));
    assert!(is_preamble(b"PROXY UNKNOWN\r\n"));
    assert!(is_preamble(&v2(0x21, 0x11, TCP4)));
    for other in
        [&b""[..], b"PROXY /path HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"\r\n\r\nGET", b"PRI * HTTP/2.0\r\n"]
    {
        assert!(!is_preamble(other), "{}", other.escape_ascii());
    }
}

/// Case P06: version 1.
#[test]
fn p06_a_line_that_does_not_end_or_is_not_one() {
    let long = |text: &str, length: usize| [text.as_bytes(), &vec![b'x'; length - text.len()]].concat();
    let too_long = "TooLong { most: 107 }";
    assert_eq!(refusal(&long("PROXY UNKNOWN ", 107)), too_long);
    assert_eq!(refusal(&long("PROXY UNKNOWN ", 5000)), too_long);
    assert_eq!(refusal(&[&long("PROXY UNKNOWN ", 106)[..], b"\r\n"].concat()), too_long);
    assert_eq!(refusal(&long("PROXY TCP4 ", 200)), too_long);
    assert_eq!(refusal(b"PROXY TCP4 192.0.2.1 198.51.100.1 51000"), "CutOff");
    assert_eq!(refusal(b"PROXY"), "CutOff");
    assert_eq!(refusal(b"PROXY UNKNOWN\r"), "CutOff");
    for line in [
        "PROXY UNKNOWN\rx\n",
        "PROXY UNKNOWN\nmore\r\n",
        "PROXY UNKNOWN \u{e4}\r\n",
        "PROXY UNKNOWNxyz\r\n",
        "PROXY TCP5 192.0.2.1 198.51.100.1 51000 443\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.1 51000 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 51000 443\r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.1 51000 443\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.1 51000 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 51000 443 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 51000 443 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 51000\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.1 51000 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100 51000 443\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 51000 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 51000 443\r\n",
        "PROXY TCP6 [2001:db8::1] [2001:db8::2] 51000 443\r\n",
        "PROXY TCP6 fe80::1%eth0 fe80::2 51000 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 +51 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 051 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 51000 0x1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 51000 \r\n",
    ] {
        let refusal = refusal([line.as_bytes(), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"].concat().as_slice());
        assert!(refusal.starts_with("Malformed"), "{line:?}: {refusal}");
    }
}

/// Case P06: version 2.
#[test]
fn p06_heads_families_extensions_and_checksums() {
    // Refused at the head: nothing of what it announces is waited for.
    let endless = [v2::SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    assert_eq!(refusal(&endless), "TooLong { most: 4112 }");
    assert_eq!(refusal(&[v2::SIGNATURE, &[0x20, 0x00, 0x10, 0x01]].concat()), "TooLong { most: 4112 }");
    assert_eq!(refusal(&v2(0x21, 0x31, &[0; 216])), r#"Family("a UNIX socket")"#);
    assert_eq!(refusal(&v2(0x21, 0x32, &[0; 216])), r#"Family("a UNIX socket")"#);
    assert_eq!(refusal(&v2(0x21, 0x12, TCP4)), r#"Family("datagrams")"#);
    for (command, family) in
        [(0x11, 0x11), (0x31, 0x11), (0x22, 0x11), (0x2f, 0x11), (0x21, 0x10), (0x21, 0x13), (0x21, 0x41)]
    {
        let refusal = refusal(&v2(command, family, TCP4));
        assert!(refusal.starts_with("Malformed"), "{command:#x} {family:#x}: {refusal}");
    }
    assert_eq!(refusal(&v2(0x21, 0x11, TCP4)[..20]), "CutOff");
    assert_eq!(refusal(&v2::SIGNATURE[..5]), "CutOff");

    let extended = |tlvs: &[u8]| refusal(&v2(0x21, 0x11, &[TCP4, tlvs].concat()));
    for tlvs in [
        &[0x04][..],
        &[0x04, 0],
        &[0x04, 0, 1],
        &[0x04, 0xff, 0xff, 0],
        &[0x04, 0, 0, 0x04, 0, 9, 1],
        &[0x03, 0, 3, 1, 2, 3],
        &[0x03, 0, 0],
        &[0x03, 0, 5, 1, 2, 3, 4, 5],
        &[0x20, 0, 4, 1, 0, 0, 0],
        &[0x20, 0, 7, 1, 0, 0, 0, 0, 0x21, 0],
        &[0x20, 0, 8, 1, 0, 0, 0, 0, 0x21, 0, 1],
    ] {
        assert!(extended(tlvs).starts_with("Malformed"), "{tlvs:?}: {}", extended(tlvs));
    }
    for block in [&TCP4[..11], &[]] {
        assert_eq!(refusal(&v2(0x21, 0x11, block)), r#"Malformed("too short for its addresses")"#);
    }
    assert_eq!(refusal(&v2(0x21, 0x21, &[0; 35])), r#"Malformed("too short for its addresses")"#);
    assert_eq!(extended(&[0x03, 0, 4, 1, 2, 3, 4]), "Checksum");
    let sum = tlv(0x03, &[0; 4]);
    let twice = with_checksum(&[], &sum);
    assert_eq!(refusal(&twice), r#"Malformed("two checksums")"#);
    let right = with_checksum(&tlv(0x04, b"pad"), &tlv(0x05, b"id"));
    for at in (16..16 + 12).chain([15 + 12 + 6, right.len() - 1]) {
        let mut flipped = right.clone();
        flipped[at] ^= 1;
        assert_eq!(refusal(&flipped), "Checksum", "byte {at}");
    }
}

/// Case P06: the deadline ends the wait, wherever it was.
#[test]
fn p06_a_preamble_that_does_not_come_is_not_waited_for() {
    for begun in [&b""[..], b"PROXY", b"PROXY TCP4 192.0.2.1", v2::SIGNATURE, &v2(0x21, 0x11, TCP4)[..20]] {
        run(async {
            let (mut peer, mut other) = tokio::io::duplex(64);
            tokio::io::AsyncWriteExt::write_all(&mut other, begun).await.unwrap();
            let start = Instant::now();
            let refused = read(&mut peer, start + Duration::from_millis(20)).await;
            assert!(start.elapsed() < PATIENCE, "{}", begun.escape_ascii());
            assert!(matches!(refused, Err(ProxyRefused::Late)), "{}: {refused:?}", begun.escape_ascii());
        });
    }
    assert_eq!(PATIENCE, Duration::from_secs(5));
}

#[test]
fn refusals_speak_to_the_operator() {
    assert_eq!(CODE, "proxy.protocol");
    let told = ProxyRefused::Malformed("two checksums").to_string();
    assert_eq!(told, "the PROXY preamble is malformed: two checksums");
}

fn pair() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let port = any::<u16>();
    prop_oneof![
        (any::<[u8; 4]>(), port, any::<[u8; 4]>(), port)
            .prop_map(|(a, p, b, q)| (SocketAddr::new(a.into(), p), SocketAddr::new(b.into(), q))),
        (any::<[u8; 16]>(), port, any::<[u8; 16]>(), port).prop_map(|(a, p, b, q)| (
            SocketAddr::new(IpAddr::from(a), p),
            SocketAddr::new(IpAddr::from(b), q)
        )),
    ]
}

proptest! {
    /// What another implementation writes is read, and its reader agrees.
    #[test]
    fn another_implementations_preambles_are_read(
        (source, destination) in pair(),
        authority in "[a-z.]{0,30}",
        id in proptest::collection::vec(any::<u8>(), 0..128),
        rest in proptest::collection::vec(any::<u8>(), 0..40),
        at_a_time in 1_usize..200,
    ) {
        let address = ProxiedAddress::stream(source, destination);
        let mut ssl = SslInfo::new(true, false, true, 0);
        ssl.append_tlv(Tlv::SslVersion("TLSv1.3".into()));
        let tlvs = [Tlv::Authority(authority.into()), Tlv::UniqueId(id.into()), Tlv::Ssl(ssl), Tlv::Noop(3)];
        let (mut line, mut binary, mut local) = (Vec::new(), Vec::new(), Vec::new());
        ProxyHeader::with_address(address.clone()).encode_v1(&mut line).unwrap();
        ProxyHeader::with_tlvs(Some(address), tlvs).encode_v2(&mut binary).unwrap();
        ProxyHeader::with_local().encode_v2(&mut local).unwrap();
        for (preamble, expected) in [(line, Some(canonical(source))), (binary, Some(canonical(source))), (local, None)] {
            let sent = [&preamble[..], &rest].concat();
            let (read, left) = read_from(&sent, at_a_time);
            prop_assert_eq!(read.unwrap(), expected);
            prop_assert_eq!(left, &rest[..]);
        }
    }

    /// Anything is read or refused; what is read, another reader takes for the same client and the same length.
    #[test]
    fn any_bytes_are_read_or_refused(
        begin in prop_oneof![
            Just(v1::SIGNATURE.to_vec()),
            Just(b"PROXY TCP4 ".to_vec()),
            Just(b"PROXY UNKNOWN".to_vec()),
            Just(v2::SIGNATURE.to_vec()),
            (any::<u8>(), 0_u8..80).prop_map(|(family, length)| [v2::SIGNATURE, &[0x21, family, 0, length]].concat()),
            (0_u8..40).prop_map(|length| [v2::SIGNATURE, &[0x21, 0x11, 0, 12 + length], TCP4].concat()),
            Just(Vec::new()),
        ],
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..120),
            proptest::collection::vec(0_u8..6, 0..120),
            "[0-9a-f:. \r\n]{0,110}".prop_map(String::into_bytes),
        ],
        at_a_time in 1_usize..200,
    ) {
        let sent = [begin, body].concat();
        let (read, left) = read_from(&sent, at_a_time);
        if let Ok(client) = read {
            let (header, length) = ProxyHeader::parse(&sent, proxy_header::ParseConfig::default()).unwrap();
            prop_assert_eq!(length, sent.len() - left.len());
            prop_assert_eq!(header.proxied_address().map(|address| canonical(address.source)), client);
        }
    }
}
