//! Tools: would a request be believed, and how would its provider sign it?
//!
//! They use the secrets of the sources and never show one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use data_encoding::BASE64;
use hookhouse_core::{Request, SourceName, Timestamp};
use hookhouse_verify::explain::parse_raw_http;
use hookhouse_verify::sign::Draft;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Admin, Answer};
use crate::admin::AdminState;
use crate::admin::extract::{Body, NoParams};
use crate::admin::problem::Problem;
use crate::admin::view::JudgementView;
use crate::config::Source;

/// A request as somebody pasted it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pasted {
    /// Raw HTTP: the head, an empty line, the body.
    #[serde(default)]
    request: Option<String>,
    /// The same in base64, where it is not text.
    #[serde(default)]
    request_base64: Option<String>,
    /// The source that should have taken it; without it, the one with its path.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    source: Option<SourceName>,
    /// The time at which to judge; without it, now.
    #[serde(default)]
    at: Option<Timestamp>,
}

/// Say why a request is refused
///
/// Judges a pasted request as a source would, and names the setting that would have let it through. Diagnosis only: it
/// stores nothing and widens nothing.
#[utoipa::path(
    post, path = "/explain", tag = "tools",
    request_body = Pasted,
    responses((status = 200, description = "What the source makes of it", body = JudgementView)),
)]
pub(super) async fn explain(
    State(state): Admin,
    _: NoParams,
    Body(asked): Body<Pasted>,
) -> Answer<JudgementView> {
    let bytes = either(asked.request, asked.request_base64, "request")?;
    let request = parse_raw_http(&bytes).map_err(|error| Problem::bad_request(error.to_string()))?;
    let source = match asked.source {
        Some(name) => source(&state, &name)?,
        None => {
            let in_force = state.in_force();
            let found = in_force.sources.iter().find(|source| source.path == request.path());
            Arc::clone(found.ok_or_else(|| Problem::bad_request("no source has this path; name one"))?)
        }
    };
    judge(&state, source, request, asked.at).await
}

/// A request in its parts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Parts {
    /// The source that judges.
    #[schema(value_type = String)]
    source: SourceName,
    /// The method; `POST` unless said.
    #[serde(default)]
    method: Option<String>,
    /// Path and query; the source's path unless said.
    #[serde(default)]
    target: Option<String>,
    /// Names and values.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The body, where it is text.
    #[serde(default)]
    body: Option<String>,
    /// The body in base64, where it is not.
    #[serde(default)]
    body_base64: Option<String>,
    /// The time at which to judge; without it, now.
    #[serde(default)]
    at: Option<Timestamp>,
}

/// Check a request's signature
///
/// As a source would, with its secrets.
#[utoipa::path(
    post, path = "/tools/verify", tag = "tools",
    request_body = Parts,
    responses((status = 200, description = "What the source makes of it", body = JudgementView)),
)]
pub(super) async fn verify(
    State(state): Admin,
    _: NoParams,
    Body(asked): Body<Parts>,
) -> Answer<JudgementView> {
    let source = source(&state, &asked.source)?;
    let body = optional(asked.body, asked.body_base64, "body")?;
    let method = method(asked.method)?;
    let target = asked.target.unwrap_or_else(|| source.path.clone());
    if !is_target(&target) {
        return Err(Problem::bad_request("`target` begins with `/` and has no spaces"));
    }
    let request = Request::new(method, target, &asked.headers, body)
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    judge(&state, source, request, asked.at).await
}

/// A request that is to be signed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Unsigned {
    /// The source whose provider signs.
    #[schema(value_type = String)]
    source: SourceName,
    /// The method; `POST` unless said.
    #[serde(default)]
    method: Option<String>,
    /// The absolute URL that is called; what the provider was told, unless said.
    #[serde(default)]
    url: Option<String>,
    /// The content type of the body.
    #[serde(default)]
    content_type: Option<String>,
    /// The body, where it is text.
    #[serde(default)]
    body: Option<String>,
    /// The body in base64, where it is not.
    #[serde(default)]
    body_base64: Option<String>,
    /// The id of the event, for schemes that sign one.
    #[serde(default)]
    id: Option<String>,
    /// The time of signing; without it, now.
    #[serde(default)]
    at: Option<Timestamp>,
}

