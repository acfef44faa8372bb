//! What happened, and who is told: one happening becomes a body for every subscription that covers it.

mod account;
mod activity;
mod filtered;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::delivery::Content;
use super::ids::{UserId, WebhookId};
use super::posts::Post;
use super::state::State;
use super::users::User;

/// Something that somebody did.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    pub(super) at: Timestamp,
    /// The time in milliseconds, which nothing else that happened has.
    pub(super) moment: i64,
    pub(super) actor: UserId,
    pub(super) what: What,
}

/// What they did.
#[derive(Debug, Clone)]
pub(super) enum What {
    Posted(Post),
    Deleted(Post),
    Liked(Post),
    Follow { target: UserId, on: bool },
    Mute { target: UserId, on: bool },
    Block { target: UserId, on: bool },
    Message { target: UserId, id: u64, text: String },
    Typing { target: UserId },
    Read { target: UserId, last: u64 },
    Bio { before: String, after: String },
    Revoked,
}

impl State {
    /// Tells everybody who wants to know. Gives back how many events that made.
    pub(super) fn happened(&mut self, happening: &Happening, now: Timestamp) -> usize {
        let mut bodies = self.revocations(happening);
        bodies.extend(self.account_bodies(happening));
        bodies.extend(self.activity_bodies(happening));
        bodies.extend(self.stream_bodies(happening));
        let told = bodies.len();
        for (webhook, content) in bodies {
            self.publish(webhook, content, now);
        }
        if matches!(happening.what, What::Revoked) {
            self.account.retain(|(_, user)| *user != happening.actor);
        }
        told
    }

    /// An authorisation that is gone is told to every webhook that the user was subscribed to.
    fn revocations(&self, happening: &Happening) -> Vec<(WebhookId, Content)> {
        if !matches!(happening.what, What::Revoked) {
            return Vec::new();
        }
        let body = json!({ "user_event": { "revoke": {
            "date_time": happening.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "target": { "app_id": APP_ID.to_string() },
            "source": { "user_id": happening.actor.to_string() },
        } } });
        let subscribed = self.account.iter().filter(|(_, user)| *user == happening.actor);
        let family = super::ledger::Family::Control;
        subscribed
            .map(|(webhook, _)| (*webhook, Content::Plain(family, "user_event".to_owned(), body.clone())))
            .collect()
    }

    /// A user as a body shows one; of somebody who is gone, nothing.
    fn shown(&self, user: UserId, how: impl Fn(&User) -> Value) -> Value {
        self.users.find(user).map_or(Value::Null, how)
    }

    /// The people whom a post mentions.
    fn mentioned(&self, post: &Post) -> Vec<UserId> {
        let mut users: Vec<_> =
            self.users.mentioned_in(&post.text).into_iter().map(|(.., user)| user.id).collect();
        users.sort_unstable();
        users.dedup();
        users
    }
}

/// The app's id, as X's bodies name it.
pub(super) const APP_ID: u64 = 13_090_192;
