//! The admin listener: health for machines, a small JSON API for the command line.
//!
//! `/livez` and `/readyz` never ask for a login. `/api/v1` wants the token that lies in the store's folder, readable by
//! its owner alone. A `Host` that is neither loopback nor configured gets 421: a web page that rebinds its own name to
//! 127.0.0.1 is not an operator.

mod problem;
mod routes;
mod token;
pub mod view;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hookhouse_core::{Clock, DestinationName, EventStore, Timestamp};
use hookhouse_delivery::Engine;
use http::{StatusCode, header};
use tokio_util::sync::CancellationToken;

use crate::config::Source;
use crate::head;
use problem::Problem;

pub use token::Token;

/// What the admin side knows.
pub(crate) struct AdminState {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) token: Token,
    pub(crate) hosts: Vec<String>,
    pub(crate) sources: Vec<Arc<Source>>,
    pub(crate) destinations: Vec<DestinationName>,
    pub(crate) engine: Engine,
    pub(crate) started_at: Timestamp,
    pub(crate) stopping: CancellationToken,
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").finish_non_exhaustive()
    }
}

/// Everything the admin listener serves.
pub(crate) fn router(state: Arc<AdminState>) -> Router {
    let api = Router::new()
        .route("/status", get(routes::status))
        .route("/events", get(routes::events))
        .route("/events/{id}", get(routes::event))
        .route("/events/{id}/raw", get(routes::raw))
        .route("/events/{id}/replay", post(routes::replay))
        .route("/refusals", get(routes::refusals))
        .route("/deliveries", get(routes::deliveries))
        .route("/deliveries/{id}/retry", post(routes::retry))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), authenticate));
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .nest("/api/v1", api)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing here") })
        .layer(middleware::from_fn_with_state(Arc::clone(&state), guard_host))
        .with_state(state)
}

/// 200 once the store takes events, until the server begins to stop.
async fn readyz(State(state): State<Arc<AdminState>>) -> Response {
    if state.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match state.store.status().await {
        Ok(status) if status.writable => "ok\n".into_response(),
        Ok(status) => {
            let problem = status.problem.unwrap_or_else(|| "the store takes no events".to_owned());
            (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn guard_host(State(state): State<Arc<AdminState>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let known = host.filter(|host| head::is_host(host)).map(head::without_port).is_some_and(|host| {
        let loopback =
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        loopback
            || host.eq_ignore_ascii_case("localhost")
            || state.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    });
    if known {
        next.run(request).await
    } else {
        tracing::warn!(
            event = "admin.host",
            "refused: `Host` is neither loopback nor in [admin] allowed_hosts"
        );
        Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "misdirected",
            "this Host is not served; add it to `allowed_hosts` in [admin] if it is yours",
        )
        .into_response()
    }
}

async fn authenticate(State(state): State<Arc<AdminState>>, request: Request, next: Next) -> Response {
    let bearer = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if bearer.is_some_and(|(_, token)| state.token.matches(token)) {
        return next.run(request).await;
    }
    let mut refused = Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "send `Authorization: Bearer` with the token in the store's folder",
    )
    .into_response();
    refused.headers_mut().insert(header::WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
    refused
}
