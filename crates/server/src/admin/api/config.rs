//! The configuration: what is in force, and what would become of another one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Admin, Answer};
use crate::admin::extract::{Body, NoParams};
use crate::admin::problem::Problem;
use crate::admin::view::{ConfigView, DiagnosticView, ReloadView};
use crate::config::{self, Diagnostics, ProcessEnv};
use crate::reload::ReloadError;

/// The longest document, in characters: more than any configuration.
const LONGEST: usize = 1_000_000;

/// Show the configuration
///
/// Every value that is in force, with its line in the file, or `default`. A secret is shown as its reference.
#[utoipa::path(
    get, path = "/config", tag = "config",
    responses((status = 200, description = "What is in force", body = ConfigView)),
)]
pub(super) async fn effective(State(state): Admin, _: NoParams) -> Answer<ConfigView> {
    Ok(Json(state.in_force().view.clone()))
}

/// A configuration that is to be checked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// The text of a `hookhouse.toml`.
    #[schema(max_length = 1_000_000)]
    document: String,
}

/// What is wrong with a configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Checked {
    /// Whether it could be used.
    ok: bool,
    /// What was found, in the order of the file.
    diagnostics: Vec<DiagnosticView>,
    /// The same with the lines of the file and carets, as `hookhouse check` prints it.
    rendered: String,
}

/// Check a configuration
///
/// As `serve` would read it in the folder of the running one, with the server's environment. Nothing changes.
#[utoipa::path(
    post, path = "/config/check", tag = "config",
    request_body = Document,
    responses((status = 200, description = "What is wrong with it, if anything is", body = Checked)),
)]
pub(super) async fn check(State(state): Admin, _: NoParams, Body(asked): Body<Document>) -> Answer<Checked> {
    if asked.document.chars().count() > LONGEST {
        return Err(Problem::bad_request("the document is too long to be a configuration"));
    }
    let state = Arc::clone(&state);
    // It reads files, and says what it could not read.
    let checking =
        move || match config::parse(&asked.document, "document", &state.in_force().base, &ProcessEnv) {
            Ok(loaded) => Checked::of(true, &loaded.warnings),
            Err(found) => Checked::of(false, &found),
        };
    tokio::task::spawn_blocking(checking).await.map(Json).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the document could not be checked")
    })
}

/// Reload the configuration
///
/// Reads the file again, checks everything as at the start, and goes on with it in one step; what is under way ends as it
/// began. A file with mistakes changes nothing and gets 422 with all of them, one that cannot be followed as things stand
/// (an address that is taken, say) 409. The store and the admin listener's address cannot change without a restart. What
/// changed is told by name; values are not.
#[utoipa::path(
    post, path = "/config/reload", tag = "config",
    responses(
        (status = 200, description = "It is in force", body = ReloadView),
        (status = 409, description = "It cannot be followed as things stand", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file has mistakes", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn reload(State(state): Admin, _: NoParams) -> Answer<ReloadView> {
    let done = state.reloader.reload().await.map_err(|why| match why {
        ReloadError::Config(found) => Problem::configuration(&found),
        ReloadError::Store(error) => error.into(),
        ReloadError::Stopping => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", why.to_string()).retry_after(5)
        }
        ReloadError::Broken => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", why.to_string()),
        ReloadError::NoFile | ReloadError::Bind { .. } | ReloadError::Tls(_) => {
            Problem::conflict("config-not-followed", why.to_string())
        }
    })?;
    let warnings = done.warnings.iter().map(DiagnosticView::of).collect();
    Ok(Json(ReloadView { changes: done.changes, warnings }))
}

impl Checked {
    fn of(ok: bool, found: &Diagnostics) -> Self {
        Self {
            ok,
            diagnostics: found.iter().map(DiagnosticView::of).collect(),
            rendered: found.render(false),
        }
    }
}
