//! nginx in front: TLS ends there, and scheme, host, port and path are others behind it. Signed calls work all the
//! same, and with one setting wrong, `explain` names it.

mod application;
mod call;
mod edge;
mod guide;
mod misconfigured;

use std::io::{Read, Write};
use std::net::SocketAddr;

use hookhouse_testkit::blackbox::{Answer, House, eventually};

use self::application::Application;
use self::call::{Call, OTHER_TOKEN, TOKEN};
use self::edge::{Edge, HOST, PORT, TEMPORARY};
use super::websocket::Echo;

const X_SECRET: &str = "consumer-secret-behind-nginx-0001";
const PASSWORD: &str = "open sesame";

/// A house as it should be behind that edge.
const HOUSE: &str = r#"
[server]
listen = ["127.0.0.1:0"]
trusted_proxies = ["127.0.0.1/32"]

[source.calls]
provider = "twilio"
path = "/voice"
methods = ["GET", "POST"]
public_url = "https://hooks.example.com:8443/edge"
auth_token = { env = "TOKEN" }
relay = { to = "app", deadline = "20s" }

[source.sms]
provider = "twilio"
path = "/sms"
public_url = "https://hooks.example.com:8443/edge"
auth_token = { env = "OTHER_TOKEN" }

[source.x]
provider = "x"
path = "/x"
consumer_secret = { env = "X_SECRET" }

[destination.app]
url = "http://@application/app/voice"
allow_loopback = true
timeout = "20s"
"#;

/// What takes the prefix off, and says so.
const LOCATION: &str = "
    location /edge/ {
        proxy_pass http://@house/;
        proxy_http_version 1.1;
        proxy_set_header Host inner.example;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Port $server_port;
        proxy_set_header X-Forwarded-Prefix /edge;
        proxy_set_header X-Original-URI $request_uri;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
    }";

/// The blocks of an nginx with such a location.
fn http(location: &str) -> String {
    format!(
        "http {{\n    access_log off;\n{TEMPORARY}\n\
         map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\n\
         map $args $respaced {{ '~^(?<a>.*)%20(?<b>.*)$' $a+$b; default $args; }}\n\
         map $request_uri $behind {{ '~^/edge(?<rest>/.*)$' $rest; default $request_uri; }}\n\
         server {{\n    listen @address ssl;\n    server_name hooks.example.com;\n    @tls\n{location}\n}}\n}}\n"
    )
}

fn house(config: &str, application: SocketAddr, token: &str) -> House {
    let secrets =
        [("TOKEN", token), ("OTHER_TOKEN", OTHER_TOKEN), ("X_SECRET", X_SECRET), ("PASSWORD", PASSWORD)];
    House::start(&config.replace("@application", &application.to_string()), &secrets)
}

/// The newest refusal, as `hookhouse explain` tells it.
fn explained(house: &House, id: &str) -> String {
    let said = eventually("the refusal on record", || {
        let (code, out, _) = house.tell(&["explain", id]);
        (code == 7).then_some(out)
    });
    for secret in [TOKEN, OTHER_TOKEN, X_SECRET, PASSWORD, "4158675309"] {
        assert!(!said.contains(secret), "{said}");
    }
    said
}

fn id(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("a refusal is JSON");
    body["id"].as_str().expect("a refusal has an id").to_owned()
}

#[test]
fn calls_pass_through_nginx_and_the_applications_answer_comes_back() {
    let application = Application::start();
    let house = house(HOUSE, application.address, TOKEN);
    let edge = Edge::start(&http(LOCATION), house.ingress);
    let ask = |call: &Call| edge.ask(&call.bytes()).expect("an answer");

    let answer = ask(&Call::form("/voice"));
    let twiml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>POST +14158675309</Say></Response>";
    assert_eq!((answer.status, answer.text()), (200, twiml));
    assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
    assert_eq!(answer.header("set-cookie"), Some("call=1; Path=/"));
    let answer = ask(&Call::form("/voice?step=2&to=%2B1%20x"));
    assert_eq!(answer.status, 200);
    let answer = ask(&Call::get("/voice?Digits=12&lang=en"));
    assert!(answer.text().contains("<Say>GET 12</Say>"), "{}", answer.text());
    let answer = ask(&Call::json("/voice", "{\"a\": [1, \"caf\u{e9}\"]}"));
    let got: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON comes back");
    assert_eq!(got, serde_json::json!({ "got": { "a": [1, "caf\u{e9}"] }, "source": "calls" }));

    let events = house.events();
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event["provenance"]["key"] == "auth_token"), "{events:?}");
    assert!(events.iter().all(|event| event["peer"] == "127.0.0.1"), "{events:?}");
    assert_eq!(house.refusals().len(), 0);
}

