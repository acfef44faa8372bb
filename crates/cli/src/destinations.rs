//! `hookhouse destinations`: where events go, and how far behind each is.

use hookhouse_core::DestinationName;
use hookhouse_server::admin::view::DestinationView;
use http::Method;

use crate::Global;
use crate::admin::{Client, block_on};
use crate::exit::{Failure, Outcome};
use crate::locate;
use crate::output::Out;
use crate::terminal::inline;

/// List the destinations, show one, hold one and let it go on
///
/// As the running server has them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the destinations
    Ls,
    /// Show a destination: what waits, what was given up, whether it is tried
    Get {
        /// The destination
        name: DestinationName,
    },
    /// Hold a destination: nothing is sent to it until it is resumed, also after a restart
    Pause {
        /// The destination
        name: DestinationName,
    },
    /// Let a destination go on
    Resume {
        /// The destination
        name: DestinationName,
    },
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    let place = locate::place(global)?;
    block_on(async {
        let client = Client::require(&place).await?;
        let one = match command {
            Command::Ls => {
                let mut out = Out::new(global.output);
                for destination in &client.status().await?.destinations {
                    out.entry(destination, summary)?;
                }
                return Ok(out.finish()?);
            }
            Command::Get { name } => client.read(&format!("destinations/{name}")).await?,
            Command::Pause { name } => set(&client, &name, "pause").await?,
            Command::Resume { name } => set(&client, &name, "resume").await?,
        };
        Ok(Out::one(global.output, &one, summary)?)
    })
}

async fn set(client: &Client, name: &DestinationName, what: &str) -> Result<DestinationView, Failure> {
    client.ask(Method::POST, &format!("destinations/{name}/{what}"), None::<&()>).await
}

fn summary(destination: &DestinationView) -> String {
    let backlog = &destination.backlog;
    let held = if destination.paused { "  held" } else { "" };
    let mut text = format!(
        "{:<16}  circuit {:<9}  {} pending, {} waiting, {} dead{held}",
        backlog.destination, destination.circuit, backlog.pending, backlog.waiting, backlog.dead
    );
    if let Some(oldest) = backlog.oldest {
        text += &format!("  oldest {}", oldest.strftime("%Y-%m-%d %H:%M:%S"));
    }
    if let Some(until) = destination.open_until {
        text += &format!("  tried again {}", until.strftime("%Y-%m-%d %H:%M:%S"));
    }
    if let Some(cause) = &destination.cause {
        text += &format!("  {}", inline(cause));
    }
    text
}
