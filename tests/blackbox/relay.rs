//! Relay: the application's own answer, or the fallback; WebSockets; logins.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use hookhouse_testkit::blackbox::{Connection, House, eventually, request, send};
use hookhouse_testkit::receiver::{Behaviour, Receiver};

const TWIML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>Hello</Say></Response>";

fn config(application: SocketAddr, relay: &str) -> String {
    format!(
        "[source.calls]\nprovider = \"none\"\npath = \"/calls\"\nmethods = [\"GET\", \"POST\"]\n\
         relay = {{ to = \"app\", {relay} }}\n\
         [destination.app]\nurl = \"http://{application}/voice\"\nallow_loopback = true\n\
         retry = {{ schedule = [\"50ms\", \"50ms\", \"50ms\"], jitter = 0.0 }}\n"
    )
}

#[test]
fn the_applications_answer_comes_back_and_every_repeat_gets_one() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let application = runtime.block_on(Receiver::start()).unwrap();
    let twiml = Behaviour::status(201)
        .header("content-type", "text/xml")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .header("connection", "x-hop")
        .header("x-hop", "stripped")
        .body(TWIML);
    application.always(twiml);
    let house = House::start(&config(application.address(), "deadline = \"5s\""), &[]);
    for n in 1..=3 {
        let answer = send(house.ingress, &request("POST", "/calls?x=1", &[], b"CallSid=CA1"));
        assert_eq!((answer.status, answer.text()), (201, TWIML));
        assert_eq!(answer.header("content-type"), Some("text/xml"));
        assert_eq!(answer.header("x-hop"), None);
        let cookies: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
        assert_eq!(cookies.len(), 2);
        assert_eq!(house.events().len(), n, "each was stored before it was relayed");
    }
    let got = application.received();
    assert_eq!((got[0].method.as_str(), got[0].target.as_str()), ("POST", "/voice?x=1"));
    assert_eq!(got[0].header("hookhouse-source"), Some("calls"));
    assert_eq!(send(house.ingress, &request("GET", "/calls?Digits=1", &[], b"")).status, 201);
}

#[test]
fn a_late_or_broken_application_gets_the_fallback_or_an_honest_status() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let application = runtime.block_on(Receiver::start()).unwrap();
    let house = House::start(&config(application.address(), "deadline = \"300ms\""), &[]);
    let broken = [
        (Behaviour::Hang, 504),
        (Behaviour::Trickle { status: 200, every: Duration::from_millis(100) }, 504),
        (Behaviour::Close, 502),
        (Behaviour::status(302).header("location", "http://169.254.169.254/"), 502),
        (Behaviour::status(200).header("x-big", "x".repeat(100_000)), 502),
        (Behaviour::Endless { status: 200 }, 502),
        (
            Behaviour::Raw(
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
            ),
            502,
        ),
        (Behaviour::Raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut".into()), 502),
    ];
    for (n, (behaviour, status)) in broken.into_iter().enumerate() {
        application.next(behaviour);
        let answer = send(house.ingress, &request("POST", "/calls", &[], b"x"));
        assert_eq!(answer.status, status, "number {n}");
        let error = if status == 504 { "upstream_timeout" } else { "upstream_error" };
        assert_eq!(answer.error().as_deref(), Some(error));
    }

    let fallback = "deadline = \"300ms\", on_failure = \"queue\", fallback = { status = 200, content_type = \"text/xml\", body = \"<Response/>\" }";
    let house = House::start(&config(application.address(), fallback), &[]);
    let before = application.received().len();
    application.next(Behaviour::Hang);
    let answer = send(house.ingress, &request("POST", "/calls", &[], b"later"));
    assert_eq!(
        (answer.status, answer.text(), answer.header("content-type")),
        (200, "<Response/>", Some("text/xml"))
    );
    // And the event is delivered afterwards.
    runtime.block_on(application.wait_for(before + 2));
    let delivered = eventually("the delivery", || {
        house.api("deliveries?state=delivered")["data"].as_array()?.first().cloned()
    });
    assert_eq!(delivered["id"], format!("{}:app:1", house.events()[0]["id"].as_str().unwrap()));
}

