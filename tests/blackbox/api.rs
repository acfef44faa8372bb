//! The admin API from outside: what it promises about tokens, writes, jobs and the stream, and what becomes of every
//! request that its document allows.

mod access;
mod document;
mod jobs;
mod read;
mod stream;

use hookhouse_testkit::blackbox::{Answer, House, eventually, request, send};
use serde_json::Value;

/// A source that takes anything, and a destination where nobody listens.
pub(crate) const HOUSE: &str = r#"
[source.inbox]
provider = "none"
path = "/in"
deliver = ["app"]

[destination.app]
url = "http://127.0.0.1:9/hooks"
allow_loopback = true
retry = { schedule = ["1h", "1h", "1h"] }
"#;

/// The token in the store's folder.
pub(crate) fn root(house: &House) -> String {
    std::fs::read_to_string(house.store().join("admin.token")).expect("a token").trim().to_owned()
}

/// Asks the admin API with a token, and whatever headers.
pub(crate) fn ask(
    house: &House,
    token: &str,
    what: (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut all = vec![("Host", "localhost"), ("Authorization", &bearer)];
    if !body.is_empty() {
        all.push(("Content-Type", "application/json"));
    }
    all.extend(headers);
    send(house.admin, &request(what.0, &format!("/api/v1/{}", what.1), &all, body.as_bytes()))
}

/// Asks for what is answered with JSON.
pub(crate) fn json(house: &House, what: (&str, &str), body: &str) -> Value {
    let answer = ask(house, &root(house), what, &[], body);
    assert!(answer.status < 300, "{what:?}: {} {}", answer.status, answer.text());
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// Stores so many events.
pub(crate) fn receive(house: &House, bodies: impl IntoIterator<Item = String>) {
    for body in bodies {
        let answer = send(house.ingress, &request("POST", "/in", &[], body.as_bytes()));
        assert_eq!(answer.status, 200);
    }
}

/// The deliveries that there are.
pub(crate) fn deliveries(house: &House, filter: &str) -> Vec<Value> {
    let list = json(house, ("GET", &format!("deliveries?limit=1000&{filter}")), "");
    list["data"].as_array().expect("a list").clone()
}

/// Waits until every delivery was tried, and waits an hour for the next time.
pub(crate) fn settled(house: &House, count: usize) {
    eventually("every delivery waits", || (deliveries(house, "state=waiting").len() == count).then_some(()));
}
