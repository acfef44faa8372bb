//! What the store holds.

use axum::Json;
use axum::extract::State;
use hookhouse_core::StoreStats;

use super::{Admin, Answer};
use crate::admin::extract::NoParams;
use crate::admin::view::shape::StatsShape;

/// Count what the store holds
///
/// Events and their bytes, in all and for each source, and what else takes space. It is a look at every event: it takes its
/// time, and holds nobody up.
#[utoipa::path(
    get, path = "/store", tag = "store",
    responses((status = 200, description = "What it holds", body = StatsShape)),
)]
pub(super) async fn stats(State(state): Admin, _: NoParams) -> Answer<StoreStats> {
    Ok(Json(state.store.stats().await?))
}
