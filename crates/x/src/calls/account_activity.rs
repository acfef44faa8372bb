//! `/2/account_activity`: subscriptions of the Account Activity API, which X calls deprecated in favour of
//! [`activity`](super::activity).

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Data, flag};
use crate::call::Call;
use crate::credentials::Auth;
use crate::id::{UserId, WebhookId};

/// The accounts whose events a webhook gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriptions {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// The app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// The accounts.
    #[serde(default)]
    pub subscriptions: Vec<Subscriber>,
}

/// An account whose events come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriber {
    /// The account.
    pub user_id: UserId,
}

/// How many subscriptions there are, and how many there may be. X writes the numbers as strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The developer account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// How many there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned_count: Option<String>,
    /// How many there are.
    pub subscriptions_count_all: String,
    /// X answers "0" always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions_count_direct_messages: Option<String>,
}

/// Subscribes the user whose credentials are used. Events begin within ten seconds.
#[must_use]
pub fn subscribe(id: &WebhookId) -> Call<bool> {
    Call::new("subscriptions add", Method::POST, all(id), &[Auth::User], |reply| {
        flag(reply, "subscribed", true)
    })
    .body(serde_json::json!({}))
}

/// Whether the user whose credentials are used is subscribed.
#[must_use]
pub fn check(id: &WebhookId) -> Call<bool> {
    Call::new("subscriptions check", Method::GET, all(id), &[Auth::User], |reply| {
        flag(reply, "subscribed", true)
    })
}

/// The accounts whose events a webhook gets.
#[must_use]
pub fn list(id: &WebhookId) -> Call<Subscriptions> {
    Call::new("subscriptions list", Method::GET, format!("{}/list", all(id)), &[Auth::App], |reply| {
        Ok(reply.json::<Data<Subscriptions>>()?.data)
    })
}

/// Ends an account's subscription. The answer is whether it is still subscribed.
#[must_use]
pub fn remove(id: &WebhookId, user: &UserId) -> Call<bool> {
    let path = format!("{ROOT}/webhooks/{id}/subscriptions/{user}/all");
    Call::new("subscriptions remove", Method::DELETE, path, &[Auth::App], |reply| {
        flag(reply, "subscribed", false)
    })
}

/// How many subscriptions there are in all.
#[must_use]
pub fn count() -> Call<Count> {
    Call::new(
        "subscriptions count",
        Method::GET,
        format!("{ROOT}/subscriptions/count"),
        &[Auth::App],
        |reply| {
            let Data { data } = reply.json::<Data<serde_json::Map<String, serde_json::Value>>>()?;
            let text = |name: &str| {
                data.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            };
            Ok(Count {
                account_name: text("account_name"),
                provisioned_count: text("provisioned_count"),
                subscriptions_count_all: text("subscriptions_count_all")
                    .ok_or("`data.subscriptions_count_all` is missing")?,
                subscriptions_count_direct_messages: text("subscriptions_count_direct_messages"),
            })
        },
    )
}

fn all(id: &WebhookId) -> String {
    format!("{ROOT}/webhooks/{id}/subscriptions/all")
}

const ROOT: &str = "/2/account_activity";
