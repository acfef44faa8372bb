//! `emulate twilio` against a server that relays to a small application: signatures, logins, TwiML of every kind,
//! retries, and a Media Stream through the tunnel.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use data_encoding::BASE64;
use hookhouse_testkit::blackbox::{House, hookhouse};
use hookhouse_testkit::receiver::{Behaviour, Receiver};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PUBLIC: &str = "https://hooks.example.com";
const TOKEN: &str = "auth-token-of-the-emulated-account";
const SHARED: &str = "shared-key-of-the-emulated-account";
const PASSWORD: &str = "open sesame";

/// A server in front of an application, and of one that speaks WebSocket.
struct Place {
    house: House,
    application: Receiver,
    _runtime: tokio::runtime::Runtime,
}

impl Place {
    fn new(streams: SocketAddr) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let application = runtime.block_on(Receiver::start()).expect("a port");
        let source = |name: &str, to: &str, more: &str| {
            format!(
                "[source.{name}]\nprovider = \"twilio\"\npath = \"/{name}\"\nmethods = [\"GET\", \"POST\"]\npublic_url = \"{PUBLIC}\"\n\
                 auth_token = {{ env = \"TOKEN\" }}\nrelay = {{ to = \"{to}\", deadline = \"10s\" }}\n{more}\n"
            )
        };
        let login = "{ user = \"twilio\", password = { env = \"PASSWORD\" } }";
        let config = [
            source(
                "calls",
                "app",
                "shared_keys = { k1 = { secret = { env = \"SHARED\" }, algorithm = \"HMAC_SHA256\" } }",
            ),
            source("basic", "app", &format!("basic_auth = {login}")),
            source("digest", "app", &format!("digest_auth = {login}")),
            source("media", "streams", ""),
            format!(
                "[destination.app]\nurl = \"http://{}/app\"\nallow_loopback = true\n",
                application.address()
            ),
            format!("[destination.streams]\nurl = \"http://{streams}/stream\"\nallow_loopback = true\n"),
        ]
        .concat();
        let house = House::start(&config, &[("TOKEN", TOKEN), ("SHARED", SHARED), ("PASSWORD", PASSWORD)]);
        Self { house, application, _runtime: runtime }
    }

    /// One where nothing streams.
    fn without_streams() -> Self {
        Self::new(SocketAddr::from(([127, 0, 0, 1], 9)))
    }

    /// Emulates a call or a message to a path of the public URL; the secret is the configuration's.
    fn emulate(&self, what: &str, path: &str, more: &[&str]) -> Told {
        self.emulate_at(what, &format!("{PUBLIC}/{path}"), more)
    }

    fn emulate_at(&self, what: &str, url: &str, more: &[&str]) -> Told {
        let via = self.house.ingress.to_string();
        let mut arguments = vec!["emulate", "twilio", what, url, "--via", &via, "-o", "jsonl"];
        arguments.extend(more);
        let (code, out, err) = self.house.tell(&arguments);
        for hidden in [TOKEN, SHARED, PASSWORD] {
            assert!(!out.contains(hidden) && !err.contains(hidden), "{out}{err}");
        }
        Told {
            code,
            steps: out.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect(),
            err,
        }
    }
}

/// What the emulator told.
#[derive(Debug)]
struct Told {
    code: i32,
    steps: Vec<Value>,
    err: String,
}

impl Told {
    fn all(&self, step: &str) -> Vec<&Value> {
        self.steps.iter().filter(|told| told["step"] == step).collect()
    }

    /// One field of every step of a kind.
    fn each(&self, step: &str, field: &str) -> Vec<Value> {
        self.all(step).iter().map(|told| told[field].clone()).collect()
    }
}

fn twiml(text: &str) -> Behaviour {
    Behaviour::status(200).header("content-type", "text/xml").body(text.to_owned())
}

const MENU: &str = "<Response><Say>Welcome</Say><Gather numDigits=\"1\" action=\"?step=menu\"><Say>Press one</Say></Gather></Response>";
const BYE: &str = "<Response><Say>Bye</Say><Hangup/></Response>";

