//! The X Activity API's bodies: one event in `data`, with the filter of the subscription, version 2 inside.

use rand::Rng;
use serde_json::{Map, Value, json};

use super::account::{message, read, typing};
use super::{APP_ID, Happening, What};
use crate::x::credentials::hash;
use crate::x::delivery::Content;
use crate::x::ids::{PostId, UserId, WebhookId};
use crate::x::ledger::Family;
use crate::x::posts::{How, Post};
use crate::x::state::State;
use crate::x::subscription::Direction;
use crate::x::users::{User, rfc3339_ms};

/// An event type, the users whose subscriptions it concerns, and on which side each of them is.
struct Concern {
    event_type: &'static str,
    users: Vec<(UserId, Direction)>,
}

impl State {
    /// A body for every subscription with a webhook that covers this.
    pub(super) fn activity_bodies(&mut self, happening: &Happening) -> Vec<(WebhookId, Content)> {
        if self.activity.is_empty() {
            return Vec::new();
        }
        let uuid = match &happening.what {
            // As in X's samples: that of a new post is the post's id, any other a signed 64-bit number.
            What::Posted(post) => post.id.to_string(),
            _ => self.rng.random::<i64>().to_string(),
        };
        if matches!(happening.what, What::Revoked) {
            return self.revoked(happening, &uuid);
        }
        let Some((payload, includes)) = self.payload(happening) else { return Vec::new() };
        let concerns = self.concerns(happening);
        let mut bodies = Vec::new();
        for subscription in self.activity.values() {
            let Some(webhook) = subscription.webhook else { continue };
            let concerned = concerns
                .iter()
                .filter(|concern| concern.event_type == subscription.event_type)
                .any(|concern| {
                    concern.users.iter().any(|(user, side)| {
                        subscription.filter.user == Some(*user)
                            && subscription.filter.direction.is_none_or(|wanted| wanted == *side)
                    })
                });
            if !concerned {
                continue;
            }
            let mut data = json!({
                "event_uuid": uuid,
                "filter": subscription.filter.view(),
                "event_type": subscription.event_type,
                "payload": payload,
            });
            if let Some(tag) = &subscription.tag {
                data["tag"] = Value::String(tag.clone());
            }
            if let Some(includes) = &includes {
                data["includes"] = includes.clone();
            }
            let content =
                Content::Plain(Family::Activity, subscription.event_type.to_owned(), json!({ "data": data }));
            bodies.push((webhook, content));
        }
        bodies
    }

    /// Delivered without having been asked for, to whoever heard of the user.
    fn revoked(&self, happening: &Happening, uuid: &str) -> Vec<(WebhookId, Content)> {
        let concerned = self.activity.values().filter(|other| other.filter.user == Some(happening.actor));
        let mut webhooks: Vec<_> = concerned.filter_map(|subscription| subscription.webhook).collect();
        webhooks.sort_unstable();
        webhooks.dedup();
        let body = json!({ "data": {
            "event_uuid": uuid,
            "filter": {},
            "event_type": "oauth.revoke",
            "payload": {
                "date_time": rfc3339_ms(happening.at),
                "user_id": happening.actor.to_string(),
                "app_id": APP_ID.to_string(),
            },
        } });
        let content = Content::Plain(Family::Activity, "oauth.revoke".to_owned(), body);
        webhooks.into_iter().map(|webhook| (webhook, content.clone())).collect()
    }

    fn concerns(&self, happening: &Happening) -> Vec<Concern> {
        let actor = happening.actor;
        let concern =
            |event_type, users: &[(UserId, Direction)]| Concern { event_type, users: users.to_vec() };
        let by = (actor, Direction::Outbound);
        let to = |user: UserId| (user, Direction::Inbound);
        let private = self.users.find(actor).is_some_and(|user| user.protected);
        match &happening.what {
            // "Posts of protected accounts are never delivered."
            What::Posted(_) | What::Deleted(_) if private => Vec::new(),
            What::Posted(post) => self.concerns_of_post(post, by),
            What::Deleted(_) => vec![concern("post.delete", &[by])],
            What::Liked(post) => vec![concern("like.create", &[by, to(post.author)])],
            What::Follow { target, on } => {
                vec![concern(if *on { "follow.follow" } else { "follow.unfollow" }, &[by, to(*target)])]
            }
            What::Mute { on, .. } => vec![concern(if *on { "mute.mute" } else { "mute.unmute" }, &[by])],
            What::Block { on, .. } => vec![concern(if *on { "block.block" } else { "block.unblock" }, &[by])],
            What::Message { target, .. } => {
                vec![concern("dm.sent", &[by]), concern("dm.received", &[to(*target)])]
            }
            What::Typing { target } => vec![concern("dm.indicate_typing", &[to(*target)])],
            What::Read { target, .. } => vec![concern("dm.read", &[to(*target)])],
            What::Bio { .. } => vec![concern("profile.update.bio", &[by])],
            What::Revoked => Vec::new(),
        }
    }

