//! The `hookhouse` binary: a page of wiring. One file per command.

mod admin;
mod check;
mod completions;
mod contexts;
mod crc;
mod db;
mod deliveries;
mod destinations;
mod dev;
mod doctor;
mod emulate;
mod events;
mod exit;
mod explain;
mod feed;
mod init;
mod listen;
mod locate;
mod log;
mod man;
mod offline;
mod otlp;
mod output;
#[cfg(test)]
mod reference;
mod reload;
mod replay;
mod serve;
mod sign;
mod sources;
mod tail;
mod terminal;
mod token;
mod trigger;
mod verify;
mod x;

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
    /// The server to ask, by a name of `hookhouse contexts` [default: the one in use, else this machine's]
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// How to print results: `human` for people, `json` for one document, `jsonl` for a line each
    #[arg(long, short, global = true, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Args),
    Serve(serve::Args),
    Init(init::Args),
    Check(check::Args),
    Reload(reload::Args),
    Doctor(doctor::Args),
    Trigger(trigger::Args),
    #[command(subcommand)]
    Emulate(emulate::Command),
    Listen(listen::Args),
    Tail(tail::Args),
    #[command(subcommand)]
    Events(events::Command),
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    Replay(replay::Args),
    Explain(explain::Args),
    Verify(verify::Args),
    Sign(sign::Args),
    Crc(crc::Args),
    #[command(subcommand)]
    Sources(sources::Command),
    #[command(subcommand)]
    Destinations(destinations::Command),
    #[command(subcommand)]
    Contexts(contexts::Command),
    #[command(subcommand)]
    Token(token::Command),
    #[command(subcommand)]
    Db(db::Command),
    /// Register, watch and subscribe webhooks at X
    #[command(subcommand, after_help = x::HELP)]
    X(x::Command),
    Completions(completions::Args),
    Man(man::Args),
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 not found, 5 auth, \
6 server unreachable, 7 verification, audit or doctor says no, 8 partial, \
9 wait timed out.\nResults go to stdout, everything else to stderr.";

fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    let outcome = match command {
        Command::Dev(args) => dev::run(args, &global),
        Command::Serve(args) => serve::run(args, &global),
        Command::Init(args) => init::run(args, &global),
        Command::Check(args) => check::run(args, &global),
        Command::Reload(args) => reload::run(args, &global),
        Command::Doctor(args) => doctor::run(args, &global),
        Command::Trigger(args) => trigger::run(args, &global),
        Command::Emulate(command) => emulate::run(command, &global),
        Command::Listen(args) => listen::run(args, &global),
        Command::Tail(args) => tail::run(args, &global),
        Command::Events(command) => events::run(command, &global),
        Command::Deliveries(command) => deliveries::run(command, &global),
        Command::Replay(args) => replay::run(args, &global),
        Command::Explain(args) => explain::run(args, &global),
        Command::Verify(args) => verify::run(args, &global),
        Command::Sign(args) => sign::run(args, &global),
        Command::Crc(args) => crc::run(&args, &global),
        Command::Sources(command) => sources::run(command, &global),
        Command::Destinations(command) => destinations::run(command, &global),
        Command::Contexts(command) => contexts::run(command, &global),
        Command::Token(command) => token::run(command, &global),
        Command::Db(command) => db::run(command, &global),
        Command::X(command) => x::run(command, &global),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
