//! The configuration that is in force, as operators see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::{Config, Diagnostic, Setting, Severity};
use crate::reload::Changes;

/// Something that is wrong with a configuration, or worth knowing.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Diagnostic)]
pub struct DiagnosticView {
    /// A stable word: `config.unknown_key`.
    pub code: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What, in words.
    pub message: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// What to do about it.
    pub help: Option<String>,
}

impl DiagnosticView {
    /// A diagnostic, without the lines of the file.
    #[must_use]
    pub fn of(found: &Diagnostic) -> Self {
        let severity = match found.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        Self {
            code: found.code.as_str().to_owned(),
            severity: severity.to_owned(),
            message: found.message.clone(),
            line: found.line,
            column: found.column,
            help: found.help.clone(),
        }
    }
}

/// What became of a reload.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReloadView {
    /// What is another now.
    pub changes: Changes,
    /// What the configuration can live with.
    pub warnings: Vec<DiagnosticView>,
}

/// What is in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Config)]
pub struct ConfigView {
    /// The file; `null` where there is none.
    pub file: Option<String>,
    /// Every value, those of the file in its order first.
    pub settings: Vec<Setting>,
}

impl ConfigView {
    /// What a configuration has in force.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { file: config.origins.name.clone(), settings: config.effective() }
    }
}
