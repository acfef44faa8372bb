//! WebSockets on a relay: a signed handshake, bytes both ways, every way to end, and nothing that stays behind.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hookhouse_testkit::blackbox::{Answer, Connection, House, eventually, request};
use hookhouse_testkit::receiver::Receiver;
use hookhouse_verify::Secret;
use hookhouse_verify::twilio::{Algorithm, sign};

use super::relay::answer_to;

pub(super) const TOKEN: &str = "auth-token-of-the-stream-account-1";

/// An application that agrees to speak WebSocket and sends back every byte.
#[derive(Clone)]
pub(super) struct Echo {
    pub(super) address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
    ended: Arc<AtomicUsize>,
}

impl Echo {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let echo = Self { address, open: Arc::default(), ended: Arc::default() };
        let serving = echo.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (serving, kept) = (serving.clone(), stream.try_clone().expect("a descriptor"));
                serving.open.lock().expect("nobody panics with it").push(kept);
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        echo
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        assert!(
            text.contains("upgrade: websocket")
                && text.contains("sec-websocket-key: dghlihnhbxbszsbub25jzq==")
        );
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        let _ = stream.write_all(agreed.as_bytes());
        let mut chunk = [0; 1024];
        while let Ok(read) = stream.read(&mut chunk) {
            if read == 0 || stream.write_all(&chunk[..read]).is_err() {
                break;
            }
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
        let ours = stream.peer_addr().ok();
        self.open.lock().expect("nobody panics with it").retain(|kept| {
            let theirs = kept.peer_addr().ok();
            theirs.is_some() && theirs != ours
        });
    }

