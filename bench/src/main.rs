//! How many signed events per second Hookhouse proves, makes durable and acknowledges, beside a bare hyper server that
//! answers 200 to everything: the ceiling of any server made of the same parts on the same machine.
//!
//! Both get the same requests in the same run, in turn, so that a machine that is busy with something else slows both.
//! The ratio is the result; the absolute numbers belong to the machine. The load is generated before each round and
//! no two events are alike, because a duplicate would be recognised instead of stored.

mod bare;
mod contender;
mod load;
mod report;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};

use contender::Contender;
use load::Events;
use report::Row;

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Compares Hookhouse with a bare hyper server")]
struct Args {
    /// The release build of `hookhouse`.
    #[arg(long, default_value = "target/release/hookhouse")]
    hookhouse: PathBuf,
    /// Keep-alive connections, each with one request on its way.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Events per round.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,
    /// Rounds; each measures both servers.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves as the bare server; the benchmark starts this itself.
    #[command(hide = true)]
    Bare {
        /// The port on the loopback address.
        port: u16,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(Command::Bare { port }) = args.command {
        return bare::serve(port).await;
    }
    compare(&args).await
}

async fn compare(args: &Args) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut events = Events::new()?;
    let warm_up = events.take(args.events.min(5_000))?;
    let mut bare = Contender::bare()?;
    let mut hookhouse = Contender::hookhouse(&args.hookhouse)?;
    for contender in [&mut bare, &mut hookhouse] {
        contender.wait_until_it_serves().await?;
        load::run(contender.address(), &warm_up, args.connections).await?;
    }
    writeln!(
        out,
        "{} events of {} bytes a round, {} connections{}",
        args.events,
        warm_up.body_bytes(),
        args.connections,
        if contender::pinned() { ", servers on CPU 0" } else { "" }
    )?;
    writeln!(out, "{}", report::HEADING)?;
    let mut rows = Vec::new();
    for round in 1..=args.rounds {
        let load = events.take(args.events)?;
        let measure = async |contender: &Contender| {
            let measured = load::run(contender.address(), &load, args.connections).await?;
            anyhow::ensure!(
                measured.refused == 0,
                "{} answered {} requests otherwise than 200",
                contender.name(),
                measured.refused
            );
            Ok(measured)
        };
        // Who goes first alternates: whatever the first one leaves behind must not always hit the same one.
        let (bare, hookhouse) = if round % 2 == 1 {
            let bare = measure(&bare).await?;
            (bare, measure(&hookhouse).await?)
        } else {
            let hookhouse = measure(&hookhouse).await?;
            (measure(&bare).await?, hookhouse)
        };
        let row = Row { bare, hookhouse };
        writeln!(out, "{}", row.line(&round.to_string()))?;
        rows.push(row);
    }
    writeln!(out, "{}", report::summary(&rows))?;
    let memory = hookhouse.resident_megabytes().context("the memory of hookhouse")?;
    let binary = std::fs::metadata(&args.hookhouse)?.len();
    writeln!(out, "hookhouse: {memory:.1} MB resident at most, binary {:.1} MB", binary as f64 / 1e6)?;
    Ok(())
}
