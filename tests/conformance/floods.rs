//! Floods of HTTP/2: the flood is cut off, and whoever calls beside it is answered.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use hookhouse_testkit::blackbox::{Connection, House, MOMENT, eventually, request};

use crate::h2::{
    CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, GoAway, HEADERS, PING, Peer, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, field, frame, head,
};
use crate::x::{PATH, house};
use crate::{Case, Driver, nothing_stored};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[("H23", h23), ("H24", h24), ("H25", h25), ("H26", h26)];

/// Streams of a client have odd numbers.
fn stream(n: u32) -> u32 {
    2 * n + 1
}

fn challenge() -> Vec<u8> {
    request("GET", &format!("{PATH}?crc_token=foo"), &[], b"")
}

/// Does something while somebody else asks again and again and is answered each time.
fn beside<T>(house: &House, what: impl FnOnce() -> T) -> T {
    let (done, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = Connection::open(house.ingress).expect("accepted");
            while !done.load(Ordering::Relaxed) || answered.load(Ordering::Relaxed) == 0 {
                assert_eq!(connection.exchange(&challenge()).expect("answered").status, 200);
                answered.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(MOMENT);
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn logged(case: &Case, house: &House) {
    let wanted = format!("\"event\":\"{}\"", case.code());
    let line = eventually("it is in the log", || house.log().into_iter().find(|line| line.contains(&wanted)));
    assert!(line.contains("\"level\":\"WARN\"") && line.contains("\"others\":"), "{line}");
}

fn is_calm(end: &GoAway, words: &str) {
    assert_eq!((end.reason, end.words.as_str()), (CALM, words), "{end:?}");
}

fn h23(case: &Case) {
    let house = house();
    // One field of four kilobytes, remembered by the peer's table, then said sixteen thousand times in a byte each.
    let bomb = beside(&house, || {
        Peer::open(house.ingress).flood(
            |_| {
                let mut fields = head("GET", PATH);
                let value = vec![b'a'; 3_900];
                fields.extend_from_slice(&[0x40, 1, b'x', 0x7f]);
                // 3,900 = 127 + 3,773, in groups of seven bits (RFC 7541 section 5.1).
                fields.extend_from_slice(&[0x80 | (3_773 & 0x7f) as u8, (3_773 >> 7) as u8]);
                fields.extend_from_slice(&value);
                fields.resize(16_000, 0xbe);
                frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields)
            },
            1,
        )
    });
    is_calm(&bomb, "header_list_way_too_large");
    logged(case, &house);
    // A list that is only somewhat too long is that one request's trouble.
    let mut peer = Peer::open(house.ingress);
    let mut fields = head("GET", PATH);
    (0..200).for_each(|n| fields.extend(field(&format!("x-{n}"), &"v".repeat(100))));
    let (first, rest) = fields.split_at(16_000);
    peer.write(&frame(HEADERS, END_STREAM, 1, first)).expect("sent");
    peer.write(&frame(CONTINUATION, END_HEADERS, 1, rest)).expect("sent");
    peer.write(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &head("GET", &format!("{PATH}?crc_token=foo"))))
        .expect("sent");
    let mut answered = Vec::new();
    while !answered.contains(&3) {
        let frame = peer.read().expect("the connection goes on");
        assert_ne!(frame.kind, GOAWAY, "{frame:?}");
        if frame.kind == HEADERS {
            answered.push(frame.stream);
        }
    }
    assert_eq!(house.refusals().len(), 0, "nobody else saw it");
}

fn h24(case: &Case) {
    let house = house();
    let fields = head("POST", PATH);
    let end = beside(&house, || {
        Peer::open(house.ingress).flood(
            |n| {
                let mut bytes = frame(HEADERS, END_HEADERS, stream(n), &fields);
                bytes.extend(frame(RST_STREAM, 0, stream(n), &8_u32.to_be_bytes()));
                bytes
            },
            20_000,
        )
    });
    is_calm(&end, "too_many_resets");
    assert!(end.last < stream(2_000), "{end:?}");
    logged(case, &house);
    nothing_stored(&house);
}

fn h25(case: &Case) {
    let fields = head("POST", PATH);
    let opened = |flags| frame(HEADERS, flags, 1, &fields);

    let house = house();
    let end = beside(&house, || {
        let mut peer = Peer::open(house.ingress);
        peer.write(&opened(0)).expect("sent");
        peer.flood(|_| frame(CONTINUATION, 0, 1, &[]), 100_000)
    });
    is_calm(&end, "too_many_continuations");
    logged(case, &house);

    let house = self::house();
    let end = beside(&house, || {
        let mut peer = Peer::open(house.ingress);
        peer.write(&opened(END_HEADERS)).expect("sent");
        peer.flood(|_| frame(DATA, 0, 1, &[]).repeat(100), 10_000)
    });
    is_calm(&end, "too_many_data_frames");
    logged(case, &house);

    // A window that grows by nothing breaks the protocol on that stream, so that we are made to reset it.
    let house = self::house();
    let end = beside(&house, || {
        Peer::open(house.ingress).flood(
            |n| {
                let mut bytes = frame(HEADERS, END_HEADERS, stream(n), &fields);
                bytes.extend(frame(WINDOW_UPDATE, 0, stream(n), &0_u32.to_be_bytes()));
                bytes
            },
            20_000,
        )
    });
    assert!(matches!(end.reason, 1 | CALM), "{end:?}");
    assert!(end.last < stream(2_000), "{end:?}");
    logged(case, &house);
    nothing_stored(&house);
}

fn h26(case: &Case) {
    let house = house();
    let floods = [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9])];
    beside(&house, || {
        std::thread::scope(|scope| {
            for flood in &floods {
                let address = house.ingress;
                scope.spawn(move || {
                    let mut peer = Peer::narrow(address);
                    let timeout = Some(Duration::from_secs(1));
                    peer.stream().set_write_timeout(timeout).expect("a timeout");
                    let burst = flood.repeat(1_000);
                    let blocked = (0..1_000_000).any(|_| peer.write(&burst).is_err());
                    assert!(blocked, "it took everything and waits for nobody to read");
                    // Not a byte was read; it ends all the same.
                    eventually("the end of the connection", || {
                        peer.write(&burst[..1])
                            .is_err_and(|error| {
                                !matches!(
                                    error.kind(),
                                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                                )
                            })
                            .then_some(())
                    });
                });
            }
        });
    });
    logged(case, &house);
}
