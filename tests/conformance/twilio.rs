//! Twilio: what the signature covers, and what it does not.

use hookhouse_verify::Secret;
use hookhouse_verify::sign::{Draft, Signer};
use hookhouse_verify::twilio::Algorithm;

use crate::{Case, Driver, nothing_stored};
use hookhouse_testkit::blackbox::{Answer, House};
use hookhouse_testkit::blackbox::{request, send};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[
    ("W01", w01),
    ("W03", w03),
    ("W04", w04),
    ("W05", w05),
    ("W06", w06),
    ("W07", w07),
    ("W08", w08),
    ("W09", w09),
    ("W10", w10),
];

const TOKEN: &str = "auth-token-of-this-test-0123456789";
const PATH: &str = "/webhooks/twilio";
const FORM: &str = "application/x-www-form-urlencoded";
const CONFIG: &str = r#"
[source.sms]
provider = "twilio"
path = "/webhooks/twilio"
public_url = "https://hooks.example.com"
auth_token = { env = "TOKEN" }
"#;

fn house() -> House {
    House::start(CONFIG, &[("TOKEN", TOKEN)])
}

/// The signature of a URL and a body, and the target that it was made for.
fn sign(target: &str, content_type: &str, body: &str) -> (String, String) {
    let draft = Draft {
        method: "POST".to_owned(),
        url: format!("https://hooks.example.com{target}"),
        content_type: Some(content_type.to_owned()),
        body: body.to_owned().into(),
        id: String::new(),
        now: "2026-11-22T00:00:00Z".parse().expect("a time"),
    };
    let signer = Signer::Twilio { algorithm: Algorithm::HmacSha1, shared_key: None };
    let signed = signer.sign(&Secret::new(TOKEN).expect("not empty"), &draft).expect("signs");
    let signature = signed.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-twilio-signature"));
    let target = signed.url.strip_prefix("https://hooks.example.com").expect("the same host").to_owned();
    (signature.expect("a signature").1.clone(), target)
}

fn post(house: &House, target: &str, content_type: &str, body: &str, signature: &str) -> Answer {
    let headers = [("content-type", content_type), ("x-twilio-signature", signature)];
    send(house.ingress, &request("POST", target, &headers, body.as_bytes()))
}

fn form(house: &House, body: &str, signature: &str) -> Answer {
    post(house, PATH, FORM, body, signature)
}

fn w01(case: &Case) {
    let house = house();
    let body = "From=%2B15005550006&Body=caf%C3%A9+%F0%9F%98%80&NumMedia=0&Empty=";
    let answer = form(&house, body, &sign(PATH, FORM, body).0);
    case.answered(&answer);
    assert_eq!(answer.text(), "<Response/>");
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    let events = house.events();
    assert_eq!(events[0]["body"], body);
    assert_eq!(events[0]["provenance"]["variant"], "exact");
}

/// The signed string has no delimiters, so one signature fits several splits: the second is a repeat, not an event.
fn re_split(case: &Case, first: &str, second: &str) {
    let house = house();
    let (signature, _) = sign(PATH, FORM, first);
    for body in [first, second] {
        case.answered(&form(&house, body, &signature));
    }
    let events = house.events();
    assert_eq!(events.len(), 1, "the second is a repeat");
    assert_eq!(events[0]["body"], first);
}

fn w03(case: &Case) {
    re_split(case, "Body=hi&From=%2B1", "Body=hiFrom%2B1");
}

fn w04(case: &Case) {
    re_split(case, "Digits=1", "Digits=1&Digits=1");
}

fn w05(case: &Case) {
    let house = house();
    let (signature, _) = sign(PATH, FORM, "abc=d");
    for target in ["/webhooks/twilioabcd", "/webhooks/twilioabc=d"] {
        let answer = post(&house, target, FORM, "", &signature);
        assert_eq!(answer.status, 404);
        case.refused(&answer);
    }
    case.recorded(&house, 2);
    let get = request("GET", "/webhooks/twilio?abc=d", &[("x-twilio-signature", &signature)], b"");
    let answer = send(house.ingress, &get);
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    nothing_stored(&house);
}

fn w06(case: &Case) {
    let house = house();
    // A signature over the URL alone, as for an empty form.
    let (signature, _) = sign(PATH, FORM, "");
    case.refused(&post(&house, PATH, "application/json", "{\"a\":1}", &signature));
    case.recorded(&house, 1);
    nothing_stored(&house);
}

fn w07(case: &Case) {
    let house = house();
    let body = "{\"hello\":\"w\u{f6}rld\"}";
    let (signature, target) = sign(PATH, "application/json", body);
    assert_eq!(
        post(&house, &target, "application/json", body, &signature).status,
        200,
        "the right one passes"
    );
    // Another body under the signed digest.
    case.refused(&post(&house, &target, "application/json", "{\"hello\":\"you\"}", &signature));
    // Signed URLs whose digest is upper case, or there twice and different.
    let digest = target.split_once("bodySHA256=").expect("the digest").1;
    let upper = format!("{PATH}?bodySHA256={}", digest.to_uppercase());
    let twice = format!("{PATH}?bodySHA256={digest}&bodySHA256={}", "0".repeat(64));
    for target in [&upper, &twice] {
        let (signature, _) = sign(target, FORM, "");
        case.refused(&post(&house, target, "application/json", body, &signature));
    }
    case.recorded(&house, 3);
    assert_eq!(house.events().len(), 1);
}

fn w08(case: &Case) {
    let house = house();
    let body = "Body=hi&From=%2B1";
    let (signature, _) = sign(PATH, FORM, body);
    for content_type in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json;",
        "application/x-www-form-urlencodedx",
    ] {
        case.refused(&post(&house, PATH, content_type, body, &signature));
    }
    let none = request("POST", PATH, &[("x-twilio-signature", &signature)], body.as_bytes());
    case.refused(&send(house.ingress, &none));
    nothing_stored(&house);
}

fn w09(case: &Case) {
    let house = house();
    let body = "MessageSid=SM1&Body=hi";
    let (signature, _) = sign(PATH, FORM, body);
    for token in ["one", "two"] {
        let headers = [
            ("content-type", FORM),
            ("x-twilio-signature", signature.as_str()),
            ("i-twilio-idempotency-token", token),
        ];
        case.answered(&send(house.ingress, &request("POST", PATH, &headers, body.as_bytes())));
    }
    assert_eq!(house.events().len(), 1, "the token is unsigned: a fresh one makes no new event");
}

fn w10(case: &Case) {
    let house = house();
    for body in ["MessageSid=SM1&Body=hi", "MessageSid=SM2&Body=ho"] {
        let (signature, _) = sign(PATH, FORM, body);
        let headers = [
            ("content-type", FORM),
            ("x-twilio-signature", signature.as_str()),
            ("i-twilio-idempotency-token", "same"),
        ];
        case.answered(&send(house.ingress, &request("POST", PATH, &headers, body.as_bytes())));
    }
    assert_eq!(house.events().len(), 2, "the token is unsigned: the same one drops nothing");
}
