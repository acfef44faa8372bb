//! Relay and WebSocket, and headers that only look like either.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hookhouse_testkit::blackbox::{Answer, Connection, House, eventually, request, send};
use hookhouse_testkit::receiver::{Behaviour, Receiver};
use hookhouse_verify::Secret;
use hookhouse_verify::twilio::{Algorithm, sign};

use crate::{Case, Driver, nothing_stored};

pub(crate) const DRIVERS: &[(&str, Driver)] =
    &[("W02", w02), ("W11", w11), ("W12", w12), ("W13", w13), ("W14", w14), ("H29", h29), ("H30", h30)];

const TOKEN: &str = "auth-token-of-this-test-0123456789";
const TWIML: &str = "<Response><Gather/></Response>";
const FORM: &str = "application/x-www-form-urlencoded";

/// A Twilio number whose calls an application answers.
struct Line {
    runtime: tokio::runtime::Runtime,
    application: Receiver,
    house: House,
}

impl Line {
    fn connect(relay: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let application = runtime.block_on(Receiver::start()).expect("a port");
        application.always(Behaviour::status(200).header("content-type", "text/xml").body(TWIML));
        let config = format!(
            "[source.calls]\nprovider = \"twilio\"\npath = \"/voice\"\npublic_url = \"https://hooks.example.com\"\n\
             auth_token = {{ env = \"TOKEN\" }}\nrelay = {{ to = \"app\", {relay} }}\n\
             [source.plain]\nprovider = \"none\"\npath = \"/plain\"\n\
             [destination.app]\nurl = \"http://{}/voice\"\nallow_loopback = true\n",
            application.address()
        );
        Self { house: House::start(&config, &[("TOKEN", TOKEN)]), runtime, application }
    }

    fn call(&self, body: &str) -> Answer {
        self.call_with(body, "https://hooks.example.com/voice", &[])
    }

    fn call_with(&self, body: &str, signed: &str, more: &[(&str, &str)]) -> Answer {
        let signature = sign(&token(), Algorithm::HmacSha1, signed, body.as_bytes());
        let mut headers = vec![("content-type", FORM), ("x-twilio-signature", signature.as_str())];
        headers.extend_from_slice(more);
        send(self.house.ingress, &request("POST", "/voice", &headers, body.as_bytes()))
    }

