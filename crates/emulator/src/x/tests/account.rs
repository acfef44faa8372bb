//! Account Activity subscriptions and their bodies.

use serde_json::{Value, json};

use super::stage::{As, Stage};
use super::webhooks::reason;
use crate::x::{Action, NewUser};

#[tokio::test]
async fn users_subscribe_are_listed_counted_and_removed() {
    let (stage, id) = Stage::registered(|options| options.users.push(NewUser::new("dave", "Dave"))).await;
    let base = format!("/2/account_activity/webhooks/{id}/subscriptions");
    let all = format!("{base}/all");
    let (_, none) = stage.get(&all, As::OAuth1("alice")).await;
    assert_eq!(reason(&none), "SubscriptionNotFound");
    for user in ["alice", "bob", "carol"] {
        stage.subscribe(&id, user).await;
    }
    let subscribed = json!({ "data": { "subscribed": true } });
    assert_eq!(stage.get(&all, As::OAuth1("alice")).await, (200, subscribed));
    let (status, again) = stage.post(&all, As::OAuth1("bob"), json!({})).await;
    assert_eq!((status, reason(&again)), (400, "DuplicateSubscriptionFailed"));
    let (status, many) = stage.post(&all, As::OAuth1("dave"), json!({})).await;
    assert_eq!((status, reason(&many)), (400, "SubscriptionLimitExceeded"));
    let (status, _) = stage.post(&all, As::OAuth1("dave"), json!({ "x": 1 })).await;
    assert_eq!(status, 400);

    let (_, list) = stage.get(&format!("{all}/list"), As::App).await;
    let users = list["data"]["subscriptions"].as_array().unwrap();
    assert_eq!((users.len(), &list["data"]["webhook_url"]), (3, &json!(stage.hook_url)));
    let (_, count) = stage.get("/2/account_activity/subscriptions/count", As::App).await;
    assert_eq!(
        count["data"],
        json!({
            "account_name": "alice",
            "provisioned_count": "3",
            "subscriptions_count_all": "3",
            "subscriptions_count_direct_messages": "0",
        })
    );
    let bob = format!("{base}/{}/all", stage.id_of("bob"));
    assert_eq!(stage.delete(&bob, As::App).await, (200, json!({ "data": { "subscribed": false } })));
    assert_eq!(reason(&stage.delete(&bob, As::App).await.1), "SubscriptionNotFound");
    stage.subscribe(&id, "dave").await;
}

/// Who does what to whom with which words, and who is told under which key with which `type`.
type Case<'a> = (&'a str, Action, Option<&'a str>, Option<&'a str>, &'a [Told<'a>]);
type Told<'a> = (&'a str, &'a str, Option<&'a str>);

#[tokio::test]
async fn everybody_concerned_is_told() {
    let cases: &[Case<'_>] = &[
        ("alice", Action::Post, None, Some("hi"), &[("alice", "tweet_create_events", None)]),
        ("carol", Action::Mention, Some("bob"), Some("hi"), &[("bob", "tweet_create_events", None)]),
        (
            "bob",
            Action::Reply,
            Some("alice"),
            Some("hi"),
            &[("alice", "tweet_create_events", None), ("bob", "tweet_create_events", None)],
        ),
        (
            "bob",
            Action::Like,
            Some("alice"),
            None,
            &[("alice", "favorite_events", None), ("bob", "favorite_events", None)],
        ),
        (
            "bob",
            Action::Follow,
            Some("alice"),
            None,
            &[("alice", "follow_events", Some("follow")), ("bob", "follow_events", Some("follow"))],
        ),
        ("bob", Action::Unfollow, Some("alice"), None, &[("bob", "follow_events", Some("unfollow"))]),
        ("bob", Action::Mute, Some("alice"), None, &[("bob", "mute_events", Some("mute"))]),
        ("bob", Action::Unmute, Some("alice"), None, &[("bob", "mute_events", Some("unmute"))]),
        ("bob", Action::Block, Some("alice"), None, &[("bob", "block_events", Some("block"))]),
        ("bob", Action::Unblock, Some("alice"), None, &[("bob", "block_events", Some("unblock"))]),
        (
            "bob",
            Action::Message,
            Some("alice"),
            Some("psst"),
            &[
                ("alice", "direct_message_events", Some("message_create")),
                ("bob", "direct_message_events", Some("message_create")),
            ],
        ),
        (
            "bob",
            Action::Typing,
            Some("alice"),
            None,
            &[("alice", "direct_message_indicate_typing_events", None)],
        ),
        ("bob", Action::Read, Some("alice"), None, &[("alice", "direct_message_mark_read_events", None)]),
        ("alice", Action::Delete, None, None, &[("alice", "tweet_delete_events", None)]),
        ("carol", Action::Follow, Some("nobody in particular"), None, &[]),
    ];
    let (stage, id) = Stage::registered(|options| {
        options.delivery.connections = 1;
        options.users.push(NewUser::new("nobody in particular", "N"));
    })
    .await;
    for user in ["alice", "bob"] {
        stage.subscribe(&id, user).await;
    }
    for (user, action, target, text, told) in cases {
        stage.act(user, *action, *target, *text);
        stage.platform.settle().await;
        let bodies = stage.values();
        let seen: Vec<_> = bodies
            .iter()
            .map(|body| {
                let (key, list) =
                    body.as_object().unwrap().iter().find(|(_, value)| value.is_array()).unwrap();
                (body["for_user_id"].as_str().unwrap(), key.as_str(), list[0]["type"].as_str())
            })
            .collect();
        let ids: Vec<_> = told.iter().map(|(user, ..)| stage.id_of(user).to_string()).collect();
        let expected: Vec<_> =
            told.iter().zip(&ids).map(|((_, key, kind), id)| (id.as_str(), *key, *kind)).collect();
        assert_eq!(seen, expected, "{user} {action}");
    }
}

