//! `hookhouse emulate`: a provider to develop against, without the provider.

mod twilio;
mod x;

use crate::Global;
use crate::exit::Outcome;

pub(crate) use twilio::describe_finding;

/// Be a provider: send what it sends, and judge the answers as it does
///
/// One variant for each provider, one file for each variant.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// A Twilio that calls and texts an endpoint, and does with the answer what Twilio does
    #[command(subcommand)]
    Twilio(twilio::Command),
    /// An X platform that registers webhooks, challenges them, sends what its users do, and replays it
    X(Box<x::Args>),
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    match command {
        Command::Twilio(command) => twilio::run(command, global),
        Command::X(args) => x::run(*args, global),
    }
}
