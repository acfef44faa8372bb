//! The filtered stream's links, rules and bodies.

use serde_json::json;

use super::stage::{As, Stage};
use crate::x::{Action, Tier};

const RULES: &str = "/2/tweets/search/stream/rules";

#[tokio::test]
async fn it_is_for_enterprise_accounts() {
    let (stage, id) = Stage::registered(|_| {}).await;
    for (status, body) in [
        stage.post(&format!("/2/tweets/search/webhooks/{id}"), As::App, json!({})).await,
        stage.get("/2/tweets/search/webhooks", As::App).await,
    ] {
        assert_eq!((status, &body["reason"]), (403, &json!("client-forbidden")));
    }
}

#[tokio::test]
async fn posts_that_match_a_rule_arrive_with_it() {
    let (stage, id) = Stage::registered(|options| options.tier = Tier::enterprise()).await;
    let link = format!("/2/tweets/search/webhooks/{id}");
    let provisioned = json!({ "data": { "provisioned": true } });
    let fields = "?tweet.fields=author_id,created_at&expansions=author_id";
    assert_eq!(stage.post(&format!("{link}{fields}"), As::App, json!({})).await, (200, provisioned));
    let rules = json!({ "add": [{ "value": "cinnamon #bergen", "tag": "rolls" }, { "value": "from:bob" }] });
    let (status, added) = stage.post(RULES, As::App, rules).await;
    assert_eq!((status, &added["meta"]["summary"]["created"]), (201, &json!(2)));

    stage.act("alice", Action::Post, None, Some("nothing to see"));
    stage.act("bob", Action::Post, None, Some("Cinnamon, in #Bergen!"));
    stage.platform.settle().await;
    let bodies = stage.values();
    assert_eq!(bodies.len(), 1);
    let body = &bodies[0];
    assert_eq!(
        body["matching_rules"],
        json!([
            { "id": added["data"][0]["id"], "tag": "rolls" },
            { "id": added["data"][1]["id"], "tag": "" },
        ])
    );
    let mut fields: Vec<_> = body["data"].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["author_id", "created_at", "edit_history_tweet_ids", "id", "text"]);
    assert_eq!(body["includes"]["users"][0]["username"], "bob");
    assert!(body.get("for_user_id").is_none() && body["data"].get("event_type").is_none());

    let (_, listed) = stage.get("/2/tweets/search/webhooks", As::App).await;
    assert_eq!(listed["data"][0]["webhook_id"], id.as_str());
    let (_, nested) = stage.get("/2/tweets/search/stream/webhooks", As::App).await;
    assert_eq!(nested["data"]["links"], listed["data"]);

    let (_, deleted) =
        stage.post(RULES, As::App, json!({ "delete": { "ids": [added["data"][1]["id"], "1"] } })).await;
    assert_eq!(deleted["meta"]["summary"], json!({ "deleted": 1, "not_deleted": 1 }));
    assert_eq!(stage.get(RULES, As::App).await.1["data"].as_array().unwrap().len(), 1);
    assert_eq!(stage.delete(&link, As::App).await, (200, json!({ "data": { "deleted": true } })));
    assert_eq!(stage.delete(&link, As::App).await.0, 404);
    stage.act("bob", Action::Post, None, Some("cinnamon #bergen"));
    stage.platform.settle().await;
    assert!(stage.bodies().is_empty());
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_adds_none() {
    let stage = Stage::new(|options| options.tier = Tier::enterprise()).await;
    for body in [
        json!({ "add": [{ "value": "fine" }, { "value": "(not fine)" }] }),
        json!({ "add": [{ "tag": "no value" }] }),
        json!({ "add": [], "delete": { "ids": [] } }),
        json!({ "delete": {} }),
        json!({}),
    ] {
        assert_eq!(stage.post(RULES, As::App, body.clone()).await.0, 400, "{body}");
    }
    assert_eq!(stage.get(RULES, As::App).await.1["data"], json!([]));
}
