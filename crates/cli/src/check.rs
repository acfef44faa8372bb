//! `hookhouse check`: everything `serve` would say about a configuration, without starting.

use serde::Serialize;

use hookhouse_server::config::{self, Diagnostic};

use crate::Global;
use crate::exit::{Code, Failure, Outcome};
use crate::locate;
use crate::output::{Format, Out};

/// Check a configuration as `serve` would, without starting
///
/// Reads the configuration and its secrets as `serve` does; binds nothing, stores nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// What a check found, for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    ok: bool,
    errors: &'a [Diagnostic],
    warnings: &'a [Diagnostic],
}

pub(crate) fn run(_: Args, global: &Global) -> Outcome {
    let file = locate::required_config(global)?;
    if global.output == Format::Human {
        let loaded = locate::load(&file)?;
        let (sources, destinations) = (loaded.config.sources.len(), loaded.config.destinations.len());
        return Ok(crate::output::line(&format!(
            "{} is fine: {sources} source(s), {destinations} destination(s)",
            file.display()
        ))?);
    }
    match config::load(&file, &config::ProcessEnv) {
        Ok(loaded) => {
            let report = Report { ok: true, errors: &[], warnings: loaded.warnings.list() };
            Ok(Out::one(global.output, &report, |_| String::new())?)
        }
        Err(diagnostics) => {
            let report = Report { ok: false, errors: diagnostics.list(), warnings: &[] };
            Out::one(global.output, &report, |_| String::new())?;
            Err(Failure::silent(Code::Configuration))
        }
    }
}
