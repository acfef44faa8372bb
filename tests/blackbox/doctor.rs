//! `hookhouse doctor` among things that are broken: what it says of each, and that nothing it sends becomes an event.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use hookhouse_testkit::blackbox::House;
use hookhouse_testkit::receiver::{Behaviour, Receiver};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

const SECRET: &str = "consumer-secret-of-the-doctor-01";
const OTHER: &str = "consumer-secret-of-the-doctor-02";
const TOKEN: &str = "auth-token-of-the-doctor-0123456";
const VARIABLES: [(&str, &str); 4] =
    [("SECRET", SECRET), ("OTHER", OTHER), ("TOKEN", TOKEN), ("BEARER", "bearer-of-the-doctor")];

/// One of each kind, all called at `url`.
fn config(url: &str) -> String {
    format!(
        "[source.billing]\nprovider = \"hmac\"\npath = \"/billing\"\npublic_url = \"{url}\"\nsecret = {{ env = \"SECRET\" }}\n\
         hmac = {{ digest = \"sha256\", header = \"X-Signature\", encoding = \"hex\", message = [\"body\"] }}\n\
         [source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\npublic_url = \"{url}\"\n\
         [source.sms]\nprovider = \"twilio\"\npath = \"/sms\"\npublic_url = \"{url}\"\nauth_token = {{ env = \"TOKEN\" }}\n"
    )
}

/// One of X's, called at `url`, whose API is at `base`.
fn x(url: &str, secret: &str, base: &str) -> String {
    format!(
        "[source.x]\nprovider = \"x\"\npath = \"/x\"\npublic_url = \"{url}\"\nconsumer_secret = {{ env = \"{secret}\" }}\n\
         heal = false\napi = {{ bearer = {{ env = \"BEARER\" }}, base = \"{base}\" }}\n"
    )
}

fn ingress(house: &House) -> String {
    format!("http://127.0.0.1:{}", house.ingress.port())
}

/// What the doctor found.
#[derive(Debug)]
struct Found {
    code: i32,
    checks: Vec<Value>,
}

impl Found {
    fn one(&self, check: &str, subject: Option<&str>) -> &Value {
        let mut found = self.checks.iter().filter(|found| {
            found["check"] == check && subject.is_none_or(|subject| found["subject"] == subject)
        });
        found.next().unwrap_or_else(|| panic!("no {check} of {subject:?}: {self:#?}"))
    }

    /// A check that has this verdict, these words in what was found, and advice unless all is well.
    fn says(&self, check: &str, subject: Option<&str>, verdict: &str, words: &str) {
        let found = self.one(check, subject);
        let text = found["found"].as_str().expect("a sentence");
        assert!(
            found["verdict"] == verdict && text.contains(words),
            "{check}, {verdict}, {words}: {self:#?}"
        );
        assert_eq!(found["advice"].is_string(), verdict != "ok", "{found:#}");
    }

    fn problems(&self) -> Vec<&Value> {
        self.checks.iter().filter(|found| found["verdict"] == "problem").collect()
    }
}

fn examine(house: &House, arguments: &[&str], roots: Option<&str>) -> Found {
    let mut command = house.command(&["doctor", "-o", "jsonl"]);
    command.args(arguments).envs(roots.map(|file| ("SSL_CERT_FILE", file)));
    let output = command.output().expect("the binary starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for hidden in [SECRET, OTHER, TOKEN] {
        assert!(!out.contains(hidden) && !err.contains(hidden), "{out}{err}");
    }
    let checks: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let found = Found { code: output.status.code().unwrap_or(-1), checks };
    assert_eq!(found.code, if found.problems().is_empty() { 0 } else { 7 }, "{found:#?}{err}");
    found
}

#[test]
fn a_house_in_order_gets_no_problem_and_no_event() {
    let application = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = application.local_addr().expect("it has an address");
    let destination = format!("[destination.app]\nurl = \"http://{at}/hooks\"\nallow_loopback = true\n");
    let house = House::start(&(config("http://127.0.0.1:1") + &destination), &VARIABLES);
    house.configure(
        &(config(&ingress(&house)) + &destination)
            .replace("path = \"/inbox\"", "path = \"/inbox\"\ndeliver = [\"app\"]"),
    );
    let found = examine(&house, &[], None);
    // Twilio is on the internet, and this machine's loopback is not.
    assert_eq!(found.problems().len(), 1, "{found:#?}");
    found.says("dns", Some("127.0.0.1"), "problem", "private address");
    found.says("configuration", None, "ok", "3 source(s), 1 destination(s)");
    found.says("server", None, "ok", "takes events");
    found.says("store", None, "ok", "0 events");
    // A warning where the machine has less free than the store may grow by.
    assert!(found.one("disk", None)["found"].as_str().is_some_and(|text| text.contains("nothing is taken")));
    found.says("files", None, "ok", "owner's alone");
    found.says("clock", Some("server"), "ok", "agrees");
    found.says("path", Some("billing"), "ok", "405");
    found.says("path", Some("inbox"), "ok", "405");
    found.says("path", Some("sms"), "ok", "403");
    found.says("destination", Some("app"), "ok", "takes connections");
    found.one("descriptors", None);
    let billing = examine(&house, &["--source", "billing"], None);
    assert_eq!((billing.code, billing.problems().len()), (0, 0), "{billing:#?}");
    assert!(billing.checks.iter().all(|check| check["subject"] != "sms"), "{billing:#?}");
    assert_eq!(house.events(), Vec::<Value>::new(), "nothing it sent is an event");
    let (code, out, _) = house.tell(&["doctor", "--source", "billing"]);
    assert!(code == 0 && out.contains("ok       path           billing: "), "{out}");
    assert_eq!(house.tell(&["doctor", "--source", "nobody"]).0, 4);
}

