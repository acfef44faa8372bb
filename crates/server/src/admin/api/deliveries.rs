//! Deliveries: what is on its way, what is not, and another try.

use axum::Json;
use axum::extract::State;
use hookhouse_core::store::{CancelOutcome, Cursor, DeliveryQuery, RetryOutcome};
use hookhouse_core::{Attempt, Delivery, DeliveryId, DeliveryState, DestinationName, EventId};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::events::tell;
use super::{Admin, Answer, MAX_PAGE, limit};
use crate::admin::AdminState;
use crate::admin::extract::{Id, NoParams, Params};
use crate::admin::problem::Problem;
use crate::admin::view::shape::{AttemptShape, DeliveryShape, StateShape};
use crate::admin::view::{EditView, List};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryParams {
    /// Only of this event.
    #[param(value_type = Option<String>)]
    event: Option<EventId>,
    /// Only to this destination.
    #[param(value_type = Option<String>)]
    destination: Option<DestinationName>,
    /// Only in this state.
    #[param(value_type = Option<StateShape>, inline)]
    state: Option<DeliveryState>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,19}$")]
    cursor: Option<Cursor>,
    /// How many, at most.
    #[param(minimum = 0)]
    limit: Option<usize>,
}

/// List deliveries
///
/// The newest first. `state=dead` are those that were given up.
#[utoipa::path(
    get, path = "/deliveries", tag = "deliveries",
    params(DeliveryParams),
    responses((status = 200, description = "A page of deliveries", body = List<DeliveryShape>)),
)]
pub(super) async fn list(
    State(state): Admin,
    Params(asked): Params<DeliveryParams>,
) -> Answer<List<Delivery>> {
    let query = DeliveryQuery {
        event: asked.event,
        destination: asked.destination,
        state: asked.state,
        cursor: asked.cursor,
        limit: limit(asked.limit),
    };
    Ok(Json(super::list(state.store.deliveries(&query).await?)))
}

/// Show a delivery
#[utoipa::path(
    get, path = "/deliveries/{id}", tag = "deliveries",
    params(("id" = String, Path, description = "`evt_…:app`, and `evt_…:app:2` for a replay")),
    responses((status = 200, description = "The delivery", body = DeliveryShape)),
)]
pub(super) async fn find(State(state): Admin, Id(id): Id<DeliveryId>, _: NoParams) -> Answer<Delivery> {
    Ok(Json(one(&state, &id).await?))
}

/// List the attempts of a delivery
///
/// The oldest first.
#[utoipa::path(
    get, path = "/deliveries/{id}/attempts", tag = "deliveries",
    params(("id" = String, Path, description = "`evt_…:app`, and `evt_…:app:2` for a replay")),
    responses((status = 200, description = "The attempts", body = List<AttemptShape>)),
)]
pub(super) async fn attempts(
    State(state): Admin,
    Id(id): Id<DeliveryId>,
    _: NoParams,
) -> Answer<List<Attempt>> {
    one(&state, &id).await?;
    let mut data = state.store.attempts(id.event).await?;
    data.retain(|attempt| attempt.delivery == id);
    Ok(Json(List { data, next_cursor: None }))
}

/// Show what an edited delivery sends
///
/// There is none where the stored bytes are sent: `edited` of the delivery says which it is.
#[utoipa::path(
    get, path = "/deliveries/{id}/edit", tag = "deliveries",
    params(("id" = String, Path, description = "`evt_…:app:2`")),
    responses((status = 200, description = "What is sent in the place of the stored bytes", body = EditView)),
)]
pub(super) async fn edit(State(state): Admin, Id(id): Id<DeliveryId>, _: NoParams) -> Answer<EditView> {
    let edit = state.store.edit(&id).await?.ok_or_else(|| Problem::not_found("edited delivery"))?;
    Ok(Json(EditView::of(&edit)))
}

/// Try a delivery now
///
/// One that waits, was given up or was called off.
#[utoipa::path(
    post, path = "/deliveries/{id}/retry", tag = "deliveries",
    params(("id" = String, Path, description = "`evt_…:app`, and `evt_…:app:2` for a replay")),
    responses((status = 204, description = "It is due now")),
)]
pub(super) async fn retry(
    State(state): Admin,
    Id(id): Id<DeliveryId>,
    _: NoParams,
) -> Result<StatusCode, Problem> {
    match state.store.retry(&id).await? {
        RetryOutcome::Due => {
            tell(&state, &id).await;
            Ok(StatusCode::NO_CONTENT)
        }
        RetryOutcome::Unknown => Err(Problem::not_found("delivery")),
        RetryOutcome::Refused(now) => Err(Problem::conflict(
            "not-retryable",
            format!(
                "the delivery is {}: only waiting, dead and cancelled ones are retried; replay the event to send it again",
                now.as_str()
            ),
        )),
    }
}

/// Call a delivery off
///
/// One that is due, waits or was given up. It stays until somebody retries it.
#[utoipa::path(
    post, path = "/deliveries/{id}/cancel", tag = "deliveries",
    params(("id" = String, Path, description = "`evt_…:app`, and `evt_…:app:2` for a replay")),
    responses((status = 204, description = "It is cancelled")),
)]
pub(super) async fn cancel(
    State(state): Admin,
    Id(id): Id<DeliveryId>,
    _: NoParams,
) -> Result<StatusCode, Problem> {
    match state.store.cancel(&id).await? {
        CancelOutcome::Cancelled => {
            tell(&state, &id).await;
            Ok(StatusCode::NO_CONTENT)
        }
        CancelOutcome::Unknown => Err(Problem::not_found("delivery")),
        CancelOutcome::Refused(now) => Err(Problem::conflict(
            "not-cancellable",
            format!("the delivery is {}: only pending, waiting and dead ones are called off", now.as_str()),
        )),
    }
}

async fn one(state: &AdminState, id: &DeliveryId) -> Result<Delivery, Problem> {
    let mut query = DeliveryQuery {
        event: Some(id.event),
        destination: Some(id.destination.clone()),
        limit: MAX_PAGE,
        ..DeliveryQuery::default()
    };
    loop {
        let page = state.store.deliveries(&query).await?;
        if let Some(found) = page.items.into_iter().find(|delivery| delivery.id == *id) {
            return Ok(found);
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Err(Problem::not_found("delivery"));
        }
    }
}
