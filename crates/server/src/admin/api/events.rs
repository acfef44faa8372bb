//! Events: what was received and stored.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use hookhouse_core::store::{Cursor, DeliveryQuery, EventQuery, Order};
use hookhouse_core::{Attempt, DeliveryId, EventId, SourceName, Timestamp};
use http::{HeaderName, HeaderValue, header};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Admin, Answer, limit};
use crate::admin::access::Principal;
use crate::admin::extract::{Body, Id, NoParams, Params};
use crate::admin::problem::Problem;
use crate::admin::view::shape::{AttemptShape, OrderShape};
use crate::admin::view::{EventDetail, EventView, List, ReplayRequest, Replayed};
use crate::admin::{AdminState, edit};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParams {
    /// Only of this source.
    #[param(value_type = Option<String>)]
    source: Option<SourceName>,
    /// Only of this type; `*` stands for any text, as in `post.*`.
    r#type: Option<String>,
    /// Only received at or after.
    since: Option<Timestamp>,
    /// Only received before.
    until: Option<Timestamp>,
    /// Only those that a signature vouches for, or only those that none does.
    verified: Option<bool>,
    /// Only those whose id, type, target or body has this text in it; a to z as A to Z. So many bodies are searched for a
    /// page, so a page may be empty and still have a next one.
    #[param(max_length = 200)]
    text: Option<String>,
    /// Which way.
    #[serde(default)]
    #[param(value_type = Option<OrderShape>, inline)]
    order: Order,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,19}$")]
    cursor: Option<Cursor>,
    /// How many, at most.
    #[param(minimum = 0)]
    limit: Option<usize>,
    /// With their bodies.
    #[serde(default)]
    body: bool,
}

/// List events
///
/// The newest first, unless asked otherwise. A page may have fewer entries than its limit and still have a next one.
#[utoipa::path(
    get, path = "/events", tag = "events",
    params(EventParams),
    responses((status = 200, description = "A page of events", body = List<EventView>)),
)]
pub(super) async fn list(State(state): Admin, Params(asked): Params<EventParams>) -> Answer<List<EventView>> {
    if asked.text.as_ref().is_some_and(|text| text.chars().count() > LONGEST_TEXT) {
        return Err(Problem::bad_request(format!("`text` has at most {LONGEST_TEXT} characters")));
    }
    let query = EventQuery {
        source: asked.source,
        event_type: asked.r#type,
        since: asked.since,
        until: asked.until,
        verified: asked.verified,
        text: asked.text.filter(|text| !text.is_empty()),
        order: asked.order,
        cursor: asked.cursor,
        limit: limit(asked.limit),
    };
    let page = state.store.events(&query).await?;
    let data = page.items.iter().map(|event| EventView::of(event, asked.body)).collect();
    Ok(Json(List { data, next_cursor: page.next }))
}

/// The longest text that is searched for, in characters.
const LONGEST_TEXT: usize = 200;

/// Show an event
///
/// With its body, what became of it, and what its sender was answered where a destination answers itself.
#[utoipa::path(
    get, path = "/events/{id}", tag = "events",
    params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, description = "The event", body = EventDetail)),
)]
pub(super) async fn find(State(state): Admin, Id(id): Id<EventId>, _: NoParams) -> Answer<EventDetail> {
    let detail = EventDetail::read(&*state.store, id).await?;
    Ok(Json(detail.ok_or_else(|| Problem::not_found("event"))?))
}

/// Download an event's body
///
/// Byte for byte, as an attachment: whatever it is, no browser runs it.
#[utoipa::path(
    get, path = "/events/{id}/raw", tag = "events",
    params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, description = "The body", body = Vec<u8>, content_type = "application/octet-stream",
        headers(("Content-Disposition" = String, description = "`attachment`")))),
)]
pub(super) async fn raw(State(state): Admin, Id(id): Id<EventId>, _: NoParams) -> Result<Response, Problem> {
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

/// List the attempts to deliver an event
///
/// Every one, to every destination, the oldest first.
#[utoipa::path(
    get, path = "/events/{id}/attempts", tag = "events",
    params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, description = "The attempts", body = List<AttemptShape>)),
)]
pub(super) async fn attempts(State(state): Admin, Id(id): Id<EventId>, _: NoParams) -> Answer<List<Attempt>> {
    if state.store.event(id).await?.is_none() {
        return Err(Problem::not_found("event"));
    }
    Ok(Json(List { data: state.store.attempts(id).await?, next_cursor: None }))
}

/// Deliver an event again
///
/// Each replay is a delivery of its own, with attempts and a state of its own. With `edit`, it sends other bytes than the
/// stored ones, and says so.
#[utoipa::path(
    post, path = "/events/{id}/replay", tag = "events",
    params(("id" = String, Path, description = "`evt_…`")),
    request_body = ReplayRequest,
    responses((status = 200, description = "The deliveries that were made", body = Replayed)),
)]
pub(super) async fn replay(
    State(state): Admin,
    Extension(principal): Extension<Principal>,
    Id(id): Id<EventId>,
    _: NoParams,
    Body(asked): Body<ReplayRequest>,
) -> Answer<Replayed> {
    let event = state.store.event(id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let made = asked.edit.map(|asked| edit::edit(&event, &asked, edit::mark(&state, &principal)));
    let edit = made.transpose().map_err(|error| Problem::bad_request(error.to_string()))?;
    let in_force = state.in_force();
    let destinations = match asked.destination {
        Some(destination) if in_force.destinations.contains(&destination) => vec![destination],
        Some(_) => return Err(Problem::not_found("destination")),
        None => {
            let source = in_force.sources.iter().find(|source| source.name == event.record().source);
            source.map(|source| source.deliver.clone()).unwrap_or_default()
        }
    };
    if destinations.is_empty() {
        return Err(Problem::bad_request("its source delivers nowhere: name a destination"));
    }
    let mut deliveries = Vec::new();
    for destination in &destinations {
        deliveries.extend(match &edit {
            None => state.store.redeliver(id, destination).await?,
            Some(edit) => state.store.redeliver_edited(id, destination, edit.clone()).await?,
        });
    }
    for delivery in &deliveries {
        tell(&state, delivery).await;
    }
    Ok(Json(Replayed { deliveries }))
}

/// Tells streams that somebody changed a delivery. That it was changed does not hang on it.
pub(crate) async fn tell(state: &AdminState, id: &DeliveryId) {
    let query = DeliveryQuery {
        event: Some(id.event),
        destination: Some(id.destination.clone()),
        limit: super::MAX_PAGE,
        ..DeliveryQuery::default()
    };
    let found = state.store.deliveries(&query).await.ok().map(|page| page.items).unwrap_or_default();
    if let Some(delivery) = found.into_iter().find(|delivery| delivery.id == *id) {
        state.feed.changed(delivery);
    }
}
