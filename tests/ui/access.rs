//! Every page, in both themes and on a narrow screen, is judged by axe: WCAG 2.2 A and AA.

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use serde_json::{Value, json};

use crate::server::token;
use crate::{application, browser};

#[test]
fn axe_finds_nothing_on_any_page_in_either_theme_wide_or_narrow() {
    let application = application::start(|_| (503, b"{\"error\":\"locked\"}".to_vec()));
    let house = House::start(
        &format!(
            "[source.x]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = {{ env = \"X\" }}\ndeliver = [\"app\"]\n\
             [source.calls]\nprovider = \"twilio\"\npath = \"/calls\"\nauth_token = {{ env = \"T\" }}\n\
             public_url = \"http://hooks.example.com\"\n\
             [source.inbox]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
             [destination.app]\nurl = \"http://{application}/\"\nallow_loopback = true\n\
             retry = {{ schedule = [\"1h\"], jitter = 0.0 }}\n"
        ),
        &[("X", "a consumer secret of mine"), ("T", "an auth token of mine")],
    );
    let post = |target: &str, kind: &str, body: &[u8]| {
        send(house.ingress, &request("POST", target, &[("Content-Type", kind)], body))
    };
    for body in [&b"{\"a\":[1,true,\"b\"]}"[..], b"{\"a\":[2,null]}", b"\xff\xfe", b"plain words"] {
        assert_eq!(post("/in", "application/json", body).status, 200);
    }
    assert_eq!(post("/in?q=1", "application/x-www-form-urlencoded", b"a=1&b=%3Cc%3E").status, 200);
    assert_eq!(post("/x", "application/json", b"{}").status, 403);
    let crc = request("GET", "/x?crc_token=foo", &[], b"");
    assert_eq!(send(house.ingress, &crc).status, 200);
    eventually("a failure", || {
        let waiting = house.api("deliveries?state=waiting");
        waiting["data"].as_array().is_some_and(|list| !list.is_empty()).then_some(())
    });
    let report = browser::run("axe.js", house.admin, json!({ "token": token(&house) }));
    let looks = report["looks"].as_array().cloned().unwrap_or_default();
    // Twelve addresses, two themes, two widths.
    assert_eq!(looks.len(), 48);
    let found: Vec<&Value> = looks.iter().filter(|look| look["violations"] != json!([])).collect();
    assert!(found.is_empty(), "{found:#?}");
    assert!(looks.iter().all(|look| look["overflow"] == 0), "a page is wider than its window: {looks:#?}");
}
