//! What Hookhouse costs, beside a bare hyper server: [`ingest`] is how many events it takes, [`relay`] how much later an
//! answer comes through it.
//!
//! Both sides get the same requests in the same run, in turn, so that a machine that is busy with something else slows
//! both. Ratios and differences are the result; the absolute numbers belong to the machine. The load is generated before
//! each round and no two events are alike, because a duplicate would be recognised instead of stored.

mod bare;
mod contender;
mod disk;
mod ingest;
mod load;
mod relay;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use load::Pace;

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Compares Hookhouse with a bare hyper server")]
struct Args {
    /// What is measured.
    #[arg(long, value_enum, default_value_t = Scenario::Ingest)]
    scenario: Scenario,
    /// The release build of `hookhouse`.
    #[arg(long, default_value = "target/release/hookhouse")]
    hookhouse: PathBuf,
    /// Keep-alive connections, each with one request on its way [default: 32; relay: 1]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    connections: Option<u16>,
    /// Events per round [default: 100000; relay: 5000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    events: Option<u32>,
    /// Milliseconds that a connection rests between an answer and its next request.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pause: u64,
    /// Rounds; each measures both sides.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scenario {
    /// Events per second, acknowledged once they are durable.
    Ingest,
    /// Calls that an application answers: how much later the answer comes.
    Relay,
}

impl Args {
    /// How each round is sent, where the arguments do not say.
    fn pace(&self, connections: u16) -> Pace {
        let connections = self.connections.unwrap_or(connections);
        Pace { connections, pause: Duration::from_millis(self.pause) }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves as the bare server; the benchmark starts this itself.
    #[command(hide = true)]
    Bare {
        /// The port on the loopback address.
        port: u16,
    },
    /// Serves as the application; the benchmark starts this itself.
    #[command(hide = true)]
    Application {
        /// The port on the loopback address.
        port: u16,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match (&args.command, args.scenario) {
        (Some(Command::Bare { port }), _) => bare::serve(*port, "").await,
        (Some(Command::Application { port }), _) => bare::serve(*port, bare::TWIML).await,
        (None, Scenario::Ingest) => ingest::run(&args).await,
        (None, Scenario::Relay) => relay::run(&args).await,
    }
}
