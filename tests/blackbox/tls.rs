//! TLS from outside: whom it speaks to, what it says, and what becomes of certificates.

mod acme;
mod pebble;
mod scanners;

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use hookhouse_testkit::blackbox::{House, Outside, eventually, leaf, request, send};
use hookhouse_testkit::certificate::{Authority, Certified, Wanted, in_days};
use rustls::ProtocolVersion;
use serde_json::Value;
use tempfile::TempDir;

const NAME: &str = "hooks.example.com";

const SOURCE: &str = "[source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\n";

/// An authority, and the files of what it issued.
struct Files {
    folder: TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), authority: Authority::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes what is issued under a name, and answers with the line that names the files.
    fn issue(&self, name: &str, wanted: &Wanted<'_>) -> (Certified, String) {
        let certified = self.authority.issue(wanted);
        let (cert, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        certified.write(&cert, &key);
        (certified, format!("tls = {{ cert = {cert:?}, key = {key:?} }}\n"))
    }

    fn outside(&self) -> Outside {
        Outside::trusting(&self.authority.pem())
    }
}

/// Every listener for senders, in the order of the configuration.
fn listeners(house: &House) -> Vec<SocketAddr> {
    let text = std::fs::read(house.store().join("runtime.json")).expect("the server runs");
    let runtime: Value = serde_json::from_slice(&text).expect("JSON");
    let listed = runtime["ingress"].as_array().expect("a list").iter();
    listed.map(|address| address.as_str().and_then(|text| text.parse().ok()).expect("an address")).collect()
}

fn post() -> Vec<u8> {
    request("POST", "/inbox", &[], b"{}")
}

fn logged(house: &House, event: &str) -> Option<String> {
    let event = format!("\"event\":\"{event}\"");
    house.log().into_iter().find(|line| line.contains(&event))
}

fn metric(house: &House, name: &str) -> Option<String> {
    let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
    let bearer = format!("Bearer {}", token.trim());
    let ask = request("GET", "/metrics", &[("Host", "localhost"), ("Authorization", &bearer)], b"");
    let page = send(house.admin, &ask);
    page.text().lines().find(|line| line.starts_with(name)).map(str::to_owned)
}

#[test]
fn tls_is_spoken_in_both_versions_and_a_plain_listener_beside_it() {
    let files = Files::new();
    let (_, tls) = files.issue("cert", &Wanted::good(&[NAME, "localhost"]));
    let house = House::start(
        &format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\n{tls}[listener.plain]\naddress = \"127.0.0.1:0\"\n{SOURCE}"
        ),
        &[],
    );
    let [secure, plain] = listeners(&house)[..] else { panic!("two listeners") };

    let answer = files.outside().ask(secure, NAME, &post());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    let refused = files.outside().ask(secure, NAME, &request("GET", "/nowhere", &[], b""));
    assert_eq!(
        (refused.status, refused.header("strict-transport-security")),
        (404, Some("max-age=31536000"))
    );
    let answer = send(plain, &post());
    assert_eq!((answer.status, answer.header("strict-transport-security")), (200, None));

    let versions = [files.outside(), Outside::knowing(&files.authority.pem(), "ECDSA")]
        .map(|outside| outside.connect(secure, NAME).expect("the handshake succeeds").version());
    assert_eq!(versions, [ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2]);
    std::fs::write(files.path("ca.pem"), files.authority.pem()).expect("the folder is ours");
    assert_eq!(curl(&files.path("ca.pem"), secure, &["--http2"]), "200 2");
    assert_eq!(curl(&files.path("ca.pem"), secure, &["--http1.1"]), "200 1.1");
    assert_eq!(house.events().len(), 4);

    // Commands on the same machine go where no certificate is in the way.
    let (code, _, err) = house.tell(&["trigger", "hmac", "--source", "inbox"]);
    assert_eq!(code, 0, "{err}");
}

/// A POST by curl: the status, and the version of HTTP.
fn curl(ca: &Path, address: SocketAddr, args: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", "-d", "{}", "--cacert"])
        .arg(ca)
        .args(args)
        .arg(format!("https://localhost:{}/inbox", address.port()))
        .output()
        .expect("curl is installed (`cargo xtask test` does so on Debian)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("curl says what it is told to")
}

#[test]
fn rsa_and_ecdsa_stand_side_by_side() {
    let files = Files::new();
    let (ecdsa, _) = files.issue("ecdsa", &Wanted::good(&[NAME]));
    let (rsa, _) = files.issue("rsa", &Wanted::rsa(&[NAME]));
    let list = |kind: &str| ["rsa", "ecdsa"].map(|name| files.path(&format!("{name}.{kind}")));
    let tls = format!("tls = {{ cert = {:?}, key = {:?} }}\n", list("pem"), list("key"));
    let house = House::start(&format!("[server]\nlisten = [\"127.0.0.1:0\"]\n{tls}{SOURCE}"), &[]);
    let shown = |outside: &Outside| {
        outside.connect(house.ingress, NAME).expect("the handshake succeeds").certificate()
    };
    assert_eq!(shown(&files.outside()), leaf(&ecdsa.chain), "who knows both gets the smaller");
    assert_eq!(shown(&Outside::knowing(&files.authority.pem(), "ECDSA")), leaf(&ecdsa.chain));
    assert_eq!(shown(&Outside::knowing(&files.authority.pem(), "RSA")), leaf(&rsa.chain));
    let algorithms: Vec<_> = house.api("status")["tls"][0]["certificates"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|certificate| certificate["algorithm"].as_str().expect("a word").to_owned())
        .collect();
    assert_eq!(algorithms, ["rsa", "ecdsa"]);
}

#[test]
fn a_proxy_names_the_client_before_the_handshake() {
    let files = Files::new();
    let (_, tls) = files.issue("cert", &Wanted::good(&[NAME]));
    let house = House::start(
        &format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\ntrusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = true\n{tls}{SOURCE}"
        ),
        &[],
    );
    let mut socket = TcpStream::connect(house.ingress).expect("accepted");
    std::io::Write::write_all(&mut socket, b"PROXY TCP4 203.0.113.7 192.0.2.1 4242 443\r\n")
        .expect("it reads");
    let mut secure = files.outside().speak(socket, NAME).expect("the handshake succeeds");
    assert_eq!(secure.exchange(&post()).expect("an answer").status, 200);
    assert_eq!(house.events()[0]["peer"], "203.0.113.7");
    assert!(files.outside().connect(house.ingress, NAME).is_err(), "no preamble, no handshake");
}

