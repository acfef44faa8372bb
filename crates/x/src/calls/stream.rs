//! `/2/tweets/search/webhooks`: posts that match the filtered stream's rules, by webhook.

use http::Method;
use serde::{Deserialize, Serialize};

use super::flag;
use crate::call::{Call, Reply};
use crate::credentials::Auth;
use crate::id::WebhookId;

/// A webhook that gets the filtered stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// The account that pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_user_id: Option<String>,
    /// X's instance of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// What each post comes with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// When it was linked, as X writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// What each post comes with: `name`s of X's, `values` with commas between them.
pub type Fields = Vec<(FieldSet, String)>;

/// Which parameter of the post lookup a list of fields is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldSet {
    /// `expansions`.
    Expansions,
    /// `tweet.fields`.
    Post,
    /// `user.fields`.
    User,
    /// `media.fields`.
    Media,
    /// `place.fields`.
    Place,
    /// `poll.fields`.
    Poll,
}

impl FieldSet {
    fn parameter(self) -> &'static str {
        match self {
            Self::Expansions => "expansions",
            Self::Post => "tweet.fields",
            Self::User => "user.fields",
            Self::Media => "media.fields",
            Self::Place => "place.fields",
            Self::Poll => "poll.fields",
        }
    }
}

/// Sends the posts that match the stream's rules to a webhook.
#[must_use]
pub fn link(id: &WebhookId, fields: &Fields) -> Call<bool> {
    let call = Call::new("stream link", Method::POST, one(id), &[Auth::App], |reply| {
        flag(reply, "provisioned", true)
    });
    fields.iter().fold(call, |call, (set, values)| call.query(set.parameter(), values.clone()))
}

/// Ends that.
#[must_use]
pub fn unlink(id: &WebhookId) -> Call<bool> {
    Call::new("stream unlink", Method::DELETE, one(id), &[Auth::App], |reply| flag(reply, "deleted", true))
}

/// The webhooks that get the stream. The OpenAPI document has one path and `data` as a list, the guide another path and
/// `data.links`: both paths are tried and both forms read.
#[must_use]
pub fn list() -> Call<Vec<Link>> {
    Call::new("stream list", Method::GET, ROOT, &[Auth::App], read_list).or_path(GUIDE)
}

fn read_list(reply: &Reply<'_>) -> Result<Vec<Link>, String> {
    let mut answer = reply.json::<serde_json::Value>()?;
    let data = answer.get_mut("data").map(serde_json::Value::take);
    let links = match data {
        None | Some(serde_json::Value::Null) => return Ok(Vec::new()),
        Some(serde_json::Value::Object(mut object)) => {
            object.remove("links").unwrap_or_else(|| serde_json::Value::Array(Vec::new()))
        }
        Some(other) => other,
    };
    serde_json::from_value(links).map_err(|error| error.to_string())
}

fn one(id: &WebhookId) -> String {
    format!("{ROOT}/{id}")
}

const ROOT: &str = "/2/tweets/search/webhooks";
const GUIDE: &str = "/2/tweets/search/stream/webhooks";