#[tokio::test]
async fn a_post_is_in_the_shape_of_version_1() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.subscribe(&id, "bob").await;
    let long = format!("@bob {}", "é".repeat(200));
    stage.act("alice", Action::Post, None, Some(&long));
    stage.platform.settle().await;
    let raw = stage.bodies().remove(0);
    assert!(raw.is_ascii(), "the old API escapes what is not");
    let body: Value = serde_json::from_slice(&raw).unwrap();
    assert_eq!(body["user_has_blocked"], "false", "a string, on what others write");
    let post = &body["tweet_create_events"][0];
    assert!(post["id"].as_u64().unwrap() > 1 << 53);
    assert_eq!(post["id_str"], post["id"].to_string());
    assert_eq!(post["truncated"], true);
    assert_eq!(post["text"].as_str().unwrap().chars().count(), 140);
    assert_eq!(post["extended_tweet"]["full_text"], long.as_str());
    assert_eq!(post["created_at"], "Sun Nov 22 12:00:00 +0000 2026");
    assert_eq!(post["entities"]["user_mentions"][0]["indices"], json!([0, 4]));
    assert_eq!(post["user"]["screen_name"], "alice");
}

#[tokio::test]
async fn posts_refer_to_others_as_they_do() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.subscribe(&id, "bob").await;
    let first = stage.act("alice", Action::Post, None, Some("the first")).post.unwrap().to_string();
    for (action, text) in [(Action::Reply, Some("re")), (Action::Quote, Some("qu")), (Action::Repost, None)] {
        stage.act("bob", action, Some(&first), text);
        stage.platform.settle().await;
        let body = stage.values().remove(0);
        let post = &body["tweet_create_events"][0];
        match action {
            Action::Reply => {
                assert_eq!(post["in_reply_to_status_id_str"], first.as_str());
                assert_eq!(post["in_reply_to_screen_name"], "alice");
            }
            Action::Quote => {
                assert_eq!(post["is_quote_status"], true);
                assert_eq!(post["quoted_status_id_str"], first.as_str());
                assert_eq!(post["quoted_status"]["text"], "the first");
            }
            _ => {
                assert_eq!(post["text"], "RT @alice: the first");
                assert_eq!(post["retweeted_status"]["id_str"], first.as_str());
            }
        }
    }
}

#[tokio::test]
async fn a_message_brings_its_people_and_its_app() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.subscribe(&id, "bob").await;
    stage.act("alice", Action::Message, Some("@bob"), Some("psst"));
    stage.platform.settle().await;
    let body = stage.values().remove(0);
    let (alice, bob) = (stage.id_of("alice").to_string(), stage.id_of("bob").to_string());
    let message = &body["direct_message_events"][0];
    assert_eq!(message["message_create"]["sender_id"], alice.as_str());
    assert_eq!(message["message_create"]["target"]["recipient_id"], bob.as_str());
    assert_eq!(body["users"][&alice]["screen_name"], "alice");
    assert_eq!(body["apps"]["268278"]["id"], "268278");
}

#[tokio::test]
async fn a_revoked_authorisation_ends_the_subscription() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.subscribe(&id, "bob").await;
    stage.act("bob", Action::Revoke, None, None);
    stage.act("bob", Action::Post, None, Some("unheard"));
    stage.platform.settle().await;
    let bodies = stage.values();
    assert_eq!(bodies.len(), 1);
    assert_eq!(bodies[0]["user_event"]["revoke"]["source"]["user_id"], stage.id_of("bob").to_string());
    assert!(bodies[0].get("for_user_id").is_none());
}

#[tokio::test]
async fn what_goes_with_a_webhook_goes() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.subscribe(&id, "bob").await;
    stage.watch(&id, "bob", "post.create").await;
    stage.delete(&format!("/2/webhooks/{id}"), As::App).await;
    let id = stage.register().await;
    let (_, list) =
        stage.get(&format!("/2/account_activity/webhooks/{id}/subscriptions/all/list"), As::App).await;
    assert_eq!(list["data"]["subscriptions"], json!([]), "everybody has to subscribe again");
    let (_, list) = stage.get("/2/activity/subscriptions", As::App).await;
    assert!(list["data"][0].get("webhook_id").is_none());
    stage.act("bob", Action::Post, None, Some("unheard"));
    stage.platform.settle().await;
    assert!(stage.bodies().is_empty());
}
