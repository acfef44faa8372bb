//! `hookhouse init`: a commented configuration to start from.

use std::path::PathBuf;

use hookhouse_server::config;

use crate::Global;
use crate::exit::{Code, Failure, Outcome};

/// Write a commented configuration to start from
///
/// Writes hookhouse.toml (or the file that --config names) and says what to do next.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The providers to receive from
    #[arg(long, value_delimiter = ',', default_value = "x,twilio", value_name = "PROVIDER,…")]
    provider: Vec<String>,
    /// The public host name that providers call
    #[arg(long, value_name = "HOST")]
    domain: Option<String>,
    /// Replace a configuration that is there already
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let known = config::providers();
    if let Some(unknown) = args.provider.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Failure::new(
            Code::Usage,
            format!("there is no provider `{unknown}`; there are {}", known.join(", ")),
        ));
    }
    let file = global.config.clone().unwrap_or_else(|| PathBuf::from("hookhouse.toml"));
    if file.exists() && !args.force {
        return Err(Failure::new(
            Code::Failure,
            format!("{} is there already: --force replaces it, --config names another", file.display()),
        ));
    }
    let providers: Vec<&str> = args.provider.iter().map(String::as_str).collect();
    std::fs::write(&file, config::template(&providers, args.domain.as_deref()))?;
    anstream::eprintln!(
        "wrote {}\nnext: set the variables that it names, then `hookhouse check` and `hookhouse serve`",
        file.display()
    );
    Ok(())
}
