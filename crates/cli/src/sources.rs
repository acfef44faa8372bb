//! `hookhouse sources`: the endpoints of a server.

use hookhouse_core::SourceName;
use hookhouse_server::admin::view::SourceView;

use crate::Global;
use crate::admin::{Client, block_on};
use crate::exit::{Code, Failure, Outcome};
use crate::locate;
use crate::output::Out;
use crate::terminal::inline;

/// List the sources, and show one
///
/// As the running server has them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the sources
    Ls,
    /// Show a source: its path, who gets its events, what its address list said, how its webhook is
    Get {
        /// The source
        name: SourceName,
    },
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    let place = locate::place(global)?;
    block_on(async {
        let status = Client::require(&place).await?.status().await?;
        match command {
            Command::Ls => {
                let mut out = Out::new(global.output);
                for source in &status.sources {
                    out.entry(source, summary)?;
                }
                Ok(out.finish()?)
            }
            Command::Get { name } => {
                let found = status.sources.into_iter().find(|source| source.name == name);
                let found = found
                    .ok_or_else(|| Failure::new(Code::NotFound, format!("there is no source `{name}`")))?;
                Ok(Out::one(global.output, &found, describe)?)
            }
        }
    })
}

fn deliver(source: &SourceView) -> String {
    let names: Vec<_> = source.deliver.iter().map(ToString::to_string).collect();
    if names.is_empty() { "kept only".to_owned() } else { format!("to {}", names.join(", ")) }
}

fn summary(source: &SourceView) -> String {
    let trouble = source.webhook.as_ref().map_or(0, |webhook| webhook.alerts.len());
    let mark = if trouble > 0 { format!("  {trouble} alert(s)") } else { String::new() };
    format!("{:<16}  {:<18}  {}  {}{mark}", source.name, source.provider, source.path, deliver(source))
}

fn describe(source: &SourceView) -> String {
    let mut text = format!(
        "{}  {}\n  path      {}\n  deliver   {}",
        source.name,
        source.provider,
        source.path,
        deliver(source)
    );
    let Some(webhook) = &source.webhook else { return text };
    let at = |at: hookhouse_core::Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    if let Some(url) = &webhook.url {
        text += &format!("\n  called at {}", inline(url));
    }
    text += &match &webhook.challenges.last {
        Some(last) => format!("\n  challenge answered {} with {}", at(last.at), inline(&last.key)),
        None => format!("\n  challenge none since {}", at(webhook.challenges.since)),
    };
    if let Some(end) = webhook.invalidated_at {
        text += &format!("\n  X gives the webhook up at {} unless it is challenged before", at(end));
    }
    for alert in &webhook.alerts {
        text += &format!("\n  alert     {}", inline(alert));
    }
    for deed in &webhook.deeds {
        text += &format!("\n  {}  {}", at(deed.at), inline(&deed.deed));
    }
    text
}
