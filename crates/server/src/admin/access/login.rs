//! A browser shows a token once, and has a cookie from then on.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Scope, guard, session};
use crate::admin::AdminState;
use crate::admin::extract::{self, media_type};
use crate::admin::problem::Problem;

/// Who is at the other end of a connection, as the listener knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A token, as a form or as JSON.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// A token that may read: the one in the store's folder, or one of `hookhouse token create`.
    #[schema(max_length = 256)]
    token: String,
}

/// Begins a session
///
/// For browsers: the answer sets a cookie, which opens what the token opens. A form is answered with 303 to `/`, JSON with
/// 204. Six wrong tokens in a minute from one address are one too many.
#[utoipa::path(
    post, path = "/login", tag = "session",
    request_body(content(
        (Credentials = "application/json"),
        (Credentials = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 204, description = "A session began",
            headers(("Set-Cookie" = String, description = "The session's cookie"))),
        (status = 303, description = "A session began, and the form's browser goes on to `/`",
            headers(
                ("Set-Cookie" = String, description = "The session's cookie"),
                ("Location" = String, description = "`/`"),
            )),
        (status = 401, description = "This is no token, or none that may read",
            body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String, description = "`Bearer`"))),
        (status = 429, description = "Too many wrong tokens from this address",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds until the next try"))),
    ),
)]
pub(in crate::admin) async fn login(
    State(state): State<Arc<AdminState>>,
    _: extract::NoParams,
    request: Request,
) -> Result<Response, Problem> {
    let Peer(peer) = request.extensions().get().copied().unwrap_or(Peer(IpAddr::from([0, 0, 0, 0])));
    if let Some(wait) = state.access.throttle.wait(peer) {
        tracing::warn!(event = "admin.login_limited", %peer, "refused: too many wrong tokens");
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-requests",
            "too many wrong tokens from this address; wait a minute",
        )
        .retry_after(wait.as_secs() + 1));
    }
    let (parts, body) = request.into_parts();
    let body = extract::read(body).await?;
    let form = match media_type(&parts.headers).as_deref() {
        Some("application/x-www-form-urlencoded") => true,
        Some("application/json") => false,
        _ => {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "send the token as JSON or as a form",
            ));
        }
    };
    let credentials: Option<Credentials> =
        if form { from_form(&body) } else { serde_json::from_slice(&body).ok() };
    let credentials = credentials.ok_or_else(|| Problem::bad_request("send `token`, and nothing else"))?;
    let principal = state.access.by_token(&state, credentials.token.trim());
    let Some(principal) = principal.filter(|principal| principal.scopes.cover(Scope::Read)) else {
        state.access.throttle.failed(peer);
        tracing::warn!(event = "admin.login_failed", %peer, "refused: no token, or none that may read");
        return Ok(super::unauthorized());
    };
    let text = state.access.sessions.begin(&principal.token, state.clock.now());
    tracing::info!(event = "admin.login", %peer, token = principal.token);
    Ok(answer(&session::set(&text, guard::is_secure(&parts.headers)), form))
}

/// Ends the session
///
/// Also where there is none. A form is answered with 303 to `/`, anything else with 204.
#[utoipa::path(
    post, path = "/logout", tag = "session",
    responses(
        (status = 204, description = "There is no session any more",
            headers(("Set-Cookie" = String, description = "Removes the session's cookie"))),
        (status = 303, description = "There is no session any more, and the form's browser goes on to `/`",
            headers(
                ("Set-Cookie" = String, description = "Removes the session's cookie"),
                ("Location" = String, description = "`/`"),
            )),
    ),
)]
pub(in crate::admin) async fn logout(
    State(state): State<Arc<AdminState>>,
    _: extract::NoParams,
    headers: HeaderMap,
) -> Response {
    for text in session::offered(&headers) {
        state.access.sessions.end(text);
    }
    let form = media_type(&headers).is_some_and(|kind| kind == "application/x-www-form-urlencoded");
    answer(&session::remove(guard::is_secure(&headers)), form)
}

/// One pair, named `token`; anything else is no form of ours.
fn from_form(body: &[u8]) -> Option<Credentials> {
    let mut pairs = form_urlencoded::parse(body);
    let (name, token) = pairs.next()?;
    (name == "token" && pairs.next().is_none()).then(|| Credentials { token: token.into_owned() })
}

fn answer(cookie: &str, form: bool) -> Response {
    let status = if form { StatusCode::SEE_OTHER } else { StatusCode::NO_CONTENT };
    let mut response = status.into_response();
    // A cookie's value is base64, so this cannot fail; without a cookie nobody is logged in.
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    if form {
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
    }
    response
}
