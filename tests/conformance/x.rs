//! X: signatures and replays.

use hookhouse_verify::Secret;
use hookhouse_verify::x::sign_post;
use serde_json::Value;

use crate::{Case, Driver, nothing_stored};
use hookhouse_testkit::blackbox::{Answer, House, request, send};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[
    ("X20", x20),
    ("X21", x21),
    ("X22", x22),
    ("X23", x23),
    ("X24", x24),
    ("X25", x25),
    ("X26", x26),
    ("X27", x27),
    ("X28", x28),
    ("X29", x29),
    ("X30", x30),
    ("X31", x31),
    ("X32", x32),
];

pub(crate) const SECRET: &str = "consumer-secret-of-this-test-0001";
pub(crate) const OAUTH2: &str = "oauth2-client-secret-of-this-test";
pub(crate) const PREVIOUS: &str = "previous-consumer-secret-in-overlap";
const RETIRED: &str = "retired-consumer-secret-long-gone";
pub(crate) const OTHER: &str = "consumer-secret-of-another-source";
pub(crate) const PATH: &str = "/webhooks/twitter";
pub(crate) const SIGNATURE: &str = "x-twitter-webhooks-signature";
pub(crate) const OAUTH2_SIGNATURE: &str = "x-twitter-webhooks-signature-oauth2";
pub(crate) const BODY: &[u8] =
    br#"{"for_user_id":"1","tweet_create_events":[{"id_str":"2080761269309813134","text":"h\u00e9llo \/"}]}"#;

pub(crate) const CONFIG: &str = r#"
[source.x]
provider = "x"
path = "/webhooks/twitter"
consumer_secret = { env = "SECRET" }
oauth2_client_secret = { env = "OAUTH2" }
previous_secrets = [{ env = "PREVIOUS", until = "2099-01-01T00:00:00Z" }, { env = "RETIRED", until = "2020-01-01T00:00:00Z" }]

[source.other]
provider = "x"
path = "/webhooks/other"
consumer_secret = { env = "OTHER" }
"#;

pub(crate) const VARIABLES: &[(&str, &str)] =
    &[("SECRET", SECRET), ("OAUTH2", OAUTH2), ("PREVIOUS", PREVIOUS), ("RETIRED", RETIRED), ("OTHER", OTHER)];

pub(crate) fn house() -> House {
    House::start(CONFIG, VARIABLES)
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text).expect("not empty")
}

pub(crate) fn post(house: &House, body: &[u8], signature: &str) -> Answer {
    send(house.ingress, &request("POST", PATH, &[(SIGNATURE, signature)], body))
}

pub(crate) fn signed(house: &House, body: &[u8]) -> Answer {
    post(house, body, &sign_post(&secret(SECRET), body))
}

fn x20(case: &Case) {
    let house = house();
    let answer = signed(&house, BODY);
    case.answered(&answer);
    assert_eq!(answer.body, b"");
    let events = house.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["body"].as_str().map(str::as_bytes), Some(BODY), "stored byte for byte");
    assert_eq!(events[0]["provenance"]["key"], "consumer_secret");
}

fn x21(case: &Case) {
    let house = house();
    let signature = sign_post(&secret(SECRET), BODY);
    let text = std::str::from_utf8(BODY).expect("UTF-8");
    let bom: Vec<u8> = [&[0xef, 0xbb, 0xbf], BODY].concat();
    let crlf = [BODY, b"\r\n"].concat();
    let again = serde_json::to_vec(&serde_json::from_slice::<Value>(BODY).expect("JSON")).expect("JSON");
    let flipped = text.replacen('1', "2", 1).into_bytes();
    for body in [&flipped, &again, &bom, &crlf] {
        case.refused(&post(&house, body, &signature));
    }
    case.recorded(&house, 4);
    nothing_stored(&house);
}

fn x22(case: &Case) {
    let house = house();
    case.refused(&send(house.ingress, &request("POST", PATH, &[], BODY)));
    case.refused(&post(&house, BODY, ""));
    case.recorded(&house, 2);
}

fn x23(case: &Case) {
    let house = house();
    let right = sign_post(&secret(SECRET), BODY);
    let wrong = sign_post(&secret(OTHER), BODY);
    for second in [&right, &wrong] {
        let headers = [(SIGNATURE, right.as_str()), ("X-Twitter-Webhooks-Signature", second.as_str())];
        case.refused(&send(house.ingress, &request("POST", PATH, &headers, BODY)));
    }
    case.recorded(&house, 2);
}

fn x24(case: &Case) {
    let house = house();
    let right = sign_post(&secret(SECRET), BODY);
    let text = right.strip_prefix("sha256=").expect("the prefix");
    let malformed = [
        format!("SHA256={text}"),
        format!("sha1={text}"),
        format!("sha512={text}"),
        text.to_owned(),
        format!("sha256={}", "0123456789abcdef".repeat(4)),
        format!("sha256={}-_{}", &text[..20], &text[22..]),
        format!("sha256={}", text.trim_end_matches('=')),
        format!("{right}="),
        format!("sha256= {text}"),
        format!("sha256={} {}", &text[..20], &text[21..]),
    ];
    for signature in &malformed {
        case.refused(&post(&house, BODY, signature));
    }
    case.recorded(&house, malformed.len());
    nothing_stored(&house);
}

