//! What each route of the admin API does.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use hookhouse_core::store::{Cursor, DeliveryQuery, EventQuery, Order, Page, RefusalQuery, RetryOutcome};
use hookhouse_core::{
    Delivery, DeliveryId, DeliveryState, DestinationName, EventId, SourceName, StoredRefusal, Timestamp,
};
use hookhouse_delivery::circuit::Phase;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::AdminState;
use super::problem::Problem;
use super::view::{
    DestinationView, EventDetail, EventView, List, ReplayRequest, Replayed, SourceView, Status,
};

type Answer<T> = Result<Json<T>, Problem>;
type Admin = State<Arc<AdminState>>;

/// The most entries of a page.
const MAX_PAGE: usize = 1_000;
/// The entries of a page unless asked otherwise.
const PAGE: usize = 50;

pub(super) async fn status(State(state): Admin) -> Answer<Status> {
    let source = |source: &Arc<crate::config::Source>| SourceView {
        name: source.name.clone(),
        provider: source.provider.clone(),
        path: source.path.clone(),
        deliver: source.deliver.clone(),
        addresses: source.addresses.snapshot(),
    };
    let standings = state.engine.standings();
    let destinations = state.store.backlogs().await?.into_iter().map(|backlog| {
        let standing = standings.get(&backlog.destination);
        DestinationView {
            circuit: circuit(standing.map_or(Phase::Closed, |standing| standing.phase)).to_owned(),
            open_until: standing.and_then(|standing| standing.open_until),
            cause: standing.and_then(|standing| standing.cause.clone()),
            backlog,
        }
    });
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: state.started_at,
        now: state.clock.now(),
        store: state.store.status().await?,
        destinations: destinations.collect(),
        sources: state.sources.iter().map(source).collect(),
    }))
}

fn circuit(phase: Phase) -> &'static str {
    match phase {
        Phase::Closed => "closed",
        Phase::Open => "open",
        Phase::HalfOpen => "half_open",
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventParameters {
    source: Option<SourceName>,
    r#type: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    #[serde(default)]
    order: Order,
    cursor: Option<Cursor>,
    limit: Option<usize>,
    #[serde(default)]
    body: bool,
}

pub(super) async fn events(
    State(state): Admin,
    parameters: Result<Query<EventParameters>, axum::extract::rejection::QueryRejection>,
) -> Answer<List<EventView>> {
    let Query(asked) = parameters.map_err(|error| Problem::bad_request(error.body_text()))?;
    let query = EventQuery {
        source: asked.source,
        event_type: asked.r#type,
        since: asked.since,
        until: asked.until,
        order: asked.order,
        cursor: asked.cursor,
        limit: asked.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE),
    };
    let page = state.store.events(&query).await?;
    let data = page.items.iter().map(|event| EventView::of(event, asked.body)).collect();
    Ok(Json(List { data, next_cursor: page.next }))
}

pub(super) async fn event(State(state): Admin, Path(id): Path<String>) -> Answer<EventDetail> {
    let id: EventId = parse(&id)?;
    let event = state.store.event(id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let query = DeliveryQuery { event: Some(id), limit: MAX_PAGE, ..DeliveryQuery::default() };
    Ok(Json(EventDetail {
        event: EventView::of(&event, true),
        deliveries: state.store.deliveries(&query).await?.items,
        attempts: state.store.attempts(id).await?,
    }))
}

/// The body, byte for byte, as a download: whatever it is, no browser runs it.
pub(super) async fn raw(State(state): Admin, Path(id): Path<String>) -> Result<Response, Problem> {
    let id: EventId = parse(&id)?;
    let event = state.store.event(id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let mut response = event.body().clone().into_response();
    let set = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("content-security-policy"), "sandbox"),
    ];
    for (name, value) in set {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

pub(super) async fn replay(
    State(state): Admin,
    Path(id): Path<String>,
    body: Result<Json<ReplayRequest>, axum::extract::rejection::JsonRejection>,
) -> Answer<Replayed> {
    let Json(asked) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let id: EventId = parse(&id)?;
    let event = state.store.event(id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let destinations = match asked.destination {
        Some(destination) if state.destinations.contains(&destination) => vec![destination],
        Some(_) => return Err(Problem::not_found("destination")),
        None => {
            let source = state.sources.iter().find(|source| source.name == event.record().source);
            source.map(|source| source.deliver.clone()).unwrap_or_default()
        }
    };
    if destinations.is_empty() {
        return Err(Problem::bad_request("its source delivers nowhere: name a destination"));
    }
    let mut deliveries = Vec::new();
    for destination in &destinations {
        deliveries.extend(state.store.redeliver(id, destination).await?);
    }
    Ok(Json(Replayed { deliveries }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefusalParameters {
    source: Option<SourceName>,
    cursor: Option<Cursor>,
    limit: Option<usize>,
}

pub(super) async fn refusals(
    State(state): Admin,
    parameters: Result<Query<RefusalParameters>, axum::extract::rejection::QueryRejection>,
) -> Answer<List<StoredRefusal>> {
    let Query(asked) = parameters.map_err(|error| Problem::bad_request(error.body_text()))?;
    let limit = asked.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let query = RefusalQuery { source: asked.source, cursor: asked.cursor, limit };
    Ok(Json(list(state.store.refusals(&query).await?)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryParameters {
    event: Option<EventId>,
    destination: Option<DestinationName>,
    state: Option<DeliveryState>,
    cursor: Option<Cursor>,
    limit: Option<usize>,
}

pub(super) async fn deliveries(
    State(state): Admin,
    parameters: Result<Query<DeliveryParameters>, axum::extract::rejection::QueryRejection>,
) -> Answer<List<Delivery>> {
    let Query(asked) = parameters.map_err(|error| Problem::bad_request(error.body_text()))?;
    let query = DeliveryQuery {
        event: asked.event,
        destination: asked.destination,
        state: asked.state,
        cursor: asked.cursor,
        limit: asked.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE),
    };
    Ok(Json(list(state.store.deliveries(&query).await?)))
}

pub(super) async fn retry(State(state): Admin, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let id: DeliveryId = parse(&id)?;
    match state.store.retry(&id).await? {
        RetryOutcome::Due => Ok(StatusCode::NO_CONTENT),
        RetryOutcome::Unknown => Err(Problem::not_found("delivery")),
        RetryOutcome::Refused(now) => Err(Problem::new(
            StatusCode::CONFLICT,
            "not-retryable",
            format!(
                "the delivery is {}: only waiting, dead and cancelled ones are retried; replay the event to send it again",
                now.as_str()
            ),
        )),
    }
}

fn list<T>(page: Page<T>) -> List<T> {
    List { data: page.items, next_cursor: page.next }
}

fn parse<T>(text: &str) -> Result<T, Problem>
where
    T: FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error: T::Err| Problem::bad_request(error.to_string()))
}
