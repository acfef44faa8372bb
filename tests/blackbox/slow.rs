//! Clients that take their time before a request is whole, over its answer, and between two, two hundred at once in each phase: whoever
//! is not slow is answered, and those who are slow are sent away, each of them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use hookhouse_testkit::blackbox::{Connection, House, MOMENT, Outside, PATIENCE, eventually, request, send};
use hookhouse_testkit::certificate::{Authority, Wanted};

use super::websocket::{TOKEN, handshake};

const MANY: u8 = 200;
const NAME: &str = "hooks.example.com";
const SOURCE: &str = "[source.in]\nprovider = \"none\"\npath = \"/in\"\n";

/// Connections from as many addresses of this machine, with these bytes sent on each.
fn crowd(to: SocketAddr, bytes: &[u8]) -> Vec<TcpStream> {
    crowd_with(to, bytes, |_| {})
}

/// Connections that have room for little of what they are told.
fn narrow_crowd(to: SocketAddr, bytes: &[u8]) -> Vec<TcpStream> {
    crowd_with(to, bytes, |socket| socket.set_recv_buffer_size(4096).expect("a small buffer"))
}

fn crowd_with(to: SocketAddr, bytes: &[u8], set: fn(&tokio::net::TcpSocket)) -> Vec<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let connect = |n: u8| async move {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        set(&socket);
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

/// The length of an answer, and how many of them are asked for at once: more than what the system keeps for somebody who does not
/// read, which is 4 MB (`net.ipv4.tcp_wmem`).
const LONG: usize = 1 << 20;
const TIMES: u8 = 6;

/// Requests of HTTP/2 (RFC 9113), with so much room for the answer in its stream, and in the connection.
fn multiplexed(window: u32) -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).expect("a short frame");
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    // SETTINGS_INITIAL_WINDOW_SIZE, and as much more for all streams together as there can be.
    let settings = [[0, 4].as_slice(), &window.to_be_bytes()].concat();
    let room = (0x7fff_ffff_u32 - 65_535).to_be_bytes();
    // `POST`, `http` by the static table of RFC 7541; the path and the authority spelled out.
    let head = [b"\x83\x86\x04\x05/long\x01\x11".as_slice(), NAME.as_bytes()].concat();
    let opening =
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &settings), &frame(8, 0, 0, &room)]
            .concat();
    let requests = (0..TIMES).flat_map(|n| frame(1, 5, 2 * n + 1, &head));
    opening.into_iter().chain(requests).collect()
}

/// Answers that nobody reads: the connection takes no more of them, or their stream has no room.
#[test]
fn over_its_answer() {
    let long = "x".repeat(LONG);
    let answers = format!(
        "[source.long]\nprovider = \"none\"\npath = \"/long\"\n\
         answer = {{ status = 200, content_type = \"text/plain\", body = \"{long}\" }}\n{SOURCE}"
    );
    let house = House::start(&answers, &[]);
    let descriptors =
        || std::fs::read_dir(format!("/proc/{}/fd", house.pid())).expect("the house runs").count();
    let ask = request("POST", "/long", &[], b"slow").repeat(TIMES.into());
    let before = descriptors();
    let crowds = [ask.clone(), multiplexed(0x7fff_ffff), multiplexed(0)]
        .map(|bytes| narrow_crowd(house.ingress, &bytes));
    let crowded = usize::from(MANY) * crowds.len();
    eventually("everybody to be there", || (descriptors() >= crowded).then_some(()));
    for _ in 0..20 {
        assert_eq!(send(house.ingress, &good()).status, 200);
    }
    // Somebody who reads, if slowly, gets all of it.
    let mut patient = Connection::open(house.ingress).expect("accepted");
    patient.write(&ask).expect("sent");
    for _ in 0..20 {
        std::thread::sleep(MOMENT);
        patient.stream().peek(&mut [0]).expect("there is more");
    }
    for _ in 0..TIMES {
        assert_eq!(patient.read().expect("the whole answer").body.len(), LONG);
    }
    drop(patient);
    // Not one of them reads, so that not one ends by itself.
    eventually("the end of each", || (descriptors() <= before + 4).then_some(()));
    assert!(house.log().iter().any(|line| line.contains("conn.write_stall")));
    drop(crowds);
    // HTTP/2 asks for all at once; of HTTP/1's, the next is looked at when the last one is on its way.
    let (all, some) = (usize::from(MANY) * 2 * usize::from(TIMES), usize::from(MANY));
    let stored = house.events().len() - 20 - usize::from(TIMES);
    assert!((all + some..=all + some * usize::from(TIMES)).contains(&stored), "{stored} are stored");
}

/// An application that does something with each connection.
fn application(serve: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads a handshake, and agrees to it.
fn agree(stream: &mut TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    let agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    stream.write_all(agreed.as_bytes()).expect("the house reads");
}

/// Stays until the other side has gone.
fn stay(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// A WebSocket whose application takes its time to agree, one on which nobody says anything, and one that is not read.
#[test]
fn on_a_websocket() {
    let late = application(stay);
    let silent = application(|mut stream| {
        agree(&mut stream);
        stay(stream);
    });
    let talks = application(|mut stream| {
        agree(&mut stream);
        // Whoever does not read it is gone before its end.
        let _ = stream.write_all(&vec![b'x'; LONG * usize::from(TIMES)]);
        stay(stream);
    });
    let relayed = |name: &str, application: SocketAddr| {
        format!(
            "[source.{name}]\nprovider = \"twilio\"\npath = \"/{name}\"\npublic_url = \"https://h.example\"\n\
             auth_token = {{ env = \"TOKEN\" }}\nrelay = {{ to = \"{name}\", deadline = \"5s\", idle = \"5s\" }}\n\
             [destination.{name}]\nurl = \"http://{application}/\"\nallow_loopback = true\n"
        )
    };
    let sources =
        [relayed("late", late), relayed("silent", silent), relayed("talks", talks), SOURCE.to_owned()];
    let house = House::start(&sources.concat(), &[("TOKEN", TOKEN)]);
    let offer = |name: &str| narrow_crowd(house.ingress, &handshake(&format!("/{name}"), TOKEN));
    let (late, silent, talks) = (offer("late"), offer("silent"), offer("talks"));
    for _ in 0..20 {
        assert_eq!(send(house.ingress, &good()).status, 200);
    }
    let ends =
        || house.log().iter().filter(|line| line.contains("ws.ended") && line.contains("idle")).count();
    eventually("the end of each, for want of anything said", || {
        (ends() == usize::from(MANY) * 2).then_some(())
    });
    assert_eq!(sent_away(silent), usize::from(MANY));
    drop(talks);
    for stream in late {
        let answer = Connection::over(stream).and_then(|mut open| open.read()).expect("an answer");
        assert_eq!(answer.status, 504);
    }
    assert_eq!(send(house.ingress, &good()).status, 200);
}
