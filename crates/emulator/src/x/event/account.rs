//! The Account Activity API's bodies: `for_user_id`, one list of elements, version 1.1 inside.
//!
//! A subscribed user is told of what they did and of what was done to them, but of an unfollow, a mute and a block only
//! what they did, and of typing and reading only what others did.

use serde_json::{Map, Value, json};

use super::{Happening, What};
use crate::x::delivery::{AccountBody, Content};
use crate::x::ids::{UserId, WebhookId};
use crate::x::posts::{How, Post};
use crate::x::state::State;
use crate::x::users::{User, x_time};

/// An element, the list it stands in, and the users who are told.
struct Element {
    key: &'static str,
    users: Vec<UserId>,
    value: Value,
    beside: Map<String, Value>,
}

impl State {
    /// A body for every subscribed user whom this concerns, and every webhook.
    pub(super) fn account_bodies(&mut self, happening: &Happening) -> Vec<(WebhookId, Content)> {
        if self.account.is_empty() {
            return Vec::new();
        }
        let Some(element) = self.element(happening) else { return Vec::new() };
        let mut bodies = Vec::new();
        for (webhook, user) in &self.account {
            if !element.users.contains(user) {
                continue;
            }
            let mut beside = element.beside.clone();
            // A string, and only where somebody else wrote the post.
            if element.key == "tweet_create_events" && *user != happening.actor {
                beside.insert("user_has_blocked".to_owned(), Value::String("false".to_owned()));
            }
            let elements = vec![element.value.clone()];
            let body = AccountBody { for_user: *user, key: element.key, elements, beside };
            bodies.push((*webhook, Content::Account(body)));
        }
        bodies
    }

    fn element(&mut self, happening: &Happening) -> Option<Element> {
        let actor = happening.actor;
        let pair = |kind: &str, target: UserId, state: &Self| {
            json!({
                "type": kind,
                "created_timestamp": happening.moment.to_string(),
                "target": state.shown(target, User::v1_party),
                "source": state.shown(actor, User::v1_party),
            })
        };
        let plain = |key, users, value| Some(Element { key, users, value, beside: Map::new() });
        match &happening.what {
            What::Posted(post) => {
                let mut users = self.mentioned(post);
                users.push(actor);
                users.extend(post.refers.map(|reference| reference.author));
                plain("tweet_create_events", users, self.tweet(post, true))
            }
            What::Deleted(post) => {
                let value = json!({
                    "status": { "id": post.id.to_string(), "user_id": post.author.to_string() },
                    "timestamp_ms": happening.moment.to_string(),
                });
                plain("tweet_delete_events", vec![actor], value)
            }
            What::Liked(post) => {
                let value = json!({
                    "id": crate::x::credentials::hash(&mut self.rng),
                    "created_at": x_time(happening.at),
                    "timestamp_ms": happening.moment,
                    "favorited_status": self.tweet(post, false),
                    "user": self.shown(actor, User::v1),
                });
                plain("favorite_events", vec![actor, post.author], value)
            }
            What::Follow { target, on: true } => {
                plain("follow_events", vec![actor, *target], pair("follow", *target, self))
            }
            What::Follow { target, on: false } => {
                plain("follow_events", vec![actor], pair("unfollow", *target, self))
            }
            What::Mute { target, on } => {
                plain("mute_events", vec![actor], pair(if *on { "mute" } else { "unmute" }, *target, self))
            }
            What::Block { target, on } => {
                plain("block_events", vec![actor], pair(if *on { "block" } else { "unblock" }, *target, self))
            }
            What::Message { target, id, text } => Some(Element {
                key: "direct_message_events",
                users: vec![actor, *target],
                value: message(happening, *target, *id, text),
                beside: self.correspondents(&[actor, *target], true),
            }),
            What::Typing { target } => Some(Element {
                key: "direct_message_indicate_typing_events",
                users: vec![*target],
                value: typing(happening, *target),
                beside: self.correspondents(&[actor, *target], false),
            }),
            What::Read { target, last } => Some(Element {
                key: "direct_message_mark_read_events",
                users: vec![*target],
                value: read(happening, *target, *last),
                beside: self.correspondents(&[actor, *target], false),
            }),
            What::Bio { .. } | What::Revoked => None,
        }
    }

