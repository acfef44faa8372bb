//! X's challenges: what is answered, with which key, and what no policy lets through.

use hookhouse_testkit::blackbox::{Answer, Connection, House, eventually, request, send};
use hookhouse_verify::x::{sign_get, sign_post};
use serde_json::Value;

use crate::x::{
    BODY, CONFIG, OAUTH2, OAUTH2_SIGNATURE, OTHER, PATH, PREVIOUS, SECRET, SIGNATURE, VARIABLES, house,
    secret, signed,
};
use crate::{Case, Driver, nothing_stored};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[
    ("X01", x01),
    ("X02", x02),
    ("X03", x03),
    ("X04", x04),
    ("X05", oracle_post),
    ("X06", oracle_get),
    ("X07", oracle_get),
    ("X08", x08),
    ("X09", x09),
    ("X10", x10),
    ("X11", x11),
    ("X12", x12),
    ("X13", x13),
    ("X14", x14),
    ("X15", x15),
    ("X16", x16),
];

/// The base64 of a UUID, as X sends it.
const TOKEN: &str = "N2YyYzFjMWUtNWYwZS00YTU1LTljMGUtMmIxZDlhNmYwYTEx";

/// The configuration with a policy for the first source.
fn with_policy(crc: &str) -> String {
    CONFIG.replacen("consumer_secret", &format!("crc = {crc}\nconsumer_secret"), 1)
}

/// One combination of what `crc` can say. Each is a source of one house, under its own path.
struct Mode {
    number: usize,
    crc: String,
}

impl Mode {
    fn all() -> Vec<Self> {
        let mut modes = Vec::new();
        for signature in ["if-present", "require"] {
            for rate in ["off", "10/m"] {
                for shape in ["any", "x-strict"] {
                    for key in ["consumer", "oauth2"] {
                        let crc = format!(
                            "{{ signature = \"{signature}\", rate = \"{rate}\", shape = \"{shape}\", key = \"{key}\" }}"
                        );
                        modes.push(Self { number: modes.len(), crc });
                    }
                }
            }
        }
        modes
    }

    fn path(&self) -> String {
        format!("/webhooks/mode/{}", self.number)
    }

    fn get(&self, house: &House, query: &str, headers: &[(&str, &str)]) -> Answer {
        send(house.ingress, &request("GET", &format!("{}?{query}", self.path()), headers, b""))
    }
}

fn house_of(modes: &[Mode]) -> House {
    let sources: String = modes
        .iter()
        .map(|mode| {
            format!(
                "[source.mode-{}]\nprovider = \"x\"\npath = \"{}\"\ncrc = {}\nconsumer_secret = {{ env = \"SECRET\" }}\n\
                 oauth2_client_secret = {{ env = \"OAUTH2\" }}\n",
                mode.number,
                mode.path(),
                mode.crc
            )
        })
        .collect();
    House::start(&sources, VARIABLES)
}

/// Challenges that no policy may make answerable, whether they are signed or not, and which no rate counts.
fn refused_in_every_mode(case: &Case, queries: &[&str]) {
    let modes = Mode::all();
    let house = house_of(&modes);
    let good = format!("crc_token={TOKEN}&nonce=MTc5NTMxODk2NjEyMw");
    for mode in &modes {
        for query in queries {
            case.refused(&mode.get(&house, query, &[]));
            case.refused(&mode.get(&house, query, &[(SIGNATURE, &sign_get(&secret(SECRET), query))]));
        }
        is_right(&mode.get(&house, &good, &[(SIGNATURE, &sign_get(&secret(SECRET), &good))]), TOKEN, SECRET);
    }
    case.recorded(&house, 2 * queries.len() * modes.len());
    nothing_stored(&house);
}

fn get(house: &House, query: &str, headers: &[(&str, &str)]) -> Answer {
    send(house.ingress, &request("GET", &format!("{PATH}?{query}"), headers, b""))
}

/// What X would make of an answer to a challenge.
fn is_right(answer: &Answer, token: &str, key: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-encoding"), None);
    let expected = hookhouse_verify::x::crc_response(&secret(key), token).expect("a token");
    assert_eq!(answer.text(), expected);
    let keys: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(keys.as_object().map(|o| o.len()), Some(1), "exactly one key");
}

fn x01(case: &Case) {
    let answer = get(&house(), &format!("crc_token={TOKEN}&nonce=MTc5NTMxODk2NjEyMw"), &[]);
    case.answered(&answer);
    is_right(&answer, TOKEN, SECRET);
}

