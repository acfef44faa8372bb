//! `/2/activity/subscriptions`: create, list, update, delete.

use std::ops::Bound;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::webhooks::find;
use super::{Api, list as list_parameter, object, parameter, required, string};
use crate::x::auth::Caller;
use crate::x::ids::SubscriptionId;
use crate::x::options::ActivityAnswer;
use crate::x::problem::{Answered, Problem, Reason};
use crate::x::state::State as Platform;
use crate::x::subscription::{ActivitySubscription, Direction, EventType, Filter};

/// Subscribes to an event type.
pub(super) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Answered {
    let object = object(&body, &["event_type", "filter", "tag", "webhook_id"])?;
    let name = required(&object, "event_type")?;
    let event = EventType::find(name)
        .ok_or_else(|| Problem::invalid(&format!("$.event_type: [{name}] is not one of the event types")))?;
    let filter = filter(&object)?;
    let tag = tag(&object)?;
    may_hear(&caller, event, &filter)?;

    let now = api.world.now();
    let mut state = api.world.lock();
    let webhook = string(&object, "webhook_id")?.map(|id| Ok(find(&state, id)?.id)).transpose()?;
    let taken = |other: &ActivitySubscription| other.event_type == event.name && other.filter == filter;
    if state.activity.values().any(taken) {
        let details = "Duplicate subscription: there is one for this event type and filter";
        let problem = Problem::because(Reason::DuplicateSubscriptionFailed, details);
        return Err(problem.with_status(state.options.duplicate_subscription));
    }
    let most = state.options.tier.activity_subscriptions;
    if state.activity.len() >= most {
        let details = format!("the number of subscriptions is at the limit of {most}");
        return Err(Problem::because(Reason::SubscriptionLimitExceeded, &details));
    }
    let id = SubscriptionId(state.ids.next(now));
    let (created_at, updated_at) = (now, now);
    let event_type = event.name;
    let new = ActivitySubscription { id, event_type, filter, tag, webhook, created_at, updated_at };
    let view = new.view();
    state.activity.insert(id, new);
    Ok(changed(&state, view))
}

/// What is private is for the user whom it is about, and not for the app alone.
fn may_hear(caller: &Caller, event: EventType, filter: &Filter) -> Result<(), Problem> {
    let Some(scope) = event.scope else { return Ok(()) };
    let Some(user) = caller.user() else {
        let detail = format!("[{}] is private: it needs a user context.", event.name);
        return Err(Problem::forbidden(&detail));
    };
    caller.may(&[scope])?;
    if filter.user.is_some_and(|about| about != user) {
        let detail = format!("[{}] is private: filter.user_id must be the authenticated user.", event.name);
        return Err(Problem::forbidden(&detail));
    }
    Ok(())
}

fn filter(object: &Map<String, Value>) -> Result<Filter, Problem> {
    let Some(Value::Object(filter)) = object.get("filter") else {
        return Err(Problem::invalid("$.filter: is missing but it is required"));
    };
    if let Some(unknown) =
        filter.keys().find(|key| !["user_id", "keyword", "direction"].contains(&key.as_str()))
    {
        return Err(Problem::invalid(&format!(
            "$.filter.{unknown}: is not defined in the schema and the schema does not allow additional properties"
        )));
    }
    let user = string(filter, "user_id")?.map(str::parse).transpose();
    let user = user
        .map_err(|_| Problem::invalid("$.filter.user_id: does not match the regex pattern ^[0-9]{1,19}$"))?;
    let direction = string(filter, "direction")?.map(|direction| {
        Direction::parse(direction)
            .ok_or_else(|| Problem::invalid("$.filter.direction: is inbound or outbound"))
    });
    let keyword = string(filter, "keyword")?.map(str::to_owned);
    if user.is_none() && keyword.is_none() {
        return Err(Problem::invalid("$.filter: needs a user_id or a keyword"));
    }
    Ok(Filter { user, keyword, direction: direction.transpose()? })
}

fn tag(object: &Map<String, Value>) -> Result<Option<String>, Problem> {
    match string(object, "tag")? {
        Some(tag) if !(1..=200).contains(&tag.chars().count()) => {
            Err(Problem::invalid("$.tag: must be 1 to 200 characters long"))
        }
        tag => Ok(tag.map(str::to_owned)),
    }
}

