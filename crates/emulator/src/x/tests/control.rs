//! The stand-in's own API.

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::stage::{As, Stage};

#[tokio::test]
async fn people_act_time_passes_and_the_ledger_tells() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.watch(&id, "alice", "post.create").await;
    let act = json!({ "user": "alice", "action": "post", "text": "hello" });
    let (status, performed) = stage.post("/emulator/act", As::Nobody, act).await;
    assert_eq!((status, &performed["events"]), (200, &json!(1)));
    let several = json!([
        { "user": "@bob", "action": "like", "target": performed["post"] },
        { "user": "bob", "action": "follow", "target": "alice" },
    ]);
    let (status, performed) = stage.post("/emulator/act", As::Nobody, several).await;
    assert_eq!((status, performed.as_array().unwrap().len()), (200, 2));
    let (status, clock) = stage.post("/emulator/clock", As::Nobody, json!({ "advance": "6h" })).await;
    assert_eq!((status, clock), (200, json!({ "now": "2026-11-22T18:00:00Z", "runs": false })));
    assert_eq!(stage.bodies().len(), 1);
    let (_, ledger) = stage.get("/emulator/ledger", As::Nobody).await;
    assert_eq!(ledger["events"][0]["fate"], "delivered");
    assert_eq!(ledger["attempts"][0]["status"], 200);
    assert_eq!(ledger["crcs"][0]["verdict"], "passed");
    assert_eq!(ledger["counts"]["webhooks.create"], 1);
    let number = ledger["events"][0]["number"].as_u64().unwrap();
    let (_, rest) = stage.get(&format!("/emulator/ledger?kind=events&after={number}"), As::Nobody).await;
    assert_eq!(rest, json!({ "events": [] }));
    let (_, users) = stage.get("/emulator/users", As::Nobody).await;
    assert_eq!(users["users"][0]["handle"], "alice");
    let (_, webhooks) = stage.get("/emulator/webhooks", As::Nobody).await;
    assert_eq!(webhooks["webhooks"][0]["valid"], true);
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let stage = Stage::new(|_| {}).await;
    for (act, words) in [
        (json!({ "user": "zoe", "action": "post", "text": "x" }), "no user `zoe`"),
        (json!({ "user": "bob", "action": "dance" }), "dance"),
        (json!({ "user": "bob", "action": "post" }), "needs a text"),
        (json!({ "user": "bob", "action": "like" }), "needs a target"),
        (json!({ "user": "bob", "action": "like", "target": "alice" }), "no such post"),
        (json!({ "user": "bob", "action": "delete" }), "no such post"),
        (json!({ "user": "bob", "action": "follow", "target": "bob" }), "themselves"),
        (json!({ "user": "bob", "action": "post", "text": "x", "when": "now" }), "unknown field"),
    ] {
        let (status, body) = stage.post("/emulator/act", As::Nobody, act.clone()).await;
        assert_eq!(status, 422, "{act}");
        assert!(body["detail"].as_str().unwrap().contains(words), "{act} {body}");
    }
    for advance in ["soon", "-1h", "10000000h"] {
        assert_eq!(
            stage.post("/emulator/clock", As::Nobody, json!({ "advance": advance })).await.0,
            422,
            "{advance}"
        );
    }
    assert_eq!(stage.get("/emulator/ledger?kind=secrets", As::Nobody).await.0, 404);
    assert_eq!(stage.get("/2/users/me", As::App).await.0, 404);
}

#[tokio::test]
async fn calls_fail_and_secrets_change_on_request() {
    let stage = Stage::new(|_| {}).await;
    let fail = json!({ "endpoint": "webhooks.list", "status": 503, "times": 1 });
    assert_eq!(stage.post("/emulator/fail", As::Nobody, fail).await.0, 204);
    assert_eq!(stage.get("/2/webhooks", As::App).await.0, 503);
    assert_eq!(stage.get("/2/webhooks", As::App).await.0, 200);
    for fail in [json!({ "endpoint": "nothing", "status": 503 }), json!({ "endpoint": "*", "status": 200 })] {
        assert_eq!(stage.post("/emulator/fail", As::Nobody, fail).await.0, 422);
    }
    let (status, rotated) = stage.post("/emulator/rotate", As::Nobody, json!({})).await;
    assert_eq!(status, 200);
    let secret = stage.platform.credentials().consumer_secret;
    assert_eq!(rotated["consumer_secret"].as_str().unwrap().as_bytes(), secret.expose());
}

#[tokio::test]
async fn a_web_page_under_another_name_gets_nothing() {
    let stage = Stage::new(|_| {}).await;
    for (host, expected) in
        [("evil.example.com", 421), ("127.0.0.1.example.com", 421), ("localhost:4050", 200), ("[::1]", 200)]
    {
        let request =
            Request::get(format!("{}/emulator/users", stage.platform.base_url())).header("host", host);
        assert_eq!(stage.send(request.body(Bytes::new()).unwrap()).await.0, expected, "{host}");
    }
    let plain = Request::post(format!("{}/emulator/rotate", stage.platform.base_url()));
    let plain = plain.header("content-type", "text/plain").body(Bytes::from("{}")).unwrap();
    assert_eq!(stage.send(plain).await.0, 415, "a form of another site cannot send JSON");
}