fn x02(case: &Case) {
    let house = house();
    let query = format!("crc_token={TOKEN}&nonce=MTc5NTMxODk2NjEyMw");
    for key in [SECRET, PREVIOUS] {
        let answer = get(&house, &query, &[(SIGNATURE, &sign_get(&secret(key), &query))]);
        case.answered(&answer);
        is_right(&answer, TOKEN, key);
    }
    let answer = get(&house, &query, &[(OAUTH2_SIGNATURE, &sign_get(&secret(OAUTH2), &query))]);
    is_right(&answer, TOKEN, OAUTH2);
}

fn x03(case: &Case) {
    let house = house();
    let query = format!("crc_token={TOKEN}&nonce=MTc5NTMxODk2NjEyMw");
    let answer = get(&house, &query, &[(SIGNATURE, &sign_get(&secret(OTHER), &query))]);
    case.refused(&answer);
    assert!(!answer.text().contains("response_token"));
    case.recorded(&house, 1);
}

fn x04(case: &Case) {
    let house = House::start(&with_policy("{ signature = \"require\" }"), VARIABLES);
    let query = format!("crc_token={TOKEN}&nonce=MTc5NTMxODk2NjEyMw");
    case.refused(&get(&house, &query, &[]));
    case.refused(&get(&house, &format!("crc_token={TOKEN}"), &[]));
    case.recorded(&house, 2);
    let answer = get(&house, &query, &[(SIGNATURE, &sign_get(&secret(SECRET), &query))]);
    is_right(&answer, TOKEN, SECRET);
}

/// The challenge as a signing oracle for events: what it answers must not be usable, and it must not answer.
fn oracle_post(case: &Case) {
    let event = r#"{"for_user_id":"1","tweet_create_events":[{"id_str":"1","text":"forged"}]}"#;
    let escaped: String = event.bytes().map(|b| format!("%{b:02X}")).collect();
    refused_in_every_mode(case, &[&format!("crc_token={escaped}")]);
}

/// The same for the signature of a GET.
fn oracle_get(case: &Case) {
    let token = if case.id == "X06" { "crc_token%3DA%26nonce%3DB" } else { "crc_token%3DAAAAAAAAAAAAAAAA" };
    refused_in_every_mode(case, &[&format!("crc_token={token}")]);
}

fn x08(case: &Case) {
    let long = format!("crc_token={}", "a".repeat(257));
    let queries = [
        long.as_str(),
        "crc_token=",
        "crc_token",
        "nonce=abc",
        "",
        "crc_token=a+b",
        "crc_token=a%00",
        "crc_token=a%0Ab",
        "crc_token=%C3%A9",
    ];
    refused_in_every_mode(case, &queries);
    let house = house();
    // A target that is not even one is refused before anybody looks for a token.
    case.refused(&get(&house, "crc_token=a%zz", &[]));
    case.refused(&send(house.ingress, &request("GET", PATH, &[], b"")));
}

fn x09(case: &Case) {
    let queries = ["crc_token=a&crc_token=b", "crc_token=a&crc_token=a", "crc_token=a&nonce=b&nonce=c"];
    refused_in_every_mode(case, &queries);
}

fn x10(case: &Case) {
    let answer = get(&house(), "crc_token=foo", &[]);
    case.answered(&answer);
    is_right(&answer, "foo", SECRET);
}

/// A challenge that X signed and somebody sends again, hours later: answered and named, and refused only where
/// `crc.max_age` is set. What nobody signed has no age that means anything.
fn x11(case: &Case) {
    // 24 February 2017, in milliseconds.
    let old = format!("crc_token={TOKEN}&nonce=MTQ4Nzg5NDQwMDAwMA");
    let signature = sign_get(&secret(SECRET), &old);
    let house = house();
    let answer = get(&house, &old, &[(SIGNATURE, &signature)]);
    case.answered(&answer);
    is_right(&answer, TOKEN, SECRET);
    let named = || house.log().into_iter().find(|line| line.contains(case.code()));
    let line = eventually("the line in the log", named);
    assert!(line.contains("WARN") && line.contains("consumer_secret"), "{line}");

    let house = House::start(&with_policy("{ max_age = \"15m\" }"), VARIABLES);
    let refused = get(&house, &old, &[(SIGNATURE, &signature)]);
    assert_eq!((refused.status, refused.error().as_deref()), (403, Some("forbidden")));
    is_right(&get(&house, &old, &[]), TOKEN, SECRET);
}