/// An application that agrees to speak WebSocket and sends back every byte.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve_echo(stream));
        }
    });
    address
}

fn serve_echo(mut stream: TcpStream) {
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
        text.contains("upgrade: websocket") && text.contains("sec-websocket-key: dghlihnhbxbszsbub25jzq==")
    );
    let agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let _ = stream.write_all(agreed.as_bytes());
    let mut chunk = [0; 1024];
    while let Ok(read) = stream.read(&mut chunk) {
        if read == 0 || stream.write_all(&chunk[..read]).is_err() {
            return;
        }
    }
}

const HANDSHAKE: [(&str, &str); 4] = [
    ("Connection", "keep-alive, Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[test]
fn a_websocket_passes_a_thousand_messages_both_ways() {
    let house = House::start(&config(echo(), "deadline = \"5s\""), &[]);
    let mut connection = Connection::open(house.ingress).unwrap();
    let answer = connection.exchange(&request("GET", "/calls", &HANDSHAKE, b"")).unwrap();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let mut stream = connection.stream().try_clone().unwrap();
    for n in 0..1_000_u32 {
        let message = n.to_be_bytes().repeat(50);
        stream.write_all(&message).unwrap();
        let mut back = vec![0; message.len()];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, message);
    }
    drop((connection, stream));
    eventually("the end of the connection in the log", || {
        house.log().iter().any(|line| line.contains("ws.ended") && line.contains("200000")).then_some(())
    });
    assert_eq!(house.events().len(), 1, "one record for the connection");
}

#[test]
fn an_application_that_does_not_agree_gets_nothing_but_the_handshake() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let application = runtime.block_on(Receiver::start()).unwrap();
    let house = House::start(&config(application.address(), "deadline = \"5s\""), &[]);
    let mut connection = Connection::open(house.ingress).unwrap();
    let mut bytes = request("GET", "/calls", &HANDSHAKE, b"");
    bytes.extend_from_slice(b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n");
    connection.write(&bytes).unwrap();
    assert_eq!(connection.read().unwrap().status, 502);
    let received = application.received();
    assert_eq!(received.len(), 1, "{received:?}");
    assert_eq!(received[0].target, "/voice");
}

#[test]
fn curl_logs_in_with_basic_and_with_digest() {
    let login = "basic_auth = { user = \"twilio\", password = { env = \"PASSWORD\" } }\n\
                 digest_auth = { user = \"twilio\", password = { env = \"PASSWORD\" } }\n";
    let source = format!("[source.in]\nprovider = \"none\"\npath = \"/in\"\n{login}");
    let house = House::start(&source, &[("PASSWORD", "open sesame")]);
    let url = format!("http://{}/in", house.ingress);
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-d", "hello"])
            .args(arguments)
            .arg(&url)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(curl(&["--basic", "-u", "twilio:open sesame"]), "200");
    assert_eq!(curl(&["--digest", "-u", "twilio:open sesame"]), "200");
    assert_eq!(curl(&["--anyauth", "-u", "twilio:open sesame"]), "200");
    assert_eq!(curl(&["--basic", "-u", "twilio:wrong"]), "401");
    assert_eq!(curl(&["--digest", "-u", "twilio:wrong"]), "401");
    assert_eq!(curl(&[]), "401");
    let events = house.events();
    assert_eq!(events.len(), 3);
    let headers = serde_json::to_string(&events).unwrap();
    assert!(!headers.contains("authorization"), "the credentials end here: {headers}");
    let challenge = send(house.ingress, &request("POST", "/in", &[], b"x"));
    let asked: Vec<_> = challenge.headers.iter().filter(|(name, _)| name == "www-authenticate").collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[0].1.starts_with("Digest") && asked[2].1.starts_with("Basic"), "{asked:?}");
}
