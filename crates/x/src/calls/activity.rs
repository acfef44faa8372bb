//! `/2/activity/subscriptions`: the X Activity API.

use http::Method;
use serde::{Deserialize, Serialize};

use super::flag;
use crate::call::{Call, Reply};
use crate::credentials::Auth;
use crate::id::{SubscriptionId, UserId, WebhookId};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wish {
    /// Which events: `post.create`, `dm.received`.
    pub event_type: String,
    /// Whose, or about what.
    pub filter: Filter,
    /// A word of the operator's, which comes back with each event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Where they go; without one they come by the stream alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
}

/// Whose events, or about what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// With this word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<String>,
    /// `inbound` or `outbound`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
}

/// A subscription as X keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub subscription_id: SubscriptionId,
    /// Which events.
    pub event_type: String,
    /// Whose, or about what.
    #[serde(default)]
    pub filter: Filter,
    /// The operator's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Where they go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
    /// When it was made, as X writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was changed, as X writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

/// What a create was answered with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Created {
    /// The subscription; none where X answered 204, which some have seen: [`list`] has it.
    pub subscriptions: Vec<Subscription>,
    /// How many there are now, where X says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// Subscriptions, a page at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// Pass to [`list`] for the ones after these.
    pub next: Option<String>,
}

/// What of a subscription can be changed; the rest wants another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The operator's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Where they go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
}

/// Whether anybody may subscribe to these events; the others want the credentials of the account they are about.
#[must_use]
pub fn is_public(event_type: &str) -> bool {
    const PUBLIC: &[&str] = &["post.create", "post.delete", "broadcast.start", "broadcast.end", "news.new"];
    event_type.starts_with("profile.update.") || PUBLIC.contains(&event_type)
}

/// The event types that X's OpenAPI document lists, by their names since March 2026.
pub const EVENT_TYPES: &[&str] = &[
    "profile.update.bio",
    "profile.update.profile_picture",
    "profile.update.banner_picture",
    "profile.update.screenname",
    "profile.update.geo",
    "profile.update.url",
    "profile.update.verified_badge",
    "profile.update.affiliate_badge",
    "profile.update.handle",
    "news.new",
    "follow.follow",
    "follow.unfollow",
    "spaces.start",
    "spaces.end",
    "broadcast.start",
    "broadcast.end",
    "broadcast.chat",
    "chat.received",
    "chat.sent",
    "chat.conversation.join",
    "chat.conversation.member_added",
    "chat.conversation.member_removed",
    "chat.conversation.admin_added",
    "chat.conversation.admin_removed",
    "chat.update.group_name",
    "chat.update.restrictions",
    "dm.sent",
    "dm.received",
    "dm.indicate_typing",
    "dm.read",
    "post.create",
    "post.delete",
    "post.mention.create",
    "post.reply.create",
    "post.quote.create",
    "post.repost.create",
    "like.create",
    "mute.mute",
    "mute.unmute",
    "block.block",
    "block.unblock",
];

/// Subscribes.
#[must_use]
pub fn create(wish: &Wish) -> Call<Created> {
    let auth = if is_public(&wish.event_type) { &[Auth::App, Auth::User] } else { &[Auth::User, Auth::App] };
    Call::new("activity subscribe", Method::POST, ROOT, auth, read_created).body(serde_json::json!(wish))
}

/// A page of the app's subscriptions, the largest there is.
#[must_use]
pub fn list(page: Option<&str>) -> Call<Page> {
    let call = Call::new("activity list", Method::GET, ROOT, &[Auth::App, Auth::User], |reply| {
        let list: List = reply.json()?;
        Ok(Page { subscriptions: list.data, next: list.meta.next_token })
    })
    .query("max_results", "1000");
    match page {
        Some(page) => call.query("pagination_token", page),
        None => call,
    }
}

/// Changes a subscription.
#[must_use]
pub fn update(id: &SubscriptionId, change: &Change) -> Call<Created> {
    Call::new("activity update", Method::PUT, one(id), &[Auth::App], read_created)
        .body(serde_json::json!(change))
}

/// Ends a subscription.
#[must_use]
pub fn delete(id: &SubscriptionId) -> Call<bool> {
    Call::new("activity unsubscribe", Method::DELETE, one(id), &[Auth::App], |reply| {
        flag(reply, "deleted", true)
    })
}

/// Ends up to [`MOST_AT_ONCE`] subscriptions; X refuses longer lists.
#[must_use]
pub fn delete_all(ids: &[SubscriptionId]) -> Call<bool> {
    let ids: Vec<_> = ids.iter().map(SubscriptionId::as_str).collect();
    Call::new("activity unsubscribe", Method::DELETE, ROOT, &[Auth::App], |reply| {
        flag(reply, "deleted", true)
    })
    .query("ids", ids.join(","))
}

/// How many subscriptions [`delete_all`] takes.
pub const MOST_AT_ONCE: usize = 100;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    data: Vec<Subscription>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    next_token: Option<String>,
    #[serde(default)]
    total_subscriptions: Option<u64>,
}

/// The four reported forms: `{"data":{"subscription":{…}}}` (OpenAPI), `{"data":[{…}],"meta":…}` and `{"data":{…}}`
/// (quickstart), and an empty 204.
fn read_created(reply: &Reply<'_>) -> Result<Created, String> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        data: serde_json::Value,
        #[serde(default)]
        meta: Meta,
    }
    if reply.is_empty() {
        return Ok(Created::default());
    }
    let answer: Answer = reply.json()?;
    let list = match answer.data {
        serde_json::Value::Null => Vec::new(),
        serde_json::Value::Array(list) => list,
        serde_json::Value::Object(mut object) => {
            let inner = object.remove("subscription");
            vec![inner.unwrap_or(serde_json::Value::Object(object))]
        }
        _ => return Err("`data` is neither a subscription nor a list of them".to_owned()),
    };
    let subscriptions = list
        .into_iter()
        .map(serde_json::from_value)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    Ok(Created { subscriptions, total: answer.meta.total_subscriptions })
}

fn one(id: &SubscriptionId) -> String {
    format!("{ROOT}/{id}")
}

const ROOT: &str = "/2/activity/subscriptions";
