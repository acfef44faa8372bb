//! Where a request begins and ends, and what it must not be read as.

use hookhouse_testkit::blackbox::{Answer, Connection, House, eventually, request};
use hookhouse_verify::x::sign_post;

use crate::x::{BODY, PATH, SIGNATURE, house, secret};
use crate::{Case, Driver, nothing_stored};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[
    ("H01", h01),
    ("H02", h02),
    ("H03", h03),
    ("H04", h04),
    ("H05", h05),
    ("H06", h06),
    ("H07", h07),
    ("H08", h08),
    ("H09", h09),
    ("H10", h10),
    ("H11", h11),
    ("H12", h12),
    ("H13", h13),
    ("H27", h27),
    ("H28", h28),
];

/// A POST with these lines in its head, and whatever is behind it.
fn post(lines: &str, rest: &str) -> String {
    format!("POST {PATH} HTTP/1.1\r\nHost: hooks.example.com\r\n{lines}\r\n{rest}")
}

fn chunked(rest: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", rest)
}

/// What comes back for these bytes, after which the connection is closed and says nothing more.
fn closing(house: &House, bytes: &str) -> Answer {
    let mut connection = Connection::open(house.ingress).expect("accepted");
    // Where it is closed early, the rest finds nobody.
    let _ = connection.write(bytes.as_bytes());
    let answer = connection.read().unwrap_or_else(|error| panic!("{bytes:.200?}: {error}"));
    assert!(connection.is_closed_silently(), "{bytes:.200?}: something follows a {}", answer.status);
    answer
}

fn logged(house: &House, code: &str) {
    let wanted = format!("\"event\":\"{code}\"");
    eventually("it is in the log", || house.log().iter().any(|line| line.contains(&wanted)).then_some(()));
}

/// Every one is refused by the parser, the connection is closed, and the log says so.
fn refused_by_the_parser(case: &Case, requests: &[String]) {
    let house = house();
    for bytes in requests {
        case.answered(&closing(&house, bytes));
    }
    logged(&house, case.code());
    nothing_stored(&house);
    assert!(house.refusals().is_empty(), "nobody else saw a request");
}

/// Every one is refused by us, the connection is closed, and the record has the file's code.
fn refused_by_us(case: &Case, requests: &[String]) -> House {
    let house = house();
    for bytes in requests {
        case.refused(&closing(&house, bytes));
    }
    case.recorded(&house, requests.len());
    assert_eq!(house.refusals().len(), requests.len());
    nothing_stored(&house);
    house
}

/// A signed event in one chunk, both ways of framing in the head, and something behind it.
fn framed_both_ways(order: [&str; 2], tail: &str) {
    let body = std::str::from_utf8(BODY).expect("UTF-8");
    let signature = format!("{SIGNATURE}: {}\r\n", sign_post(&secret(crate::x::SECRET), BODY));
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let house = house();
    let bytes = post(&format!("{signature}{}\r\n{}\r\n", order[0], order[1]), &format!("{chunk}{tail}"));
    let answer = closing(&house, &bytes);
    assert_eq!(answer.status, 200, "framed by Transfer-Encoding, and routed");
    assert_eq!(answer.header("connection"), Some("close"));
    let events = house.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["body"].as_str(), Some(body));
    let headers = events[0]["headers"].to_string();
    assert!(!headers.contains("content-length"), "{headers}");
    assert!(house.refusals().is_empty(), "the tail was no request");
    logged(&house, "http.te_cl_conflict");
}

fn h01(case: &Case) {
    assert!(case.log.contains("http.te_cl_conflict"));
    framed_both_ways(["Content-Length: 6", "Transfer-Encoding: chunked"], "X");
}

fn h02(case: &Case) {
    assert_eq!(case.log, "as H01");
    let tail = "GPOST /admin HTTP/1.1\r\nHost: hooks.example.com\r\n\r\n";
    framed_both_ways(["Transfer-Encoding: chunked", "Content-Length: 300"], tail);
}

