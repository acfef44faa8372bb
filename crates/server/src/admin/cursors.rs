//! Cursors: how far a listener elsewhere has come, kept here under a name, so that it goes on where it stopped.
//!
//! A cursor is a place in the log of events and nothing more: it holds no event back, and moving it delivers nothing.
//! Whoever takes one has it until somebody else does; the former holder is told when it next moves it. All of them lie in
//! one document of the store's small state, so that there are only so many.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hookhouse_core::{Sequence, SourceName, Timestamp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;
use super::extract::{Body, Id, NoParams};
use super::kept::Kept;
use super::problem::Problem;
use super::view::List;

/// Cursors at most.
const MOST: usize = 256;

/// The longest holder.
const LONGEST_HOLDER: usize = 64;

const KEY: &str = "admin/cursors";

/// A cursor's name: the same as a source's could be.
type Name = SourceName;

/// How far a listener has come.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Cursor)]
pub struct CursorView {
    /// Its name.
    #[schema(value_type = String)]
    pub name: Name,
    /// The place in the log of the last event that was taken.
    #[schema(value_type = u64)]
    pub after: Sequence,
    /// Who has it: a word of the listener's own.
    pub holder: String,
    /// When it was moved last.
    #[schema(value_type = String, format = DateTime)]
    pub moved_at: Timestamp,
}

/// A wish to move a cursor.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveCursor {
    /// Where to; without it, it stays where it is. A new one begins at the end of the log.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    pub after: Option<Sequence>,
    /// Who moves it: a word of the listener's own.
    #[schema(min_length = 1, max_length = 64)]
    pub holder: String,
    /// Whether to take it from whoever has it.
    #[serde(default)]
    pub take: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document(BTreeMap<Name, Cursor>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    after: Sequence,
    holder: String,
    moved_at: Timestamp,
}

impl Cursor {
    fn view(&self, name: &Name) -> CursorView {
        CursorView {
            name: name.clone(),
            after: self.after,
            holder: self.holder.clone(),
            moved_at: self.moved_at,
        }
    }
}

fn kept(state: &AdminState) -> Kept<Document> {
    Kept::new(&state.store, KEY)
}

/// List cursors
///
/// In the order of their names.
#[utoipa::path(
    get, path = "/cursors", tag = "cursors",
    responses((status = 200, description = "Every cursor", body = List<CursorView>)),
)]
pub(super) async fn list(
    State(state): State<Arc<AdminState>>,
    _: NoParams,
) -> Result<Json<List<CursorView>>, Problem> {
    let document = kept(&state).read().await?.unwrap_or_default();
    let data = document.0.iter().map(|(name, cursor)| cursor.view(name)).collect();
    Ok(Json(List { data, next_cursor: None }))
}

/// Show a cursor
#[utoipa::path(
    get, path = "/cursors/{name}", tag = "cursors",
    params(("name" = String, Path, description = "Its name", pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")),
    responses((status = 200, description = "The cursor", body = CursorView)),
)]
pub(super) async fn find(
    State(state): State<Arc<AdminState>>,
    Id(name): Id<Name>,
    _: NoParams,
) -> Result<Json<CursorView>, Problem> {
    let document = kept(&state).read().await?.unwrap_or_default();
    let cursor = document.0.get(&name).ok_or_else(|| Problem::not_found("cursor"))?;
    Ok(Json(cursor.view(&name)))
}

/// Move a cursor
///
/// A cursor that is not there is made. `take` takes it from whoever has it; without that, whoever has it not is told so.
#[utoipa::path(
    put, path = "/cursors/{name}", tag = "cursors",
    params(("name" = String, Path, description = "Its name", pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")),
    request_body = MoveCursor,
    responses((status = 200, description = "Where it is now", body = CursorView)),
)]
pub(super) async fn set(
    State(state): State<Arc<AdminState>>,
    Id(name): Id<Name>,
    _: NoParams,
    Body(asked): Body<MoveCursor>,
) -> Result<Json<CursorView>, Problem> {
    if asked.holder.is_empty() || asked.holder.len() > LONGEST_HOLDER {
        return Err(Problem::bad_request(format!("`holder` has 1 to {LONGEST_HOLDER} bytes")));
    }
    if asked.after.is_some_and(|Sequence(after)| i64::try_from(after).is_err()) {
        return Err(Problem::bad_request("`after` is no place in the log"));
    }
    let head = state.store.status().await?.head;
    let now = state.clock.now();
    let moved = kept(&state)
        .change(|Document(all)| {
            let known = all.get(&name);
            if known.is_some_and(|cursor| cursor.holder != asked.holder && !asked.take) {
                return Err(Refused::Taken);
            }
            if known.is_none() && all.len() >= MOST {
                return Err(Refused::TooMany);
            }
            // A place that the log has not reached yet would skip what comes.
            let after = asked.after.or(known.map(|cursor| cursor.after)).unwrap_or(head).min(head);
            let cursor = Cursor { after, holder: asked.holder.clone(), moved_at: now };
            let view = cursor.view(&name);
            all.insert(name.clone(), cursor);
            Ok(view)
        })
        .await?;
    moved.map(Json).map_err(|why| match why {
        Refused::Taken => Problem::conflict(
            "cursor-taken",
            format!("somebody else listens as `{name}` now, and has its cursor"),
        ),
        Refused::TooMany => Problem::conflict(
            "too-many-cursors",
            format!("there are {MOST} cursors: forget one (`hookhouse listen --forget --name NAME`)"),
        ),
    })
}

/// Why a cursor does not move.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Taken,
    TooMany,
}

/// Forget a cursor
///
/// Nothing else changes: whoever listens by it begins anew.
#[utoipa::path(
    delete, path = "/cursors/{name}", tag = "cursors",
    params(("name" = String, Path, description = "Its name", pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")),
    responses((status = 204, description = "It is forgotten")),
)]
pub(super) async fn forget(
    State(state): State<Arc<AdminState>>,
    Id(name): Id<Name>,
    _: NoParams,
) -> Result<StatusCode, Problem> {
    let removed = kept(&state).change(|Document(all)| all.remove(&name).is_some()).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("cursor")) }
}
