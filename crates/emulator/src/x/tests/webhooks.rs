//! Registering, listing, validating, deleting, and every documented refusal.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::stage::{As, Mood, Stage};
use crate::x::{Options, Platform, StartError, Tier};

/// The reason in front of a refusal's message.
pub(super) fn reason(body: &Value) -> &str {
    let message = body["errors"][0]["message"].as_str().unwrap_or_default();
    message.split_once(": ").map_or(message, |(reason, _)| reason)
}

#[tokio::test]
async fn a_webhook_is_registered_listed_validated_and_deleted() {
    let stage = Stage::new(|_| {}).await;
    let none = json!({ "data": [], "meta": { "result_count": 0 } });
    assert_eq!(stage.get("/2/webhooks", As::App).await, (200, none.clone()));
    let (status, created) = stage.post("/2/webhooks", As::App, json!({ "url": stage.hook_url })).await;
    assert_eq!(status, 200, "{created}");
    let webhook = &created["data"];
    let id = webhook["id"].as_str().unwrap();
    assert!(id.parse::<u64>().unwrap() > 1 << 53, "{id}");
    assert_eq!(
        *webhook,
        json!({ "id": id, "url": stage.hook_url, "valid": true, "created_at": "2026-11-22T12:00:00.000Z" })
    );
    let (_, listed) = stage.get("/2/webhooks?webhook_config.fields=created_at,id,url,valid", As::App).await;
    assert_eq!(listed, json!({ "data": [webhook], "meta": { "result_count": 1 } }));
    let (_, some) = stage.get("/2/webhooks?webhook_config.fields=id,valid", As::App).await;
    assert_eq!(some["data"], json!([{ "id": id, "valid": true }]));

    let valid = json!({ "data": { "valid": true } });
    assert_eq!(stage.put(&format!("/2/webhooks/{id}"), As::App).await, (200, valid));
    let deleted = json!({ "data": { "deleted": true } });
    assert_eq!(stage.delete(&format!("/2/webhooks/{id}"), As::App).await, (200, deleted));
    assert_eq!(stage.get("/2/webhooks", As::App).await, (200, none));

    let counts = stage.platform.ledger().counts;
    let expected =
        [("webhooks.create", 1), ("webhooks.delete", 1), ("webhooks.list", 4), ("webhooks.validate", 1)];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
    let crcs = stage
        .platform
        .with_ledger(|ledger| ledger.crcs.iter().map(|crc| crc.reason.to_string()).collect::<Vec<_>>());
    assert_eq!(crcs, ["registration", "PUT"]);
}