fn x12(case: &Case) {
    let modes = Mode::all();
    let house = house_of(&modes);
    let query = format!("crc_token={TOKEN}&nonce=MTc5NTMxODk2NjEyMw");
    for mode in &modes {
        for (header, key) in [(SIGNATURE, SECRET), (OAUTH2_SIGNATURE, OAUTH2)] {
            let target = format!("{}?{query}", mode.path());
            let headers = [(header, &*sign_get(&secret(key), &query))];
            let answer = send(house.ingress, &request("GET", &target, &headers, b""));
            is_right(&answer, TOKEN, key);
            let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
            let signature = answer["response_token"].as_str().expect("a token");
            let forged = request("POST", &mode.path(), &[(header, signature)], TOKEN.as_bytes());
            case.refused(&send(house.ingress, &forged));
        }
    }
    case.recorded(&house, 2 * modes.len());
    nothing_stored(&house);
}

fn x13(case: &Case) {
    let modes = Mode::all();
    let house = house_of(&modes);
    let bodies = ["1234567890123456", "true", "[]", "\"s\"", "null", "", " ", "{", "{}x", "{'a':1}"];
    for mode in &modes {
        for body in bodies {
            let signature = sign_post(&secret(SECRET), body.as_bytes());
            let sent = request("POST", &mode.path(), &[(SIGNATURE, &signature)], body.as_bytes());
            case.refused(&send(house.ingress, &sent));
        }
    }
    case.recorded(&house, bodies.len() * modes.len());
    nothing_stored(&house);
}

/// The eleventh in a minute from one address. What is not counted does not bring it nearer: neither what is refused
/// anyway nor what X signed, which is answered however many there were.
fn x14(case: &Case) {
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\ntrusted_proxies = [\"127.0.0.0/8\"]\n{}",
        with_policy("{ rate = \"10/m\" }")
    );
    let house = House::start(&config, VARIABLES);
    let query = format!("crc_token={TOKEN}&nonce=MTc5NTMxODk2NjEyMw");
    let from = |client: &str, query: &str, signature: Option<&str>| {
        let mut headers = vec![("X-Forwarded-For", client)];
        headers.extend(signature.map(|signature| (SIGNATURE, signature)));
        get(&house, query, &headers)
    };
    let signature = sign_get(&secret(SECRET), &query);
    for _ in 0..12 {
        is_right(&from("192.0.2.1", &query, Some(&signature)), TOKEN, SECRET);
        assert_eq!(from("192.0.2.1", "crc_token=a+b", None).status, 400);
        assert_eq!(from("192.0.2.1", &query, Some(&sign_get(&secret(OTHER), &query))).status, 403);
    }
    for nth in 0..10 {
        let token = format!("a{nth}");
        is_right(&from("192.0.2.1", &format!("crc_token={token}"), None), &token, SECRET);
    }
    for _ in 0..3 {
        let over = from("192.0.2.1", &query, None);
        case.refused(&over);
        let wait: u32 = over.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
    }
    case.recorded(&house, 3);
    is_right(&from("192.0.2.1", &query, Some(&signature)), TOKEN, SECRET);
    assert_eq!(from("192.0.2.1", "crc_token=a+b", None).status, 400, "as before");
    is_right(&from("192.0.2.2", &query, None), TOKEN, SECRET);
    // Off unless it is asked for: the other source has no `crc`.
    for _ in 0..30 {
        let sent = request("GET", "/webhooks/other?crc_token=foo", &[("X-Forwarded-For", "192.0.2.1")], b"");
        is_right(&send(house.ingress, &sent), "foo", OTHER);
    }
}

/// A challenge while the store takes nothing and hundreds of connections dawdle, and while the disk stalls.
fn x15(case: &Case) {
    crate::durability::stalled(case);
    let full = format!("[store]\npath = \"store\"\nreserve = \"900TB\"\n{CONFIG}");
    let house = House::start_unready(&full, VARIABLES);
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut connection = Connection::open(house.ingress).expect("accepted");
        connection
            .write(b"POST /webhooks/twitter HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n{")
            .expect("sent");
        slow.push(connection);
    }
    let refused = signed(&house, BODY);
    assert_eq!((refused.status, refused.error().as_deref()), (503, Some("unavailable")), "the store is full");
    assert_eq!(refused.header("retry-after"), Some("10"));
    let answer = get(&house, &format!("crc_token={TOKEN}"), &[]);
    case.answered(&answer);
    is_right(&answer, TOKEN, SECRET);
}

fn x16(case: &Case) {
    let house = house();
    let head = send(house.ingress, &request("HEAD", &format!("{PATH}?crc_token=foo"), &[], b""));
    assert_eq!((head.status, head.header("allow")), (405, Some("GET, POST")));
    case.recorded(&house, 1);
    let body = send(house.ingress, &request("GET", &format!("{PATH}?crc_token=foo"), &[], b"x"));
    assert_eq!((body.status, body.error().as_deref()), (400, Some("bad_request")));
}
