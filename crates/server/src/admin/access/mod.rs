//! Who may do what: tokens and sessions, and what is asked of a request before anybody looks at them.
//!
//! ```text
//! request ─▶ host (421) ─▶ origin (403) ─▶ bearer token or session cookie (401) ─▶ scope (403) ─▶ handler
//! ```
//!
//! * [`guard`]: is the request meant for this listener, and does it come from where it says?
//! * [`token`]: the token in the store's folder, which may do everything.
//! * [`tokens`]: the others, which are made, shown once, and kept as digests.
//! * [`session`], [`login`]: a browser shows a token once and has a cookie from then on.

pub(super) mod guard;
pub(super) mod login;
pub(super) mod scope;
mod session;
mod throttle;
mod token;
pub(super) mod tokens;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::AdminState;
use super::problem::Problem;

pub(crate) use scope::{Scope, Scopes};
pub(crate) use session::{Sessions, is_session};
pub(crate) use throttle::Throttle;
pub use token::Token;
pub(crate) use tokens::Tokens;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// The id of the token; `root` for the one in the store's folder.
    pub(crate) token: String,
    /// What the token may do.
    pub(crate) scopes: Scopes,
}

impl Principal {
    /// Whoever may read the store's folder.
    pub(crate) fn root() -> Self {
        Self { token: "root".to_owned(), scopes: Scopes::everything() }
    }
}

/// Everything that opens the admin side.
#[derive(Debug)]
pub(crate) struct Access {
    /// The token in the store's folder.
    pub(crate) root: Token,
    /// The other tokens.
    pub(crate) tokens: Arc<Tokens>,
    /// Who has logged in.
    pub(crate) sessions: Sessions,
    /// Who failed to.
    pub(crate) throttle: Throttle,
    /// Whether whoever reaches the listener may do everything: `dev`, on loopback. `Host` and `Origin` count all the same.
    pub(crate) open: bool,
}

impl Access {
    /// Whose token this is.
    pub(crate) fn by_token(&self, state: &AdminState, offered: &str) -> Option<Principal> {
        if self.root.matches(offered) {
            return Some(Principal::root());
        }
        let now = state.clock.now();
        let principal = self.tokens.find(offered, now)?;
        if self.tokens.note_use(&principal.token, now) {
            let tokens = Arc::clone(&self.tokens);
            state.tracker.spawn(async move { tokens.keep_uses().await });
        }
        Some(principal)
    }

    /// Whose session this is, as long as its token counts.
    pub(crate) fn by_session(&self, state: &AdminState, headers: &HeaderMap) -> Option<Principal> {
        if self.open {
            return Some(Principal::root());
        }
        let now = state.clock.now();
        let token = session::offered(headers).find_map(|text| self.sessions.find(text, now))?;
        if token == "root" { Some(Principal::root()) } else { self.tokens.by_id(&token, now) }
    }
}

/// Lets in who has a token or a session.
pub(super) async fn authenticate(
    State(state): State<Arc<AdminState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let principal = match bearer(headers) {
        Some(token) => state.access.by_token(&state, token),
        None => {
            let found = state.access.by_session(&state, headers);
            if found.is_none() && session::offered(headers).next().is_some() {
                tracing::info!(
                    event = "admin.session_invalid",
                    "refused: the session has ended, or never was"
                );
            }
            found
        }
    };
    let Some(principal) = principal else { return unauthorized() };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(principal.clone());
    let response = next.run(request).await;
    if method != Method::GET && method != Method::HEAD {
        let status = response.status().as_u16();
        tracing::info!(event = "admin.write", token = principal.token, %method, path, status);
    }
    response
}

/// Lets a browser in that has a session, and sends any other to where it gets one. What changes something asks for the
/// scope to.
pub(super) async fn enter(
    State(state): State<Arc<AdminState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match state.access.by_session(&state, request.headers()) {
        Some(principal) if principal.scopes.cover(if reads { Scope::Read } else { Scope::Write }) => {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let token = principal.token.clone();
            request.extensions_mut().insert(principal);
            let response = next.run(request).await;
            if !reads {
                let status = response.status().as_u16();
                tracing::info!(event = "admin.write", token, %method, path, status);
            }
            response
        }
        Some(_) => Problem::forbidden("this session has not the scope `write`").into_response(),
        None if reads => (StatusCode::SEE_OTHER, [(header::LOCATION, "/login")]).into_response(),
        None => unauthorized(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn unauthorized() -> Response {
    let mut refused = Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "send `Authorization: Bearer` with a token: the one in the store's folder, or one of `hookhouse token create`",
    )
    .into_response();
    refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refused
}

/// Refuses who may not do this kind of thing. Comes after [`authenticate`].
pub(super) async fn demand(State(scope): State<Scope>, request: Request, next: Next) -> Response {
    match request.extensions().get::<Principal>() {
        Some(principal) if principal.scopes.cover(scope) => next.run(request).await,
        Some(_) => {
            Problem::forbidden(format!("this token has not the scope `{}`", scope.as_str())).into_response()
        }
        None => unauthorized(),
    }
}
