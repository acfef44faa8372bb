//! `/2/webhooks`: register, list, validate, delete, replay.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Api, list as list_parameter, object, required};
use crate::x::agenda::Task;
use crate::x::crc::{Challenge, CrcReason, Verdict};
use crate::x::ids::{JobId, WebhookId};
use crate::x::problem::{Answered, Problem, Reason};
use crate::x::replay::ReplayWindow;
use crate::x::state::{State as Platform, World};
use crate::x::users::rfc3339_ms;
use crate::x::webhook::{Webhook, check_url};

/// Registers a URL. The challenge comes during this call.
pub(super) async fn create(State(api): State<Api>, body: Bytes) -> Answered {
    let world = &api.world;
    let object = object(&body, &["url"])?;
    let url = required(&object, "url")?.to_owned();
    check_url(&url, world.options.allow_http)
        .map_err(|why| Problem::because(Reason::UrlValidationFailed, why))?;
    may_register(&world.lock(), &url)?;
    passed(challenge(world, None, &url, CrcReason::Create).await)?;

    let now = world.now();
    let mut state = world.lock();
    // Somebody else may have registered one during the challenge.
    may_register(&state, &url)?;
    let id = WebhookId(state.ids.next(now));
    let webhook = Webhook { id, url, valid: true, created_at: now, validated_at: now, epoch: 0 };
    let view = webhook.view(&Webhook::FIELDS);
    state.webhooks.insert(id, webhook);
    state.plan_challenges(id, now);
    Ok(Json(json!({ "data": view })).into_response())
}

/// The limit is looked at first: an account with one webhook is told of it even when it registers the same URL again.
fn may_register(state: &Platform, url: &str) -> Result<(), Problem> {
    let most = state.options.tier.webhooks;
    if state.webhooks.len() >= most {
        let details = format!("the number of registered webhooks is at the limit of {most}");
        return Err(Problem::because(Reason::WebhookLimitExceeded, &details));
    }
    if state.webhooks.values().any(|webhook| webhook.url == url) {
        return Err(Problem::because(Reason::DuplicateUrlFailed, "this url is already registered"));
    }
    Ok(())
}

/// The registered webhooks.
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answered {
    let fields = list_parameter(query.as_deref(), "webhook_config.fields");
    let fields = fields.unwrap_or_else(|| Webhook::FIELDS.map(str::to_owned).to_vec());
    if let Some(unknown) = fields.iter().find(|field| !Webhook::FIELDS.contains(&field.as_str())) {
        return Err(Problem::invalid(&format!(
            "The `webhook_config.fields` query parameter value [{unknown}] is not one of [{}]",
            Webhook::FIELDS.join(",")
        )));
    }
    let fields: Vec<_> = fields.iter().map(String::as_str).collect();
    let state = api.world.lock();
    let data: Vec<Value> = state.webhooks.values().map(|webhook| webhook.view(&fields)).collect();
    Ok(Json(json!({ "data": data, "meta": { "result_count": data.len() } })).into_response())
}

/// Challenges a webhook now. Where the options say so, 200 means that the check was begun, and no more.
pub(super) async fn validate(State(api): State<Api>, Path(id): Path<String>) -> Answered {
    let world = &api.world;
    let now = world.now();
    let (id, url) = {
        let mut state = world.lock();
        let (id, url, epoch) = {
            let webhook = find(&state, &id)?;
            (webhook.id, webhook.url.clone(), webhook.epoch)
        };
        if world.options.crc.put_answers_first {
            state.agenda.add(now, Task::Challenge { webhook: id, epoch, reason: CrcReason::Put });
            return Ok(Json(json!({ "data": { "valid": true } })).into_response());
        }
        (id, url)
    };
    passed(challenge(world, Some(id), &url, CrcReason::Put).await)?;
    Ok(Json(json!({ "data": { "valid": true } })).into_response())
}

/// Deletes a webhook, and with it who was subscribed through it.
pub(super) async fn remove(State(api): State<Api>, Path(id): Path<String>) -> Answered {
    let now = api.world.now();
    let mut state = api.world.lock();
    let id = find(&state, &id)?.id;
    state.webhooks.remove(&id);
    state.jobs.remove(&id);
    state.account.retain(|(webhook, _)| *webhook != id);
    state.links.retain(|link| link.webhook != id);
    for subscription in state.activity.values_mut().filter(|subscription| subscription.webhook == Some(id)) {
        subscription.webhook = None;
        subscription.updated_at = now;
    }
    Ok(Json(json!({ "data": { "deleted": true } })).into_response())
}

/// Begins a replay job.
pub(super) async fn replay(State(api): State<Api>, body: Bytes) -> Answered {
    let object = object(&body, &["webhook_id", "from_date", "to_date"])?;
    let (id, from, to) =
        (required(&object, "webhook_id")?, required(&object, "from_date")?, required(&object, "to_date")?);
    let job = begin_replay(&api.world, id, from, to).await?;
    let created_at = rfc3339_ms(api.world.now());
    Ok(Json(json!({ "data": { "job_id": job.to_string(), "created_at": created_at } })).into_response())
}

/// What the current endpoint and the old one have in common.
pub(super) async fn begin_replay(world: &World, id: &str, from: &str, to: &str) -> Result<JobId, Problem> {
    let (id, url, valid) = {
        let state = world.lock();
        let webhook = find(&state, id)?;
        (webhook.id, webhook.url.clone(), webhook.valid)
    };
    let window = ReplayWindow::parse(from, to, world.options.replay.to_date_inclusive, world.now())?;
    if world.lock().jobs.contains_key(&id) {
        return Err(conflict());
    }
    if !valid {
        let details = "the webhook is not valid; validate it with PUT first";
        return Err(Problem::because(Reason::CrcValidationFailed, details));
    }
    passed(challenge(world, Some(id), &url, CrcReason::Replay).await)?;
    let mut state = world.lock();
    find(&state, &id.to_string())?;
    state.replay(id, window, world.now()).ok_or_else(conflict)
}

fn conflict() -> Problem {
    Problem::because(Reason::ReplayConflictError, "a replay job is already running for this webhook")
}

/// Sends a challenge, waits for the answer, and draws the consequences.
async fn challenge(world: &World, webhook: Option<WebhookId>, url: &str, reason: CrcReason) -> Verdict {
    let challenge = world.lock().challenge(url, world.options.crc.sign_manual, world.now());
    let Some(challenge) = challenge else { return Verdict::Invalid("the url is malformed".to_owned()) };
    let signed = challenge.signed;
    let (request, expected) = challenge.into_parts();
    let answer = world.client.send(request, world.options.crc.timeout).await;
    let verdict = Challenge::judge(&expected, &answer);
    world.lock().challenged(webhook, url.to_owned(), reason, signed, &verdict, world.now());
    verdict
}

fn passed(verdict: Verdict) -> Result<(), Problem> {
    match verdict {
        Verdict::Passed => Ok(()),
        Verdict::Invalid(why) | Verdict::Transient(why) => {
            Err(Problem::because(Reason::CrcValidationFailed, &why))
        }
    }
}

/// A webhook by the id in a path or a body.
pub(super) fn find<'a>(state: &'a Platform, id: &str) -> Result<&'a Webhook, Problem> {
    let found = id.parse().ok().and_then(|id: WebhookId| state.webhooks.get(&id));
    found.ok_or_else(|| {
        Problem::because(Reason::WebhookIdInvalid, "there is no webhook with this id for this app")
    })
}
