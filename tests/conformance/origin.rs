//! Logins, and where a request came from.

use std::io::{Read, Write};
use std::net::TcpStream;

use hookhouse_testkit::blackbox::{House, eventually, hookhouse, request, send};

use crate::{Case, Driver, nothing_stored};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[
    ("P01", p01),
    ("P02", p02),
    ("P03", p03),
    ("P04", p04),
    ("P05", p05),
    ("P06", p06),
    ("P07", p07),
    ("A01", a01),
    ("A02", a02),
    ("A03", a03),
    ("A04", a04),
    ("A05", a05),
];

/// A source that only takes one network's requests.
fn listed(server: &str) -> House {
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n{server}\n\
         [source.in]\nprovider = \"none\"\npath = \"/in\"\nallow_ips = [\"199.59.148.0/22\"]\n"
    );
    House::start(&config, &[])
}

const TRUSTING: &str = "trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]";

fn post(house: &House, headers: &[(&str, &str)]) -> hookhouse_testkit::blackbox::Answer {
    send(house.ingress, &request("POST", "/in", headers, b"x"))
}

fn p01(case: &Case) {
    let house = listed("trusted_proxies = [\"10.0.0.0/8\"]");
    for header in [("X-Forwarded-For", "199.59.148.1"), ("Forwarded", "for=199.59.148.1")] {
        case.refused(&post(&house, &[header]));
    }
    case.recorded(&house, 2);
    nothing_stored(&house);
}

fn p02(case: &Case) {
    let house = listed(TRUSTING);
    case.refused(&post(&house, &[("X-Forwarded-For", "199.59.148.1, 203.0.113.9")]));
    case.recorded(&house, 1);
    // The rightmost one that is no trusted proxy is the one that counts, whatever stands left of it.
    assert_eq!(post(&house, &[("X-Forwarded-For", "203.0.113.9, 199.59.148.1, 10.1.1.1")]).status, 200);
    assert_eq!(house.events()[0]["peer"], "199.59.148.1");
}

fn p03(case: &Case) {
    let house = listed(TRUSTING);
    case.answered(&post(&house, &[("X-Forwarded-For", "::ffff:199.59.148.1")]));
    assert_eq!(house.events()[0]["peer"], "199.59.148.1");
}

fn p04(case: &Case) {
    let house = listed(TRUSTING);
    let hops = vec!["199.59.148.1"; 33].join(", ");
    let unreadable: [&[(&str, &str)]; 4] = [
        &[("Forwarded", "for=199.59.148.1"), ("X-Forwarded-For", "199.59.148.2")],
        &[("Forwarded", "for=unknown")],
        &[("Forwarded", "for=\"[::1]:x\"")],
        &[("X-Forwarded-For", &hops)],
    ];
    for headers in unreadable {
        case.refused(&post(&house, headers));
    }
    case.recorded(&house, 4);
}

/// Sends bytes on a connection of their own; what comes back until it is closed.
fn raw(house: &House, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(house.ingress).expect("accepted");
    let _ = stream.write_all(bytes);
    let mut back = Vec::new();
    let _ = stream.read_to_end(&mut back);
    back
}

const PLAIN: &[u8] = b"POST /in HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";

fn logged(case: &Case, house: &House) {
    eventually("the line in the log", || {
        house.log().iter().any(|line| line.contains(case.code())).then_some(())
    });
}

fn p05(case: &Case) {
    let v1 = [b"PROXY TCP4 199.59.148.1 192.0.2.1 5000 443\r\n", PLAIN].concat();
    let required = listed(&format!("{TRUSTING}\nproxy_protocol = true"));
    assert!(raw(&required, &v1).starts_with(b"HTTP/1.1 200"), "the address in the preamble counts");
    assert_eq!(raw(&required, PLAIN), b"", "without a preamble, nothing is said");
    logged(case, &required);
    let untrusted = listed("trusted_proxies = [\"10.0.0.0/8\"]\nproxy_protocol = true");
    assert_eq!(raw(&untrusted, &v1), b"", "from somebody else, nothing is believed");
    // Where none is expected, none is believed either.
    let off = listed(TRUSTING);
    assert_eq!(raw(&off, &v1), b"");
    nothing_stored(&off);
}