#[tokio::test]
async fn the_url_has_to_be_one() {
    let stage = Stage::new(|options| options.allow_http = false).await;
    let long = format!("https://h.example.com/{}", "a".repeat(200));
    for url in [
        "http://hooks.example.com/x",
        "http://127.0.0.1:8080/x",
        "https://hooks.example.com:8443/x",
        "hooks.example.com",
        "",
        long.as_str(),
    ] {
        let (status, body) = stage.post("/2/webhooks", As::App, json!({ "url": url })).await;
        assert_eq!((status, reason(&body)), (400, "UrlValidationFailed"), "{url} {body}");
        assert_eq!(body["title"], "Invalid Request");
        assert_eq!(body["type"], "https://api.twitter.com/2/problems/invalid-request");
    }
    assert!(stage.platform.ledger().crcs.is_empty(), "nobody was challenged");
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused() {
    let stage = Stage::new(|_| {}).await;
    for body in [json!([]), json!({}), json!({ "url": 1 }), json!({ "url": stage.hook_url, "name": "x" })] {
        let (status, answer) = stage.post("/2/webhooks", As::App, body.clone()).await;
        assert_eq!((status, &answer["title"]), (400, &json!("Invalid Request")), "{body}");
    }
    let (status, _) = stage.get("/2/webhooks?webhook_config.fields=id,secret", As::App).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn an_answer_that_is_wrong_registers_nothing() {
    let stage = Stage::new(|_| {}).await;
    for (mood, words) in [
        (Mood::WrongToken, "Invalid response_token"),
        (Mood::Redirects, "redirects"),
        (Mood::Status(404), "404"),
        (Mood::Status(500), "500"),
        (Mood::Hangs, "no answer within"),
    ] {
        stage.mood(mood);
        let (status, body) = stage.post("/2/webhooks", As::App, json!({ "url": stage.hook_url })).await;
        assert_eq!((status, reason(&body)), (400, "CrcValidationFailed"), "{mood:?} {body}");
        assert!(body["errors"][0]["message"].as_str().unwrap().contains(words), "{mood:?} {body}");
    }
    assert!(stage.platform.webhooks().is_empty());
}

#[tokio::test]
async fn an_account_with_one_webhook_hears_of_its_limit_even_for_the_same_url() {
    let (stage, _) = Stage::registered(|_| {}).await;
    for url in [stage.hook_url.clone(), format!("{}2", stage.hook_url)] {
        let (status, body) = stage.post("/2/webhooks", As::App, json!({ "url": url })).await;
        assert_eq!((status, reason(&body)), (400, "WebhookLimitExceeded"));
    }
    let (stage, _) = Stage::registered(|options| options.tier = Tier::enterprise()).await;
    let (status, body) = stage.post("/2/webhooks", As::App, json!({ "url": stage.hook_url })).await;
    assert_eq!((status, reason(&body)), (400, "DuplicateUrlFailed"));
    for n in 2..=5 {
        let (status, _) =
            stage.post("/2/webhooks", As::App, json!({ "url": format!("{}{n}", stage.hook_url) })).await;
        assert_eq!(status, 200);
    }
    let (_, body) =
        stage.post("/2/webhooks", As::App, json!({ "url": format!("{}6", stage.hook_url) })).await;
    assert_eq!(reason(&body), "WebhookLimitExceeded");
}

#[tokio::test]
async fn an_unknown_id_is_refused_everywhere() {
    let stage = Stage::new(|_| {}).await;
    for id in ["1", "9999999999999999999", "12345678901234567890", "x"] {
        let subscriptions = format!("/2/account_activity/webhooks/{id}/subscriptions");
        let replay = json!({ "webhook_id": id, "from_date": "202611221000", "to_date": "202611221100" });
        let activity = json!({ "event_type": "post.create", "filter": { "user_id": "1" }, "webhook_id": id });
        let calls = [
            stage.put(&format!("/2/webhooks/{id}"), As::App).await,
            stage.delete(&format!("/2/webhooks/{id}"), As::App).await,
            stage.post("/2/webhooks/replay", As::App, replay).await,
            stage.post(&format!("{subscriptions}/all"), As::OAuth1("alice"), json!({})).await,
            stage.get(&format!("{subscriptions}/all"), As::OAuth1("alice")).await,
            stage.get(&format!("{subscriptions}/all/list"), As::App).await,
            stage.delete(&format!("{subscriptions}/1/all"), As::App).await,
            stage.post("/2/activity/subscriptions", As::App, activity).await,
        ];
        for (status, body) in calls {
            assert_eq!((status, reason(&body)), (400, "WebhookIdInvalid"), "{id} {body}");
        }
    }
}

#[tokio::test]
async fn put_may_say_200_before_it_knows() {
    let (stage, id) = Stage::registered(|options| options.crc.put_answers_first = true).await;
    stage.mood(Mood::WrongToken);
    let valid = json!({ "data": { "valid": true } });
    assert_eq!(stage.put(&format!("/2/webhooks/{id}"), As::App).await, (200, valid));
    stage.platform.settle().await;
    let (_, listed) = stage.get("/2/webhooks", As::App).await;
    assert_eq!(listed["data"][0]["valid"], false, "GET tells the truth");
    stage.mood(Mood::Right);
    stage.put(&format!("/2/webhooks/{id}"), As::App).await;
    stage.platform.settle().await;
    assert!(stage.platform.webhooks()[0].2);
}

#[tokio::test]
async fn calls_are_limited_for_a_quarter_of_an_hour() {
    let stage = Stage::new(|options| options.rate_limit = Some(2)).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (status, headers, body) = stage.call(Method::GET, "/2/webhooks", As::App, None).await;
        let header = |name: &str| headers[name].to_str().unwrap().parse::<i64>().unwrap();
        seen.push((status, header("x-rate-limit-limit"), header("x-rate-limit-remaining")));
        assert_eq!(header("x-rate-limit-reset"), super::stage::start().as_second() + 900);
        if status == 429 {
            let expected = json!({ "errors": [{ "code": 88, "message": "Rate limit exceeded" }] });
            assert_eq!(body, expected);
        }
    }
    assert_eq!(seen, [(200, 2, 1), (200, 2, 0), (429, 2, 0)]);
    stage.platform.advance(Duration::from_secs(900)).await;
    assert_eq!(stage.get("/2/webhooks", As::App).await.0, 200);
}

#[tokio::test]
async fn the_documented_limits_are_in_the_headers() {
    let stage = Stage::new(|_| {}).await;
    for (path, limit) in [("/2/webhooks", "450"), ("/2/activity/subscriptions", "500")] {
        let (_, headers, _) = stage.call(Method::GET, path, As::App, None).await;
        assert_eq!(headers["x-rate-limit-limit"], limit, "{path}");
    }
    let (_, headers, _) = stage.call(Method::POST, "/2/webhooks/replay", As::App, Some(json!({}))).await;
    assert_eq!(headers["x-rate-limit-limit"], "100");
}

#[tokio::test]
async fn faults_come_when_they_are_asked_for() {
    let stage = Stage::new(|_| {}).await;
    stage.platform.fail_calls("webhooks.list", StatusCode::SERVICE_UNAVAILABLE, 2);
    stage.platform.fail_calls("webhooks.list", StatusCode::PAYMENT_REQUIRED, 1);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(stage.get("/2/webhooks", As::App).await.0);
    }
    assert_eq!(seen, [503, 503, 402, 200]);
}

#[tokio::test]
async fn an_app_that_is_not_enrolled_may_do_nothing() {
    let stage = Stage::new(|options| options.enrolled = false).await;
    let (status, body) = stage.get("/2/webhooks", As::App).await;
    assert_eq!((status, &body["reason"]), (403, &json!("client-not-enrolled")));
    assert_eq!(body["type"], "https://api.twitter.com/2/problems/client-forbidden");
}

#[tokio::test]
async fn only_this_machine_may_be_listened_on() {
    let options = Options { listen: "0.0.0.0:0".parse().unwrap(), ..Options::default() };
    assert!(matches!(Platform::start(options).await, Err(StartError::NotLoopback(_))));
}
