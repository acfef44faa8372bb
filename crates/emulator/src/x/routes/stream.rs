//! The filtered stream's webhooks and rules.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::webhooks::find;
use super::{Api, list, object, required, string};
use crate::x::event::APP_ID;
use crate::x::ids::RuleId;
use crate::x::problem::{Answered, Problem};
use crate::x::rules::Rule;
use crate::x::state::State as Platform;
use crate::x::subscription::StreamLink;
use crate::x::users::rfc3339_ms;

/// Links a webhook to the stream; linking it again changes the fields.
pub(super) async fn link(
    State(api): State<Api>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answered {
    let now = api.world.now();
    let mut state = api.world.lock();
    enterprise(&state)?;
    let webhook = find(&state, &id)?.id;
    let values = |name| list(query.as_deref(), name).unwrap_or_default();
    let (fields, expansions) = (values("tweet.fields"), values("expansions"));
    state.links.retain(|link| link.webhook != webhook);
    state.links.push(StreamLink { webhook, fields, expansions, created_at: now });
    Ok(Json(json!({ "data": { "provisioned": true } })).into_response())
}

/// Ends a link.
pub(super) async fn unlink(State(api): State<Api>, Path(id): Path<String>) -> Answered {
    let mut state = api.world.lock();
    enterprise(&state)?;
    let webhook = find(&state, &id)?.id;
    let before = state.links.len();
    state.links.retain(|link| link.webhook != webhook);
    if state.links.len() == before {
        return Err(Problem::not_found("link", "webhook_id", &id));
    }
    Ok(Json(json!({ "data": { "deleted": true } })).into_response())
}

/// The links as the OpenAPI document has them.
pub(super) async fn links(State(api): State<Api>) -> Answered {
    let state = api.world.lock();
    enterprise(&state)?;
    let links = views(&state);
    Ok(Json(json!({ "data": links, "meta": { "result_count": links.len() } })).into_response())
}

/// And as the guide does.
pub(super) async fn links_nested(State(api): State<Api>) -> Answered {
    let state = api.world.lock();
    enterprise(&state)?;
    Ok(Json(json!({ "data": { "links": views(&state) } })).into_response())
}

fn views(state: &Platform) -> Vec<Value> {
    let owner = state.owner.to_string();
    let links = state.links.iter().map(|link| {
        json!({
            "application_id": APP_ID.to_string(),
            "business_user_id": owner,
            "fields": link.fields.iter().map(|field| format!("tweet.{field}")).collect::<Vec<_>>(),
            "instance_id": link.webhook.to_string(),
            "webhook_id": link.webhook.to_string(),
            "created_at": rfc3339_ms(link.created_at),
        })
    });
    links.collect()
}

/// The rules.
pub(super) async fn rules(State(api): State<Api>) -> Answered {
    let state = api.world.lock();
    let data: Vec<_> = state.rules.values().map(view).collect();
    let meta = json!({ "sent": rfc3339_ms(api.world.now()), "result_count": data.len() });
    Ok(Json(json!({ "data": data, "meta": meta })).into_response())
}

/// Adds rules or deletes some: all that are asked for, or none.
pub(super) async fn change_rules(State(api): State<Api>, body: Bytes) -> Answered {
    let object = object(&body, &["add", "delete"])?;
    let now = api.world.now();
    let mut state = api.world.lock();
    match (object.get("add"), object.get("delete")) {
        (Some(Value::Array(rules)), None) => {
            let mut added = Vec::new();
            for rule in rules {
                let Value::Object(rule) = rule else {
                    return Err(Problem::invalid("$.add: objects expected"));
                };
                let id = RuleId(state.ids.next(now));
                let tag = string(rule, "tag")?.map(str::to_owned);
                let rule = Rule::parse(id, required(rule, "value")?, tag);
                added.push(rule.map_err(|why| Problem::invalid(&why))?);
            }
            let data: Vec<_> = added.iter().map(view).collect();
            let meta =
                json!({ "sent": rfc3339_ms(now), "summary": { "created": data.len(), "not_created": 0 } });
            state.rules.extend(added.into_iter().map(|rule| (rule.id, rule)));
            let answer = Json(json!({ "data": data, "meta": meta }));
            Ok((StatusCode::CREATED, answer).into_response())
        }
        (None, Some(delete)) => {
            let ids = delete
                .get("ids")
                .and_then(Value::as_array)
                .ok_or_else(|| Problem::invalid("$.delete.ids: is missing"))?;
            let before = state.rules.len();
            for id in ids.iter().filter_map(|id| id.as_str()?.parse().ok()) {
                state.rules.remove::<RuleId>(&id);
            }
            let deleted = before - state.rules.len();
            let summary = json!({ "deleted": deleted, "not_deleted": ids.len() - deleted.min(ids.len()) });
            Ok(Json(json!({ "meta": { "sent": rfc3339_ms(now), "summary": summary } })).into_response())
        }
        _ => Err(Problem::invalid("$: either add or delete is expected")),
    }
}

fn view(rule: &Rule) -> Value {
    let mut view = json!({ "id": rule.id.to_string(), "value": rule.value });
    if let Some(tag) = &rule.tag {
        view["tag"] = Value::String(tag.clone());
    }
    view
}

fn enterprise(state: &Platform) -> Result<(), Problem> {
    if state.options.tier.filtered_stream {
        return Ok(());
    }
    let detail = "Filtered Stream webhooks are available to enterprise accounts.";
    Err(Problem::client_forbidden(&state.credentials.consumer_key, "client-forbidden", detail))
}
