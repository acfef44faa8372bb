//! Destinations: where events go, how far behind they are, and holding them back.

use axum::Json;
use axum::extract::State;
use hookhouse_core::DestinationName;

use super::{Admin, Answer};
use crate::admin::AdminState;
use crate::admin::extract::{Id, NoParams};
use crate::admin::problem::Problem;
use crate::admin::view::{DestinationView, List};

/// List destinations
///
/// With their backlogs, their circuits, and what came of their attempts since the start.
#[utoipa::path(
    get, path = "/destinations", tag = "destinations",
    responses((status = 200, description = "Every destination", body = List<DestinationView>)),
)]
pub(super) async fn list(State(state): Admin, _: NoParams) -> Answer<List<DestinationView>> {
    Ok(Json(List { data: state.destinations().await?, next_cursor: None }))
}

/// Show a destination
#[utoipa::path(
    get, path = "/destinations/{name}", tag = "destinations",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The destination", body = DestinationView)),
)]
pub(super) async fn find(
    State(state): Admin,
    Id(name): Id<DestinationName>,
    _: NoParams,
) -> Answer<DestinationView> {
    Ok(Json(state.destination(&name).await?.ok_or_else(|| Problem::not_found("destination"))?))
}

/// Hold a destination
///
/// Nothing is sent to it until it is resumed, also after a restart; what is due waits in its queue. Attempts that are
/// under way end. Answers that a destination gives itself (`relay`) are still asked for.
#[utoipa::path(
    post, path = "/destinations/{name}/pause", tag = "destinations",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "It is held", body = DestinationView)),
)]
pub(super) async fn pause(
    State(state): Admin,
    Id(name): Id<DestinationName>,
    _: NoParams,
) -> Answer<DestinationView> {
    set(&state, &name, true).await
}

/// Let a destination go on
#[utoipa::path(
    post, path = "/destinations/{name}/resume", tag = "destinations",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "It goes on", body = DestinationView)),
)]
pub(super) async fn resume(
    State(state): Admin,
    Id(name): Id<DestinationName>,
    _: NoParams,
) -> Answer<DestinationView> {
    set(&state, &name, false).await
}

async fn set(state: &AdminState, name: &DestinationName, paused: bool) -> Answer<DestinationView> {
    let none = || Problem::not_found("destination");
    state.engine.pause(name, paused).await?.ok_or_else(none)?;
    Ok(Json(state.destination(name).await?.ok_or_else(none)?))
}
