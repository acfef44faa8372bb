//! Tokens: who may use this API.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use super::{Admin, Answer};
use crate::admin::access::{Scopes, tokens};
use crate::admin::extract::{Body, Id, NoParams};
use crate::admin::problem::Problem;
use crate::admin::view::{List, MadeToken, NewToken, TokenView};

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

/// List tokens
///
/// The oldest first, without their texts; the one in the store's folder is not among them.
#[utoipa::path(
    get, path = "/tokens", tag = "tokens",
    responses((status = 200, description = "The tokens", body = List<TokenView>)),
)]
pub(super) async fn list(State(state): Admin, _: NoParams) -> Answer<List<TokenView>> {
    Ok(Json(List { data: state.access.tokens.list(), next_cursor: None }))
}

/// Make a token
///
/// Its text is in this answer and nowhere else: what is kept is its SHA-256.
#[utoipa::path(
    post, path = "/tokens", tag = "tokens",
    request_body = NewToken,
    responses((status = 201, description = "The token, with its text", body = MadeToken)),
)]
pub(super) async fn create(
    State(state): Admin,
    _: NoParams,
    Body(asked): Body<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    let now = state.clock.now();
    let length = asked.name.chars().count();
    if length == 0 || length > LONGEST_NAME || asked.name.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!(
            "`name` has 1 to {LONGEST_NAME} characters, none of which is a control character"
        )));
    }
    if asked.scopes.is_empty() {
        return Err(Problem::bad_request("a token needs a scope: read, write, admin or metrics"));
    }
    if asked.expires_at.is_some_and(|end| end <= now) {
        return Err(Problem::bad_request("`expires_at` is over"));
    }
    let scopes = Scopes::new(asked.scopes);
    match state.access.tokens.create(&asked.name, scopes, asked.expires_at, now).await? {
        Some((token, secret)) => Ok((StatusCode::CREATED, Json(MadeToken { token, secret }))),
        None => Err(Problem::conflict(
            "too-many-tokens",
            format!("there are {} tokens already; revoke one", tokens::MOST),
        )),
    }
}

/// Take a token away
///
/// At once, with the sessions that began with it.
#[utoipa::path(
    delete, path = "/tokens/{id}", tag = "tokens",
    params(("id" = String, Path, description = "`tok_…`")),
    responses((status = 204, description = "It opens nothing any more")),
)]
pub(super) async fn revoke(
    State(state): Admin,
    Id(id): Id<String>,
    _: NoParams,
) -> Result<StatusCode, Problem> {
    if state.access.tokens.revoke(&id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("token"))
    }
}
