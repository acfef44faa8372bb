//! `hookhouse reload`: has the running server read its configuration again.

use hookhouse_server::admin::view::ReloadView;
use http::Method;

use crate::Global;
use crate::admin::{Client, block_on};
use crate::exit::Outcome;
use crate::locate;
use crate::output::Out;

/// Have the running server go on with its configuration as it is now
///
/// Everything is checked first, as at the start: with a mistake in the file nothing changes, and all of them are shown
/// (exit code 3). Otherwise it takes over in one step, and what is under way ends as it began. The store and the address
/// of the admin listener change with a restart. SIGHUP does the same.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, global: &Global) -> Outcome {
    let place = locate::place(global)?;
    block_on(async {
        let client = Client::require(&place).await?;
        let done: ReloadView = client.ask(Method::POST, "config/reload", None::<&()>).await?;
        Ok(Out::one(global.output, &done, |done| {
            let mut text = format!("reloaded; changed: {}", done.changes);
            for warning in &done.warnings {
                let line = warning.line.map(|line| format!(" (line {line})")).unwrap_or_default();
                text += &format!("\nwarning: {}{line}", warning.message);
            }
            text
        })?)
    })
}
