//! Where a request came from, as strangers would have it.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::forwarded::{HEADERS, Trust};
use super::proxy_protocol::{is_preamble, read_preamble};
use crate::fuzzing::{header_map, hostile, parts};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

/// `Forwarded`, and `X-Forwarded-For`, `-Proto`, `-Host`, `-Port`, `-Prefix`.
pub(crate) fn forwarded(input: &[u8]) {
    let values = parts::<6>(input);
    let fields: Vec<_> = HEADERS.into_iter().zip(values).collect();
    let headers = header_map(&fields);
    // A stranger is who the socket says, whatever it says itself.
    let stranger = Trust::default().origin(PEER, &headers).expect("a stranger's word is not read");
    assert!(stranger.client == PEER && !stranger.via_proxy && stranger.host.is_none());
    assert_eq!(stranger.note.is_some(), !headers.is_empty());

    let trust = Trust::new(vec!["10.0.0.0/8".parse().expect("a network")]);
    match trust.origin(PEER, &headers) {
        Ok(origin) => {
            assert!(origin.via_proxy && origin.client == origin.client.to_canonical());
            assert!(origin.port != Some(0) && origin.host.as_deref() != Some(""));
            let prefix = origin.prefix.as_deref().unwrap_or("/a");
            assert!(prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains(['?', '#', ' ']));
        }
        Err(refused) => {
            assert!(!refused.reason.to_string().contains(char::is_control), "{refused:?}");
            assert_eq!(refused.into_origin().client, PEER);
        }
    }
}

pub(crate) fn headers() -> Vec<Vec<u8>> {
    let plain = [
        "for=192.0.2.60;proto=https;by=203.0.113.43;host=a.example, for=\"[2001:db8::1]:4711\"\0\0\0\0\0",
        "\x00203.0.113.7, 10.1.2.3\0https\0hooks.example.com:8443\x008443\0/v1",
        "for=unknown\0unknown\0http, https\0a, b\x0080, 443\0/",
        "for=_hidden;host=\"[::1]:80\"\0::ffff:1.2.3.4\0\0\0\0//x",
        "for=1.2.3.4\x005.6.7.8\0\0\0\0",
        "\0not\tan address\0\0\0\0",
        "for=1.2.3.4\nfor=\"1.2.3.4:5\"\0\0\0\0\0",
    ];
    let hostile = hostile().into_iter().map(|text| format!("{text}\0{text}\0{text}\0{text}\0{text}\0{text}"));
    plain.into_iter().map(str::to_owned).chain(hostile).map(String::into_bytes).collect()
}

/// The PROXY preamble, both versions: not a byte behind it is read, and it can be told by its first bytes.
pub(crate) fn preamble(input: &[u8]) {
    let mut rest = input;
    let Poll::Ready(read) = pin!(read_preamble(&mut rest)).poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("bytes in memory are there at once")
    };
    match read {
        Ok(_) => {
            assert!(is_preamble(input));
            let taken = input.len() - rest.len();
            let (read, _) = input.split_at(taken);
            assert!((15..=16 + 4096).contains(&taken));
            assert!(!read.starts_with(b"PROXY ") || read.iter().position(|b| *b == b'\n') == Some(taken - 1));
        }
        Err(refused) => assert!(!refused.to_string().contains(char::is_control)),
    }
}

pub(crate) fn preambles() -> Vec<Vec<u8>> {
    let lines = [
        "PROXY TCP4 192.0.2.1 203.0.113.9 56324 443\r\nGET / HTTP/1.1\r\n",
        "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
        "PROXY TCP4 192.0.2.1 203.0.113.9 +1 002\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let blocks: [&[u8]; 4] = [
        b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xcb\x00\x71\x09\xdc\x04\x01\xbbGET",
        b"\x20\x00\x00\x00",
        b"\x21\x11\x00\x13\xc0\x00\x02\x01\xcb\x00\x71\x09\xdc\x04\x01\xbb\x03\x00\x04\x00\x00\x00\x00",
        b"\x21\x21\x00\x24aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb\x00\x50\x00\x51",
    ];
    let blocks = blocks.into_iter().map(|block| [&signature[..], block].concat());
    lines.into_iter().map(|line| line.as_bytes().to_vec()).chain(blocks).collect()
}
