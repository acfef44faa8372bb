//! Clients that take their time before a request is whole, and between two, two hundred at once: whoever is not slow is answered, and
//! those who are slow are sent away, each of them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use hookhouse_testkit::blackbox::{House, Outside, PATIENCE, request, send};
use hookhouse_testkit::certificate::{Authority, Wanted};

const MANY: u8 = 200;
const NAME: &str = "hooks.example.com";
const SOURCE: &str = "[source.in]\nprovider = \"none\"\npath = \"/in\"\n";

/// Connections from as many addresses of this machine, with these bytes sent on each.
fn crowd(to: SocketAddr, bytes: &[u8]) -> Vec<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let connect = |n: u8| async move {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::new(127, 0, 9, n + 1), 0).into()).expect("loopback");
        socket.connect(to).await.expect("it is accepted").into_std().expect("a stream")
    };
    let crowd: Vec<_> = (0..MANY).map(|n| runtime.block_on(connect(n))).collect();
    for mut stream in &crowd {
        stream.set_nonblocking(false).expect("a blocking stream");
        stream.write_all(bytes).expect("it is read");
    }
    crowd
}

/// How many of a crowd are closed, or told why and closed: reading them comes to an end.
fn sent_away(crowd: Vec<TcpStream>) -> usize {
    let ended = crowd.into_iter().filter(|stream| {
        let mut stream = stream;
        stream.set_read_timeout(Some(PATIENCE * 2)).expect("a timeout");
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    });
    ended.count()
}

/// Sends so many good requests while a crowd is there, then counts those of it that are sent away.
fn beside(house: &House, ask: impl Fn() -> u16, bytes: &[u8]) {
    let crowd = crowd(house.ingress, bytes);
    for _ in 0..20 {
        assert_eq!(ask(), 200, "{:.60?}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(sent_away(crowd), usize::from(MANY), "{:.60?}", String::from_utf8_lossy(bytes));
    assert_eq!(ask(), 200);
}

fn good() -> Vec<u8> {
    request("POST", "/in", &[], b"good")
}

#[test]
fn before_the_first_byte_in_the_head_and_in_the_body() {
    let house = House::start(SOURCE, &[]);
    let ask = || send(house.ingress, &good()).status;
    let body = request("POST", "/in", &[("Content-Length", "1000")], b"some");
    let chunk = request("POST", "/in", &[("Transfer-Encoding", "chunked")], b"ff\r\nsome");
    let phases: [&[u8]; 6] = [
        b"",
        b"POST /in HT",
        b"POST /in HTTP/1.1\r\nHost: hooks.example.com\r\nX-Slow: ",
        &body,
        &chunk,
        b"PRI * HTTP/2.0\r\n\r\nSM",
    ];
    std::thread::scope(|scope| {
        for phase in phases {
            let (house, ask) = (&house, &ask);
            scope.spawn(move || beside(house, ask, phase));
        }
    });
    let stored = house.events();
    assert_eq!(stored.len(), 21 * phases.len(), "every good request, and nothing of the others");
}

#[test]
fn in_the_handshake_of_tls() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    authority.issue(&Wanted::good(&[NAME])).write(&cert, &key);
    let tls = format!("tls = {{ cert = {cert:?}, key = {key:?} }}");
    let house = House::start(&format!("[server]\nlisten = [\"127.0.0.1:0\"]\n{tls}\n{SOURCE}"), &[]);
    let outside = Outside::trusting(&authority.pem());
    let ask = || outside.ask(house.ingress, NAME, &good()).status;
    // Nothing, the head of a record, and the beginning of a ClientHello.
    let phases: [&[u8]; 3] = [b"", b"\x16\x03\x01\x02", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abc"];
    std::thread::scope(|scope| {
        for phase in phases {
            let (house, ask) = (&house, &ask);
            scope.spawn(move || beside(house, ask, phase));
        }
    });
}

#[test]
fn between_requests() {
    let house = House::start(SOURCE, &[]);
    beside(&house, || send(house.ingress, &good()).status, &good());
    assert_eq!(house.events().len(), usize::from(MANY) + 21);
}
