//! `/2/account_activity`: subscribe, check, list, remove, count, and the replay of before.

use axum::extract::{Path, RawQuery, State};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Value, json};

use super::webhooks::{begin_replay, find};
use super::{Api, object, parameter};
use crate::x::auth::Caller;
use crate::x::event::APP_ID;
use crate::x::ids::UserId;
use crate::x::problem::{Answered, Problem, Reason};
use crate::x::users::rfc3339_ms;

/// Subscribes the user who calls.
pub(super) async fn subscribe(
    State(api): State<Api>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Answered {
    // The OpenAPI document asks for an object without members; nothing at all is taken as well.
    if !body.is_empty() {
        object(&body, &[])?;
    }
    let user = subscriber(&caller)?;
    let mut state = api.world.lock();
    let webhook = find(&state, &id)?.id;
    if state.account.contains(&(webhook, user)) {
        let details = "this user is already subscribed to this webhook";
        return Err(Problem::because(Reason::DuplicateSubscriptionFailed, details));
    }
    let most = state.options.tier.account_subscriptions;
    if state.account.len() >= most {
        let details = format!("the number of subscriptions is at the limit of {most}");
        return Err(Problem::because(Reason::SubscriptionLimitExceeded, &details));
    }
    state.account.insert((webhook, user));
    Ok(subscribed(true))
}

/// Whether the user who calls is subscribed.
pub(super) async fn check(
    State(api): State<Api>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Answered {
    let user = subscriber(&caller)?;
    let state = api.world.lock();
    let webhook = find(&state, &id)?.id;
    if state.account.contains(&(webhook, user)) { Ok(subscribed(true)) } else { Err(no_subscription()) }
}

/// Who is subscribed.
pub(super) async fn list(State(api): State<Api>, Path(id): Path<String>) -> Answered {
    let state = api.world.lock();
    let webhook = find(&state, &id)?;
    let users = state.account.iter().filter(|(other, _)| *other == webhook.id);
    let users: Vec<Value> = users.map(|(_, user)| json!({ "user_id": user.to_string() })).collect();
    let data = json!({
        "application_id": APP_ID.to_string(),
        "webhook_id": webhook.id.to_string(),
        "webhook_url": webhook.url,
        "subscriptions": users,
    });
    Ok(Json(json!({ "data": data })).into_response())
}

/// Ends a user's subscription.
pub(super) async fn unsubscribe(
    State(api): State<Api>,
    Path((id, user)): Path<(String, String)>,
) -> Answered {
    let mut state = api.world.lock();
    let webhook = find(&state, &id)?.id;
    let user = user.parse::<UserId>().map_err(|_| no_subscription())?;
    if state.account.remove(&(webhook, user)) { Ok(subscribed(false)) } else { Err(no_subscription()) }
}

/// How many there are, in strings; that of direct messages is always 0.
pub(super) async fn count(State(api): State<Api>) -> Answered {
    let state = api.world.lock();
    let owner = state.users.find(state.owner).map(|owner| owner.handle.clone()).unwrap_or_default();
    let data = json!({
        "account_name": owner,
        "provisioned_count": state.options.tier.account_subscriptions.to_string(),
        "subscriptions_count_all": state.account.len().to_string(),
        "subscriptions_count_direct_messages": "0",
    });
    Ok(Json(json!({ "data": data })).into_response())
}

/// The endpoint that `POST /2/webhooks/replay` replaced on 25 March 2026.
pub(super) async fn replay(
    State(api): State<Api>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answered {
    let date = |name| parameter(query.as_deref(), name).unwrap_or_default();
    let job = begin_replay(&api.world, &id, &date("from_date"), &date("to_date")).await?;
    let created_at = rfc3339_ms(api.world.now());
    let owner = api.world.lock().owner.to_string();
    let answer = json!({ "for_user_id": owner, "replay_event": { "job_id": job.to_string(), "created_at": created_at } });
    Ok(Json(answer).into_response())
}

fn subscriber(caller: &Caller) -> Result<UserId, Problem> {
    caller.may(&["dm.read", "dm.write", "tweet.read", "users.read"])?;
    caller.user().ok_or_else(|| Problem::unauthorized("there is no user"))
}

fn subscribed(is: bool) -> axum::response::Response {
    Json(json!({ "data": { "subscribed": is } })).into_response()
}

fn no_subscription() -> Problem {
    Problem::because(Reason::SubscriptionNotFound, "this user is not subscribed to this webhook")
}