    /// Every connection ends, as when its process does.
    fn kill(&self) {
        for stream in self.open.lock().expect("nobody panics with it").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn config(application: SocketAddr) -> String {
    let source = |name: &str, relay: &str| {
        format!(
            "[source.{name}]\nprovider = \"twilio\"\npath = \"/{name}\"\npublic_url = \"https://h.example\"\n\
             auth_token = {{ env = \"TOKEN\" }}\nrelay = {{ {relay} }}\n"
        )
    };
    format!(
        "{}{}{}[destination.app]\nurl = \"http://{application}/stream\"\nallow_loopback = true\n\
         [destination.nobody]\nurl = \"http://127.0.0.1:1/stream\"\nallow_loopback = true\n",
        source("streams", "to = \"app\", deadline = \"20s\""),
        source("quiet", "to = \"app\", deadline = \"20s\", idle = \"200ms\""),
        source("lost", "to = \"nobody\", deadline = \"20s\""),
    )
}

/// A handshake as Twilio signs it: for the `wss` URL, without a body.
pub(super) fn handshake(path: &str, token: &str) -> Vec<u8> {
    let url = format!("wss://h.example{path}");
    let signature = sign(&Secret::new(token).expect("not empty"), Algorithm::HmacSha1, &url, b"");
    let headers = [
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("X-Twilio-Signature", signature.as_str()),
    ];
    request("GET", path, &headers, b"")
}

/// Offers a handshake.
fn offer(house: &House, path: &str, token: &str) -> (Connection, Answer) {
    let mut connection = Connection::open(house.ingress).expect("the house accepts connections");
    let answer = connection.exchange(&handshake(path, token)).expect("the house answers");
    (connection, answer)
}

/// Opens a connection that both sides have agreed to.
fn open(house: &House, path: &str) -> TcpStream {
    let (connection, answer) = offer(house, path, TOKEN);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    connection.stream().try_clone().expect("a descriptor")
}

fn echo_once(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(message).expect("the house reads");
    let mut back = vec![0; message.len()];
    stream.read_exact(&mut back).expect("and brings it back");
    assert_eq!(back, message);
}

#[test]
fn a_tunnel_keeps_its_place_until_it_ends() {
    let echo = Echo::start();
    let limits = "[server]\nlisten = [\"127.0.0.1:0\"]\nlimits = { connections = 3, per_address = 3 }\n";
    let house = House::start(&format!("{limits}{}", config(echo.address)), &[("TOKEN", TOKEN)]);
    let is_served = || {
        let mut connection = Connection::open(house.ingress).expect("accepted by the system");
        connection.exchange(&request("GET", "/nowhere", &[], b"")).is_ok_and(|answer| answer.status == 404)
    };
    let mut tunnels: Vec<_> = (0..3).map(|_| open(&house, "/streams")).collect();
    for tunnel in &mut tunnels {
        echo_once(tunnel, b"here");
    }
    assert!(!is_served(), "one more than there are places");
    let last = tunnels.pop().expect("three");
    last.shutdown(Shutdown::Both).expect("open");
    drop(last);
    eventually("a place", || is_served().then_some(()));
    for tunnel in &mut tunnels {
        echo_once(tunnel, b"and still here");
    }
}

#[test]
fn a_thousand_messages_both_ways() {
    let echo = Echo::start();
    let house = House::start(&config(echo.address), &[("TOKEN", TOKEN)]);
    let mut stream = open(&house, "/streams");
    for n in 0..1_000_u32 {
        echo_once(&mut stream, &n.to_be_bytes().repeat(50));
    }
    drop(stream);
    eventually("the application sees the end", || (echo.ended.load(Ordering::Relaxed) == 1).then_some(()));
    eventually("the end of the connection in the log", || {
        house.log().iter().any(|line| line.contains("ws.ended") && line.contains("200000")).then_some(())
    });
    let events = house.events();
    assert_eq!(events.len(), 1, "one record for the connection");
    let passed = ended(&house, &events[0]);
    assert_eq!(
        (&passed["end"], &passed["up"], &passed["down"]),
        (&"closed".into(), &200_000.into(), &200_000.into())
    );
}

/// What is on record about a connection that ended.
fn ended(house: &House, event: &serde_json::Value) -> serde_json::Value {
    let id = event["id"].as_str().expect("an event has an id");
    eventually("the record of the end", || {
        let answer = answer_to(house, id);
        assert_eq!(answer["status"], 101);
        Some(answer["connection"].clone()).filter(|passed| !passed.is_null())
    })
}

#[test]
fn a_forged_handshake_is_refused_before_any_dial() {
    let echo = Echo::start();
    let house = House::start(&config(echo.address), &[("TOKEN", TOKEN)]);
    let (_, answer) = offer(&house, "/streams", "auth-token-of-somebody-else-00001");
    assert_eq!((answer.status, answer.error().as_deref()), (403, Some("forbidden")));
    // The next one to be dialled is the first that the application sees.
    drop(open(&house, "/streams"));
    eventually("the end", || (echo.ended.load(Ordering::Relaxed) == 1).then_some(()));
    assert_eq!(house.events().len(), 1);
}

#[test]
fn an_application_that_does_not_agree_gets_nothing_but_the_handshake() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let application = runtime.block_on(Receiver::start()).unwrap();
    let house = House::start(&config(application.address()), &[("TOKEN", TOKEN)]);
    let mut connection = Connection::open(house.ingress).unwrap();
    let mut bytes = handshake("/streams", TOKEN);
    bytes.extend_from_slice(b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n");
    connection.write(&bytes).unwrap();
    assert_eq!(connection.read().unwrap().status, 502);
    let received = application.received();
    assert_eq!(received.len(), 1, "{received:?}");
    assert_eq!(received[0].target, "/stream");
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The sender says so, and reads the rest.
    SenderCloses,
    /// The sender is gone, with bytes on their way to it.
    SenderDies,
    /// The application is gone.
    ApplicationDies,
    /// Nobody says anything.
    Silence,
    /// There is no application.
    Refused,
    /// The signature is wrong.
    Forged,
}

impl End {
    const ALL: [Self; 6] = [
        Self::SenderCloses,
        Self::SenderDies,
        Self::ApplicationDies,
        Self::Silence,
        Self::Refused,
        Self::Forged,
    ];

    /// Makes so many connections at once, and ends them so.
    fn run(self, house: &House, echo: &Echo, count: usize) {
        match self {
            Self::Refused => {
                return (0..count).for_each(|_| assert_eq!(offer(house, "/lost", TOKEN).1.status, 502));
            }
            Self::Forged => {
                return (0..count).for_each(|_| assert_eq!(offer(house, "/streams", "forged").1.status, 403));
            }
            _ => {}
        }
        let path = if self == Self::Silence { "/quiet" } else { "/streams" };
        let mut streams: Vec<TcpStream> = (0..count).map(|_| open(house, path)).collect();
        if self != Self::Silence {
            streams.iter_mut().for_each(|stream| echo_once(stream, b"hello"));
        }
        if self == Self::ApplicationDies {
            echo.kill();
        }
        for mut stream in streams {
            let mut byte = [0];
            match self {
                Self::SenderCloses => stream.shutdown(Shutdown::Write).expect("it is open"),
                Self::SenderDies => {
                    // Closing with unread input resets the connection, as the end of a process does.
                    stream.write_all(b"and again").expect("the house reads");
                    assert_eq!(stream.peek(&mut byte).expect("it comes back"), 1);
                    continue;
                }
                _ => {}
            }
            assert!(matches!(stream.read(&mut byte), Ok(0) | Err(_)), "{self:?}: the sender sees the end");
        }
    }
}

#[test]
fn nothing_is_left_of_connections_however_they_ended() {
    const WAVE: usize = 20;
    const WAVES: usize = 10;
    let echo = Echo::start();
    let house = House::start(&config(echo.address), &[("TOKEN", TOKEN)]);
    let count = |what: &str| {
        let path = format!("/proc/{}/{what}", house.pid());
        std::fs::read_dir(path).expect("the house runs").count()
    };
    let ends = || house.log().iter().filter(|line| line.contains("ws.ended")).count();
    // Once each, for what is opened on first use and kept.
    End::ALL.iter().for_each(|end| end.run(&house, &echo, 1));
    let mut expected = 4;
    eventually("the first ends", || (ends() == expected).then_some(()));
    let (descriptors, threads) = eventually("a moment of rest", || {
        let before = (count("fd"), count("task"));
        std::thread::sleep(hookhouse_testkit::blackbox::MOMENT * 10);
        (before == (count("fd"), count("task"))).then_some(before)
    });

    for end in End::ALL {
        for _ in 0..WAVES {
            end.run(&house, &echo, WAVE);
        }
        if !matches!(end, End::Refused | End::Forged) {
            expected += WAVE * WAVES;
        }
        eventually(&format!("{end:?}: every end in the log"), || (ends() == expected).then_some(()));
        let applications = echo.ended.load(Ordering::Relaxed);
        eventually(&format!("{end:?}: the application sees every end, {applications} of {expected}"), || {
            (echo.ended.load(Ordering::Relaxed) == expected).then_some(())
        });
        eventually(&format!("{end:?}: {descriptors} descriptors and {threads} threads"), || {
            (count("fd") <= descriptors && count("task") <= threads).then_some(())
        });
        echo_once(&mut open(&house, "/streams"), b"and the next one works");
        expected += 1;
    }

    let mut by_end: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for line in house.log().iter().filter(|line| line.contains("ws.ended")) {
        let end = ["closed", "broken", "idle"].into_iter().find(|end| line.contains(end));
        *by_end.entry(end.unwrap_or(line).to_owned()).or_default() += 1;
    }
    assert_eq!(by_end.get("idle"), Some(&(WAVE * WAVES + 1)), "{by_end:?}");
    assert!(by_end.get("closed").is_some_and(|closed| *closed > WAVE * WAVES), "{by_end:?}");
}
