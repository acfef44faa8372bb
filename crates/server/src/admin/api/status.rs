//! How the server is.

use axum::Json;
use axum::extract::State;

use super::{Admin, Answer};
use crate::admin::extract::NoParams;
use crate::admin::view::Status;

/// Show how the server is
///
/// Its store, its destinations, its sources and its certificates.
#[utoipa::path(
    get, path = "/status", tag = "status",
    responses((status = 200, description = "How it is", body = Status)),
)]
pub(super) async fn status(State(state): Admin, _: NoParams) -> Answer<Status> {
    Ok(Json(state.status().await?))
}
