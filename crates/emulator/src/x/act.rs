//! What people do on the platform, and what that changes.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Happening, What};
use super::ids::{PostId, UserId};
use super::posts::{How, Post, Reference};
use super::state::State;
use super::users::User;

/// One thing that somebody does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// Who: a handle or an id.
    pub user: String,
    /// What.
    pub action: Action,
    /// What they write.
    #[serde(default)]
    pub text: Option<String>,
    /// To whom or to what: a handle, an id of a user or of a post. Where a post is wanted, a handle means the user's
    /// latest one.
    #[serde(default)]
    pub target: Option<String>,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal)*) => {
        /// What can be done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

actions! {
    /// Writes a post; `@handles` in it are mentions.
    Post = "post"
    /// Answers a post.
    Reply = "reply"
    /// Writes a post that mentions the target.
    Mention = "mention"
    /// Quotes a post.
    Quote = "quote"
    /// Reposts a post.
    Repost = "repost"
    /// Deletes one of their own posts, the latest without a target.
    Delete = "delete"
    /// Likes a post.
    Like = "like"
    /// Follows somebody.
    Follow = "follow"
    /// And no longer does.
    Unfollow = "unfollow"
    /// Mutes somebody.
    Mute = "mute"
    /// And no longer does.
    Unmute = "unmute"
    /// Blocks somebody.
    Block = "block"
    /// And no longer does.
    Unblock = "unblock"
    /// Writes a direct message.
    Message = "message"
    /// Is typing one.
    Typing = "typing"
    /// Has read what the target wrote.
    Read = "read"
    /// Says something else about themselves.
    Bio = "bio"
    /// Takes the app's authorisation away: its Account Activity subscription ends.
    Revoke = "revoke"
}

impl Action {
    /// Whether it is done to somebody or something that has to be named.
    #[must_use]
    pub fn wants_target(self) -> bool {
        !matches!(self, Self::Post | Self::Delete | Self::Bio | Self::Revoke)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Action {
    type Err = ActError;

    fn from_str(text: &str) -> Result<Self, ActError> {
        let found = Self::ALL.iter().find(|action| action.as_str() == text).copied();
        found.ok_or_else(|| ActError::NoSuchAction(text.to_owned()))
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Performed {
    /// The post that was written, reposted or deleted.
    pub post: Option<PostId>,
    /// How many events webhooks are told.
    pub events: usize,
}

/// Why it cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// There is no such thing to do.
    #[error("nobody can `{0}` here")]
    NoSuchAction(String),
    /// Nobody is called so.
    #[error("there is no user `{0}`")]
    NoSuchUser(String),
    /// There is no such post, or it is somebody else's.
    #[error("there is no such post: `{0}`")]
    NoSuchPost(String),
    /// It is done to somebody or something.
    #[error("`{0}` needs a target")]
    NoTarget(Action),
    /// It is done with words.
    #[error("`{0}` needs a text of 1 to {LONGEST} characters")]
    NoText(Action),
    /// Nobody follows, blocks or writes to themselves.
    #[error("nobody can `{0}` themselves")]
    Oneself(Action),
}

impl State {
    /// Does it.
    pub(super) fn act(&mut self, act: &Act, now: Timestamp) -> Result<Performed, ActError> {
        let actor = self.user(&act.user)?.id;
        let what = match act.action {
            Action::Post => self.write(actor, text(act)?, None, now),
            Action::Mention => {
                let handle = self.user(target(act)?)?.handle.clone();
                self.write(actor, format!("@{handle} {}", text(act)?), None, now)
            }
            Action::Reply | Action::Quote => {
                let how = if act.action == Action::Reply { How::Reply } else { How::Quote };
                let post = self.post(target(act)?)?.clone();
                self.write(actor, text(act)?, Some((how, post)), now)
            }
            Action::Repost => {
                let post = self.post(target(act)?)?.clone();
                let author =
                    self.users.find(post.author).map(|author| author.handle.clone()).unwrap_or_default();
                let text = format!("RT @{author}: {}", post.text);
                self.write(actor, text, Some((How::Repost, post)), now)
            }
            Action::Delete => {
                let own = act.target.as_deref().unwrap_or(&act.user);
                let id = self.post(own)?.id;
                let own = self.posts.find(id).filter(|post| post.author == actor).map(|post| post.id);
                let removed = own.and_then(|id| self.posts.remove(id));
                What::Deleted(removed.ok_or_else(|| ActError::NoSuchPost(id.to_string()))?)
            }
            Action::Like => What::Liked(self.post(target(act)?)?.clone()),
            Action::Follow | Action::Unfollow => {
                What::Follow { target: self.other(act, actor)?, on: act.action == Action::Follow }
            }
            Action::Mute | Action::Unmute => {
                What::Mute { target: self.other(act, actor)?, on: act.action == Action::Mute }
            }
            Action::Block | Action::Unblock => {
                What::Block { target: self.other(act, actor)?, on: act.action == Action::Block }
            }
            Action::Message => {
                let (target, text) = (self.other(act, actor)?, text(act)?);
                What::Message { target, id: self.ids.next(now), text }
            }
            Action::Typing => What::Typing { target: self.other(act, actor)? },
            Action::Read => What::Read { target: self.other(act, actor)?, last: self.ids.next(now) },
            Action::Bio => {
                let after = text(act)?;
                let user =
                    self.users.find_mut(actor).ok_or_else(|| ActError::NoSuchUser(act.user.clone()))?;
                What::Bio { before: std::mem::replace(&mut user.bio, after.clone()), after }
            }
            Action::Revoke => What::Revoked,
        };
        let post = match &what {
            What::Posted(post) | What::Deleted(post) => Some(post.id),
            _ => None,
        };
        let moment = self.moment(now);
        let happening = Happening { at: now, moment, actor, what };
        Ok(Performed { post, events: self.happened(&happening, now) })
    }

    fn write(&mut self, author: UserId, text: String, refers: Option<(How, Post)>, now: Timestamp) -> What {
        let id = PostId(self.ids.next(now));
        let conversation = match &refers {
            Some((How::Reply, to)) => to.conversation,
            _ => id,
        };
        let refers = refers.map(|(how, post)| Reference { how, post: post.id, author: post.author });
        let post = Post { id, author, at: now, text, refers, conversation };
        self.posts.add(post.clone());
        What::Posted(post)
    }

    fn user(&self, name: &str) -> Result<&User, ActError> {
        self.users.named(name).ok_or_else(|| ActError::NoSuchUser(name.to_owned()))
    }

    /// The target, who is not the actor.
    fn other(&self, act: &Act, actor: UserId) -> Result<UserId, ActError> {
        let other = self.user(target(act)?)?.id;
        if other == actor { Err(ActError::Oneself(act.action)) } else { Ok(other) }
    }

    /// A post by its id, or a user's latest.
    fn post(&self, name: &str) -> Result<&Post, ActError> {
        let by_id = name.parse().ok().and_then(|id| self.posts.find(id));
        let by_author = || self.posts.latest_of(self.users.named(name)?.id);
        by_id.or_else(by_author).ok_or_else(|| ActError::NoSuchPost(name.to_owned()))
    }
}

fn target(act: &Act) -> Result<&str, ActError> {
    act.target.as_deref().ok_or(ActError::NoTarget(act.action))
}

fn text(act: &Act) -> Result<String, ActError> {
    let text = act.text.clone().filter(|text| (1..=LONGEST).contains(&text.chars().count()));
    text.ok_or(ActError::NoText(act.action))
}

/// The longest post of a paying account, on X 25,000; enough to see that long texts are cut in the old API.
const LONGEST: usize = 4_000;