#[test]
fn the_end_of_a_certificate_is_seen_everywhere_and_a_new_one_is_used_by_itself() {
    let files = Files::new();
    let soon = Wanted { from: in_days(-80), to: in_days(5), ..Wanted::good(&[NAME]) };
    let (_, tls) = files.issue("cert", &soon);
    let config =
        format!("[server]\nlisten = [\"127.0.0.1:0\"]\npublic_url = \"https://{NAME}\"\n{tls}{SOURCE}");
    let house = House::start(&config, &[]);
    let ends = |day: i64| in_days(day).to_zoned(jiff::tz::TimeZone::UTC).expect("a day begins").timestamp();

    let issued = house.api("status")["tls"][0].clone();
    assert_eq!(issued["certificates"][0]["names"], serde_json::json!([NAME]));
    assert_eq!(issued["certificates"][0]["not_after"], ends(5).to_string());
    assert!(issued["from"].as_str().expect("a file").ends_with("cert.pem") && issued["problem"].is_null());
    let metric = |house: &House| {
        metric(house, "hookhouse_tls_not_after_timestamp_seconds{domain=\"hooks.example.com\"}")
            .and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    assert_eq!(metric(&house), Some(ends(5).as_second() as f64));
    let line = eventually("the warning", || logged(&house, "tls.expires"));
    assert!(line.contains("\"level\":\"WARN\"") && line.contains("\"days\":4"), "{line}");

    let (new, _) = files.issue("cert", &Wanted::good(&[NAME]));
    eventually("the new one", || {
        let secure = files.outside().connect(house.ingress, NAME).ok()?;
        (secure.certificate() == leaf(&new.chain)).then_some(())
    });
    assert_eq!(metric(&house), Some(ends(89).as_second() as f64));
    assert_eq!(house.tell(&["check"]).0, 0);
}

#[test]
fn check_reads_certificates_and_an_expired_one_is_served_with_a_loud_word() {
    let files = Files::new();
    let over = Wanted { from: in_days(-80), to: in_days(-1), ..Wanted::good(&[NAME]) };
    let (_, tls) = files.issue("cert", &over);
    let house = House::start(&format!("[server]\nlisten = [\"127.0.0.1:0\"]\n{tls}{SOURCE}"), &[]);
    let line = eventually("the error", || logged(&house, "tls.expired"));
    assert!(line.contains("\"level\":\"ERROR\""), "{line}");
    assert!(Outside::credulous().connect(house.ingress, NAME).is_ok());
    assert!(files.outside().connect(house.ingress, NAME).is_err());
    let (code, _, err) = house.tell(&["check"]);
    assert!(code == 0 && err.contains("config.certificate_expired"), "{code} {err}");

    files.issue("other", &Wanted::good(&[NAME]));
    let mixed = tls.replace("cert.key", "other.key");
    house.configure(&format!("[server]\nlisten = [\"127.0.0.1:0\"]\n{mixed}{SOURCE}"));
    let (code, _, err) = house.tell(&["check"]);
    assert!(code == 3 && err.contains("the key is not the certificate's"), "{code} {err}");
    assert!(!err.contains("PRIVATE KEY"), "{err}");
}

/// What is copied from the pages into a provider's form.
#[test]
fn a_server_that_speaks_tls_alone_shows_https_for_pasting() {
    let files = Files::new();
    let (_, tls) = files.issue("cert", &Wanted::good(&[NAME]));
    for (hosts, called) in [("", "127.0.0.1"), ("hosts = [\"hooks.example.com\"]\n", NAME)] {
        let house = House::start(&format!("[server]\nlisten = [\"127.0.0.1:0\"]\n{tls}{hosts}{SOURCE}"), &[]);
        let (page, url) =
            (house.page("/sources"), format!("https://{called}:{}/inbox", house.ingress.port()));
        assert!(page.contains(&url), "{url}: {page}");
    }
}