/// The last character of 32 bytes in base64 has two spare bits: four spellings, of which one is canonical.
fn x25(case: &Case) {
    let house = house();
    let right = sign_post(&secret(SECRET), BODY);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = right.len() - 2;
    let last = alphabet.iter().position(|c| *c == right.as_bytes()[at]).expect("base64");
    assert_eq!(last % 4, 0, "canonical");
    for alias in 1..4 {
        let mut bytes = right.clone().into_bytes();
        bytes[at] = alphabet[last + alias];
        case.refused(&post(&house, BODY, std::str::from_utf8(&bytes).expect("ASCII")));
    }
    case.recorded(&house, 3);
}

fn x26(case: &Case) {
    let house = house();
    case.refused(&post(&house, BODY, &sign_post(&secret(OTHER), BODY)));
    case.refused(&post(&house, BODY, &sign_post(&secret("undefined"), BODY)));
    // HMAC-SHA256 with the empty key, which no `Secret` can be: the key is padded with zeros, so one zero is the same.
    case.refused(&post(&house, BODY, &sign_post(&Secret::new([0]).expect("one byte"), BODY)));
    case.recorded(&house, 3);
}

fn x27(case: &Case) {
    let house = house();
    case.answered(&post(&house, BODY, &sign_post(&secret(PREVIOUS), BODY)));
    assert_eq!(house.events()[0]["provenance"]["key"], "previous_secrets[0]");
}

fn x28(case: &Case) {
    let house = house();
    case.refused(&post(&house, BODY, &sign_post(&secret(RETIRED), BODY)));
    case.recorded(&house, 1);
    let reason = house.refusals()[0]["reason"].as_str().map(str::to_owned).expect("a reason");
    assert!(reason.contains("retired") && reason.contains("previous_secrets[1]"), "{reason}");
}

fn x29(case: &Case) {
    let house = house();
    for _ in 0..3 {
        let answer = signed(&house, BODY);
        case.answered(&answer);
        assert_eq!(answer.body, b"");
    }
    assert_eq!(house.events().len(), 1);
    // The same post in another body is that post; for another user, or beside a new one, it is an event.
    let text = std::str::from_utf8(BODY).expect("UTF-8");
    let element = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).expect("an array").0;
    let another = element.replace("2080761269309813134", "2080761269309813135");
    let body = |user: u8, elements: &str| {
        format!("{{\"tweet_create_events\": [{elements}], \"for_user_id\":\"{user}\"}}")
    };
    for (body, stored) in [
        (body(1, element), 1),
        (body(2, element), 2),
        (body(1, &format!("{element},{another}")), 3),
        (body(1, &another), 3),
        (body(1, &format!("{another} , {element}")), 3),
    ] {
        case.answered(&signed(&house, body.as_bytes()));
        assert_eq!(house.events().len(), stored, "{body}");
    }
}

/// Repeats are judged after verification: a forged request cannot make a later real one look like its repeat.
fn x30(case: &Case) {
    let house = house();
    let refused = post(&house, BODY, &sign_post(&secret(OTHER), BODY));
    assert_eq!((refused.status, refused.error().as_deref()), (403, Some("forbidden")));
    let accepted = signed(&house, BODY);
    case.answered(&accepted);
    assert_eq!(accepted.status, 200);
    assert_eq!(house.events().len(), 1);
}

fn x31(case: &Case) {
    let house = house();
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let bodies =
        [deep.as_str(), r#"{"a":1,"a":2}"#, r#"{"a":1e400,"b":-1e-999}"#, r#"{"a":"\ud800","\udfff":"x"}"#];
    for body in bodies {
        let answer = signed(&house, body.as_bytes());
        case.answered(&answer);
    }
    let stored: Vec<_> =
        house.events().iter().map(|event| event["body"].as_str().map(str::to_owned)).collect();
    assert_eq!(stored, bodies.map(|body| Some(body.to_owned())));
}

fn x32(case: &Case) {
    let house = house();
    let oauth2 = OAUTH2_SIGNATURE;
    let (a, b) = (sign_post(&secret(SECRET), BODY), sign_post(&secret(OAUTH2), BODY));
    let wrong = sign_post(&secret(OTHER), BODY);
    for headers in [[(SIGNATURE, &a), (oauth2, &wrong)], [(SIGNATURE, &wrong), (oauth2, &b)]] {
        let headers = headers.map(|(name, value)| (name, value.as_str()));
        case.refused(&send(house.ingress, &request("POST", PATH, &headers, BODY)));
    }
    case.recorded(&house, 2);
    // Both right, or one right and alone, is fine; a header that has no key is nobody's business.
    let both = [(SIGNATURE, a.as_str()), (oauth2, b.as_str())];
    assert_eq!(send(house.ingress, &request("POST", PATH, &both, BODY)).status, 200);
    let alone = [(oauth2, b.as_str())];
    assert_eq!(send(house.ingress, &request("POST", PATH, &alone, BODY)).status, 200);
    let body = b"{\"other\":1}";
    let c = sign_post(&secret(OTHER), body);
    let keyless = [(SIGNATURE, c.as_str()), (oauth2, wrong.as_str())];
    assert_eq!(send(house.ingress, &request("POST", "/webhooks/other", &keyless, body)).status, 200);
}