#[test]
fn a_media_stream_passes_through_nginx() {
    let house = house(HOUSE, Echo::start().address, TOKEN);
    let edge = Edge::start(&http(LOCATION), house.ingress);
    let mut stream = edge.connect();
    let head = edge::head(&mut stream, &Call::stream("/voice").bytes());
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for n in 0..100_u8 {
        let message = [n; 300];
        stream.write_all(&message).expect("the tunnel takes it");
        let mut back = [0; 300];
        stream.read_exact(&mut back).expect("and brings it back");
        assert_eq!(back, message);
    }
    let events = house.events();
    assert_eq!(events.len(), 1, "one record for the connection");
    assert_eq!(events[0]["verified"], true, "{events:?}");

    let forged = edge.ask(&Call::stream("/voice").token(OTHER_TOKEN).header("connection", "close").bytes());
    assert_eq!(forged.map(|answer| answer.status), Some(403), "refused before any dial");
}

#[test]
fn a_digest_login_covers_the_path_in_front_of_nginx() {
    let application = Application::start();
    let login =
        "relay = { to = \"app\" }\ndigest_auth = { user = \"twilio\", password = { env = \"PASSWORD\" } }";
    let config = format!("{HOUSE}\n[source.open]\nprovider = \"none\"\npath = \"/open\"\n{login}\n");
    let untrusting = config.replace("trusted_proxies = [\"127.0.0.1/32\"]", "trusted_proxies = []");
    let log_in = |config: &str, location: &str| {
        let house = house(config, application.address, TOKEN);
        let edge = Edge::start(&http(location), house.ingress);
        let output = edge
            .curl()
            .args(["--digest", "-u", &format!("twilio:{PASSWORD}"), "-d", "From=curl"])
            .arg(format!("https://{HOST}:{PORT}/edge/open"))
            .output()
            .expect("curl is installed");
        (house, String::from_utf8(output.stdout).expect("text"))
    };
    let (_, answer) = log_in(&config, LOCATION);
    assert!(answer.contains("<Say>POST curl</Say>"), "{answer}");
    let silent = LOCATION.replace("proxy_set_header X-Forwarded-Prefix /edge;", "");
    for (config, location, setting) in
        [(&untrusting, LOCATION, "`trusted_proxies`"), (&config, silent.as_str(), "`X-Forwarded-Prefix`")]
    {
        let (house, answer) = log_in(config, location);
        let body: serde_json::Value = serde_json::from_str(&answer).expect("a refusal");
        let said = explained(&house, body["id"].as_str().expect("an id"));
        assert!(said.contains("auth.digest_uri") && said.contains(setting), "{said}");
    }
}

#[test]
fn the_proxy_protocol_is_spoken_or_named() {
    let application = Application::start();
    let speaks = "stream { server { listen @address ssl; @tls proxy_pass @house; proxy_protocol on; } }";
    let silent = "stream { server { listen @address ssl; @tls proxy_pass @house; } }";
    let required = HOUSE.replace("trusted_proxies", "proxy_protocol = true\ntrusted_proxies");
    let untrusting = required.replace("[\"127.0.0.1/32\"]", "[\"10.0.0.0/8\"]");
    let call = Call::form("/voice").bytes();
    // TLS ends at nginx and everything else is passed on: the prefix is part of the path.
    let whole = |config: &str| {
        config.replace("path = \"/voice\"", "path = \"/edge/voice\"").replace("8443/edge", "8443")
    };
    for (config, blocks, setting) in [
        (&required, speaks, None),
        (&required, silent, Some("set `proxy_protocol = false`")),
        (&HOUSE.to_owned(), speaks, Some("set `proxy_protocol = true`")),
        (&HOUSE.to_owned(), silent, None),
        (&untrusting, speaks, Some("no network of `trusted_proxies`")),
    ] {
        let house = house(&whole(config), application.address, TOKEN);
        let edge = Edge::start(blocks, house.ingress);
        let answer = edge.ask(&call);
        let Some(setting) = setting else {
            assert_eq!(answer.map(|answer| answer.status), Some(200), "{blocks}");
            continue;
        };
        assert!(answer.is_none(), "it is closed without a word");
        let id =
            eventually("the refusal", || house.refusals().first()?["request_id"].as_str().map(str::to_owned));
        let said = explained(&house, &id);
        assert!(said.contains(setting) && said.contains("closed without an answer"), "{said}");
    }
}