fn p06(case: &Case) {
    let house = listed(&format!("{TRUSTING}\nproxy_protocol = true"));
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let v2 = |command: u8, family: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len()).expect("short").to_be_bytes();
        [&signature[..], &[command, family], &length, payload, PLAIN].concat()
    };
    let address = [199, 59, 148, 1, 192, 0, 2, 1, 0x13, 0x88, 0x01, 0xbb];
    assert!(raw(&house, &v2(0x21, 0x11, &address)).starts_with(b"HTTP/1.1 200"));
    // LOCAL is the proxy's own: the socket's address, which is on no list here.
    assert!(raw(&house, &v2(0x20, 0x00, &[])).starts_with(b"HTTP/1.1 403"));
    let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 120], b"\r\n", PLAIN].concat();
    let huge = [&signature[..], &[0x21, 0x11, 0xff, 0xff], &[0; 70_000]].concat();
    let bad_tlv = [&address[..], &[0x01, 0x00, 0x09, b'x']].concat();
    let bad_crc = [&address[..], &[0x03, 0x00, 0x04, 1, 2, 3, 4]].concat();
    let unix = [0_u8; 216];
    for bytes in [long, huge, v2(0x21, 0x31, &unix), v2(0x21, 0x11, &bad_tlv), v2(0x21, 0x11, &bad_crc)] {
        assert_eq!(raw(&house, &bytes), b"");
    }
    logged(case, &house);
}

fn p07(case: &Case) {
    for network in ["10.0.0.1/8", "::/0", "1.2.3.4/33", "010.0.0.1"] {
        let config = format!(
            "[server]\ntrusted_proxies = [\"{network}\"]\n[source.in]\nprovider = \"none\"\npath = \"/in\"\nallow_ips = [\"{network}\"]\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("hookhouse.toml"), config).expect("ours");
        let output = hookhouse().current_dir(folder.path()).arg("check").output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{network}: {said}");
        assert_eq!(said.matches(case.code()).count(), 2, "{network}: {said}");
    }
}

const PASSWORD: &str = "open sesame";

fn guarded() -> House {
    let login = "{ user = \"twilio\", password = { env = \"PASSWORD\" } }";
    let config = format!(
        "[source.in]\nprovider = \"none\"\npath = \"/in\"\nbasic_auth = {login}\n\
         [source.digest]\nprovider = \"none\"\npath = \"/digest\"\ndigest_auth = {login}\n\
         [source.sha256]\nprovider = \"none\"\npath = \"/sha256\"\n\
         digest_auth = {{ user = \"twilio\", password = {{ env = \"PASSWORD\" }}, md5 = false }}\n"
    );
    House::start(&config, &[("PASSWORD", PASSWORD)])
}

fn basic(text: &[u8]) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(text))
}

fn a01(case: &Case) {
    let house = guarded();
    assert_eq!(post(&house, &[("Authorization", &basic(b"twilio:open sesame"))]).status, 200);
    for header in [basic(b"somebody:open sesame"), basic(b"twilio:wrong")] {
        let answer = post(&house, &[("Authorization", &header)]);
        case.refused(&answer);
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Basic realm=")));
    }
    case.recorded(&house, 2);
    // The first one, without any, is a challenge and no failure.
    case.refused(&post(&house, &[]));
    eventually("the challenge on record", || (house.refusals()[0]["code"] == "auth.challenge").then_some(()));
}

fn a02(case: &Case) {
    let house = guarded();
    let long = basic(&[b'a'; 9 * 1024]);
    let headers =
        ["Basic !!!".to_owned(), basic(b"no colon"), basic(b"twilio:a\0b"), basic(b"twilio:\xff"), long];
    for header in &headers {
        case.refused(&post(&house, &[("Authorization", header)]));
    }
    case.recorded(&house, headers.len());
}

