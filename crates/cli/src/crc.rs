//! `hookhouse crc`: the answer to X's challenge.

use hookhouse_verify::x;

use crate::Global;
use crate::exit::{Code, Failure, Outcome};
use crate::offline::SecretFrom;
use crate::output;

/// Compute the answer to X's challenge offline
///
/// Prints the JSON that X expects for a `crc_token`. A token that could be an event or a query is not signed (exit 7).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The `crc_token`, URL-decoded
    token: String,
    #[command(flatten)]
    secret: SecretFrom,
}

pub(crate) fn run(args: &Args, _: &Global) -> Outcome {
    let secret = args.secret.read("x")?;
    let answer =
        x::crc_response(&secret, &args.token).map_err(|reject| Failure::with_code(reject, Code::Refused))?;
    Ok(output::line(&answer)?)
}