/// The subscriptions, page by page.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answered {
    caller.may(&["like.read", "tweet.read"])?;
    let most = match parameter(query.as_deref(), "max_results") {
        None => PAGE,
        Some(text) => text.parse().ok().filter(|most| (1..=1_000).contains(most)).ok_or_else(|| {
            Problem::invalid(&format!(
                "The `max_results` query parameter value [{text}] is not between 1 and 1000"
            ))
        })?,
    };
    // A page begins after the last subscription of the one before it.
    let after: Bound<SubscriptionId> = match parameter(query.as_deref(), "pagination_token") {
        None => Bound::Unbounded,
        Some(token) => {
            let after = token.strip_prefix("after-").and_then(|id| id.parse().ok());
            Bound::Excluded(
                after.ok_or_else(|| Problem::invalid("The `pagination_token` is not one of ours"))?,
            )
        }
    };
    let state = api.world.lock();
    let mut rest = state.activity.range((after, Bound::Unbounded));
    let page: Vec<_> = rest.by_ref().take(most).map(|(_, subscription)| subscription).collect();
    let data: Vec<_> = page.iter().map(|subscription| subscription.view()).collect();
    let mut meta = json!({ "result_count": data.len(), "total_subscriptions": state.activity.len() });
    if let Some(last) = page.last().filter(|_| rest.next().is_some()) {
        meta["next_token"] = Value::String(format!("after-{}", last.id));
    }
    Ok(Json(json!({ "data": data, "meta": meta })).into_response())
}

/// Changes the tag or the webhook; type and filter cannot be changed.
pub(super) async fn update(State(api): State<Api>, Path(id): Path<String>, body: Bytes) -> Answered {
    let object = object(&body, &["tag", "webhook_id"])?;
    let tag = tag(&object)?;
    let now = api.world.now();
    let mut state = api.world.lock();
    let webhook = string(&object, "webhook_id")?.map(|id| Ok(find(&state, id)?.id)).transpose()?;
    let known = id.parse().ok().and_then(|id: SubscriptionId| state.activity.get_mut(&id));
    let subscription = known.ok_or_else(|| no_subscription(&id))?;
    subscription.tag = tag.or_else(|| subscription.tag.take());
    subscription.webhook = webhook.or(subscription.webhook);
    subscription.updated_at = now;
    let view = subscription.view();
    Ok(changed(&state, view))
}

/// Ends one.
pub(super) async fn remove(State(api): State<Api>, Path(id): Path<String>) -> Answered {
    let mut state = api.world.lock();
    let removed = id.parse().ok().and_then(|id: SubscriptionId| state.activity.remove(&id));
    removed.ok_or_else(|| no_subscription(&id))?;
    Ok(deleted(&state))
}

/// Ends up to a hundred.
pub(super) async fn remove_many(State(api): State<Api>, RawQuery(query): RawQuery) -> Answered {
    let ids = list_parameter(query.as_deref(), "ids").unwrap_or_default();
    if !(1..=100).contains(&ids.len()) {
        return Err(Problem::invalid(
            "The number of values in the `ids` query parameter list is not between 1 and 100",
        ));
    }
    let mut state = api.world.lock();
    let known = |id: &String| id.parse().is_ok_and(|id: SubscriptionId| state.activity.contains_key(&id));
    if let Some(unknown) = ids.iter().find(|id| !known(id)) {
        return Err(no_subscription(unknown));
    }
    for id in ids.iter().filter_map(|id| id.parse().ok()) {
        state.activity.remove::<SubscriptionId>(&id);
    }
    Ok(deleted(&state))
}

/// The answer to a new or a changed subscription, in the shape that the options choose.
fn changed(state: &Platform, view: Value) -> Response {
    match state.options.activity_answer {
        ActivityAnswer::Wrapped => Json(json!({ "data": { "subscription": view } })).into_response(),
        ActivityAnswer::List => {
            let meta = json!({ "total_subscriptions": state.activity.len() });
            Json(json!({ "data": [view], "meta": meta })).into_response()
        }
        ActivityAnswer::Bare => Json(json!({ "data": view })).into_response(),
        ActivityAnswer::Empty => StatusCode::NO_CONTENT.into_response(),
    }
}

fn deleted(state: &Platform) -> Response {
    let meta = json!({ "total_subscriptions": state.activity.len() });
    Json(json!({ "data": { "deleted": true }, "meta": meta })).into_response()
}

fn no_subscription(id: &str) -> Problem {
    Problem::not_found("subscription", "subscription_id", id)
}

/// The subscriptions of a page, where nobody says how many.
const PAGE: usize = 100;