/// A Digest answer to the challenge that a path gives, with what is to be wrong in it.
fn digest(house: &House, path: &str, change: impl Fn(&mut Vec<(&'static str, String)>)) -> String {
    let challenge = send(house.ingress, &request("POST", path, &[], b"x"));
    let offered = challenge.header("www-authenticate").expect("a challenge").to_owned();
    let value = |name: &str| {
        let at = offered.find(&format!("{name}=\"")).expect("the parameter") + name.len() + 2;
        offered[at..].split('"').next().expect("a value").to_owned()
    };
    let mut fields = vec![
        ("username", "twilio".to_owned()),
        ("realm", value("realm")),
        ("nonce", value("nonce")),
        ("uri", path.to_owned()),
        ("nc", "00000001".to_owned()),
        ("cnonce", "0a4f113b".to_owned()),
    ];
    change(&mut fields);
    let of = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()).expect("a field");
    let hash = |text: String| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        data_encoding::HEXLOWER.encode(digest.as_ref())
    };
    let a1 = hash(format!("twilio:{}:{PASSWORD}", of("realm")));
    let a2 = hash(format!("POST:{}", of("uri")));
    let response = hash(format!("{a1}:{}:{}:{}:auth:{a2}", of("nonce"), of("nc"), of("cnonce")));
    format!(
        "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", algorithm=SHA-256, qop=auth, nc={}, cnonce=\"{}\", response=\"{response}\"",
        of("username"),
        of("realm"),
        of("nonce"),
        of("uri"),
        of("nc"),
        of("cnonce"),
    )
}

fn set(fields: &mut [(&'static str, String)], name: &str, value: &str) {
    for field in fields.iter_mut().filter(|(n, _)| *n == name) {
        field.1 = value.to_owned();
    }
}

fn a03(case: &Case) {
    let house = guarded();
    let send_to = |path: &str, header: &str| {
        send(house.ingress, &request("POST", path, &[("Authorization", header)], b"x"))
    };
    let right = digest(&house, "/digest", |_| {});
    assert_eq!(send_to("/digest", &right).status, 200);
    let mut refused = vec![send_to("/digest", &right)];
    refused.push(send_to("/digest", &digest(&house, "/digest", |f| set(f, "uri", "/other"))));
    refused.push(send_to("/digest", &digest(&house, "/digest", |f| set(f, "realm", "elsewhere"))));
    refused.push(send_to("/digest", &digest(&house, "/digest", |f| set(f, "nonce", "Zm9yZ2Vk"))));
    let md5 = digest(&house, "/sha256", |_| {}).replace("SHA-256", "MD5");
    refused.push(send_to("/sha256", &md5));
    for answer in &refused {
        case.refused(answer);
        assert!(answer.header("www-authenticate").is_some());
    }
    for reason in ["replay", "uri", "realm", "nonce", "algorithm"] {
        let code = format!("auth.digest_{reason}");
        eventually(&code, || {
            house.refusals().iter().any(|refusal| refusal["code"] == code.as_str()).then_some(())
        });
    }
}

/// A nonce of a server that is gone is as good as one that is too old: who knows the password asks again.
fn a04(case: &Case) {
    let mut house = guarded();
    let header = digest(&house, "/digest", |_| {});
    house.kill();
    house.run();
    let answer = send(house.ingress, &request("POST", "/digest", &[("Authorization", &header)], b"x"));
    case.refused(&answer);
    assert!(
        answer.header("www-authenticate").is_some_and(|value| value.contains("stale=true")),
        "{answer:?}"
    );
}

fn a05(case: &Case) {
    let house = guarded();
    let right = basic(b"twilio:open sesame");
    case.refused(&post(&house, &[("Authorization", &right), ("Authorization", &right)]));
    case.recorded(&house, 1);
}