    /// The maps beside a direct message.
    fn correspondents(&self, users: &[UserId], app: bool) -> Map<String, Value> {
        let people = users.iter().map(|user| (user.to_string(), self.shown(*user, User::v1_correspondent)));
        let mut beside = Map::from_iter([("users".to_owned(), Value::Object(people.collect()))]);
        if app {
            let apps = json!({ WEB_APP: { "id": WEB_APP, "name": "Twitter Web Client", "url": "http://twitter.com" } });
            beside.insert("apps".to_owned(), apps);
        }
        beside
    }

    /// A post as version 1.1 has it. `deep` says whether posts that it refers to are inside.
    fn tweet(&self, post: &Post, deep: bool) -> Value {
        let mentions: Vec<_> = self.users.mentioned_in(&post.text);
        let mentions: Vec<_> = mentions
            .into_iter()
            .map(|(start, end, user)| {
                json!({
                    "screen_name": user.handle,
                    "name": user.name,
                    "id": user.id.0,
                    "id_str": user.id.to_string(),
                    "indices": [start, end],
                })
            })
            .collect();
        let entities = json!({ "hashtags": [], "urls": [], "symbols": [], "user_mentions": mentions });
        let length = post.text.chars().count();
        let long = length > SHORT;
        let text =
            if long { post.text.chars().take(SHORT - 1).chain(['…']).collect() } else { post.text.clone() };
        let reply = post.refers(How::Reply);
        let reply_to = reply.map(|reply| reply.author);
        let mut tweet = json!({
            "created_at": x_time(post.at),
            "id": post.id.0,
            "id_str": post.id.to_string(),
            "text": text,
            "source": "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
            "truncated": long,
            "in_reply_to_status_id": reply.map(|reply| reply.post.0),
            "in_reply_to_status_id_str": reply.map(|reply| reply.post.to_string()),
            "in_reply_to_user_id": reply_to.map(|user| user.0),
            "in_reply_to_user_id_str": reply_to.map(|user| user.to_string()),
            "in_reply_to_screen_name": reply_to.and_then(|user| self.users.find(user)).map(|user| &user.handle),
            "user": self.shown(post.author, User::v1),
            "geo": null,
            "coordinates": null,
            "place": null,
            "contributors": null,
            "is_quote_status": post.refers(How::Quote).is_some(),
            "quote_count": 0,
            "reply_count": 0,
            "retweet_count": 0,
            "favorite_count": 0,
            "entities": entities,
            "favorited": false,
            "retweeted": false,
            "filter_level": "low",
            "lang": "en",
            "timestamp_ms": post.at.as_millisecond().to_string(),
        });
        if long {
            tweet["extended_tweet"] = json!({
                "full_text": post.text,
                "display_text_range": [0, length],
                "entities": entities,
            });
        }
        let inside = post
            .refers
            .filter(|_| deep)
            .and_then(|reference| Some((reference.how, self.tweet(self.posts.find(reference.post)?, false))));
        match inside {
            Some((How::Repost, inside)) => tweet["retweeted_status"] = inside,
            Some((How::Quote, inside)) => {
                tweet["quoted_status_id"] = inside["id"].clone();
                tweet["quoted_status_id_str"] = inside["id_str"].clone();
                tweet["quoted_status"] = inside;
            }
            Some((How::Reply, _)) | None => {}
        }
        tweet
    }
}

/// A direct message, in the shape that both APIs have.
pub(super) fn message(happening: &Happening, target: UserId, id: u64, text: &str) -> Value {
    json!({
        "type": "message_create",
        "id": id.to_string(),
        "created_timestamp": happening.moment.to_string(),
        "message_create": {
            "target": { "recipient_id": target.to_string() },
            "sender_id": happening.actor.to_string(),
            "source_app_id": WEB_APP,
            "message_data": {
                "text": text,
                "entities": { "hashtags": [], "symbols": [], "user_mentions": [], "urls": [] },
            },
        },
    })
}

/// Somebody types.
pub(super) fn typing(happening: &Happening, target: UserId) -> Value {
    json!({
        "created_timestamp": happening.moment.to_string(),
        "sender_id": happening.actor.to_string(),
        "target": { "recipient_id": target.to_string() },
    })
}

/// Somebody read.
pub(super) fn read(happening: &Happening, target: UserId, last: u64) -> Value {
    let mut value = typing(happening, target);
    value["last_read_event_id"] = Value::String(last.to_string());
    value
}

/// The app that people write with.
const WEB_APP: &str = "268278";

/// What version 1.1 shows of a text; the rest is in `extended_tweet`.
const SHORT: usize = 140;
