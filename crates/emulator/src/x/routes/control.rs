//! `/emulator`: what no X has, for people and scripts that work with a stand-in.
//!
//! Only for this machine: a `Host` that is none of its names gets 421, since a web page can rebind its own name to
//! 127.0.0.1, and a body has to be JSON, which a page cannot send elsewhere without being asked.

use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hookhouse_core::Clock;
use http::{HeaderMap, StatusCode, header};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use crate::x::act::Act;
use crate::x::credentials::{reveal, secret};
use crate::x::platform::turn;
use crate::x::problem::{Answered, Problem};

/// The routes.
pub(super) fn router(api: Api) -> Router<Api> {
    Router::new()
        .route("/act", post(act))
        .route("/clock", get(clock).post(advance))
        .route("/ledger", get(ledger))
        .route("/users", get(users))
        .route("/webhooks", get(webhooks))
        .route("/fail", post(fail))
        .route("/rotate", post(rotate))
        .layer(middleware::from_fn_with_state(api, guard_host))
}

async fn guard_host(State(_): State<Api>, headers: HeaderMap, request: Request, next: Next) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.parse::<http::uri::Authority>();
    let here = name.is_ok_and(|name| {
        let name = name.host().trim_matches(['[', ']']);
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    if here {
        next.run(request).await
    } else {
        refuse(StatusCode::MISDIRECTED_REQUEST, "ask for 127.0.0.1 or localhost").into_response()
    }
}

/// One act, or a list of several that happen at once.
async fn act(State(api): State<Api>, body: Result<Json<Value>, JsonRejection>) -> Answered {
    let Json(body) = body.map_err(|error| rejected(&error))?;
    let several = body.is_array();
    let acts = if several { body } else { Value::Array(vec![body]) };
    let unreadable = |error: serde_json::Error| refuse(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string());
    let acts: Vec<Act> = serde_json::from_value(acts).map_err(unreadable)?;
    let world = &api.world;
    let performed = {
        let mut state = world.lock();
        let now = world.now();
        let perform = |act: &Act| {
            state.act(act, now).map_err(|error| refuse(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()))
        };
        acts.iter().map(perform).collect::<Result<Vec<_>, _>>()
    };
    // What was done before one that cannot be done stays done.
    world.changed.notify_one();
    let performed = json!(performed?);
    let one = performed.get(0).filter(|_| !several).cloned();
    Ok(Json(one.unwrap_or(performed)).into_response())
}

async fn clock(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "now": api.world.clock.now(), "runs": api.world.clock.runs() }))
}

/// How far: `6h`, `90s`, `2d`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance: String,
}

async fn advance(State(api): State<Api>, body: Result<Json<Advance>, JsonRejection>) -> Answered {
    let Json(Advance { advance }) = body.map_err(|error| rejected(&error))?;
    let unreadable =
        || refuse(StatusCode::UNPROCESSABLE_ENTITY, "`advance` is a duration up to 366 days: 6h, 90s, 48h");
    let by: SignedDuration = advance.parse().map_err(|_| unreadable())?;
    let by = Duration::try_from(by).ok().filter(|by| *by <= FARTHEST).ok_or_else(unreadable)?;
    turn(&api.turns, by).await;
    Ok(clock(State(api)).await.into_response())
}

/// Which part of the ledger.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// `events`, `attempts`, `crcs`, `validity`, `calls` or `counts`; all of them without it.
    kind: Option<String>,
    /// Records with a greater number.
    after: Option<u64>,
    /// At most so many of each kind.
    limit: Option<usize>,
}

async fn ledger(State(api): State<Api>, Query(part): Query<Part>) -> Answered {
    let state = api.world.lock();
    let ledger = &state.ledger;
    let (after, limit) = (part.after.unwrap_or(0), part.limit.unwrap_or(PAGE));
    let mut kinds = json!({
        "events": page(ledger.events.iter().map(|record| (record.number, record)), after, limit),
        "attempts": page(ledger.attempts.iter().map(|record| (record.number, record)), after, limit),
        "crcs": page(ledger.crcs.iter().map(|record| (record.number, record)), after, limit),
        "validity": page(ledger.validity.iter().map(|record| (record.number, record)), after, limit),
        "calls": page(ledger.calls.iter().map(|record| (record.number, record)), after, limit),
        "counts": ledger.counts,
    });
    match part.kind {
        None => Ok(Json(kinds).into_response()),
        Some(kind) => match kinds.get_mut(&kind) {
            Some(records) => Ok(Json(json!({ kind: records.take() })).into_response()),
            None => Err(refuse(StatusCode::NOT_FOUND, "there are no such records")),
        },
    }
}

fn page<'a, T: Serialize + 'a>(
    records: impl Iterator<Item = (u64, &'a T)>,
    after: u64,
    limit: usize,
) -> Vec<&'a T> {
    records.filter(|(number, _)| *number > after).map(|(_, record)| record).take(limit).collect()
}

async fn users(State(api): State<Api>) -> Json<Value> {
    let state = api.world.lock();
    let users: Vec<_> = state
        .users
        .iter()
        .map(|user| json!({ "id": user.id, "handle": user.handle, "name": user.name, "protected": user.protected }))
        .collect();
    Json(json!({ "users": users }))
}

async fn webhooks(State(api): State<Api>) -> Json<Value> {
    let state = api.world.lock();
    let webhooks: Vec<_> = state
        .webhooks
        .values()
        .map(|webhook| {
            json!({
                "id": webhook.id,
                "url": webhook.url,
                "valid": webhook.valid,
                "validated_at": webhook.validated_at,
            })
        })
        .collect();
    Json(json!({ "webhooks": webhooks }))
}

/// Which calls are to fail, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fail {
    /// `webhooks.list`, or `*`.
    endpoint: String,
    status: u16,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

async fn fail(State(api): State<Api>, body: Result<Json<Fail>, JsonRejection>) -> Answered {
    let Json(fail) = body.map_err(|error| rejected(&error))?;
    let status = StatusCode::from_u16(fail.status).ok().filter(|status| status.as_u16() >= 400);
    let status = status.ok_or_else(|| refuse(StatusCode::UNPROCESSABLE_ENTITY, "`status` is 400 to 599"))?;
    if fail.endpoint != "*" && !super::ENDPOINTS.iter().any(|endpoint| endpoint.name == fail.endpoint) {
        return Err(refuse(StatusCode::UNPROCESSABLE_ENTITY, "there is no such endpoint"));
    }
    if fail.times > 0 {
        api.world.lock().faults.push((fail.endpoint, status, fail.times));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A new consumer secret, as when it is regenerated in the developer console.
async fn rotate(State(api): State<Api>, _: Json<Value>) -> Json<Value> {
    let mut guard = api.world.lock();
    let state = &mut *guard;
    let new = secret(&mut state.rng, 38);
    state.credentials.consumer_secret = new.clone();
    Json(json!({ "consumer_secret": reveal(&new) }))
}

fn rejected(error: &JsonRejection) -> Problem {
    refuse(error.status(), &error.body_text())
}

fn refuse(status: StatusCode, detail: &str) -> Problem {
    Problem::forbidden(detail).with_status(status)
}

/// The records of an answer, where nobody says how many.
const PAGE: usize = 1_000;

/// How far the clock is turned at once.
const FARTHEST: Duration = Duration::from_hours(366 * 24);
