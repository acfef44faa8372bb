//! Refusals: what was turned away, and why.

use axum::Json;
use axum::extract::State;
use hookhouse_core::store::{Cursor, Order, RefusalQuery};
use hookhouse_core::{SourceName, StoredRefusal};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Admin, Answer, limit};
use crate::admin::extract::{Id, NoParams, Params};
use crate::admin::problem::Problem;
use crate::admin::view::shape::{OrderShape, RefusalShape};
use crate::admin::view::{List, find_refusal};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RefusalParams {
    /// Only of this source.
    #[param(value_type = Option<String>)]
    source: Option<SourceName>,
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
}

/// List refusals
///
/// The newest first, unless asked otherwise; the newest ten thousand are kept.
#[utoipa::path(
    get, path = "/refusals", tag = "refusals",
    params(RefusalParams),
    responses((status = 200, description = "A page of refusals", body = List<RefusalShape>)),
)]
pub(super) async fn list(
    State(state): Admin,
    Params(asked): Params<RefusalParams>,
) -> Answer<List<StoredRefusal>> {
    let RefusalParams { source, order, cursor, limit: asked } = asked;
    let query = RefusalQuery { source, order, cursor, limit: limit(asked) };
    Ok(Json(super::list(state.store.refusals(&query).await?)))
}

/// Show a refusal
///
/// By the id that the sender was told.
#[utoipa::path(
    get, path = "/refusals/{id}", tag = "refusals",
    params(("id" = String, Path, description = "`req_…`")),
    responses((status = 200, description = "The refusal", body = RefusalShape)),
)]
pub(super) async fn find(State(state): Admin, Id(id): Id<String>, _: NoParams) -> Answer<StoredRefusal> {
    let found = find_refusal(&*state.store, &id).await?;
    Ok(Json(found.ok_or_else(|| Problem::not_found("refusal"))?))
}
