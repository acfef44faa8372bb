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
use crate::admin::view::ConfigView;
use crate::config::{self, Diagnostics, ProcessEnv, Severity};

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
    Ok(Json(state.config.clone()))
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

/// Something that is wrong, or worth knowing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Diagnostic)]
struct DiagnosticView {
    /// A stable word: `config.unknown_key`.
    code: String,
    /// `error` or `warning`.
    severity: String,
    /// What, in words.
    message: String,
    /// The line, from 1.
    line: Option<usize>,
    /// The column in characters, from 1.
    column: Option<usize>,
    /// What to do about it.
    help: Option<String>,
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
    let checking = move || match config::parse(&asked.document, "document", &state.config_base, &ProcessEnv) {
        Ok(loaded) => Checked::of(true, &loaded.warnings),
        Err(found) => Checked::of(false, &found),
    };
    tokio::task::spawn_blocking(checking).await.map(Json).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the document could not be checked")
    })
}

impl Checked {
    fn of(ok: bool, found: &Diagnostics) -> Self {
        let view = |found: &config::Diagnostic| DiagnosticView {
            code: found.code.as_str().to_owned(),
            severity: match found.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            }
            .to_owned(),
            message: found.message.clone(),
            line: found.line,
            column: found.column,
            help: found.help.clone(),
        };
        Self { ok, diagnostics: found.iter().map(view).collect(), rendered: found.render(false) }
    }
}
