//! Why a request was refused: on record, in the log, and for a request that somebody pasted.

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use hookhouse_verify::Secret;
use hookhouse_verify::twilio::{Algorithm, sign};
use hookhouse_verify::x::sign_post;

const TOKEN: &str = "auth-token-of-this-test-0123456789";
const SECRET: &str = "consumer-secret-of-this-test-0001";
const OTHER: &str = "consumer-secret-of-another-source";
const CONFIG: &str = r#"
[source.sms]
provider = "twilio"
path = "/sms"
public_url = "https://hooks.example.com"
auth_token = { env = "TOKEN" }

[source.x]
provider = "x"
path = "/x"
consumer_secret = { env = "SECRET" }

[source.other]
provider = "x"
path = "/other"
consumer_secret = { env = "OTHER" }
"#;

fn house() -> House {
    House::start(CONFIG, &[("TOKEN", TOKEN), ("SECRET", SECRET), ("OTHER", OTHER)])
}

/// A form as Twilio would have signed it for another URL than the configured one.
fn form(signed: &str) -> Vec<u8> {
    let body = b"MessageSid=SM1&Body=hi+there";
    let signature = sign(&Secret::new(TOKEN).expect("not empty"), Algorithm::HmacSha1, signed, body);
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("x-twilio-signature", signature.as_str())];
    request("POST", "/sms", &headers, body)
}

#[test]
fn a_pasted_request_is_explained_with_the_setting_that_mends_it() {
    let house = house();
    let explain = |bytes: &[u8]| {
        std::fs::write(house.folder().join("request"), bytes).unwrap();
        let (code, out, err) = house.tell(&["explain", "--request", "request", "-o", "json"]);
        let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        (code, report)
    };
    let (code, report) = explain(&form("https://hooks.example.com/sms"));
    assert_eq!((code, &report["verified"]), (0, &true.into()), "{report}");
    for (signed, setting) in [
        ("http://hooks.example.com/sms", "http://hooks.example.com"),
        ("https://hooks.example.com/prefix/sms", "https://hooks.example.com/prefix"),
        ("https://hooks.example.com:8443/sms", "https://hooks.example.com:8443"),
    ] {
        let mut bytes = form(signed);
        // What a proxy on the way would have told.
        if signed.contains("prefix") {
            let at = bytes.windows(2).position(|w| w == b"\r\n").unwrap();
            bytes.splice(at..at, b"\r\nX-Forwarded-Prefix: /prefix".iter().copied());
        }
        if signed.contains("8443") {
            let at = bytes.windows(2).position(|w| w == b"\r\n").unwrap();
            bytes.splice(at..at, b"\r\nX-Forwarded-Port: 8443".iter().copied());
        }
        let (code, report) = explain(&bytes);
        assert_eq!(code, 7, "{report}");
        let said = report.to_string();
        assert!(said.contains(setting), "{signed}: {said}");
        assert!(!said.contains(TOKEN) && !said.contains("hi there"), "{said}");
    }
}

#[test]
fn a_refusal_on_record_says_whose_secret_it_was() {
    let house = house();
    let body = br#"{"for_user_id":"1"}"#;
    let signature = sign_post(&Secret::new(OTHER).unwrap(), body);
    let headers = [("x-twitter-webhooks-signature", signature.as_str())];
    let answer = send(house.ingress, &request("POST", "/x", &headers, body));
    assert_eq!(answer.status, 403);
    assert!(!answer.text().contains("other"), "the sender learns nothing");
    let id: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let (code, out) = eventually("the refusal on record", || {
        let (code, out, _) = house.tell(&["explain", id["id"].as_str().unwrap()]);
        (code == 7).then_some((code, out))
    });
    assert!(out.contains("`other`"), "{code} {out}");
    assert!(!out.contains(&signature) && !out.contains(OTHER), "{out}");
    eventually("the sentence in the log", || {
        house.log().iter().any(|line| line.contains("sig.mismatch") && line.contains("other")).then_some(())
    });
    let (code, _, said) = house.tell(&["explain", "req_0000000000000000"]);
    assert_eq!(code, 4, "{said}");
}
