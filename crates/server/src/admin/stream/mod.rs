//! `/api/v1/stream`: what happens, as it happens, to whoever listens (server-sent events, WHATWG HTML section 9.2).
//!
//! Events and refusals are read from the store, from the place at which the client was: it may sleep for a week and goes
//! on where it stopped. The [`feed`] says only that there is something new. Attempts, of which the store has no log, are
//! told live; a client that resumes is told instead how the newest deliveries stand that changed meanwhile.
//!
//! A stream holds one page of what it sends. It reads the next one when the client has taken that, so a slow client costs
//! no memory; one that takes nothing at all is cut off by its connection, and one that is too far behind with attempts
//! by the feed. Both resume.

pub(crate) mod feed;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod position;
mod tail;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hookhouse_core::store::{Order, RefusalQuery};
use hookhouse_core::{SourceName, Timestamp};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::AdminState;
use super::extract::Params;
use super::problem::Problem;
use position::Position;
use tail::{Tail, Wish};

pub(crate) use feed::Feed;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// `event.received`: an event.
    Events,
    /// `event.refused`: a refusal.
    Refusals,
    /// `delivery.attempted`: a try, and what follows it.
    Attempts,
    /// `delivery.changed`: a delivery that an operator changed, or that changed while the client was away.
    Deliveries,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamParams {
    /// Where to begin: `now`, `beginning`, or the `id` of something that was sent. `Last-Event-ID` counts for more.
    #[serde(default)]
    #[param(value_type = Option<String>, pattern = "^(now|beginning|[0-9]{1,18}-[0-9]{1,18}-[0-9]{1,13})$")]
    from: Option<String>,
    /// What to tell, with commas: `events`, `refusals`, `attempts`, `deliveries`; everything unless said.
    #[serde(default)]
    #[param(value_type = Option<String>, pattern = "^(events|refusals|attempts|deliveries)(,(events|refusals|attempts|deliveries)){0,3}$")]
    kinds: Option<String>,
    /// Only of this source.
    #[param(value_type = Option<String>)]
    source: Option<SourceName>,
    /// Only events of this type; `*` stands for any text, as in `post.*`.
    r#type: Option<String>,
    /// Only events that were received at or after.
    since: Option<Timestamp>,
    /// Only events that a signature vouches for, or only those that none does.
    verified: Option<bool>,
    /// Events with their bodies.
    #[serde(default)]
    body: bool,
}

/// What happens, as it happens
///
/// Server-sent events. Each `id` is a place in the store's logs: sent back as `Last-Event-ID`, it makes the stream go on
/// there, whatever became of the server meanwhile. `event` says what it is: `event.received` (an Event),
/// `event.refused` (a Refusal), `delivery.attempted` (an Attempt with what follows it), `delivery.changed` (a Delivery).
/// Every fifteen seconds there is at least a comment. The stream ends when the server stops, and when the client is too
/// slow; it is to connect again.
#[utoipa::path(
    get, path = "/stream", tag = "stream",
    params(
        StreamParams,
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of what was received last",
            pattern = "^[0-9]{1,18}-[0-9]{1,18}-[0-9]{1,13}$"),
    ),
    responses((status = 200, description = "The stream", body = String, content_type = "text/event-stream")),
)]
pub(super) async fn stream(
    State(state): State<Arc<AdminState>>,
    Params(asked): Params<StreamParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wish = Wish {
        kinds: kinds(asked.kinds.as_deref())?,
        source: asked.source,
        event_type: asked.r#type,
        since: asked.since,
        verified: asked.verified,
        body: asked.body,
    };
    let resumed = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let (mut at, is_resumed) = match (resumed, asked.from.as_deref()) {
        (Some(id), _) => (place(id)?, true),
        (None, None | Some("now")) => (now(&state).await?, false),
        (None, Some("beginning")) => {
            (Position { millis: state.clock.now().as_millisecond(), ..Position::default() }, false)
        }
        (None, Some(id)) => (place(id)?, true),
    };
    // A place that the log has never reached would skip what comes. Looked at once: the head that a store tells may be a
    // moment behind the events that it shows, and whoever follows must not be led back.
    at.event = at.event.min(state.store.status().await?.head.0);
    let Some(seat) = state.feed.seat() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-streams",
            format!("{} streams are open already", feed::MOST_CLIENTS),
        )
        .retry_after(5));
    };
    let tail = Tail::new(state, wish, at, is_resumed, seat);
    let frames = stream::unfold(tail, |mut tail| async {
        let frame = tail.next().await?;
        Some((Ok::<Event, Infallible>(frame), tail))
    });
    Ok(Sse::new(frames).into_response())
}

fn kinds(text: Option<&str>) -> Result<Vec<Kind>, Problem> {
    let Some(text) = text else {
        return Ok(vec![Kind::Events, Kind::Refusals, Kind::Attempts, Kind::Deliveries]);
    };
    let kind = |word: &str| match word {
        "events" => Ok(Kind::Events),
        "refusals" => Ok(Kind::Refusals),
        "attempts" => Ok(Kind::Attempts),
        "deliveries" => Ok(Kind::Deliveries),
        _ => Err(Problem::bad_request("`kinds` are events, refusals, attempts and deliveries, with commas")),
    };
    text.split(',').map(kind).collect()
}

fn place(text: &str) -> Result<Position, Problem> {
    text.parse().map_err(|error: position::PositionError| Problem::bad_request(error.to_string()))
}

/// The end of both logs.
async fn now(state: &AdminState) -> Result<Position, Problem> {
    let event = state.store.status().await?.head.0;
    let newest = RefusalQuery { order: Order::NewestFirst, limit: 1, ..RefusalQuery::default() };
    let refusals = state.store.refusals(&newest).await?.items;
    let refusal = refusals.first().map_or(0, |newest| newest.sequence.0);
    Ok(Position { event, refusal, millis: state.clock.now().as_millisecond() })
}
