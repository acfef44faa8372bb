//! Ten thousand events, listed and searched. What it took is printed; only what was found is judged.

use std::thread;

use hookhouse_testkit::blackbox::{Connection, House, request};
use serde_json::json;

use crate::browser;
use crate::server::token;

const EVENTS: usize = 10_000;
const CONNECTIONS: usize = 16;

#[test]
fn ten_thousand_events_are_listed_and_searched() {
    let house = House::start("[source.inbox]\nprovider = \"none\"\npath = \"/in\"\n", &[]);
    let ask = |body: &str| request("POST", "/in", &[("Content-Type", "application/json")], body.as_bytes());
    let needle = ask("{\"oldest\":\"a needle in the haystack\"}");
    let mut first = Connection::open(house.ingress).expect("a connection");
    assert_eq!(first.exchange(&needle).expect("an answer").status, 200);
    thread::scope(|scope| {
        for lane in 0..CONNECTIONS {
            let address = house.ingress;
            scope.spawn(move || {
                let mut connection = Connection::open(address).expect("a connection");
                for number in (lane..EVENTS - 1).step_by(CONNECTIONS) {
                    let body = format!("{{\"number\":{number},\"text\":\"{}\"}}", "hay ".repeat(50));
                    assert_eq!(connection.exchange(&ask(&body)).expect("an answer").status, 200);
                }
            });
        }
    });
    let extra = json!({ "token": token(&house), "ingress": format!("http://{}/in", house.ingress) });
    let report = browser::run("many.js", house.admin, extra);
    println!("{}", serde_json::to_string_pretty(&report["measured"]).expect("JSON"));
    assert_eq!(report["rows"], 50);
    assert_eq!(report["found"], 1, "the oldest of all is found");
    assert_eq!(report["paged"], 1_000, "twenty pages further back");
    assert_eq!(report["distinct"], 1_000, "no event twice while others arrive");
    assert_eq!(report["live"], true, "a burst is seen");
}
