//! Challenges of other providers than X: what a stranger may have signed, and what a stranger may have shown.

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use hookhouse_testkit::blackbox::{Answer, House, request, send};
use jiff::Timestamp;

use crate::{Case, Driver, nothing_stored};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[("G05", g05), ("G06", g06)];

const UUID: &str = "890e4665-4dfe-4ab1-b689-ed553bceeed0";
const CONFIG: &str = r#"
[source.linkedin]
provider = "linkedin"
path = "/linkedin"
secret = { env = "LINKEDIN" }

[source.smartcar]
provider = "smartcar"
path = "/smartcar"
secret = { env = "SMARTCAR" }

[source.zoom]
provider = "zoom"
path = "/zoom"
secret = { env = "ZOOM" }

[source.meta]
provider = "meta"
path = "/meta"
secret = { env = "META" }
verify_token = { env = "META_TOKEN" }

[source.dropbox]
provider = "dropbox"
path = "/dropbox"
secret = { env = "DROPBOX" }
"#;
const VARIABLES: &[(&str, &str)] = &[
    ("LINKEDIN", "linkedin-secret-of-this-test"),
    ("SMARTCAR", "smartcar-token-of-this-test"),
    ("ZOOM", "zoom-secret-token-of-this-test"),
    ("META", "meta-app-secret-of-this-test"),
    ("META_TOKEN", "meta-verify-token-of-this-test"),
    ("DROPBOX", "dropbox-secret-of-this-test"),
];

fn house() -> House {
    House::start(CONFIG, VARIABLES)
}

fn mac(variable: &str, message: &str) -> String {
    let (_, secret) = VARIABLES.iter().find(|(name, _)| *name == variable).expect("one of ours");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    HEXLOWER.encode(hmac::sign(&key, message.as_bytes()).as_ref())
}

fn get(house: &House, target: &str) -> Answer {
    send(house.ingress, &request("GET", target, &[], b""))
}

fn post(house: &House, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    send(house.ingress, &request("POST", target, headers, body.as_bytes()))
}

#[expect(clippy::disallowed_methods, reason = "the server under test has the machine's clock")]
fn now() -> String {
    Timestamp::now().as_second().to_string()
}

/// Nobody has an event signed by asking for the answer to a challenge.
fn g05(case: &Case) {
    let house = house();
    // LinkedIn: `hmacsha256={"a":1}` is the message of an event.
    case.refused(&get(&house, "/linkedin?challengeCode=hmacsha256=%7B%22a%22%3A1%7D"));
    // Smartcar: the body itself is.
    let verify = r#"{"eventType":"VERIFY","payload":{"challenge":"v0:1:{\"a\":1}"}}"#;
    case.refused(&post(&house, "/smartcar", &[], verify));
    case.recorded(&house, 2);

    // Zoom signs its challenge, so it is verified first, whatever the token is.
    let validation = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"v0:1:{}"}}"#;
    assert_eq!(post(&house, "/zoom", &[], validation).status, 403);
    let time = now();
    let signature = format!("v0={}", mac("ZOOM", &format!("v0:{time}:{validation}")));
    let headers = [("x-zm-signature", signature.as_str()), ("x-zm-request-timestamp", time.as_str())];
    case.refused(&post(&house, "/zoom", &headers, validation));
    case.recorded(&house, 1);

    // What the providers do ask is answered, with what an independent HMAC says.
    let answer = get(&house, &format!("/linkedin?challengeCode={UUID}"));
    let told = format!(r#"{{"challengeCode":"{UUID}","challengeResponse":"{}"}}"#, mac("LINKEDIN", UUID));
    assert_eq!((answer.status, answer.text()), (200, told.as_str()));
    // And what an answer shows signs nothing.
    let forged = post(&house, "/linkedin", &[("x-li-signature", &mac("LINKEDIN", UUID))], UUID);
    assert_eq!(forged.status, 403);
    let forged = post(&house, "/smartcar", &[("sc-signature", &mac("SMARTCAR", "token"))], "token");
    assert_eq!(forged.status, 403);
    nothing_stored(&house);
}

/// Nobody has a page shown by asking for an echo.
fn g06(case: &Case) {
    let house = house();
    let confirmed = "hub.verify_token=meta-verify-token-of-this-test";
    for target in [
        format!("/meta?hub.mode=subscribe&hub.challenge=%3Cscript%3Ealert(1)%3C/script%3E&{confirmed}"),
        "/dropbox?challenge=%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
    ] {
        let answer = get(&house, &target);
        case.answered(&answer);
        assert!(!answer.text().contains("script"), "{}", answer.text());
    }
    let echoed = get(&house, &format!("/meta?hub.mode=subscribe&hub.challenge=1158201444&{confirmed}"));
    case.answered(&echoed);
    assert_eq!(echoed.text(), "1158201444");
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(echoed.header(name), Some(value), "{name}");
    }
    let unconfirmed = get(&house, "/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=guess");
    assert_eq!(unconfirmed.status, 403);
    assert_eq!(get(&house, "/dropbox?challenge=aZ9_-~.").text(), "aZ9_-~.");
    nothing_stored(&house);
}