#[test]
fn a_signed_call_goes_from_the_first_request_to_the_last() {
    let place = Place::without_streams();
    place.application.decide(|request| match request.target.as_str() {
        "/app" => twiml(MENU),
        _ => twiml(BYE),
    });
    let status = format!("{PUBLIC}/calls?step=status");
    let told = place.emulate(
        "call",
        "calls",
        &["--digits", "1", "--status-callback", &status, "--from", "+4930123456"],
    );
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(told.each("verb", "verb"), ["Say", "Say", "Gather", "Say", "Hangup"]);
    assert_eq!(told.each("answer", "status"), [200, 200, 200]);
    assert_eq!(told.all("finding"), Vec::<&Value>::new());
    let received = place.application.received();
    let targets: Vec<_> = received.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(targets, ["/app", "/app?step=menu", "/app?step=status"]);
    let form = |n: usize| String::from_utf8(received[n].body.to_vec()).unwrap();
    assert!(form(0).contains("CallStatus=ringing") && form(0).contains("From=%2B4930123456"), "{}", form(0));
    assert!(form(1).contains("Digits=1") && form(2).contains("CallStatus=completed"));
    let events = place.house.events();
    assert_eq!(events.len(), 3, "each was stored");
    assert!(events.iter().all(|event| event["provenance"]["key"] == "auth_token"), "{events:?}");

    let shared = ["--shared-key", "k1", "--secret-env", "SHARED"];
    assert_eq!(place.emulate("message", "calls", &shared).code, 0);
    assert_eq!(place.house.events().pop().unwrap()["provenance"]["key"], "shared_keys.k1");

    let by_get = place.emulate("message", "calls?tenant=7", &["-X", "GET", "--body", "Hi & bye"]);
    assert_eq!(by_get.code, 0, "{by_get:?}");
    let asked = place.application.received().pop().unwrap();
    assert!(
        asked.method == "GET"
            && asked.target.contains("tenant=7&")
            && asked.target.contains("Body=Hi+%26+bye")
    );

    let (code, out, _) = place.house.tell(&[
        "emulate",
        "twilio",
        "call",
        &format!("{PUBLIC}/calls"),
        "--via",
        &place.house.ingress.to_string(),
    ]);
    assert_eq!(code, 0);
    for line in [
        "--> POST https://hooks.example.com/calls",
        "Say       Press one",
        "Gather    nobody presses anything",
        "--- the TwiML is at its end",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
}

#[test]
fn a_wrong_token_is_refused_and_nobody_is_unreachable() {
    let place = Place::without_streams();
    std::fs::write(place.house.folder().join("token"), "another token than the server has\n").unwrap();
    let told = place.emulate("message", "calls", &["--secret-file", "token"]);
    assert_eq!((told.code, told.each("finding", "code")), (7, vec![json!(11217)]), "{told:?}");
    assert_eq!(told.each("answer", "status"), [403]);
    assert_eq!(place.emulate("message", "calls", &["--unsigned"]).code, 7);
    assert!(place.application.received().is_empty(), "nothing came through");
    assert_eq!(place.emulate("message", "calls", &["--via", "127.0.0.1:9"]).code, 2, "one --via");

    let nowhere = ["emulate", "twilio", "message", "http://127.0.0.1:9/x", "--unsigned"];
    let (code, out, err) = place.house.tell(&nowhere);
    assert!(
        code == 6 && out.contains("error 11205") && err.contains("nobody answered"),
        "{code} {out} {err}"
    );
    for bad in ["http://u:hush@h/a b", "http://u:hush@h/#ct=50", "wss://u:hush@h/", "u:hush@h"] {
        let (code, out, err) = place.house.tell(&["emulate", "twilio", "call", bad]);
        assert!(code == 2 && !format!("{out}{err}").contains("hush"), "{bad}: {err}");
    }
    let alone = tempfile::tempdir().unwrap();
    let output = hookhouse()
        .current_dir(alone.path())
        .args(["emulate", "twilio", "call", "http://127.0.0.1:9/"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("TWILIO_AUTH_TOKEN"));
}

#[test]
fn basic_and_digest_are_followed_and_last_for_a_call() {
    let place = Place::without_streams();
    place.application.decide(|request| match request.target.as_str() {
        "/app" => twiml("<Response><Redirect>?step=2</Redirect></Response>"),
        _ => twiml(BYE),
    });
    let login = ["--user", "twilio", "--password-env", "PASSWORD"];
    for (source, more, scheme) in [
        ("basic", &[][..], "basic"),
        ("digest", &[][..], "digest-sha256"),
        ("digest", &["--login", "digest-md5", "--login", "basic"][..], "digest-md5"),
    ] {
        let before = place.application.received().len();
        let told = place.emulate("call", source, &[&login[..], more].concat());
        assert_eq!(told.code, 0, "{told:?}");
        assert_eq!(told.each("request", "login"), [Value::Null, json!(scheme), json!(scheme)]);
        assert_eq!(told.each("answer", "status"), [401, 200, 200], "a challenge, once a call");
        let received = place.application.received();
        assert_eq!(received.len() - before, 2);
        assert!(
            received.iter().all(|request| request.header("authorization").is_none()),
            "they end at the server"
        );
    }
    let in_the_url = PUBLIC.replace("://", "://twilio:open%20sesame@");
    assert_eq!(place.emulate_at("message", &format!("{in_the_url}/digest"), &[]).code, 0);
    let unknown = place.emulate("message", "digest", &[&login[..], &["--login", "basic"]].concat());
    assert_eq!((unknown.code, unknown.each("answer", "status")), (7, vec![json!(401)]), "{unknown:?}");
    assert_eq!(place.emulate("message", "basic", &[]).code, 7, "nothing to log in with");
}

#[test]
fn twiml_of_every_wrong_kind_is_found() {
    let place = Place::without_streams();
    let typed = |kind: &'static str, body: &str| {
        Behaviour::status(200).header("content-type", kind).body(body.to_owned())
    };
    let long = format!("<Response>{}</Response>", "<Pause/>".repeat(9_000));
    for (behaviour, code) in [
        (Behaviour::status(200).body("<Response/>"), 11200),
        (typed("application/json", "{}"), 12300),
        (twiml(&long), 11750),
        (twiml("\n<?xml version=\"1.0\"?><Response/>"), 12100),
        (twiml("<Answer/>"), 12100),
        (twiml("<Response><Say>R&D</Say></Response>"), 12100),
        (twiml("<Response><Say>"), 12100),
        (twiml(""), 12100),
        (Behaviour::status(404), 11217),
        (Behaviour::status(500), 11217),
    ] {
        place.application.next(behaviour);
        let told = place.emulate("call", "calls", &[]);
        assert_eq!((told.code, told.each("finding", "code")), (7, vec![json!(code)]), "{told:?}");
        assert!(told.err.contains("1 error"), "{}", told.err);
    }
    place.application.next(typed("text/plain", "ok"));
    let told = place.emulate("message", "calls", &[]);
    assert_eq!((told.code, told.each("message", "body")), (0, vec![json!("ok")]));
    assert!(
        told.all("finding")[0]["sentence"].as_str().unwrap().contains("Twilio would text this to the sender")
    );

    place.application.next(typed("text/plain", "ok"));
    let (code, out, _) = place.house.tell(&["trigger", "twilio", "message.received", "--source", "calls"]);
    assert!(code == 0 && out.contains("answered 200") && out.contains("Twilio would text this"), "{out}");

    place.application.next(Behaviour::status(500));
    place.application.next(twiml(BYE));
    let fallback = format!("{PUBLIC}/calls?fallback");
    let told = place.emulate("call", "calls", &["--fallback", &fallback]);
    assert_eq!(told.each("verb", "verb"), ["Say", "Hangup"]);
    let form = String::from_utf8(place.application.received().pop().unwrap().body.to_vec()).unwrap();
    assert!(form.contains("ErrorCode=11217&ErrorUrl=https%3A%2F%2Fhooks.example.com%2Fcalls"), "{form}");
}

#[test]
fn a_retry_has_the_token_of_the_first_try() {
    let place = Place::without_streams();
    place.application.next(Behaviour::status(503));
    place.application.next(Behaviour::status(500));
    place.application.always(twiml("<Response><Message>Hello</Message></Response>"));
    let told = place.emulate("message", "calls#rc=2&rp=5xx", &[]);
    assert_eq!((told.code, told.each("message", "body")), (0, vec![json!("Hello")]), "{told:?}");
    assert_eq!(told.each("request", "attempt"), [1, 2, 3]);
    let received = place.application.received();
    let tokens: Vec<_> =
        received.iter().map(|request| request.header("i-twilio-idempotency-token")).collect();
    assert!(
        tokens.len() == 3 && tokens[0].is_some() && tokens.iter().all(|token| *token == tokens[0]),
        "{tokens:?}"
    );
    assert!(received.iter().all(|request| request.body == received[0].body));
}

/// An application that speaks Media Streams: it sends back every frame, and asks for a mark after the first.
fn echo() -> (SocketAddr, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
    let log = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut socket = agree(stream);
            while let Ok(message) = socket.read() {
                let Message::Text(text) = message else { continue };
                let message: Value = serde_json::from_str(&text).expect("Twilio speaks JSON");
                let sid = message["streamSid"].clone();
                let mut answers = Vec::new();
                if message["event"] == "media" {
                    let payload = &message["media"]["payload"];
                    answers
                        .push(json!({ "event": "media", "streamSid": sid, "media": { "payload": payload } }));
                    if message["media"]["chunk"] == "1" {
                        answers
                            .push(json!({ "event": "mark", "streamSid": sid, "mark": { "name": "first" } }));
                        answers.push(json!({ "event": "clear", "streamSid": sid }));
                        answers.push(json!({ "event": "hello", "streamSid": sid }));
                    }
                }
                log.lock().expect("nobody panics with it").push(message);
                for answer in answers {
                    socket.send(Message::text(answer.to_string())).expect("Twilio listens");
                }
            }
        }
    });
    (address, heard)
}

