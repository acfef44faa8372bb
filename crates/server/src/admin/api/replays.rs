//! Replays as jobs.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::{Admin, Answer};
use crate::admin::access::Principal;
use crate::admin::extract::{Body, Id, NoParams};
use crate::admin::problem::Problem;
use crate::admin::replays::Cancelled;
use crate::admin::view::{EventCount, List, NewReplay, ReplayView};

/// Events that may be named.
const MOST_NAMED: usize = 1_000;

/// Rates that make sense.
const RATES: std::ops::RangeInclusive<u32> = 1..=10_000;

/// Deliver many events again
///
/// A job that makes a delivery of each event that is meant, the oldest first. It goes on after a restart; what it did in
/// the second before a crash it may do again. With `dry_run`, the events are only counted.
#[utoipa::path(
    post, path = "/replays", tag = "replays",
    request_body = NewReplay,
    responses(
        (status = 202, description = "The job was ordered", body = ReplayView,
            headers(("Location" = String, description = "Where the job is"))),
        (status = 200, description = "So many events are meant (`dry_run`)", body = EventCount),
    ),
)]
pub(super) async fn order(
    State(state): Admin,
    Extension(principal): Extension<Principal>,
    _: NoParams,
    Body(asked): Body<NewReplay>,
) -> Result<Response, Problem> {
    let filter = &asked.filter;
    if !filter.events.is_empty() && !filter.names_only() {
        return Err(Problem::bad_request("name events, or say which; not both"));
    }
    if filter.events.len() > MOST_NAMED {
        return Err(Problem::bad_request(format!("at most {MOST_NAMED} events can be named")));
    }
    if asked.rate.is_some_and(|rate| !RATES.contains(&rate)) {
        return Err(Problem::bad_request("`rate` is between 1 and 10000 events a second"));
    }
    if let Some(destination) = &asked.destination
        && !state.in_force().destinations.contains(destination)
    {
        return Err(Problem::bad_request(format!("there is no destination `{destination}`")));
    }
    if asked.dry_run {
        return Ok(Json(state.replays.count(filter).await?).into_response());
    }
    let Some(job) = state.replays.order(asked, &principal.token).await? else {
        return Err(Problem::conflict(
            "too-many-replays",
            "too many replays are under way; cancel one, or wait",
        ));
    };
    let location = HeaderValue::try_from(format!("/api/v1/replays/{}", job.id));
    let mut response = (StatusCode::ACCEPTED, Json(job)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// List replays
///
/// The newest first; the last 64 are kept.
#[utoipa::path(
    get, path = "/replays", tag = "replays",
    responses((status = 200, description = "The replays", body = List<ReplayView>)),
)]
pub(super) async fn list(State(state): Admin, _: NoParams) -> Answer<List<ReplayView>> {
    Ok(Json(List { data: state.replays.list(), next_cursor: None }))
}

/// Show a replay
///
/// With how far it has come.
#[utoipa::path(
    get, path = "/replays/{id}", tag = "replays",
    params(("id" = String, Path, description = "`rpl_7`")),
    responses((status = 200, description = "The replay", body = ReplayView)),
)]
pub(super) async fn find(State(state): Admin, Id(id): Id<String>, _: NoParams) -> Answer<ReplayView> {
    Ok(Json(state.replays.find(&id).ok_or_else(|| Problem::not_found("replay"))?))
}

/// Call a replay off
///
/// The deliveries that it made stay.
#[utoipa::path(
    post, path = "/replays/{id}/cancel", tag = "replays",
    params(("id" = String, Path, description = "`rpl_7`")),
    responses((status = 200, description = "It was called off", body = ReplayView)),
)]
pub(super) async fn cancel(State(state): Admin, Id(id): Id<String>, _: NoParams) -> Answer<ReplayView> {
    match state.replays.cancel(&id).await? {
        Cancelled::Yes(view) => Ok(Json(*view)),
        Cancelled::Ended => Err(Problem::conflict("not-cancellable", "the replay has ended")),
        Cancelled::Unknown => Err(Problem::not_found("replay")),
    }
}
