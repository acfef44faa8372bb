//! The web UI: pages made on the server. They work without JavaScript and are live with it.
//!
//! ```text
//! request ─▶ finish (headers, trouble) ─▶ a page ─▶ store, pulse, engine ─▶ templates (escaped) ─▶ HTML
//!                                         └ action ─▶ the page it came from, which says what was done
//! app.js: hears /api/v1/stream, fetches the page that it is on again, and puts the parts that changed in place
//! ```
//!
//! What senders sent is shown as text and nothing else: askama escapes every value, no template says otherwise, and the
//! Content-Security-Policy leaves a script that got in nothing to run with. A piece that is its own template is marked
//! [`HtmlSafe`](askama::filters::HtmlSafe), next to the template that escapes it.

mod action;
mod article;
mod assets;
mod chart;
mod deliveries;
mod destinations;
mod done;
mod door;
mod event;
mod frame;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod hostile;
mod issues;
mod live;
mod moment;
mod place;
mod prose;
mod pulse;
mod refusals;
mod replays;
mod row;
mod search;
mod shown;
mod sources;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware;
use axum::routing::{get, post};

use crate::admin::AdminState;

pub(crate) use door::door;
pub(crate) use pulse::Pulse;

type Admin = State<Arc<AdminState>>;

/// Every page, and what the buttons on them do: for whoever has logged in.
pub(crate) fn router() -> Router<Arc<AdminState>> {
    Router::new()
        .route("/", get(live::live))
        .route("/events/{id}", get(event::event))
        .route("/view/latest", get(event::latest))
        .route("/deliveries", get(deliveries::deliveries))
        .route("/issues", get(issues::issues))
        .route("/sources", get(sources::sources))
        .route("/destinations", get(destinations::destinations))
        .route("/refusals", get(refusals::refusals))
        .route("/status", get(status::status))
        .route("/events/{id}/replay", post(action::replay))
        .route("/events/{id}/edit", post(action::edit))
        .route("/deliveries/{id}/retry", post(action::retry))
        .route("/deliveries/{id}/cancel", post(action::cancel))
        .route("/issues/retry", post(issues::retry))
        .route("/sources/{name}/look", post(action::look))
        .route("/destinations/{name}/pause", post(action::pause))
        .route("/destinations/{name}/resume", post(action::resume))
        .route("/replays", get(replays::replays).post(replays::order))
        .route("/replays/{id}/cancel", post(replays::cancel))
}

/// For whoever has not: the login, the style sheet, the script, the icon, the theme.
pub(crate) fn public() -> Router<Arc<AdminState>> {
    assets::router().route("/login", get(door::login)).route("/theme", post(action::theme))
}

/// Puts around every answer of these routes what is around a page, also around those of whoever keeps the door.
pub(crate) fn framed(routes: Router<Arc<AdminState>>) -> Router<Arc<AdminState>> {
    routes.layer(middleware::from_fn(shown::finish))
}
