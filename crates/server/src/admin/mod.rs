//! The admin listener: health and metrics for machines, an API for programs, sessions for browsers.
//!
//! ```text
//! /livez, /readyz                 never ask for a login
//! /metrics                        a token with the scope `metrics`
//! /login, /logout                 a token for a session, and back
//! /api/v1                         a token or a session, and the scope of each operation
//! /api/v1/openapi.json            what there is: no secret
//! ```
//!
//! Reading order: `access` is who may do what; `view` is what is shown and `read` where it comes from, neither of
//! which knows HTTP; `api` are the handlers, and `cursors`; `stream`, `replays` and `idempotency` are what they
//! stand on.

mod access;
mod api;
pub mod cursors;
pub(crate) mod edit;
mod extract;
pub(crate) mod health;
mod idempotency;
mod kept;
mod problem;
mod read;
mod replays;
mod stream;
#[cfg(any(fuzzing, test))]
pub(crate) use self::stream::fuzzing;
pub mod view;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use hookhouse_core::{Clock, EventStore, Timestamp};
use hookhouse_delivery::Engine;
use http::{StatusCode, header};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::care::Watching;
use crate::metrics::Metrics;
use crate::reload::{InForce, Reloader};
use crate::tls::Certificates;
use crate::ui::{self, Pulse};
use health::{AllSeats, Listening};
use problem::Problem;

pub use access::Token;
pub(crate) use access::login::Peer;
pub use access::scope::{Scope, ScopeError};
pub(crate) use access::{Access, Principal, Sessions, Throttle, Tokens, is_session};
pub(crate) use api::tell;
pub(crate) use idempotency::Idempotency;
pub(crate) use replays::{Cancelled, Replays};
pub(crate) use stream::Feed;

/// What the admin side knows.
pub(crate) struct AdminState {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) access: Access,
    /// The configuration that is served, and who goes on with another one.
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) replays: Arc<Replays>,
    pub(crate) idempotency: Idempotency,
    pub(crate) feed: Arc<Feed>,
    pub(crate) started_at: Timestamp,
    pub(crate) stopping: CancellationToken,
    /// Waits for what is begun beside an answer.
    pub(crate) tracker: TaskTracker,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) webhooks: Arc<Watching>,
    pub(crate) listening: Arc<Listening>,
    pub(crate) seats: AllSeats,
    pub(crate) certificates: Arc<Certificates>,
    /// Free bytes that the store leaves.
    pub(crate) reserve: u64,
    /// What the pages draw.
    pub(crate) pulse: Arc<Pulse>,
    /// Where operators reach the server.
    pub(crate) address: SocketAddr,
}

impl AdminState {
    /// The configuration that is served.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.reloader.ground.in_force.get()
    }
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").finish_non_exhaustive()
    }
}

/// Everything the admin listener serves.
pub(crate) fn router(state: Arc<AdminState>) -> Router {
    let (routes, document) = api::described();
    // It is made of the handlers' own words; that it can be written out, a test checks.
    let document = Bytes::from(document.to_json().unwrap_or_default());
    let metrics = get(health::metrics)
        .layer(from_fn_with_state(Scope::Metrics, access::demand))
        .layer(from_fn_with_state(Arc::clone(&state), access::authenticate));
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", metrics)
        .route("/api/v1/openapi.json", get(move || async { json(document) }))
        .merge(routes.guarded(&state))
        .merge(ui::framed(ui::public()))
        .merge(ui::framed(ui::router().route_layer(from_fn_with_state(Arc::clone(&state), access::enter))))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this is not done here")
        })
        .layer(from_fn(ui::door))
        .layer(from_fn(access::guard::origin))
        .layer(from_fn_with_state(Arc::clone(&state), access::guard::host))
        .layer(from_fn(access::guard::protect))
        .with_state(state)
}

fn json(document: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

#[cfg(test)]
mod tests;
