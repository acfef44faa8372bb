//! Who may do what, and what they are told otherwise.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use super::stage::{As, Stage};
use crate::x::auth::app::basic;
use crate::x::reveal;

async fn token(stage: &Stage, authorization: Option<String>, body: &'static str) -> (u16, Value) {
    let mut request = Request::post(format!("{}/oauth2/token", stage.platform.base_url()));
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let request = request.header("content-type", "application/x-www-form-urlencoded;charset=UTF-8");
    let (status, _, body) = stage.send(request.body(Bytes::from(body)).unwrap()).await;
    (status, body)
}

#[tokio::test]
async fn the_app_gets_one_bearer_token() {
    let stage = Stage::new(|_| {}).await;
    let app = stage.platform.credentials();
    let right = format!("Basic {}", basic(&app.consumer_key, &app.consumer_secret));
    let grant = "grant_type=client_credentials";
    let expected = json!({ "token_type": "bearer", "access_token": reveal(&app.bearer) });
    assert_eq!(token(&stage, Some(right.clone()), grant).await, (200, expected.clone()));
    assert_eq!(token(&stage, Some(right.clone()), grant).await, (200, expected));

    let wrong = format!("Basic {}", basic(&app.consumer_key, &app.client_secret));
    for authorization in [None, Some(wrong), Some(right.replace("Basic", "Bearer"))] {
        let (status, body) = token(&stage, authorization, grant).await;
        assert_eq!((status, &body["errors"][0]["code"]), (403, &json!(99)));
    }
    for form in ["", "grant_type=password"] {
        let (status, body) = token(&stage, Some(right.clone()), form).await;
        assert_eq!((status, &body["errors"][0]["code"]), (403, &json!(170)), "{form}");
    }
}

#[tokio::test]
async fn who_cannot_be_made_out_gets_401() {
    let stage = Stage::new(|_| {}).await;
    let unauthorized =
        json!({ "title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized" });
    let raw = |text: &str| As::Raw(text.to_owned());
    let whos =
        [As::Nobody, raw("Bearer wrong"), raw("Bearer"), raw("Basic eDp5"), raw("OAuth"), raw("OAuth x=y")];
    for who in whos {
        let answer = stage.get("/2/webhooks", who.clone()).await;
        assert_eq!(answer, (401, unauthorized.clone()), "{who:?}");
    }
}

#[tokio::test]
async fn every_endpoint_takes_its_kinds_of_callers() {
    let (stage, id) = Stage::registered(|_| {}).await;
    let subscribe = format!("/2/account_activity/webhooks/{id}/subscriptions/all");
    let count = "/2/account_activity/subscriptions/count";
    let cases = [
        ("/2/webhooks", As::App, 200),
        ("/2/webhooks", As::OAuth1("alice"), 403),
        ("/2/webhooks", As::OAuth2("alice"), 403),
        (count, As::App, 200),
        (count, As::OAuth1("alice"), 403),
        (subscribe.as_str(), As::App, 403),
        // Nobody is subscribed, which is another refusal.
        (&subscribe, As::OAuth1("alice"), 400),
        (&subscribe, As::OAuth2("alice"), 400),
        ("/2/activity/subscriptions", As::OAuth2("alice"), 200),
    ];
    for (path, who, expected) in cases {
        let (status, body) = stage.get(path, who.clone()).await;
        assert_eq!(status, expected, "{path} {who:?}");
        if status == 403 {
            assert_eq!(body["title"], "Unsupported Authentication");
        }
    }
}

#[tokio::test]
async fn an_oauth1_signature_is_checked_to_the_letter() {
    let (stage, id) = Stage::registered(|_| {}).await;
    let path = format!("/2/account_activity/webhooks/{id}/subscriptions/all");
    let now = super::stage::start().as_second();
    let (early, late) = ((now - 301).to_string(), (now + 301).to_string());
    let cases: &[(&str, &str)] = &[
        ("oauth_signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("oauth_signature", ""),
        ("oauth_consumer_key", "another app"),
        ("oauth_token", "1-another"),
        ("oauth_signature_method", "PLAINTEXT"),
        ("oauth_version", "2.0"),
        ("oauth_timestamp", &early),
        ("oauth_timestamp", &late),
        ("oauth_timestamp", "soon"),
    ];
    for (name, value) in cases {
        let header = stage.oauth1(&Method::POST, &path, "alice", &HashMap::from([(*name, *value)]));
        let (status, _) = stage.post(&path, As::Raw(header), json!({})).await;
        assert_eq!(status, 401, "{name} {value}");
    }
    // Signed for another method, path, query or user.
    let none = HashMap::new();
    let elsewhere = [
        stage.oauth1(&Method::GET, &path, "alice", &none),
        stage.oauth1(&Method::POST, &format!("{path}/list"), "alice", &none),
        stage.oauth1(&Method::POST, &format!("{path}?a=1"), "alice", &none),
    ];
    for header in elsewhere {
        assert_eq!(stage.post(&path, As::Raw(header), json!({})).await.0, 401);
    }
    let header = stage.oauth1(&Method::POST, &path, "alice", &none);
    assert_eq!(stage.post(&path, As::Raw(header.clone()), json!({})).await.0, 200);
    assert_eq!(stage.post(&path, As::Raw(header), json!({})).await.0, 401, "the nonce was used");
    let notes =
        stage.platform.with_ledger(|ledger| ledger.calls.iter().rev().find_map(|call| call.note.clone()));
    assert_eq!(notes.as_deref(), Some("OAuth: `oauth_nonce` was used before"));
}

#[tokio::test]
async fn a_query_is_part_of_what_is_signed() {
    let stage = Stage::new(|_| {}).await;
    let path = "/2/activity/subscriptions?max_results=10&pagination_token=after-1%2B1";
    assert_eq!(stage.get(path, As::OAuth1("bob")).await.0, 400, "signed well, and the token is none");
    assert_eq!(stage.get("/2/activity/subscriptions?max_results=10", As::OAuth1("bob")).await.0, 200);
}

#[tokio::test]
async fn an_oauth2_token_is_worth_its_scopes() {
    let (stage, id) = Stage::registered(|_| {}).await;
    let path = format!("/2/account_activity/webhooks/{id}/subscriptions/all");
    stage.platform.grant("alice", &["dm.read", "tweet.read", "users.read"]);
    let (status, body) = stage.post(&path, As::OAuth2("alice"), json!({})).await;
    assert_eq!(status, 403);
    assert!(body["detail"].as_str().unwrap().contains("dm.write"), "{body}");
    assert_eq!(stage.post(&path, As::OAuth1("alice"), json!({})).await.0, 200, "OAuth 1.0a has permissions");
    assert_eq!(stage.post(&path, As::OAuth2("bob"), json!({})).await.0, 200);
    stage.platform.advance(Duration::from_secs(1)).await;
    assert_eq!(stage.get(&path, As::OAuth2("bob")).await.0, 200);
}