#[test]
fn a_name_that_nobody_knows_and_a_port_that_nobody_listens_on() {
    let house = House::start(&config("https://hooks.example.invalid"), &VARIABLES);
    let found = examine(&house, &[], None);
    found.says("dns", Some("hooks.example.invalid"), "problem", "cannot be looked up");
    assert!(found.checks.iter().all(|check| check["check"] != "path"), "there is no way to it: {found:#?}");
    // A port that was free a moment ago.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    house.configure(&config(&format!("http://{nobody}")));
    examine(&house, &[], None).says("tcp", None, "problem", "nobody takes connections");
}

/// A certificate authority, a server with a certificate of its own making, and what it answers.
struct Tls {
    address: SocketAddr,
    _folder: tempfile::TempDir,
    roots: String,
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Expired,
    Soon,
    Name,
    SelfSigned,
    Alone,
}

impl Tls {
    fn start(wrong: Wrong, answer: &'static str) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(rcgen::DnType::CommonName, "a test's authority");
        let root = CertifiedIssuer::self_signed(authority.clone(), KeyPair::generate().expect("a key"))
            .expect("a certificate");
        authority.distinguished_name.push(rcgen::DnType::CommonName, "a test's intermediate");
        let between = CertifiedIssuer::signed_by(authority, KeyPair::generate().expect("a key"), &root)
            .expect("a certificate");
        let name = if wrong == Wrong::Name { "elsewhere.example.com" } else { "localhost" };
        let mut leaf = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        leaf.not_before = rcgen::date_time_ymd(2025, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(2500, 1, 1);
        let days = |days: i64| {
            let at = jiff::Timestamp::from_second(now() + days * 86_400).expect("a moment");
            let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
            rcgen::date_time_ymd(date.year().into(), date.month().cast_unsigned(), date.day().cast_unsigned())
        };
        match wrong {
            Wrong::Expired => leaf.not_after = days(-3),
            Wrong::Soon => leaf.not_after = days(8),
            _ => {}
        }
        let key = KeyPair::generate().expect("a key");
        let leaf = match wrong {
            Wrong::SelfSigned => leaf.self_signed(&key),
            _ => leaf.signed_by(&key, &between),
        };
        let mut chain = vec![leaf.expect("a certificate").der().clone()];
        if !matches!(wrong, Wrong::SelfSigned | Wrong::Alone) {
            chain.push(between.der().clone());
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("roots.pem");
        std::fs::write(&file, root.pem()).expect("the folder is ours");
        let address = serve(chain, key, answer);
        Self { address, _folder: folder, roots: file.display().to_string() }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

#[expect(clippy::disallowed_methods, reason = "a certificate's life is in real time")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Answers every request with the same bytes, over TLS; both ways of saying localhost lead there.
fn serve(
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: KeyPair,
    answer: &'static str,
) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("certificate and key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a configuration");
            let mut tls = StreamOwned::new(connection, stream);
            let mut seen = Vec::new();
            let mut byte = [0];
            while !seen.ends_with(b"\r\n\r\n") && matches!(tls.read(&mut byte), Ok(1)) {
                seen.extend(byte);
            }
            let _ = tls.write_all(answer.as_bytes()).and_then(|()| tls.flush());
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    address
}

const MOVED: &str = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://www.example.com/elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<h1>Welcome</h1";

#[test]
fn each_way_that_a_certificate_can_be_wrong_is_told_apart() {
    let house = House::start(&config("http://127.0.0.1:1"), &VARIABLES);
    for (wrong, verdict, words) in [
        (Wrong::Nothing, "ok", "its chain leads to a root"),
        (Wrong::Soon, "warning", "more day"),
        (Wrong::Expired, "problem", "expired"),
        (Wrong::Name, "problem", "elsewhere.example.com, which is another name"),
        (Wrong::SelfSigned, "problem", "vouches for itself"),
        (Wrong::Alone, "problem", "comes alone"),
    ] {
        let server = Tls::start(wrong, PAGE);
        house.configure(&config(&server.url()));
        let found = examine(&house, &["--source", "billing"], Some(&server.roots));
        found.says("tls", Some(&format!("localhost:{}", server.address.port())), verdict, words);
        if verdict == "problem" {
            assert!(found.checks.iter().all(|check| check["check"] != "path"), "{wrong:?}: {found:#?}");
        } else {
            found.says("path", Some("billing"), "problem", "not by Hookhouse");
        }
    }
}

#[test]
fn a_redirect_in_front_is_found_before_a_provider_finds_it() {
    let house = House::start(&config("http://127.0.0.1:1"), &VARIABLES);
    let server = Tls::start(Wrong::Nothing, MOVED);
    house.configure(&config(&server.url()));
    let found = examine(&house, &["--source", "sms"], Some(&server.roots));
    found.says("path", Some("sms"), "problem", "redirects with 301 to https://www.example.com/elsewhere");
    assert_eq!(house.refusals(), Vec::<Value>::new(), "nothing came through");
}

#[test]
fn a_challenge_goes_all_the_way_round_and_tells_a_wrong_secret() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let api = runtime.block_on(Receiver::start()).expect("a port");
    let base = api.url("");
    let house = House::start(&x("http://127.0.0.1:1", "SECRET", &base), &VARIABLES);
    let url = ingress(&house);
    let listed = url.clone();
    // An X that calls the webhook valid once, and whose clock is an hour behind.
    let calls = std::sync::atomic::AtomicUsize::new(0);
    api.decide(move |asked| {
        let late = jiff::Timestamp::from_second(now() - 3600).expect("a moment");
        let date = late.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let first = asked.method != "HEAD" && calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        let webhook = json!({ "id": "123", "url": format!("{listed}/x"), "valid": first, "created_at": "2026-11-22T12:00:00.000Z" });
        Behaviour::status(200)
            .header("Content-Type", "application/json")
            .header("Date", date)
            .body(json!({ "data": [webhook] }).to_string())
    });
    house.configure(&x(&url, "SECRET", &base));
    let found = examine(&house, &[], None);
    found.says("crc", Some("x"), "ok", "answered rightly");
    found.says("path", Some("x"), "ok", "405");
    found.says("challenges", Some("x"), "ok", "X has not challenged the webhook since");
    found.says("provider", Some("x"), "ok", "webhook 123 valid");
    found.says("clock", Some(api.address().to_string().as_str()), "problem", "ahead of");
    house.configure(&x(&url, "OTHER", &base));
    let found = examine(&house, &[], None);
    found.says("crc", Some("x"), "problem", "the running server has another one");
    found.says("provider", Some("x"), "problem", "webhook 123 invalid");
    house.configure(&x(&format!("{url}/prefix"), "SECRET", &base));
    let found = examine(&house, &[], None);
    found.says("path", Some("x"), "problem", "no source at this path");
    found.says("provider", Some("x"), "problem", "X has no webhook for");
    assert_eq!(house.events(), Vec::<Value>::new());
}

#[test]
fn destinations_that_cannot_be_reached_or_must_not_be() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let house = House::start("[source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\n", &VARIABLES);
    let own = house.ingress;
    house.configure(&format!(
        "[source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\ndeliver = [\"gone\", \"own\", \"lost\"]\n\
         [destination.gone]\nurl = \"http://{nobody}/\"\nallow_loopback = true\n\
         [destination.own]\nurl = \"http://{own}/inbox\"\nallow_loopback = true\n\
         [destination.lost]\nurl = \"http://app.example.invalid/\"\n"
    ));
    let found = examine(&house, &[], None);
    found.says("destination", Some("gone"), "problem", "nobody takes connections");
    found.says("destination", Some("own"), "problem", "Hookhouse's own listener");
    found.says("destination", Some("lost"), "problem", "cannot be looked up");
    found.says("url", Some("inbox"), "warning", "not known");
}

#[test]
fn a_server_that_is_gone_its_store_and_its_files() {
    let mut house = House::start(&config("http://127.0.0.1:1"), &VARIABLES);
    house.stop();
    std::fs::set_permissions(house.store(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let found = examine(&house, &[], None);
    found.says("server", None, "problem", "no server answers");
    found.says("store", None, "ok", "0 events");
    found.says("files", None, "problem", "mode 755");
}

#[test]
fn mistakes_of_the_configuration_come_first_and_alone() {
    let house = House::start(&config("http://127.0.0.1:1"), &VARIABLES);
    house.configure("[source.x]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secrt = { env = \"SECRET\" }\n");
    let found = examine(&house, &[], None);
    assert_eq!(found.code, 7);
    found.says("configuration", None, "problem", "consumer_secrt");
    assert!(found.checks.iter().all(|check| check["check"] == "configuration"), "{found:#?}");
}
