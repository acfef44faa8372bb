//! Every page works without JavaScript: links and forms are enough.

use hookhouse_testkit::blackbox::House;
use serde_json::json;

use crate::server::token;
use crate::{application, browser};

#[test]
fn the_pages_work_without_javascript_and_behind_a_login() {
    let application = application::start(|body| match body {
        b"bad" => (500, b"no".to_vec()),
        _ => (200, Vec::new()),
    });
    let house = House::start(
        &format!(
            "[source.inbox]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
             [destination.app]\nurl = \"http://{application}/\"\nallow_loopback = true\n\
             retry = {{ schedule = [\"1h\"], jitter = 0.0 }}\n"
        ),
        &[],
    );
    let extra = json!({ "token": token(&house), "ingress": format!("http://{}/in", house.ingress) });
    let report = browser::run("plain.js", house.admin, extra);
    assert_eq!(report["closed"], "/login", "without a session there is the login");
    assert_eq!(report["wrong"], "This is no token, or none that may read.");
    assert_eq!(report["listed"], json!(["POST /in", "POST /in"]));
    assert_eq!(report["raw"], "bad");
    assert_eq!(report["replayed"], "Replay is on its way: a new delivery of the stored bytes, due now.");
    assert_eq!(report["editable"], "good");
    assert_eq!(
        report["unedited"],
        "Nothing was replayed: nothing was changed: a replay without an edit sends the stored bytes. What you wrote is \
         where you came from: go back in your browser."
    );
    assert_eq!(
        report["edited"],
        "Replay is on its way: a new delivery of what you edited, marked as edited, due now."
    );
    assert_eq!(report["marked"], 1);
    assert_eq!(report["sent"], "edited\nhere");
    assert_eq!(report["stored"], "good", "the event stays as it is");
    assert_eq!(report["issue"], "answered 500 from app");
    assert_eq!(report["retried"], "The deliveries of this issue are due now.");
    assert_eq!(report["counted"], "2 events");
    assert_eq!(report["ordered"], "The replay is ordered.");
    assert_eq!(
        report["paused"],
        "Nothing more is sent there until it is resumed. What is due waits in its queue."
    );
    assert_eq!(report["resumed"], "It goes on.");
    assert_eq!(report["left"], "/login", "logging out ends the session");
}