    /// A WebSocket handshake, signed for this URL.
    fn handshake(&self, signed: Option<&str>) -> Vec<u8> {
        let signature = signed.map(|url| sign(&token(), Algorithm::HmacSha1, url, b""));
        let mut headers = vec![
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        headers.extend(signature.as_deref().map(|signature| ("x-twilio-signature", signature)));
        request("GET", "/voice", &headers, b"")
    }
}

fn token() -> Secret {
    Secret::new(TOKEN).expect("not empty")
}

/// What the sender says about the URL changes nothing: it is the configured one that is verified.
fn w02(case: &Case) {
    let line = Line::connect("deadline = \"5s\"");
    let forged: [&[(&str, &str)]; 2] = [
        &[("X-Forwarded-Proto", "http"), ("X-Forwarded-Host", "evil.example")],
        &[("Forwarded", "proto=http;host=evil.example")],
    ];
    for headers in forged {
        case.refused(&line.call_with("CallSid=CA1", "http://evil.example/voice", headers));
        assert_eq!(line.call_with("CallSid=CA1", "https://hooks.example.com/voice", headers).status, 200);
    }
    for received in line.application.received() {
        assert!(
            received.headers.iter().all(|(name, value)| name != "forwarded" && !value.starts_with(b"evil"))
        );
    }
}

fn w11(case: &Case) {
    let line = Line::connect("deadline = \"5s\"");
    for _ in 0..2 {
        let answer = line.call("CallSid=CA1&Digits=1");
        case.answered(&answer);
        assert_eq!(answer.text(), TWIML);
    }
    assert_eq!(line.application.received().len(), 2, "proxied both times");
    let [first, second] = &line.house.events()[..] else { panic!("both are stored") };
    let suspect = eventually("the second one's answer", || {
        let event = line.house.api(&format!("events/{}", second["id"].as_str()?));
        Some(event["answer"].clone()).filter(|answer| !answer.is_null())
    });
    assert_eq!(suspect["repeat_of"], first["id"], "{}", case.log);
    assert!(eventually("the log", || {
        line.house.log().iter().any(|entry| entry.contains("\"replay_suspect\":true")).then_some(true)
    }));
}

fn w12(case: &Case) {
    let line = Line::connect("deadline = \"5s\"");
    for signed in [None, Some("wss://evil.example/voice")] {
        case.refused(&send(line.house.ingress, &line.handshake(signed)));
    }
    assert_eq!(line.application.connections(), 0, "nothing was dialled");
    nothing_stored(&line.house);
    // A signed one is offered to the application.
    let offered = send(line.house.ingress, &line.handshake(Some("wss://hooks.example.com/voice")));
    assert_eq!(
        (offered.status, line.application.received().len()),
        (502, 1),
        "which does not speak WebSocket"
    );
}

fn w13(case: &Case) {
    let line = Line::connect("deadline = \"300ms\"");
    line.application.next(Behaviour::Hang);
    case.answered(&line.call("CallSid=CA1"));
    let fallback = "deadline = \"300ms\", fallback = { status = 200, content_type = \"text/xml\", body = \"<Response/>\" }";
    let line = Line::connect(fallback);
    line.application.next(Behaviour::Hang);
    let answer = line.call("CallSid=CA1");
    assert_eq!((answer.status, answer.text()), (200, "<Response/>"));
    eventually("the line in the log", || {
        line.house.log().iter().any(|entry| entry.contains(case.code())).then_some(())
    });
}

fn w14(case: &Case) {
    let line = Line::connect("deadline = \"5s\"");
    let bad = [
        Behaviour::Raw(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        ),
        Behaviour::status(200).header("x-big", "x".repeat(100 * 1024)),
        Behaviour::Raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut".into()),
    ];
    for behaviour in bad {
        line.application.next(behaviour);
        case.refused(&line.call("CallSid=CA1"));
    }
    assert_eq!(line.call("CallSid=CA1").status, 200, "the next one has a connection of its own");
}

/// An upgrade that nobody offered is no upgrade: the request is a plain one, and the next is parsed like any other.
fn h29(_: &Case) {
    let line = Line::connect("deadline = \"5s\"");
    for upgrade in ["foo", "h2c", "websocket"] {
        let mut connection = Connection::open(line.house.ingress).expect("accepted");
        let first = request("POST", "/plain", &[("Connection", "Upgrade"), ("Upgrade", upgrade)], b"one");
        let second = request("POST", "/nowhere", &[], b"two");
        connection.write(&[first, second].concat()).expect("sent");
        assert_eq!(connection.read().expect("answered").status, 200, "{upgrade}");
        assert_eq!(connection.read().expect("answered").status, 404, "{upgrade}");
    }
    assert_eq!(line.application.connections(), 0);
}

fn h30(case: &Case) {
    let line = Line::connect("deadline = \"5s\"");
    let mut stream = TcpStream::connect(line.house.ingress).expect("accepted");
    let handshake = line.handshake(Some("wss://hooks.example.com/voice"));
    let smuggled = b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n";
    stream.write_all(&[&handshake[..], smuggled].concat()).expect("sent");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("an answer");
    assert!(case.status.split_whitespace().any(|status| head.ends_with(status.as_bytes())), "{head:?}");
    let received = line.runtime.block_on(line.application.wait_for(1));
    assert_eq!(received.len(), 1, "{received:?}");
    assert!(received[0].body.is_empty(), "nothing but the handshake reached it");
}