    /// A post is one event for its author, and another one for those it is about. Mentions are those in the text: a
    /// reply mentions nobody by being one.
    fn concerns_of_post(&self, post: &Post, by: (UserId, Direction)) -> Vec<Concern> {
        let inbound = |user| (user, Direction::Inbound);
        let about = |event_type, user| Concern { event_type, users: vec![inbound(user)] };
        if let Some(original) = post.refers(How::Repost) {
            return vec![about("post.repost.create", original.author)];
        }
        let mut concerns = vec![Concern { event_type: "post.create", users: vec![by] }];
        if let Some(reference) = post.refers {
            let event_type =
                if reference.how == How::Reply { "post.reply.create" } else { "post.quote.create" };
            concerns.push(about(event_type, reference.author));
        }
        let mentioned = self.mentioned(post).into_iter().filter(|user| *user != post.author).map(inbound);
        concerns.push(Concern { event_type: "post.mention.create", users: mentioned.collect() });
        concerns
    }

    fn payload(&mut self, happening: &Happening) -> Option<(Value, Option<Value>)> {
        let actor = happening.actor;
        let users = |value: Value| Some(json!({ "users": [value] }));
        let nested = |user: UserId, state: &Self| json!({ "data": state.shown(user, User::v2) });
        Some(match &happening.what {
            What::Posted(post) => (self.post_v2(post), Some(json!({ "users": self.people_of(post) }))),
            What::Deleted(post) => {
                let payload = json!({ "id": post.id.to_string(), "author_id": post.author.to_string() });
                // Here, and only here, the user stands in a `data` of its own.
                (payload, users(nested(actor, self)))
            }
            What::Liked(post) => {
                let payload = json!({
                    "id": hash(&mut self.rng),
                    "liked_tweet_id": post.id.to_string(),
                    "liked_tweet_author_id": post.author.to_string(),
                    "created_at": rfc3339_ms(happening.at),
                    "timestamp_ms": happening.moment.to_string(),
                });
                (payload, users(self.shown(actor, User::v2)))
            }
            What::Follow { target, .. } | What::Mute { target, .. } | What::Block { target, .. } => {
                (json!({ "source": nested(actor, self), "target": nested(*target, self) }), None)
            }
            What::Message { target, id, text } => {
                let event = message(happening, *target, *id, text);
                (self.correspondence("direct_message_events", event, actor, *target), None)
            }
            What::Typing { target } => {
                let event = typing(happening, *target);
                (self.correspondence("direct_message_indicate_typing_events", event, actor, *target), None)
            }
            What::Read { target, last } => {
                let event = read(happening, *target, *last);
                (self.correspondence("direct_message_mark_read_events", event, actor, *target), None)
            }
            What::Bio { before, after } => (json!({ "before": before, "after": after }), None),
            What::Revoked => return None,
        })
    }

    /// Direct messages are in the old shape, and the people in the new one.
    fn correspondence(&self, key: &str, event: Value, actor: UserId, target: UserId) -> Value {
        let people =
            [actor, target].map(|user| (user.to_string(), json!({ "data": self.shown(user, User::v2) })));
        let mut payload = Map::new();
        payload.insert(key.to_owned(), json!([event]));
        payload.insert("users".to_owned(), Value::Object(people.into_iter().collect()));
        Value::Object(payload)
    }

    /// A post as version 2 has it: every count has a twin that is a string.
    pub(super) fn post_v2(&self, post: &Post) -> Value {
        let mut metrics = Map::new();
        for count in ["retweet", "reply", "like", "quote", "bookmark", "impression"] {
            metrics.insert(format!("{count}_count"), json!(0));
            metrics.insert(format!("{count}_count_str"), json!("0"));
        }
        let mut value = json!({
            "id": post.id.to_string(),
            "author_id": post.author.to_string(),
            "conversation_id": post.conversation.to_string(),
            "created_at": rfc3339_ms(post.at),
            "text": post.text,
            "lang": "en",
            "display_text_range": [0, post.text.chars().count()],
            "edit_history_tweet_ids": [post.id.to_string()],
            "public_metrics": metrics,
            "possibly_sensitive": false,
            "reply_settings": "everyone",
        });
        let mentions: Vec<_> = self.users.mentioned_in(&post.text).into_iter().map(mention).collect();
        if !mentions.is_empty() {
            value["entities"] = json!({ "mentions": mentions });
        }
        if let Some(reference) = post.refers {
            let id = |id: PostId| Value::String(id.to_string());
            value["referenced_tweets"] =
                json!([{ "type": reference.how.as_str(), "id": id(reference.post) }]);
        }
        if let Some(reply) = post.refers(How::Reply) {
            value["in_reply_to_user_id"] = Value::String(reply.author.to_string());
        }
        value
    }

    /// The author first, then whom the post is about.
    pub(super) fn people_of(&self, post: &Post) -> Vec<Value> {
        let mut people = vec![post.author];
        people.extend(post.refers.map(|reference| reference.author));
        people.extend(self.mentioned(post));
        let mut seen = Vec::new();
        people.retain(|user| {
            !seen.contains(user) && {
                seen.push(*user);
                true
            }
        });
        people.into_iter().map(|user| self.shown(user, User::v2)).collect()
    }
}

fn mention((start, end, user): (usize, usize, &User)) -> Value {
    json!({
        "start": start,
        "start_str": start.to_string(),
        "end": end,
        "end_str": end.to_string(),
        "username": user.handle,
        "id": user.id.to_string(),
    })
}