/// What signing adds to a request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedRequest {
    /// The URL to call, with what the scheme puts into its query.
    url: String,
    /// Names and values to send besides the request's own.
    headers: Vec<(String, String)>,
}

/// Sign a request
///
/// As the source's provider would, with the source's secret, which is not shown. Whoever may do this can make events
/// that pass for the provider's.
#[utoipa::path(
    post, path = "/tools/sign", tag = "tools",
    request_body = Unsigned,
    responses((status = 200, description = "The headers that the provider would send", body = SignedRequest)),
)]
pub(super) async fn sign(
    State(state): Admin,
    _: NoParams,
    Body(asked): Body<Unsigned>,
) -> Answer<SignedRequest> {
    let source = source(&state, &asked.source)?;
    let Some(signer) = &source.signer else {
        return Err(Problem::conflict(
            "nothing-to-sign-with",
            "nothing is known with which its provider signs",
        ));
    };
    let told = || {
        let base =
            source.public_url.as_ref().map_or_else(|| "https://localhost".to_owned(), ToString::to_string);
        format!("{}{}", base.trim_end_matches('/'), source.path)
    };
    let draft = Draft {
        method: method(asked.method)?,
        url: asked.url.unwrap_or_else(told),
        content_type: asked.content_type,
        body: optional(asked.body, asked.body_base64, "body")?,
        id: asked.id.unwrap_or_else(|| "msg_test".to_owned()),
        now: asked.at.unwrap_or_else(|| state.clock.now()),
    };
    let signed = signer
        .signer
        .sign(&signer.secret, &draft)
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(Json(SignedRequest { url: signed.url, headers: signed.headers }))
}

fn source(state: &AdminState, name: &SourceName) -> Result<Arc<Source>, Problem> {
    let in_force = state.in_force();
    let found = in_force.sources.iter().find(|source| source.name == *name);
    found.map(Arc::clone).ok_or_else(|| Problem::bad_request(format!("there is no source `{name}`")))
}

async fn judge(
    state: &Arc<AdminState>,
    source: Arc<Source>,
    request: Request,
    at: Option<Timestamp>,
) -> Answer<JudgementView> {
    let now = at.unwrap_or_else(|| state.clock.now());
    let in_force = state.in_force();
    let judging = move || JudgementView::of(in_force.sources.iter().map(Arc::as_ref), &source, request, now);
    let judged = tokio::task::spawn_blocking(judging).await;
    judged.map(Json).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request could not be judged")
    })
}

/// Upper-case letters, as every method has that a webhook uses.
fn method(asked: Option<String>) -> Result<String, Problem> {
    let method = asked.unwrap_or_else(|| "POST".to_owned());
    let fits = (1..=16).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_uppercase());
    if fits { Ok(method) } else { Err(Problem::bad_request("`method` is a word in capitals")) }
}

fn is_target(text: &str) -> bool {
    text.starts_with('/') && text.len() <= 8 << 10 && text.bytes().all(|b| b.is_ascii_graphic())
}

fn either(text: Option<String>, base64: Option<String>, name: &str) -> Result<Bytes, Problem> {
    match (text, base64) {
        (Some(text), None) => Ok(Bytes::from(text)),
        (None, Some(encoded)) => BASE64
            .decode(encoded.as_bytes())
            .map(Bytes::from)
            .map_err(|_| Problem::bad_request(format!("`{name}_base64` is not base64"))),
        _ => Err(Problem::bad_request(format!("give `{name}` or `{name}_base64`, and not both"))),
    }
}

fn optional(text: Option<String>, base64: Option<String>, name: &str) -> Result<Bytes, Problem> {
    if text.is_none() && base64.is_none() { Ok(Bytes::new()) } else { either(text, base64, name) }
}
