//! The `hookhouse` binary: a page of wiring. One file per command.

mod admin;
mod check;
mod crc;
mod deliveries;
mod dev;
mod events;
mod exit;
mod explain;
mod init;
mod locate;
mod log;
mod offline;
mod output;
mod replay;
mod serve;
mod sign;
mod terminal;
mod trigger;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::Format;

/// The front door for webhooks: proves each request, stores it durably, delivers it, shows and replays it.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command knows.
#[derive(Debug, clap::Args)]
struct Global {
    /// The configuration [default: ./hookhouse.toml, then /etc/hookhouse/hookhouse.toml]
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How to print results: `human` for people, `json` for one document, `jsonl` for a line each
    #[arg(long, short, global = true, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive webhooks on this machine, without any configuration
    Dev(dev::Args),
    /// Run the server that a configuration describes
    Serve(serve::Args),
    /// Write a commented configuration to start from
    Init(init::Args),
    /// Check a configuration as `serve` would, without starting
    Check(check::Args),
    /// Send an event as its provider would, correctly signed
    Trigger(trigger::Args),
    /// List, show and export what was received
    #[command(subcommand)]
    Events(events::Command),
    /// List deliveries, and retry them
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// Deliver stored events again
    Replay(replay::Args),
    /// Say why a request was refused, and what setting would have let it through
    Explain(explain::Args),
    /// Check a request's signature offline, and say what matched or why nothing did
    Verify(verify::Args),
    /// Sign a request offline, as its provider would
    Sign(sign::Args),
    /// Compute the answer to X's challenge offline
    Crc(crc::Args),
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 not found, 5 auth, \
6 server unreachable, 7 verification says no, 8 partial.\nResults go to stdout, everything else to stderr.";

fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    let outcome = match command {
        Command::Dev(args) => dev::run(args, &global),
        Command::Serve(args) => serve::run(args, &global),
        Command::Init(args) => init::run(args, &global),
        Command::Check(args) => check::run(args, &global),
        Command::Trigger(args) => trigger::run(args, &global),
        Command::Events(command) => events::run(command, &global),
        Command::Deliveries(command) => deliveries::run(command, &global),
        Command::Replay(args) => replay::run(args, &global),
        Command::Explain(args) => explain::run(args, &global),
        Command::Verify(args) => verify::run(args, &global),
        Command::Sign(args) => sign::run(args, &global),
        Command::Crc(args) => crc::run(&args, &global),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