/// Answers the opening handshake.
fn agree(mut stream: TcpStream) -> WebSocket<TcpStream> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a handshake");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("a handshake is text");
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
    });
    let text = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.expect("a key"));
    let accept = BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref());
    let agreed = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(agreed.as_bytes()).expect("Twilio waits");
    WebSocket::from_raw_socket(stream, Role::Server, None)
}

#[test]
fn a_media_stream_goes_both_ways_through_the_tunnel() {
    let (streams, heard) = echo();
    let place = Place::new(streams);
    place.application.always(twiml(
        "<Response><Connect><Stream url=\"wss://hooks.example.com/media\"><Parameter name=\"user\" value=\"7\"/></Stream></Connect>\
         <Say>After</Say></Response>",
    ));
    let told = place.emulate("call", "calls", &["--media-frames", "25"]);
    assert_eq!(told.code, 0, "{told:?}");
    let opened = told.all("stream_opened")[0];
    assert_eq!(
        (&opened["url"], &opened["parameters"]),
        (&json!("wss://hooks.example.com/media"), &json!({"user": "7"}))
    );
    assert_eq!(told.each("stream_event", "event"), ["mark", "clear"]);
    let closed = told.all("stream_closed")[0];
    for (count, expected) in [
        ("sent_media", 25),
        ("sent_marks", 1),
        ("received_media", 25),
        ("received_bytes", 25 * 160),
        ("received_marks", 1),
        ("received_clears", 1),
    ] {
        assert_eq!(closed[count], expected, "{count}: {closed}");
    }
    assert_eq!(told.each("finding", "code"), [31951], "`hello` is nothing that Twilio knows");
    assert_eq!(told.each("verb", "verb"), ["Connect", "Say"], "the call goes on");
    let heard = heard.lock().unwrap();
    let events: Vec<_> = heard.iter().map(|message| message["event"].as_str().unwrap()).collect();
    assert_eq!((events[0], events[1], *events.last().unwrap()), ("connected", "start", "stop"), "{events:?}");
    assert_eq!(events.iter().filter(|event| **event == "media").count(), 25);
    assert_eq!(heard.iter().find(|message| message["event"] == "mark").unwrap()["mark"]["name"], "first");
    let start = &heard[1]["start"];
    assert_eq!(start["customParameters"], json!({"user": "7"}));
    assert_eq!(start["callSid"], told.all("request")[0]["parameters"]["CallSid"]);

    let refused = place.emulate("call", "calls", &["--media-frames", "5", "--secret-env", "PASSWORD"]);
    assert_eq!((refused.code, refused.all("stream_opened").len()), (7, 0));
}
