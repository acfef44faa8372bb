//! X Activity subscriptions and their bodies.

use http::StatusCode;
use serde_json::{Value, json};

use super::stage::{As, Stage};
use crate::x::{Action, ActivityAnswer, NewUser};

const PATH: &str = "/2/activity/subscriptions";

#[tokio::test]
async fn the_answer_comes_in_four_shapes() {
    for (shape, pointer) in [
        (ActivityAnswer::Wrapped, Some("/data/subscription/subscription_id")),
        (ActivityAnswer::List, Some("/data/0/subscription_id")),
        (ActivityAnswer::Bare, Some("/data/subscription_id")),
        (ActivityAnswer::Empty, None),
    ] {
        let (stage, id) = Stage::registered(|options| options.activity_answer = shape).await;
        let body = json!({ "event_type": "post.create", "filter": { "user_id": "7" }, "webhook_id": id });
        let (status, answer) = stage.post(PATH, As::App, body).await;
        let (_, listed) = stage.get(PATH, As::App).await;
        let subscription = &listed["data"][0];
        match pointer {
            Some(pointer) => {
                assert_eq!((status, answer.pointer(pointer)), (200, subscription.get("subscription_id")));
            }
            None => assert_eq!((status, answer), (204, Value::Null)),
        }
        assert_eq!(subscription["event_type"], "post.create");
        assert_eq!(subscription["filter"], json!({ "user_id": "7" }));
        assert_eq!(subscription["webhook_id"], id.as_str());
    }
}

#[tokio::test]
async fn what_is_asked_for_has_to_make_sense() {
    let stage = Stage::new(|_| {}).await;
    let filter = json!({ "user_id": "1" });
    for body in [
        json!({ "event_type": "post.create" }),
        json!({ "filter": filter }),
        json!({ "event_type": "PostCreate", "filter": filter }),
        json!({ "event_type": "post.create", "filter": {} }),
        json!({ "event_type": "post.create", "filter": { "user_id": 1 } }),
        json!({ "event_type": "post.create", "filter": { "user_id": "x" } }),
        json!({ "event_type": "post.create", "filter": { "user_id": "1", "direction": "both" } }),
        json!({ "event_type": "post.create", "filter": { "user_id": "1", "x": "y" } }),
        json!({ "event_type": "post.create", "filter": filter, "tag": "" }),
        json!({ "event_type": "post.create", "filter": filter, "tag": "t".repeat(201) }),
        json!({ "event_type": "post.create", "filter": filter, "url": "x" }),
    ] {
        let (status, answer) = stage.post(PATH, As::App, body.clone()).await;
        assert_eq!((status, &answer["title"]), (400, &json!("Invalid Request")), "{body}");
    }
}

#[tokio::test]
async fn what_is_private_is_for_its_user() {
    let stage = Stage::new(|_| {}).await;
    let about = |user: &str, event: &str| json!({ "event_type": event, "filter": { "user_id": stage.id_of(user).to_string() } });
    for event in ["dm.received", "like.create", "mute.mute", "post.mention.create", "follow.follow"] {
        assert_eq!(stage.post(PATH, As::App, about("alice", event)).await.0, 403, "{event}");
        assert_eq!(stage.post(PATH, As::OAuth1("bob"), about("alice", event)).await.0, 403, "{event}");
        assert_eq!(stage.post(PATH, As::OAuth1("alice"), about("alice", event)).await.0, 200, "{event}");
    }
    stage.platform.grant("bob", &["tweet.read"]);
    let (status, body) = stage.post(PATH, As::OAuth2("bob"), about("bob", "dm.received")).await;
    assert!(status == 403 && body["detail"].as_str().unwrap().contains("dm.read"), "{body}");
    assert_eq!(stage.post(PATH, As::OAuth2("bob"), about("bob", "post.mention.create")).await.0, 200);
    for event in ["post.create", "profile.update.bio"] {
        assert_eq!(stage.post(PATH, As::App, about("alice", event)).await.0, 200, "{event}");
    }
}

#[tokio::test]
async fn the_same_again_is_refused_as_the_options_say() {
    for status in [StatusCode::BAD_REQUEST, StatusCode::CONFLICT] {
        let stage = Stage::new(|options| options.duplicate_subscription = status).await;
        let body = json!({ "event_type": "post.create", "filter": { "user_id": "1" } });
        assert_eq!(stage.post(PATH, As::App, body.clone()).await.0, 200);
        let (seen, answer) = stage.post(PATH, As::App, body).await;
        assert_eq!(seen, status.as_u16());
        assert!(answer.to_string().contains("Duplicate"), "{answer}");
    }
    let stage = Stage::new(|options| options.tier.activity_subscriptions = 1).await;
    for (user, expected) in [("1", 200), ("2", 400)] {
        let body = json!({ "event_type": "post.create", "filter": { "user_id": user } });
        assert_eq!(stage.post(PATH, As::App, body).await.0, expected);
    }
}

