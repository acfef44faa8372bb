//! Writes: done once for a key, replays as jobs that outlive the server, destinations that are held.

use std::collections::BTreeSet;

use hookhouse_testkit::blackbox::{House, eventually};
use serde_json::Value;

use super::{HOUSE, ask, deliveries, json, receive, root, settled};

fn replay(house: &House, id: &str) -> Value {
    json(house, ("GET", &format!("replays/{id}")), "")
}

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

#[test]
fn a_write_with_a_key_is_done_once_also_after_a_restart() {
    let mut house = House::start(HOUSE, &[]);
    receive(&house, ["{}".to_owned()]);
    settled(&house, 1);
    let event = id(&json(&house, ("GET", "events"), "")["data"][0]);
    let path = format!("events/{event}/replay");
    let write = |house: &House, body: &str| {
        ask(house, &root(house), ("POST", &path), &[("Idempotency-Key", "once")], body)
    };
    let first = write(&house, "{}");
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, None), "{}", first.text());
    let second = write(&house, "{}");
    assert_eq!((second.status, second.header("idempotency-replayed")), (200, Some("true")));
    assert_eq!(first.body, second.body);
    house.stop();
    house.run();
    assert_eq!(write(&house, "{}").body, first.body);
    assert_eq!(write(&house, r#"{"destination":"app"}"#).status, 422, "another request with the same key");
    assert_eq!(deliveries(&house, "").len(), 2, "the first delivery, and one replay");
    let unkeyed = ask(&house, &root(&house), ("POST", &path), &[], "{}");
    assert_eq!(unkeyed.status, 200);
    assert_eq!(deliveries(&house, "").len(), 3);
    let odd = ask(&house, &root(&house), ("POST", &path), &[("Idempotency-Key", &"k".repeat(256))], "{}");
    assert_eq!(odd.status, 400);
}

#[test]
fn a_replay_goes_on_after_a_restart_and_leaves_none_out() {
    let mut house = House::start(HOUSE, &[]);
    receive(&house, (0..12).map(|n| format!("{{\"n\":{n}}}")));
    let counted = json(&house, ("POST", "replays"), r#"{"filter":{"source":"inbox"},"dry_run":true}"#);
    assert_eq!((counted["events"].as_u64(), counted["complete"].as_bool()), (Some(12), Some(true)));
    assert_eq!(deliveries(&house, "").len(), 12, "a dry run makes none");

    let job = id(&json(&house, ("POST", "replays"), r#"{"filter":{"source":"inbox"},"rate":4}"#));
    eventually("it has begun", || (replay(&house, &job)["processed"].as_u64() >= Some(2)).then_some(()));
    receive(&house, ["\"later\"".to_owned()]);
    house.stop();
    house.run();
    let done =
        eventually("it is through", || Some(replay(&house, &job)).filter(|job| job["state"] == "done"));
    assert_eq!(
        (done["total"].as_u64(), done["processed"].as_u64(), done["skipped"].as_u64()),
        (Some(12), Some(12), Some(0))
    );
    let replayed: Vec<_> = deliveries(&house, "")
        .iter()
        .filter_map(|delivery| delivery["id"].as_str()?.strip_suffix(":app:1").map(str::to_owned))
        .collect();
    let distinct: BTreeSet<_> = replayed.iter().collect();
    assert_eq!((replayed.len(), distinct.len()), (12, 12), "each once, and not what came later");
    assert_eq!(deliveries(&house, "").len(), 13 + 12);
}

#[test]
fn a_replay_is_called_off() {
    let house = House::start(HOUSE, &[]);
    receive(&house, (0..3).map(|n| n.to_string()));
    let job = id(&json(&house, ("POST", "replays"), r#"{"rate":1}"#));
    let path = format!("replays/{job}/cancel");
    assert_eq!(json(&house, ("POST", &path), "")["state"], "cancelled");
    assert_eq!(ask(&house, &root(&house), ("POST", &path), &[], "").status, 409);
    assert_eq!(replay(&house, &job)["state"], "cancelled");
    for (body, why) in [
        (r#"{"destination":"nobody"}"#, "no such destination"),
        (r#"{"rate":0}"#, "no rate"),
        (r#"{"filter":{"bogus":1}}"#, "no such filter"),
        (r#"{"filter":{"source":"inbox","events":["evt_06h0685201r0100000000s1fxr"]}}"#, "both"),
    ] {
        assert_eq!(ask(&house, &root(&house), ("POST", "replays"), &[], body).status, 400, "{why}");
    }
}

#[test]
fn a_delivery_is_cancelled_and_retried() {
    let house = House::start(HOUSE, &[]);
    receive(&house, ["{}".to_owned()]);
    settled(&house, 1);
    let delivery = id(&deliveries(&house, "")[0]);
    let write = |verb: &str| {
        ask(&house, &root(&house), ("POST", &format!("deliveries/{delivery}/{verb}")), &[], "").status
    };
    assert_eq!((write("cancel"), write("cancel")), (204, 409));
    assert_eq!(json(&house, ("GET", &format!("deliveries/{delivery}")), "")["state"], "cancelled");
    assert_eq!(write("retry"), 204);
    settled(&house, 1);
    let attempts = json(&house, ("GET", &format!("deliveries/{delivery}/attempts")), "");
    assert_eq!(attempts["data"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_paused_destination_stays_paused_over_a_restart() {
    let mut house = House::start(HOUSE, &[]);
    let paused = json(&house, ("POST", "destinations/app/pause"), "");
    assert_eq!(paused["paused"], true);
    house.stop();
    house.run();
    receive(&house, ["{}".to_owned()]);
    let app = json(&house, ("GET", "destinations/app"), "");
    assert_eq!((app["paused"].as_bool(), app["pending"].as_u64()), (Some(true), Some(1)));
    assert_eq!(app["attempts"]["failed"], 0);
    json(&house, ("POST", "destinations/app/resume"), "");
    settled(&house, 1);
    assert_eq!(ask(&house, &root(&house), ("POST", "destinations/nobody/pause"), &[], "").status, 404);
}
