//! Sources: the endpoints that senders call.

use axum::Json;
use axum::extract::State;
use hookhouse_core::SourceName;

use super::{Admin, Answer};
use crate::admin::extract::{Id, NoParams};
use crate::admin::problem::Problem;
use crate::admin::view::{List, SourceView};

/// List sources
///
/// With what became of their requests since the start.
#[utoipa::path(
    get, path = "/sources", tag = "sources",
    responses((status = 200, description = "Every source", body = List<SourceView>)),
)]
pub(super) async fn list(State(state): Admin, _: NoParams) -> Answer<List<SourceView>> {
    Ok(Json(List { data: state.sources(), next_cursor: None }))
}

/// Show a source
#[utoipa::path(
    get, path = "/sources/{name}", tag = "sources",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The source", body = SourceView)),
)]
pub(super) async fn find(State(state): Admin, Id(name): Id<SourceName>, _: NoParams) -> Answer<SourceView> {
    Ok(Json(state.source(&name).ok_or_else(|| Problem::not_found("source"))?))
}
