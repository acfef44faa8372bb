//! Patience and sizes. What a case says about seconds is the server's own limit: here it counts that it ends.

use std::time::Duration;

use hookhouse_verify::Secret;
use hookhouse_verify::x::sign_post;

use crate::x::{PATH, SECRET, SIGNATURE, post};
use crate::{Case, Driver, nothing_stored};
use hookhouse_testkit::blackbox::PATIENCE;
use hookhouse_testkit::blackbox::{Connection, House, eventually};
use hookhouse_testkit::blackbox::{MOMENT, request, send};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[
    ("L01", l01),
    ("L03", l03),
    ("L04", l04),
    ("L05", l05),
    ("L06", l06),
    ("L07", l07),
    ("L08", l08),
    ("L09", l09),
];

const CONFIG: &str = r#"
[source.x]
provider = "x"
path = "/webhooks/twitter"
consumer_secret = { env = "SECRET" }
"#;

fn house() -> House {
    House::start(CONFIG, &[("SECRET", SECRET)])
}

fn logged(case: &Case, house: &House) {
    eventually("the line in the log", || {
        house.log().iter().any(|line| line.contains(case.code())).then_some(())
    });
}

fn l01(case: &Case) {
    let house = house();
    let mut connection = Connection::open(house.ingress).expect("accepted");
    assert!(connection.is_closed_silently());
    logged(case, &house);
}

fn l03(case: &Case) {
    let house = house();
    let mut connection = Connection::open(house.ingress).expect("accepted");
    let mut head = b"GET /webhooks/twitter?crc_token=foo HTTP/1.1\r\nHost: h\r\nX-Slow: ".to_vec();
    head.resize(head.len() + 200, b'a');
    let mut sent = 0;
    for byte in head.chunks(1) {
        if connection.write(byte).is_err() {
            break;
        }
        sent += 1;
        std::thread::sleep(MOMENT * 4);
    }
    assert!(sent < head.len(), "the head could be dragged out for ever");
    logged(case, &house);
}

fn l04(case: &Case) {
    let house = house();
    let mut connection = Connection::open(house.ingress).expect("accepted");
    connection.write(&request("POST", PATH, &[("Content-Length", "1000")], b"")).expect("sent");
    let mut slow = connection.stream().try_clone().expect("a second handle");
    let dripping = std::thread::spawn(move || {
        while std::io::Write::write_all(&mut slow, b"x").is_ok() {
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    case.refused(&connection.read().expect("an answer"));
    drop(connection);
    dripping.join().expect("the connection was closed");
    case.recorded(&house, 1);
    nothing_stored(&house);
}

fn l05(case: &Case) {
    let house = house();
    let mut connection = Connection::open(house.ingress).expect("accepted");
    let ask = request("GET", &format!("{PATH}?crc_token=foo"), &[], b"");
    assert_eq!(connection.exchange(&ask).expect("answered").status, 200);
    assert_eq!(connection.exchange(&ask).expect("kept alive").status, 200);
    connection.stream().set_read_timeout(Some(PATIENCE * 3)).expect("a timeout");
    assert!(connection.is_closed_silently());
    logged(case, &house);
}

fn l06(case: &Case) {
    let house = house();
    // Only announced, never sent: the answer does not wait for it.
    let length = (1024 * 1024 + 1).to_string();
    case.refused(&send(house.ingress, &request("POST", PATH, &[("Content-Length", &length)], b"")));
    // Sent with all might: the answer still arrives.
    let body = vec![b'x'; 10 * 1024 * 1024];
    let mut connection = Connection::open(house.ingress).expect("accepted");
    let _ = connection.write(&request("POST", PATH, &[], &body));
    case.refused(&connection.read().expect("the answer is seen"));
    case.recorded(&house, 2);
    // The limit itself is fine.
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024 - 8));
    assert_eq!(body.len(), 1024 * 1024);
    let signature = sign_post(&Secret::new(SECRET).expect("not empty"), body.as_bytes());
    assert_eq!(post(&house, body.as_bytes(), &signature).status, 200);
}

fn l07(case: &Case) {
    let house = house();
    let mut connection = Connection::open(house.ingress).expect("accepted");
    connection.write(&request("POST", PATH, &[("Transfer-Encoding", "chunked")], b"")).expect("sent");
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    for _ in 0..64 {
        if connection.write(&chunk).is_err() {
            break;
        }
    }
    case.refused(&connection.read().expect("the answer is seen"));
    case.recorded(&house, 1);
    nothing_stored(&house);
}

fn l08(case: &Case) {
    let house = house();
    for coding in ["gzip", "gzip, gzip", "br", "identity, gzip"] {
        let answer =
            send(house.ingress, &request("POST", PATH, &[("Content-Encoding", coding)], b"\x1f\x8b"));
        case.refused(&answer);
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
    }
    case.recorded(&house, 4);
    let body = b"{}";
    let signature = sign_post(&Secret::new(SECRET).expect("not empty"), body);
    let plain = [("Content-Encoding", "identity"), (SIGNATURE, signature.as_str())];
    assert_eq!(send(house.ingress, &request("POST", PATH, &plain, body)).status, 200);
}

fn l09(case: &Case) {
    let house = house();
    let mut connection = Connection::open(house.ingress).expect("accepted");
    connection.write(&request("POST", PATH, &[("Content-Length", "1000")], b"{\"half\":")).expect("sent");
    connection.stream().shutdown(std::net::Shutdown::Write).expect("FIN");
    if let Ok(answer) = connection.read() {
        case.answered(&answer);
    }
    // A second one goes away altogether.
    let mut connection = Connection::open(house.ingress).expect("accepted");
    connection.write(&request("POST", PATH, &[("Content-Length", "1000")], b"{\"half\":")).expect("sent");
    drop(connection);
    nothing_stored(&house);
    assert_eq!(send(house.ingress, &request("GET", &format!("{PATH}?crc_token=foo"), &[], b"")).status, 200);
    // Who has said all may end its side and wait: it is heard, and has its answer.
    for number in 0..20 {
        let body = format!("{{\"number\":{number}}}");
        let signature = sign_post(&Secret::new(SECRET).expect("not empty"), body.as_bytes());
        let mut connection = Connection::open(house.ingress).expect("accepted");
        let whole = request("POST", PATH, &[(SIGNATURE, signature.as_str())], body.as_bytes());
        connection.write(&whole).expect("sent");
        connection.stream().shutdown(std::net::Shutdown::Write).expect("FIN");
        assert_eq!(connection.read().expect("an answer").status, 200);
    }
    assert_eq!(house.events().len(), 20);
}
