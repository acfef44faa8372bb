//! One event, on a page of its own.

pub(super) mod body;
pub(super) mod checks;
pub(super) mod curl;
pub(super) mod diff;
pub(super) mod edit;
mod hex;
mod json;
pub(super) mod timeline;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect};
use hookhouse_core::EventId;
use hookhouse_core::store::EventQuery;
use serde::Deserialize;

use super::Admin;
use super::article::Article;
use super::frame::{Frame, Section, Visit};
use super::shown::{Asked, Shown, Trouble, page};
use body::BodyForm;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    body: BodyForm,
    /// With the event before it.
    diff: Option<String>,
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    frame: Frame,
    article: Article,
}

pub(super) async fn event(
    State(state): Admin,
    visit: Visit,
    Path(id): Path<String>,
    Asked(asked): Asked<Question>,
) -> Shown {
    let id: EventId = id.parse().map_err(|_| Trouble::NotFound("event"))?;
    let article = Article::read(&state, id, asked.body, asked.diff.is_some(), &visit.here).await?;
    let title = format!("{} · {}", article.title, article.id);
    page(&EventPage { frame: Frame::new(Some(Section::Live), title, visit, state.dead().await), article })
}

/// The newest event, for a bookmark.
pub(super) async fn latest(State(state): Admin) -> Shown {
    let query = EventQuery { limit: 1, ..EventQuery::default() };
    let newest =
        state.store.events(&query).await?.items.into_iter().next().ok_or(Trouble::NotFound("event"))?;
    Ok(Redirect::to(&format!("/events/{}", newest.id())).into_response())
}
