//! `POST /oauth2/token`: the app's bearer token for its key and secret.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use super::Api;
use crate::x::auth::app::basic;
use crate::x::auth::same;
use crate::x::credentials::reveal;
use crate::x::problem::{Answered, Problem};

/// The same token every time: there is one for an app.
pub(super) async fn issue(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Answered {
    let state = api.world.lock();
    let expected = basic(&state.credentials.consumer_key, &state.credentials.consumer_secret);
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    if !given.is_some_and(|(_, value)| same(value.trim().as_bytes(), expected.as_bytes())) {
        let message = "Unable to verify your credentials";
        return Err(Problem::coded(StatusCode::FORBIDDEN, 99, message, "authenticity_token_error"));
    }
    let mut form = form_urlencoded::parse(&body);
    if !form.any(|(name, value)| name == "grant_type" && value == "client_credentials") {
        let message = "Missing required parameter: grant_type";
        return Err(Problem::coded(StatusCode::FORBIDDEN, 170, message, "forbidden_missing_parameter"));
    }
    let token = reveal(&state.credentials.bearer);
    Ok(Json(json!({ "token_type": "bearer", "access_token": token })).into_response())
}
