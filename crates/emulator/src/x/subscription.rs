//! Who wants to hear of what: the X Activity API's subscriptions and the filtered stream's links.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::ids::{SubscriptionId, UserId, WebhookId};
use super::users::rfc3339_ms;

/// A subscription of the X Activity API.
#[derive(Debug, Clone)]
pub(super) struct ActivitySubscription {
    pub(super) id: SubscriptionId,
    pub(super) event_type: &'static str,
    pub(super) filter: Filter,
    pub(super) tag: Option<String>,
    pub(super) webhook: Option<WebhookId>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// What a subscription wants of its event type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    pub(super) user: Option<UserId>,
    pub(super) keyword: Option<String>,
    pub(super) direction: Option<Direction>,
}

/// Whether the user of the filter does it or has it done to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "inbound" => Some(Self::Inbound),
            "outbound" => Some(Self::Outbound),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

impl Filter {
    pub(super) fn view(&self) -> Value {
        let mut view = Map::new();
        if let Some(user) = self.user {
            view.insert("user_id".to_owned(), Value::String(user.to_string()));
        }
        if let Some(keyword) = &self.keyword {
            view.insert("keyword".to_owned(), Value::String(keyword.clone()));
        }
        if let Some(direction) = self.direction {
            view.insert("direction".to_owned(), Value::String(direction.as_str().to_owned()));
        }
        Value::Object(view)
    }
}

impl ActivitySubscription {
    /// As the API shows it.
    pub(super) fn view(&self) -> Value {
        let mut view = json!({
            "subscription_id": self.id.to_string(),
            "event_type": self.event_type,
            "filter": self.filter.view(),
            "created_at": rfc3339_ms(self.created_at),
            "updated_at": rfc3339_ms(self.updated_at),
        });
        if let Some(tag) = &self.tag {
            view["tag"] = Value::String(tag.clone());
        }
        if let Some(webhook) = self.webhook {
            view["webhook_id"] = Value::String(webhook.to_string());
        }
        view
    }
}

/// A webhook linked to the filtered stream.
#[derive(Debug, Clone)]
pub(super) struct StreamLink {
    pub(super) webhook: WebhookId,
    /// `tweet.fields`, beyond those that every post has.
    pub(super) fields: Vec<String>,
    /// `expansions`.
    pub(super) expansions: Vec<String>,
    pub(super) created_at: Timestamp,
}

/// The event types that can be subscribed to, and what each asks for.
pub(super) const EVENT_TYPES: &[EventType] = &[
    public("profile.update.bio"),
    public("profile.update.profile_picture"),
    public("profile.update.banner_picture"),
    public("profile.update.screenname"),
    public("profile.update.geo"),
    public("profile.update.url"),
    public("profile.update.verified_badge"),
    public("profile.update.affiliate_badge"),
    public("profile.update.handle"),
    public("news.new"),
    private("follow.follow", "tweet.read"),
    private("follow.unfollow", "tweet.read"),
    private("spaces.start", "tweet.read"),
    private("spaces.end", "tweet.read"),
    public("broadcast.start"),
    public("broadcast.end"),
    private("broadcast.chat", "broadcast.read"),
    private("chat.received", "dm.read"),
    private("chat.sent", "dm.read"),
    private("chat.conversation.join", "dm.read"),
    private("chat.conversation_join", "dm.read"),
    private("chat.conversation.member_added", "dm.read"),
    private("chat.conversation.member_removed", "dm.read"),
    private("chat.conversation.admin_added", "dm.read"),
    private("chat.conversation.admin_removed", "dm.read"),
    private("chat.update.group_name", "dm.read"),
    private("chat.update.restrictions", "dm.read"),
    private("dm.sent", "dm.read"),
    private("dm.received", "dm.read"),
    private("dm.indicate_typing", "dm.read"),
    private("dm.read", "dm.read"),
    public("post.create"),
    public("post.delete"),
    private("post.mention.create", "tweet.read"),
    private("post.reply.create", "tweet.read"),
    private("post.quote.create", "tweet.read"),
    private("post.repost.create", "tweet.read"),
    private("like.create", "like.read"),
    private("mute.mute", "mute.read"),
    private("mute.unmute", "mute.read"),
    private("block.block", "block.read"),
    private("block.unblock", "block.read"),
];

/// An event type.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventType {
    pub(super) name: &'static str,
    /// The scope that an OAuth 2.0 user token needs; `None` for what the app may see by itself.
    pub(super) scope: Option<&'static str>,
}

impl EventType {
    pub(super) fn find(name: &str) -> Option<Self> {
        EVENT_TYPES.iter().find(|event| event.name == name).copied()
    }
}

const fn public(name: &'static str) -> EventType {
    EventType { name, scope: None }
}

const fn private(name: &'static str, scope: &'static str) -> EventType {
    EventType { name, scope: Some(scope) }
}
