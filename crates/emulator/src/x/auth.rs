//! Who calls: the app by its bearer token, or a user by an OAuth 1.0a signature or an OAuth 2.0 token.

pub(super) mod app;
pub(super) mod oauth1;

use hookhouse_core::Secret;
use http::{HeaderMap, Method, header};
use jiff::Timestamp;

use super::ids::UserId;
use super::problem::Problem;
use super::state::State;

/// Somebody who proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// The app itself.
    App,
    /// A user, through OAuth 1.0a: with every permission of the app.
    OAuth1(UserId),
    /// A user, through OAuth 2.0: with these scopes.
    OAuth2 { user: UserId, scopes: Vec<String> },
}

impl Caller {
    /// The user of a user context.
    pub(super) fn user(&self) -> Option<UserId> {
        match self {
            Self::App => None,
            Self::OAuth1(user) | Self::OAuth2 { user, .. } => Some(*user),
        }
    }

    /// As X's refusals call it.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::App => APP_ONLY,
            Self::OAuth1(_) => OAUTH1,
            Self::OAuth2 { .. } => OAUTH2,
        }
    }

    /// Whether every one of these scopes is there. OAuth 1.0a has permissions instead, and the app has all of them.
    pub(super) fn may(&self, wanted: &[&str]) -> Result<(), Problem> {
        let Self::OAuth2 { scopes, .. } = self else { return Ok(()) };
        match wanted.iter().find(|wanted| !scopes.iter().any(|scope| scope == *wanted)) {
            None => Ok(()),
            Some(missing) => Err(Problem::forbidden(&format!(
                "The access token does not have the required scope `{missing}`."
            ))),
        }
    }
}

/// How an endpoint may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    /// Without proof: it looks for itself.
    Anybody,
    /// The app alone.
    App,
    /// Users alone.
    User,
    /// The app or a user.
    Either,
}

impl Allowed {
    /// Refuses what the endpoint does not take.
    pub(super) fn check(self, caller: &Caller) -> Result<(), Problem> {
        let supported = match (self, caller) {
            (Self::App, Caller::OAuth1(_) | Caller::OAuth2 { .. }) => APP_ONLY.to_owned(),
            (Self::User, Caller::App) => format!("{OAUTH1}, {OAUTH2}"),
            _ => return Ok(()),
        };
        Err(Problem::unsupported(caller.method(), &supported))
    }
}

/// The request line, as far as a signature covers it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// The body, where it is a form.
    pub(super) form: &'a [u8],
}

/// Finds out who calls.
pub(super) fn authenticate(
    state: &mut State,
    target: Target<'_>,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Caller, Problem> {
    let refuse = |why: &str| Problem::unauthorized(why);
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| refuse("there is no Authorization"))?;
    if values.next().is_some() {
        return Err(refuse("there are two Authorizations"));
    }
    let value = value.to_str().map_err(|_| refuse("the Authorization is not text"))?;
    let (scheme, rest) = value.split_once(' ').ok_or_else(|| refuse("the Authorization has no scheme"))?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return bearer(state, rest.trim()).ok_or_else(|| refuse("nobody has this bearer token"));
    }
    if scheme.eq_ignore_ascii_case("oauth") {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        return oauth1::authenticate(state, target, host, rest, now)
            .map_err(|fault| refuse(&fault.to_string()));
    }
    Err(refuse("the Authorization is neither Bearer nor OAuth"))
}

fn bearer(state: &State, token: &str) -> Option<Caller> {
    let is = |secret: &Secret| same(secret.expose(), token.as_bytes());
    if is(&state.credentials.bearer) {
        return Some(Caller::App);
    }
    let tokens = state.tokens.iter().find(|tokens| is(&tokens.oauth2))?;
    Some(Caller::OAuth2 { user: tokens.user, scopes: tokens.scopes.clone() })
}

/// Equal, in constant time for one length.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

const APP_ONLY: &str = "OAuth 2.0 Application-Only";
const OAUTH1: &str = "OAuth 1.0a User Context";
const OAUTH2: &str = "OAuth 2.0 User Context";