fn h03(case: &Case) {
    refused_by_the_parser(case, &[post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}x")]);
}

fn h04(case: &Case) {
    let smuggled = format!("{{}}GET {PATH}?crc_token=foo HTTP/1.1\r\nHost: hooks.example.com\r\n\r\n");
    let house = refused_by_us(
        case,
        &[
            post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
            post("Content-Length: 2\r\ncontent-length:2\r\n", &smuggled),
        ],
    );
    // One that comes second on a connection is seen as well.
    let mut connection = Connection::open(house.ingress).expect("accepted");
    let good = request("GET", &format!("{PATH}?crc_token=foo"), &[], b"");
    let bad = post("Content-Length: 2\r\nContent-Length: 2\r\n", &smuggled);
    connection.write(&[good.as_slice(), bad.as_bytes()].concat()).expect("sent");
    assert_eq!(connection.read().expect("the first is answered").status, 200);
    case.refused(&connection.read().expect("the second is answered"));
    assert!(connection.is_closed_silently());
}

fn h05(case: &Case) {
    let lengths = ["+2", "-1", "0x2", "2, 2", "", "18446744073709551616"];
    refused_by_the_parser(case, &lengths.map(|length| post(&format!("Content-Length: {length}\r\n"), "{}")));
}

fn h06(case: &Case) {
    // The body is not sent: the answer does not wait for it.
    let codings = ["gzip, chunked", "identity, chunked"];
    refused_by_us(case, &codings.map(|coding| post(&format!("Transfer-Encoding: {coding}\r\n"), "")));
}

fn h07(case: &Case) {
    let twice = "Transfer-Encoding: chunked\r\n".repeat(2);
    let house = refused_by_us(case, &[post(&twice, "2\r\n{}\r\n0\r\n\r\n")]);
    for line in
        ["Transfer-Encoding: \x0bchunked", "Transfer-Encoding : chunked", "Transfer-Encoding: xchunked"]
    {
        case.answered(&closing(&house, &post(&format!("{line}\r\n"), "2\r\n{}\r\n0\r\n\r\n")));
    }
    nothing_stored(&house);
}

fn h08(case: &Case) {
    let old = chunked("2\r\n{}\r\n0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0");
    refused_by_the_parser(case, &[old]);
}

fn h09(case: &Case) {
    let bodies = [
        "0x2\r\n{}\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "2;a\nb\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
    ];
    refused_by_us(case, &bodies.map(chunked));
}

fn h10(case: &Case) {
    let long = format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(64 * 1024));
    let many = format!("1;{}\r\nx\r\n", "a".repeat(1024)).repeat(1024);
    refused_by_us(case, &[chunked(&long), chunked(&many)]);
}

fn h11(case: &Case) {
    let body = std::str::from_utf8(BODY).expect("UTF-8");
    let signature = sign_post(&secret(crate::x::SECRET), BODY);
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n", body.len());
    let announced = format!("Transfer-Encoding: chunked\r\nTrailer: {SIGNATURE}\r\n");
    let house = house();
    for trailer in [format!("{SIGNATURE}: {signature}\r\n"), "X-Twilio-Signature: x\r\n".to_owned()] {
        let mut connection = Connection::open(house.ingress).expect("accepted");
        let bytes = post(&announced, &format!("{chunk}{trailer}\r\n"));
        case.refused(&connection.exchange(bytes.as_bytes()).expect("answered"));
    }
    case.recorded(&house, 2);
    nothing_stored(&house);
}

fn h12(case: &Case) {
    let lines = ["X-A: a\r\n b", "X-A: a\0b", "X-A: a\rb", "X A: a", ": a"];
    refused_by_the_parser(case, &lines.map(|line| post(&format!("{line}\r\nContent-Length: 2\r\n"), "{}")));
}

fn h13(case: &Case) {
    let get = format!("GET {PATH}?crc_token=foo HTTP/1.1\r\nHost: hooks.example.com\r\nX-A: a\r\n\r\n");
    let lone = |from: &str, to: &str| get.replacen(from, to, 1);
    let house = refused_by_us(
        case,
        &[
            get.replace("\r\n", "\n"),
            lone("1.1\r\n", "1.1\n"),
            lone("a\r\n\r\n", "a\n\r\n"),
            lone("a\r\n\r\n", "a\r\n\n"),
            format!("\n{get}"),
        ],
    );
    // Behind a good one, and in as many pieces as there are bytes.
    let mut connection = Connection::open(house.ingress).expect("accepted");
    let (bad, mut sent) = (lone("a\r\n\r\n", "a\n\r\n"), 0);
    for byte in [get.as_bytes(), bad.as_bytes()].concat().chunks(1) {
        connection.write(byte).expect("it listens");
        sent += 1;
    }
    assert_eq!(sent, get.len() + bad.len());
    assert_eq!(connection.read().expect("the first is answered").status, 200);
    case.refused(&connection.read().expect("the second is answered"));
    // Of the same kind: what the parser cuts off in silence.
    let answer = closing(&house, &get.replace("foo", "foo#bar"));
    assert_eq!((answer.status, answer.error().as_deref()), (400, Some("bad_request")));
    eventually("the refusal on record", || {
        (house.refusals()[0]["code"] == "http.target_invalid").then_some(())
    });
}

fn h27(case: &Case) {
    // The body is not sent: the answer does not wait for it.
    let expectations = ["200-ok", "100-continue, 200-ok", "100-continues", ""];
    let lines = expectations.map(|expect| post(&format!("Expect: {expect}\r\nContent-Length: 2\r\n"), ""));
    refused_by_us(case, &lines);
}

fn h28(case: &Case) {
    let line = |length: usize| post(&format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"), "");
    let house = refused_by_us(case, &[line(1024 * 1024 + 1)]);
    // One that fits is told to go on, and is read then.
    let mut connection = Connection::open(house.ingress).expect("accepted");
    let go_on = connection.exchange(line(2).as_bytes()).expect("an answer before the body");
    assert_eq!(go_on.status, 100);
    assert_eq!(connection.exchange(b"{}").expect("answered").status, 403);
}