#[tokio::test]
async fn the_list_has_pages() {
    let stage = Stage::new(|_| {}).await;
    for user in 1..=5 {
        let body = json!({ "event_type": "post.create", "filter": { "user_id": user.to_string() } });
        stage.post(PATH, As::App, body).await;
    }
    let (mut path, mut seen) = (format!("{PATH}?max_results=2"), Vec::new());
    let mut sizes = Vec::new();
    loop {
        let (status, page) = stage.get(&path, As::App).await;
        assert_eq!(status, 200);
        let data = page["data"].as_array().unwrap();
        assert_eq!(page["meta"]["result_count"], data.len());
        assert_eq!(page["meta"]["total_subscriptions"], 5);
        sizes.push(data.len());
        seen.extend(data.iter().map(|item| item["filter"]["user_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["meta"]["next_token"].as_str() else { break };
        path = format!("{PATH}?max_results=2&pagination_token={next}");
    }
    assert_eq!((sizes, seen.join("")), (vec![2, 2, 1], "12345".to_owned()));
    for query in ["max_results=0", "max_results=1001", "max_results=x", "pagination_token=x"] {
        assert_eq!(stage.get(&format!("{PATH}?{query}"), As::App).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn subscriptions_are_changed_and_deleted() {
    let (stage, webhook) = Stage::registered(|_| {}).await;
    let mut ids = Vec::new();
    for user in ["1", "2", "3"] {
        let body = json!({ "event_type": "post.create", "filter": { "user_id": user }, "tag": "old" });
        let (_, answer) = stage.post(PATH, As::App, body).await;
        ids.push(answer["data"]["subscription"]["subscription_id"].as_str().unwrap().to_owned());
    }
    let one = format!("{PATH}/{}", ids[0]);
    let change = json!({ "tag": "new", "webhook_id": webhook });
    let (status, _, answer) = stage.call(http::Method::PUT, &one, As::App, Some(change)).await;
    let changed = &answer["data"]["subscription"];
    assert_eq!((status, &changed["tag"], &changed["webhook_id"]), (200, &json!("new"), &json!(webhook)));
    let unknown = json!({ "event_type": "post.delete" });
    assert_eq!(stage.call(http::Method::PUT, &one, As::App, Some(unknown)).await.0, 400, "not the type");

    let (status, answer) = stage.delete(&one, As::App).await;
    assert_eq!(
        (status, answer),
        (200, json!({ "data": { "deleted": true }, "meta": { "total_subscriptions": 2 } }))
    );
    let (status, answer) = stage.delete(&one, As::App).await;
    assert_eq!(
        (status, &answer["type"]),
        (404, &json!("https://api.twitter.com/2/problems/resource-not-found"))
    );
    assert_eq!(stage.delete(PATH, As::App).await.0, 400, "none is not 1 to 100");
    let (status, _) = stage.delete(&format!("{PATH}?ids={},{}", ids[1], ids[2]), As::App).await;
    assert_eq!((status, stage.get(PATH, As::App).await.1["data"].clone()), (200, json!([])));
}

/// Who does what to whom with which words, and whose subscriptions to what hear of it.
type Case<'a> = (&'a str, Action, Option<&'a str>, Option<&'a str>, &'a [&'a str]);

#[tokio::test]
async fn subscriptions_hear_what_they_asked_for() {
    let events = [
        "post.create",
        "post.delete",
        "post.mention.create",
        "post.reply.create",
        "post.quote.create",
        "post.repost.create",
        "like.create",
        "follow.follow",
        "follow.unfollow",
        "mute.mute",
        "mute.unmute",
        "block.block",
        "block.unblock",
        "dm.sent",
        "dm.received",
        "dm.indicate_typing",
        "dm.read",
        "profile.update.bio",
    ];
    let cases: &[Case<'_>] = &[
        ("alice", Action::Post, None, Some("hi"), &["alice post.create"]),
        (
            "alice",
            Action::Mention,
            Some("bob"),
            Some("hi"),
            &["alice post.create", "bob post.mention.create"],
        ),
        ("bob", Action::Reply, Some("alice"), Some("hi"), &["alice post.reply.create", "bob post.create"]),
        ("bob", Action::Quote, Some("alice"), Some("hi"), &["alice post.quote.create", "bob post.create"]),
        ("bob", Action::Repost, Some("alice"), None, &["alice post.repost.create"]),
        ("bob", Action::Like, Some("alice"), None, &["alice like.create", "bob like.create"]),
        ("bob", Action::Follow, Some("alice"), None, &["alice follow.follow", "bob follow.follow"]),
        ("bob", Action::Unfollow, Some("alice"), None, &["alice follow.unfollow", "bob follow.unfollow"]),
        ("bob", Action::Mute, Some("alice"), None, &["bob mute.mute"]),
        ("bob", Action::Unmute, Some("alice"), None, &["bob mute.unmute"]),
        ("bob", Action::Block, Some("alice"), None, &["bob block.block"]),
        ("bob", Action::Unblock, Some("alice"), None, &["bob block.unblock"]),
        ("bob", Action::Message, Some("alice"), Some("psst"), &["alice dm.received", "bob dm.sent"]),
        ("bob", Action::Typing, Some("alice"), None, &["alice dm.indicate_typing"]),
        ("bob", Action::Read, Some("alice"), None, &["alice dm.read"]),
        ("bob", Action::Bio, None, Some("I read"), &["bob profile.update.bio"]),
        ("alice", Action::Delete, None, None, &["alice post.delete"]),
        ("bob", Action::Revoke, None, None, &[" oauth.revoke"]),
    ];
    let (stage, id) = Stage::registered(|_| {}).await;
    for user in ["alice", "bob"] {
        for event in events {
            stage.watch(&id, user, event).await;
        }
    }
    let name = |id: &str| {
        let user = ["alice", "bob"].into_iter().find(|user| stage.id_of(user).to_string() == id);
        user.unwrap_or_default()
    };
    for (user, action, target, text, expected) in cases {
        stage.act(user, *action, *target, *text);
        stage.platform.settle().await;
        let mut seen: Vec<_> = stage
            .values()
            .iter()
            .map(|body| {
                let data = &body["data"];
                assert!(data["event_uuid"].as_str().unwrap().parse::<i64>().is_ok(), "{data}");
                let about = name(data["filter"]["user_id"].as_str().unwrap_or_default());
                format!("{about} {}", data["event_type"].as_str().unwrap())
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, *expected, "{user} {action}");
    }
}

#[tokio::test]
async fn a_direction_narrows_it() {
    let (stage, id) = Stage::registered(|_| {}).await;
    for direction in ["inbound", "outbound"] {
        let filter = json!({ "user_id": stage.id_of("alice").to_string(), "direction": direction });
        let body =
            json!({ "event_type": "follow.follow", "filter": filter, "webhook_id": id, "tag": direction });
        assert_eq!(stage.post(PATH, As::OAuth1("alice"), body).await.0, 200);
    }
    for (user, target, tag) in [("alice", "bob", "outbound"), ("bob", "alice", "inbound")] {
        stage.act(user, Action::Follow, Some(target), None);
        stage.platform.settle().await;
        let tags: Vec<_> = stage.values().iter().map(|body| body["data"]["tag"].clone()).collect();
        assert_eq!(tags, [tag]);
    }
}

#[tokio::test]
async fn bodies_have_the_traps_of_the_real_ones() {
    let (stage, id) = Stage::registered(|_| {}).await;
    for event in ["post.create", "post.delete", "dm.sent", "follow.follow"] {
        stage.watch(&id, "alice", event).await;
    }
    stage.watch(&id, "bob", "post.mention.create").await;
    let post = stage.act("alice", Action::Post, None, Some("hello @bob/é")).post.unwrap().to_string();
    stage.platform.settle().await;
    let bodies = stage.values();
    assert_eq!(bodies.len(), 2);
    for body in &bodies {
        assert_eq!(
            body["data"]["event_uuid"],
            post.as_str(),
            "the uuid of a post is its id, whoever hears it"
        );
        assert_eq!(body["data"]["payload"]["public_metrics"]["like_count_str"], "0");
        assert_eq!(body["data"]["includes"]["users"][0]["username"], "alice");
    }
    stage.act("alice", Action::Delete, None, None);
    stage.platform.settle().await;
    let deleted = stage.values().remove(0);
    assert_eq!(
        deleted["data"]["payload"],
        json!({ "id": post, "author_id": stage.id_of("alice").to_string() })
    );
    assert_eq!(deleted["data"]["includes"]["users"][0]["data"]["username"], "alice");
    stage.act("alice", Action::Follow, Some("bob"), None);
    stage.platform.settle().await;
    assert_eq!(stage.values()[0]["data"]["payload"]["target"]["data"]["username"], "bob");
    stage.act("alice", Action::Message, Some("bob"), Some("psst"));
    stage.platform.settle().await;
    let message = stage.values().remove(0);
    let payload = &message["data"]["payload"];
    let bob = stage.id_of("bob").to_string();
    assert_eq!(payload["direct_message_events"][0]["message_create"]["target"]["recipient_id"], bob.as_str());
    assert_eq!(payload["users"][&bob]["data"]["username"], "bob");
}

#[tokio::test]
async fn protected_posts_are_told_to_nobody() {
    let (stage, id) = Stage::registered(|options| {
        options.users.push(NewUser { protected: true, ..NewUser::new("shy", "Shy") });
    })
    .await;
    stage.watch(&id, "shy", "post.create").await;
    stage.act("shy", Action::Post, None, Some("for friends"));
    stage.platform.settle().await;
    assert!(stage.bodies().is_empty());
}
