//! `/2/webhooks`: the URLs that X calls.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Data, flag};
use crate::call::{Call, Reply};
use crate::credentials::Auth;
use crate::id::{JobId, WebhookId};
use crate::window::Minute;

/// A registered webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The URL, which never changes.
    pub url: String,
    /// Whether X sends events: `false` after a challenge that was answered wrongly, or not for 28 hours.
    pub valid: bool,
    /// When it was registered, as X writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// A replay that X took on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayJob {
    /// Which one; the `replay_job_status` that ends it has the same.
    pub job_id: JobId,
    /// When, as X writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// Registers a URL. X challenges it during the call: success means that the challenge was answered.
#[must_use]
pub fn create(url: &str) -> Call<Webhook> {
    Call::new("webhooks create", Method::POST, ROOT, EITHER, |reply| Ok(reply.json::<Data<Webhook>>()?.data))
        .body(serde_json::json!({ "url": url }))
}

/// Every webhook of the app.
#[must_use]
pub fn list() -> Call<Vec<Webhook>> {
    Call::new("webhooks list", Method::GET, ROOT, &[Auth::App], read_list)
        .query("webhook_config.fields", "created_at,id,url,valid")
}

/// Has X challenge a webhook. Success means that the challenge was set off: [`list`] tells how it ended.
#[must_use]
pub fn validate(id: &WebhookId) -> Call<bool> {
    // 200 with `data.valid` by the documents, 204 in an official sample.
    Call::new("webhooks validate", Method::PUT, one(id), EITHER, |reply| flag(reply, "valid", true))
}

/// Deletes a webhook, and the subscriptions that deliver to it.
#[must_use]
pub fn delete(id: &WebhookId) -> Call<bool> {
    Call::new("webhooks delete", Method::DELETE, one(id), EITHER, |reply| flag(reply, "deleted", true))
}

/// Has X send a window again: from the beginning of `from`; the documents disagree on whether `to` is inside.
#[must_use]
pub fn replay(id: &WebhookId, from: Minute, to: Minute) -> Call<ReplayJob> {
    Call::new("webhooks replay", Method::POST, format!("{ROOT}/replay"), &[Auth::App], |reply| {
        Ok(reply.json::<Data<ReplayJob>>()?.data)
    })
    .body(serde_json::json!({
        "webhook_id": id,
        "from_date": from.to_string(),
        "to_date": to.to_string(),
    }))
}

fn read_list(reply: &Reply<'_>) -> Result<Vec<Webhook>, String> {
    #[derive(Deserialize)]
    struct List {
        /// Missing where the list is empty.
        #[serde(default)]
        data: Vec<Webhook>,
    }
    Ok(reply.json::<List>()?.data)
}

fn one(id: &WebhookId) -> String {
    format!("{ROOT}/{id}")
}

const ROOT: &str = "/2/webhooks";

/// The prose asks for the app's bearer, the OpenAPI document takes a user's signature too.
const EITHER: &[Auth] = &[Auth::App, Auth::User];
