//! `hookhouse completions`: what a shell needs to complete commands, options and their values.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::exit::Outcome;
use crate::output::bytes;

/// Print what a shell needs to complete commands
///
/// Prints a script: `hookhouse completions bash > /etc/bash_completion.d/hookhouse`, or to where your shell looks.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "hookhouse", &mut script);
    Ok(bytes(&script)?)
}
