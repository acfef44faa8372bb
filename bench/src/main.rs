//! What Hookhouse costs, beside servers that do less: a bare hyper server first of all, the ceiling of any server made
//! of the same parts on the same machine.
//!
//! All sides get the same requests in the same run, in turn, so that a machine that is busy with something else slows
//! them all. Ratios and differences are the result; the absolute numbers belong to the machine. Processor time for each
//! event is the figure that neighbours disturb least. The load is generated before each round and no two events are
//! alike, because a duplicate would be recognised instead of stored.

mod bare;
mod cluster;
mod compare;
mod contender;
mod disk;
mod hotpath;
mod load;
mod page;
mod relay;
mod report;
mod scenario;
mod sink;
mod usage;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use compare::Plan;
use load::Pace;
use scenario::Scenario;

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Compares Hookhouse with servers that do less")]
struct Args {
    /// What is measured.
    #[arg(long, value_enum, default_value_t = Scenario::Ingest)]
    scenario: Scenario,
    /// The release build of `hookhouse`.
    #[arg(long, default_value = "target/release/hookhouse")]
    hookhouse: PathBuf,
    /// Keep-alive connections, each with one request on its way [default: what the scenario is about]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    connections: Option<u16>,
    /// Events per round [default: 100000; relay: 5000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    events: Option<u32>,
    /// Events in the store before `stored` begins.
    #[arg(long, default_value_t = 1_000_000)]
    stored: u32,
    /// Deliveries that wait before `waiting` begins.
    #[arg(long, default_value_t = 1_000_000)]
    waiting: u32,
    /// Milliseconds that a connection rests between an answer and its next request.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pause: u64,
    /// Rounds; each measures every side.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Writes the page with everything that was measured here.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "docs/benchmarks.md")]
    write: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

impl Args {
    /// How each round is sent, where the arguments do not say.
    fn pace(&self, connections: u16) -> Pace {
        let connections = self.connections.unwrap_or(connections);
        Pace { connections, pause: Duration::from_millis(self.pause), rate: None }
    }

    /// What is sent in each round, where the arguments do not say.
    fn plan(&self, connections: u16) -> Plan {
        let pace = self.pace(connections);
        Plan { rounds: self.rounds, events: self.events.unwrap_or(100_000), pace }
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
    /// Proves and stores so many events in this process, to be counted; `cargo xtask bench --instructions` starts this.
    #[command(hide = true)]
    HotPath {
        /// How many.
        count: u32,
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
    match &args.command {
        Some(Command::Bare { port }) => bare::serve(*port, "").await,
        Some(Command::Application { port }) => bare::serve(*port, bare::TWIML).await,
        Some(Command::HotPath { count }) => hotpath::run(*count).await,
        None => compare_all(&args).await,
    }
}

async fn compare_all(args: &Args) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut preface = vec![scenario::machine(), report::disk()?];
    if contender::pinned() {
        preface.push("servers on CPU 0".to_owned());
    }
    writeln!(out, "{}", preface.join("\n"))?;
    let mut tables = Vec::new();
    for scenario in args.scenario.each() {
        for table in scenario.run(args).await? {
            write!(out, "{}", table.text())?;
            tables.push(table);
        }
    }
    if let Some(file) = &args.write {
        page::write(file, &preface, &tables)?;
    }
    Ok(())
}
