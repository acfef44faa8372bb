//! The client against a scripted X: every documented form and error, over real sockets.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod script;

use std::time::Duration;

use hookhouse_core::Secret;
use hookhouse_x::calls::{account_activity, activity, stream, webhooks};
use hookhouse_x::credentials::{Access, Consumer};
use hookhouse_x::{Class, Credentials, Error, Minute, WebhookId};
use http::Method;

use crate::script::{App, Script, reply};

fn id(text: &str) -> WebhookId {
    text.parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

const WEBHOOK: &str = r#"{"id":"1999999999999999999","url":"https://a.example/x","valid":true,"created_at":"2025-01-15T12:00:00.000Z"}"#;

#[tokio::test]
async fn webhooks_are_made_listed_validated_and_deleted() {
    let script = Script::start(vec![
        reply(200, format!(r#"{{"data":{WEBHOOK}}}"#)),
        reply(201, format!(r#"{{"data":{WEBHOOK}}}"#)),
        reply(200, format!(r#"{{"data":[{WEBHOOK}],"meta":{{"result_count":1}}}}"#)),
        reply(200, r#"{"data":[],"meta":{"result_count":0}}"#),
        reply(200, r#"{"meta":{"result_count":0}}"#),
        reply(200, r#"{"data":{"valid":true}}"#),
        reply(204, ""),
        reply(200, r#"{"data":{"deleted":true}}"#),
        reply(200, r#"{"data":{"job_id":"7","created_at":"2026-11-22T12:00:00.000Z"}}"#),
    ])
    .await;
    let client = script.client(App::Bearer);
    for _ in 0..2 {
        let made = client.send(&webhooks::create("https://a.example/x")).await.unwrap();
        assert_eq!((made.id.as_str(), made.valid), ("1999999999999999999", true));
    }
    assert_eq!(client.send(&webhooks::list()).await.unwrap().len(), 1);
    assert_eq!(client.send(&webhooks::list()).await.unwrap(), []);
    assert_eq!(client.send(&webhooks::list()).await.unwrap(), []);
    assert!(client.send(&webhooks::validate(&id("12"))).await.unwrap());
    assert!(client.send(&webhooks::validate(&id("12"))).await.unwrap());
    assert!(client.send(&webhooks::delete(&id("12"))).await.unwrap());
    let from = Minute::of("2026-11-22T10:00:00Z".parse().unwrap());
    let job = client.send(&webhooks::replay(&id("12"), from, from.plus(120))).await.unwrap();
    assert_eq!(job.job_id.as_str(), "7");

    let seen = script.seen();
    let lines: Vec<_> =
        seen.iter().map(|seen| format!("{} {} {}", seen.method, seen.target, seen.body)).collect();
    assert_eq!(
        lines,
        [
            r#"POST /2/webhooks {"url":"https://a.example/x"}"#,
            r#"POST /2/webhooks {"url":"https://a.example/x"}"#,
            "GET /2/webhooks?webhook_config.fields=created_at%2Cid%2Curl%2Cvalid ",
            "GET /2/webhooks?webhook_config.fields=created_at%2Cid%2Curl%2Cvalid ",
            "GET /2/webhooks?webhook_config.fields=created_at%2Cid%2Curl%2Cvalid ",
            "PUT /2/webhooks/12 ",
            "PUT /2/webhooks/12 ",
            "DELETE /2/webhooks/12 ",
            r#"POST /2/webhooks/replay {"from_date":"202611221000","to_date":"202611221200","webhook_id":"12"}"#,
        ]
    );
    assert!(seen.iter().all(|seen| seen.authorization == "Bearer bearer-of-the-tests"));
}

#[tokio::test]
async fn the_four_reported_answers_to_an_activity_subscription_are_read() {
    let one = r#"{"subscription_id":"55","event_type":"post.create","filter":{"user_id":"9007199254740993"},"tag":"t","webhook_id":"12"}"#;
    let script = Script::start(vec![
        reply(200, format!(r#"{{"data":{{"subscription":{one}}}}}"#)),
        reply(200, format!(r#"{{"data":[{one}],"meta":{{"total_subscriptions":3}}}}"#)),
        reply(200, format!(r#"{{"data":{one}}}"#)),
        reply(204, ""),
        reply(200, r#"{"data":"yes"}"#),
    ])
    .await;
    let client = script.client(App::Bearer);
    let filter =
        activity::Filter { user_id: Some("9007199254740993".parse().unwrap()), ..Default::default() };
    let wish = activity::Wish {
        event_type: "post.create".to_owned(),
        filter,
        tag: Some("t".to_owned()),
        webhook_id: Some(id("12")),
    };
    let call = activity::create(&wish);
    let mut totals = Vec::new();
    for _ in 0..3 {
        let made = client.send(&call).await.unwrap();
        let [subscription] = made.subscriptions.as_slice() else { panic!("{made:?}") };
        assert_eq!(subscription.subscription_id.as_str(), "55");
        assert_eq!(subscription.filter.user_id.as_ref().unwrap().as_str(), "9007199254740993");
        totals.push(made.total);
    }
    assert_eq!(totals, [None, Some(3), None]);
    assert_eq!(client.send(&call).await.unwrap(), activity::Created::default());
    let unreadable = client.send(&call).await.unwrap_err();
    assert!(matches!(unreadable, Error::Unreadable { status: 200, .. }), "{unreadable}");
    assert_eq!(
        script.seen()[0].body,
        r#"{"event_type":"post.create","filter":{"user_id":"9007199254740993"},"tag":"t","webhook_id":"12"}"#
    );
}

#[tokio::test]
async fn activity_subscriptions_are_listed_by_pages_changed_and_ended() {
    let one = r#"{"subscription_id":"55","event_type":"dm.received","filter":{}}"#;
    let script = Script::start(vec![
        reply(200, format!(r#"{{"data":[{one}],"meta":{{"next_token":"a b","result_count":1}}}}"#)),
        reply(200, format!(r#"{{"data":[{one}],"meta":{{"result_count":1}}}}"#)),
        reply(200, format!(r#"{{"data":{one}}}"#)),
        reply(200, r#"{"data":{"deleted":true},"meta":{"total_subscriptions":0}}"#),
        reply(200, r#"{"data":{"deleted":true}}"#),
    ])
    .await;
    let client = script.client(App::Bearer);
    let first = client.send(&activity::list(None)).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("a b"));
    let second = client.send(&activity::list(first.next.as_deref())).await.unwrap();
    assert_eq!((second.subscriptions.len(), second.next), (1, None));
    let subscription = &second.subscriptions[0].subscription_id;
    let change = activity::Change { tag: Some("new".to_owned()), webhook_id: None };
    client.send(&activity::update(subscription, &change)).await.unwrap();
    assert!(client.send(&activity::delete(subscription)).await.unwrap());
    assert!(
        client.send(&activity::delete_all(&[subscription.clone(), "56".parse().unwrap()])).await.unwrap()
    );
    let lines: Vec<_> =
        script.seen().iter().map(|seen| format!("{} {} {}", seen.method, seen.target, seen.body)).collect();
    assert_eq!(
        lines,
        [
            "GET /2/activity/subscriptions?max_results=1000 ",
            "GET /2/activity/subscriptions?max_results=1000&pagination_token=a%20b ",
            r#"PUT /2/activity/subscriptions/55 {"tag":"new"}"#,
            "DELETE /2/activity/subscriptions/55 ",
            "DELETE /2/activity/subscriptions?ids=55%2C56 ",
        ]
    );
}

#[tokio::test]
async fn account_activity_is_the_users_and_its_lists_are_the_apps() {
    let script = Script::start(vec![
        reply(200, r#"{"data":{"subscribed":true}}"#),
        reply(204, ""),
        reply(
            200,
            r#"{"data":{"application_id":"1","webhook_id":"12","webhook_url":"https://a.example/x","subscriptions":[{"user_id":"5"},{"user_id":"9007199254740993"}]}}"#,
        ),
        reply(200, r#"{"data":{"subscribed":false}}"#),
        reply(204, ""),
        reply(
            200,
            r#"{"data":{"account_name":"acme","provisioned_count":"15","subscriptions_count_all":"2","subscriptions_count_direct_messages":"0"}}"#,
        ),
        reply(200, r#"{"data":{"provisioned_count":15,"subscriptions_count_all":2}}"#),
    ])
    .await;
    let client = script.client(App::Everything);
    assert!(client.send(&account_activity::subscribe(&id("12"))).await.unwrap());
    assert!(client.send(&account_activity::check(&id("12"))).await.unwrap());
    let list = client.send(&account_activity::list(&id("12"))).await.unwrap();
    assert_eq!(list.subscriptions[1].user_id.as_str(), "9007199254740993");
    let user = &list.subscriptions[0].user_id;
    assert!(!client.send(&account_activity::remove(&id("12"), user)).await.unwrap());
    assert!(!client.send(&account_activity::remove(&id("12"), user)).await.unwrap());
    for _ in 0..2 {
        let count = client.send(&account_activity::count()).await.unwrap();
        assert_eq!(count.subscriptions_count_all, "2");
    }
    let seen = script.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].body.as_str()), ("POST", "{}"));
    assert_eq!(seen[0].target, "/2/account_activity/webhooks/12/subscriptions/all");
    for user in &seen[..2] {
        assert!(
            user.authorization.starts_with("OAuth oauth_consumer_key=\"consumer-key\", "),
            "{}",
            user.authorization
        );
        assert!(user.authorization.contains("oauth_signature=\""), "{}", user.authorization);
        assert!(user.authorization.contains("oauth_token=\"user-of-the-tests\""), "{}", user.authorization);
    }
    assert_ne!(seen[0].authorization, seen[1].authorization, "a nonce is used once");
    assert!(seen[2..].iter().all(|seen| seen.authorization.starts_with("Bearer ")));
    assert_eq!(seen[3].target, "/2/account_activity/webhooks/12/subscriptions/5/all");
}

#[tokio::test]
async fn stream_links_are_found_under_either_path_and_in_either_form() {
    let link = r#"{"application_id":"1","business_user_id":"2","fields":["id"],"instance_id":"3","webhook_id":"12"}"#;
    let script = Script::start(vec![
        reply(200, format!(r#"{{"data":[{link}],"meta":{{"result_count":1}}}}"#)),
        reply(404, r#"{"title":"Not Found","type":"about:blank","status":404}"#),
        reply(200, format!(r#"{{"data":{{"links":[{link}]}}}}"#)),
        reply(404, ""),
        reply(404, ""),
        reply(200, r#"{"data":{}}"#),
        reply(200, r#"{"data":{"provisioned":true}}"#),
        reply(200, r#"{"data":{"deleted":true}}"#),
    ])
    .await;
    let client = script.client(App::Bearer);
    assert_eq!(client.send(&stream::list()).await.unwrap()[0].fields, ["id"]);
    assert_eq!(client.send(&stream::list()).await.unwrap()[0].webhook_id, id("12"));
    let gone = client.send(&stream::list()).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
    assert_eq!(client.send(&stream::list()).await.unwrap(), []);
    let fields = vec![(stream::FieldSet::Post, "id,text".to_owned())];
    assert!(client.send(&stream::link(&id("12"), &fields)).await.unwrap());
    assert!(client.send(&stream::unlink(&id("12"))).await.unwrap());
    let seen = script.seen();
    assert_eq!(seen[1].target, "/2/tweets/search/webhooks");
    assert_eq!(seen[2].target, "/2/tweets/search/stream/webhooks");
    assert_eq!(seen[6].target, "/2/tweets/search/webhooks/12?tweet.fields=id%2Ctext");
}

/// The documented error body, with a reason before the colon.
fn reason(status: u16, message: &str) -> script::Reply {
    reply(
        status,
        format!(
            r#"{{"errors":[{{"message":"{message}"}}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.twitter.com/2/problems/invalid-request"}}"#
        ),
    )
}

#[tokio::test]
async fn every_documented_error_is_one_of_ours_and_says_what_to_do() {
    let enrolled = |host: &str| {
        format!(
            r#"{{"client_id":"1","detail":"When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Project.","title":"Client Forbidden","reason":"client-not-enrolled","type":"https://{host}/2/problems/client-forbidden"}}"#
        )
    };
    type IsIt = fn(&Error) -> bool;
    let cases: Vec<(script::Reply, IsIt, Class)> = vec![
        (
            reason(400, "CrcValidationFailed:Invalid response_token"),
            |e| matches!(e, Error::CrcFailed { .. }),
            Class::Refused,
        ),
        (
            reason(400, "UrlValidationFailed: no port"),
            |e| matches!(e, Error::UrlRefused { .. }),
            Class::Refused,
        ),
        (
            reason(400, "DuplicateUrlFailed: exists"),
            |e| matches!(e, Error::DuplicateUrl { .. }),
            Class::Refused,
        ),
        (reason(400, "WebhookLimitExceeded"), |e| matches!(e, Error::WebhookLimit { .. }), Class::Refused),
        (reason(400, "WebhookIdInvalid: 12"), |e| matches!(e, Error::UnknownWebhook { .. }), Class::NotFound),
        (reason(404, "WebhookIdInvalid: 12"), |e| matches!(e, Error::UnknownWebhook { .. }), Class::NotFound),
        (
            reason(409, "ReplayConflictError: running"),
            |e| matches!(e, Error::ReplayConflict { .. }),
            Class::Refused,
        ),
        (
            reason(400, "QueryParamInvalid: too old"),
            |e| matches!(e, Error::ParameterRefused { .. }),
            Class::Refused,
        ),
        (
            reason(400, "DuplicateSubscriptionFailed: x"),
            |e| matches!(e, Error::DuplicateSubscription { .. }),
            Class::Refused,
        ),
        (
            reply(409, r#"{"title":"DuplicateSubscription"}"#),
            |e| matches!(e, Error::DuplicateSubscription { .. }),
            Class::Refused,
        ),
        (
            reply(400, r#"{"detail":"Duplicate subscription found"}"#),
            |e| matches!(e, Error::DuplicateSubscription { .. }),
            Class::Refused,
        ),
        (
            reason(400, "SubscriptionLimitExceeded: 3"),
            |e| matches!(e, Error::SubscriptionLimit { .. }),
            Class::Refused,
        ),
        (
            reason(400, "SubscriptionNotFound: 5"),
            |e| matches!(e, Error::UnknownSubscription { .. }),
            Class::NotFound,
        ),
        (
            reply(
                401,
                r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#,
            ),
            |e| matches!(e, Error::Unauthorized { .. }),
            Class::Auth,
        ),
        (reply(403, enrolled("api.x.com")), |e| matches!(e, Error::NotEnrolled { .. }), Class::Auth),
        (reply(403, enrolled("api.twitter.com")), |e| matches!(e, Error::NotEnrolled { .. }), Class::Auth),
        (
            reply(403, r#"{"type":"https://api.x.com/2/problems/client-not-enrolled","title":"x"}"#),
            |e| matches!(e, Error::NotEnrolled { .. }),
            Class::Auth,
        ),
        (
            reply(
                403,
                r#"{"type":"https://api.x.com/2/problems/client-forbidden","title":"Client Forbidden"}"#,
            ),
            |e| matches!(e, Error::Forbidden { .. }),
            Class::Auth,
        ),
        (
            reply(
                402,
                r#"{"title":"CreditsDepleted","detail":"Your enrolled account does not have any credits"}"#,
            ),
            |e| matches!(e, Error::CreditsDepleted { .. }),
            Class::Refused,
        ),
        (
            reply(429, r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#),
            |e| matches!(e, Error::RateLimited { until: None, .. }),
            Class::RateLimited,
        ),
        (
            reply(403, r#"{"code":88,"message":"Rate limit exceeded"}"#),
            |e| matches!(e, Error::RateLimited { .. }),
            Class::RateLimited,
        ),
        (
            reply(404, r#"{"errors":[{"code":34,"message":"Sorry, that page does not exist."}]}"#),
            |e| matches!(e, Error::NotFound { .. }),
            Class::NotFound,
        ),
        (
            reply(503, "<html>Over capacity</html>"),
            |e| matches!(e, Error::Unavailable { status: 503, .. }),
            Class::Unreachable,
        ),
        (
            reply(500, r#"{"errors":"what?","detail":7}"#),
            |e| matches!(e, Error::Unavailable { status: 500, .. }),
            Class::Unreachable,
        ),
        (reply(418, "[1,2"), |e| matches!(e, Error::Refused { status: 418, .. }), Class::Refused),
        (reply(301, ""), |e| matches!(e, Error::Refused { status: 301, .. }), Class::Refused),
        (reply(200, "not json"), |e| matches!(e, Error::Unreadable { status: 200, .. }), Class::Unreachable),
    ];
    let (replies, expected): (Vec<_>, Vec<_>) =
        cases.into_iter().map(|(reply, is, class)| (reply, (is, class))).unzip();
    let script = Script::start(replies).await;
    let client = script.client(App::Bearer);
    for (number, (is_it, class)) in expected.into_iter().enumerate() {
        let error = client.send(&webhooks::create("https://a.example/x")).await.unwrap_err();
        assert!(is_it(&error), "{number}: {error:?}");
        assert_eq!(error.class(), class, "{number}: {error:?}");
        assert!(error.advice().len() > 20, "{number}");
        assert!(!error.line().contains('\n'), "{number}");
    }
}

#[tokio::test]
async fn a_secret_that_x_sends_back_is_in_no_error() {
    let script = Script::start(vec![
        reply(400, r#"{"detail":"bad header Bearer bearer-of-the-tests"}"#),
        reply(200, r#"{"data":{"id":"bearer-of-the-tests","url":"u","valid":true}}"#),
        reply(500, format!(r#"{{"detail":"{}\u001b[2J"}}"#, "x".repeat(5_000))),
    ])
    .await;
    let client = script.client(App::Bearer);
    for _ in 0..3 {
        let error = client.send(&webhooks::create("https://a.example/x")).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("bearer-of") && !shown.contains('\u{1b}') && shown.len() < 1_000, "{shown}");
    }
    assert!(!format!("{client:?}").contains("bearer-of"));
}

#[tokio::test]
async fn the_apps_bearer_is_fetched_once_kept_and_fetched_anew_after_a_401() {
    let token = |token: &str| reply(200, format!(r#"{{"token_type":"bearer","access_token":"{token}"}}"#));
    let empty = || reply(200, r#"{"data":[]}"#);
    let script = Script::start(vec![
        token("AAAA-first"),
        empty(),
        empty(),
        reply(401, ""),
        token("AAAA-second"),
        empty(),
        reply(401, ""),
        token("AAAA-third"),
        reply(401, r#"{"detail":"AAAA-third is not accepted"}"#),
    ])
    .await;
    let client = script.client(App::Consumer);
    for _ in 0..3 {
        client.send(&webhooks::list()).await.unwrap();
    }
    let error = client.send(&webhooks::list()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error:?}");
    assert!(!error.to_string().contains("AAAA"), "{error}");
    let seen = script.seen();
    let said: Vec<_> = seen.iter().map(|seen| seen.authorization.as_str()).collect();
    // `consumer-key:consumer-secret`.
    let basic = "Basic Y29uc3VtZXIta2V5OmNvbnN1bWVyLXNlY3JldA==";
    assert_eq!(
        said,
        [
            basic,
            "Bearer AAAA-first",
            "Bearer AAAA-first",
            "Bearer AAAA-first",
            basic,
            "Bearer AAAA-second",
            "Bearer AAAA-second",
            basic,
            "Bearer AAAA-third"
        ]
    );
    assert_eq!(
        (seen[0].target.as_str(), seen[0].body.as_str()),
        ("/oauth2/token", "grant_type=client_credentials")
    );
    assert_eq!(seen[0].content_type, "application/x-www-form-urlencoded;charset=UTF-8");
}

#[tokio::test]
async fn a_bearer_that_cannot_be_had_is_said_without_quoting_the_answer() {
    let script = Script::start(vec![
        reply(403, r#"{"errors":[{"code":99,"message":"Unable to verify your credentials"}]}"#),
        reply(200, r#"{"token_type":"mac","access_token":"AAAA-mac"}"#),
        reply(200, r#"{"token_type":"bearer","access_token":""}"#),
        reply(200, r#"{"access_token":["AAAA-list"]}"#),
    ])
    .await;
    let client = script.client(App::Consumer);
    let error = client.send(&webhooks::list()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error:?}");
    for _ in 0..3 {
        let error = client.send(&webhooks::list()).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("AAAA"), "{error:?}");
    }
}

#[tokio::test]
async fn a_call_without_credentials_for_it_is_not_sent() {
    let script = Script::start(Vec::new()).await;
    let client = script.client(App::Bearer);
    let error = client.send(&account_activity::subscribe(&id("12"))).await.unwrap_err();
    assert!(matches!(error, Error::NoCredentials { .. }), "{error:?}");
    assert!(error.advice().contains("access_token"), "{}", error.advice());
    let broken =
        script.with(Credentials { bearer: Some(secret("a bearer\nwith a break")), ..Credentials::default() });
    let error = broken.send(&webhooks::list()).await.unwrap_err();
    assert!(matches!(error, Error::BadCredential { name: "bearer" }), "{error:?}");
    assert!(script.seen().is_empty());
}

#[tokio::test]
async fn a_short_rate_limit_is_waited_for_and_a_long_one_is_said() {
    let limit = |status: u16, body: &'static str, remaining: u32, seconds: i64| {
        reply(status, body)
            .header("x-rate-limit-limit", "450")
            .header("x-rate-limit-remaining", &remaining.to_string())
            .header("x-rate-limit-reset", &(script::NOW + seconds).to_string())
    };
    let script = Script::start(vec![
        limit(429, "", 0, 1),
        limit(200, r#"{"data":[]}"#, 449, 900),
        limit(200, r#"{"data":[]}"#, 0, 900),
        reply(200, r#"{"data":{"deleted":true}}"#),
    ])
    .await;
    let client = script.client(App::Bearer);
    client.send(&webhooks::list()).await.unwrap();
    client.send(&webhooks::list()).await.unwrap();
    // Nothing is left in this window: the next one is not even sent.
    let error = client.send(&webhooks::list()).await.unwrap_err();
    assert_eq!(error.to_string(), "the rate limit of webhooks list is reached until 2026-11-22 12:15:00 UTC");
    assert_eq!(error.not_before().unwrap().as_second(), script::NOW + 900);
    // Another operation has a window of its own.
    client.send(&webhooks::delete(&id("12"))).await.unwrap();
    assert_eq!(script.seen().len(), 4);
    let budget = client.budget(webhooks::list().operation()).unwrap();
    assert_eq!((budget.limit, budget.remaining), (Some(450), 0));
}

#[tokio::test]
async fn a_rate_limit_that_does_not_end_is_waited_for_once() {
    let again = || reply(429, "").header("x-rate-limit-reset", &script::NOW.to_string());
    let script = Script::start(vec![again(), again()]).await;
    let client = script.client(App::Bearer).patient_for(Duration::from_secs(5));
    let error = client.send(&webhooks::list()).await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { .. }), "{error:?}");
    assert_eq!(script.seen().len(), 2);
}

#[tokio::test]
async fn an_answer_without_end_and_a_broken_one_are_errors() {
    let script = Script::start(vec![reply(200, vec![b' '; 9 << 20]), script::Reply::broken()]).await;
    let client = script.client(App::Bearer);
    for _ in 0..2 {
        let error = client.send(&webhooks::list()).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert_eq!(error.class(), Class::Unreachable);
    }
    let port = script.port();
    drop(script);
    let error = client.send(&webhooks::list()).await.unwrap_err();
    assert!(error.line().contains(&format!("http://127.0.0.1:{port} did not answer")), "{}", error.line());
}

#[tokio::test]
async fn a_preview_shows_what_would_be_sent_and_no_secret() {
    let script = Script::start(Vec::new()).await;
    let client = script.client(App::Consumer);
    let shown = client.preview(&webhooks::create("https://a.example/x")).unwrap();
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0].url, format!("http://127.0.0.1:{}/oauth2/token", script.port()));
    assert_eq!(shown[1].body.as_deref(), Some(r#"{"url":"https://a.example/x"}"#));
    assert_eq!(shown[1].method, Method::POST.as_str());
    let everything = script.client(App::Everything);
    let user = everything.preview(&account_activity::subscribe(&id("12"))).unwrap();
    for text in [format!("{shown:?}"), format!("{user:?}")] {
        for hidden in ["consumer-key", "consumer-secret", "user-of-the-tests", "bearer-of"] {
            assert!(!text.contains(hidden), "{text}");
        }
    }
    assert!(client.preview(&account_activity::subscribe(&id("12"))).is_err());
    assert!(script.seen().is_empty());
}

#[tokio::test]
async fn an_oauth2_user_token_will_do_where_there_is_no_signature() {
    let script = Script::start(vec![reply(200, r#"{"data":{"subscribed":true}}"#)]).await;
    let client =
        script.with(Credentials { user_token: Some(secret("oauth2-user")), ..Credentials::default() });
    client.send(&account_activity::subscribe(&id("12"))).await.unwrap();
    assert_eq!(script.seen()[0].authorization, "Bearer oauth2-user");
    let half = Credentials {
        access: Some(Access { token: secret("t"), secret: secret("s") }),
        ..Credentials::default()
    };
    assert!(!half.has_user(), "a signature needs the app's key");
    let whole = Credentials { consumer: Some(Consumer { key: secret("k"), secret: secret("s") }), ..half };
    assert!(whole.has_user());
}
