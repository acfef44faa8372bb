//! `hookhouse sign`: the headers that a provider would send with a request.

use std::path::PathBuf;

use hookhouse_core::{Clock, SystemClock, Timestamp};
use hookhouse_verify::sign::{Draft, Signer};
use serde::Serialize;

use crate::Global;
use crate::exit::{Code, Failure, Outcome};
use crate::offline::{self, SecretFrom};
use crate::output::Out;

/// Sign a request offline, as its provider would
///
/// Prints `Name: value` lines, ready for `curl -H @-`; with -o json also the URL to call, into which Twilio puts the
/// digest of a body that is not a form.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The provider: x, twilio, github, stripe, slack, standard-webhooks
    provider: String,
    #[command(flatten)]
    secret: SecretFrom,
    /// The URL that the provider calls
    #[arg(long, default_value = "https://localhost/", value_name = "URL")]
    url: String,
    /// The method
    #[arg(long, short = 'X', default_value = "POST")]
    method: String,
    /// The content type of the body
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The body: a file, or - for stdin
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The id of the event, for schemes that sign one
    #[arg(long, default_value = "msg_test", value_name = "ID")]
    id: String,
    /// The time of signing, for schemes that sign it [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Signed {
    url: String,
    headers: Vec<(String, String)>,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let signer = Signer::for_provider(&args.provider).ok_or_else(|| unknown_provider(&args.provider))?;
    let secret = args.secret.read(&args.provider)?;
    let body = offline::body(args.body.as_ref())?;
    let form = args.provider == "twilio" && !body.is_empty();
    let draft = Draft {
        method: args.method,
        url: args.url.clone(),
        content_type: args
            .content_type
            .or_else(|| form.then(|| "application/x-www-form-urlencoded".to_owned())),
        body,
        id: args.id,
        now: args.at.unwrap_or_else(|| SystemClock.now()),
    };
    let signed = signer.sign(&secret, &draft).map_err(|error| Failure::with_code(error, Code::Usage))?;
    if signed.url != args.url {
        anstream::eprintln!("the URL to call: {}", signed.url);
    }
    let signed = Signed { url: signed.url, headers: signed.headers };
    Ok(Out::one(global.output, &signed, |signed| {
        let lines: Vec<_> = signed.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        lines.join("\n")
    })?)
}

/// There is no such provider, and which there are.
pub(crate) fn unknown_provider(name: &str) -> Failure {
    let known: Vec<_> = ["x", "twilio", "sendgrid"]
        .into_iter()
        .chain(hookhouse_verify::catalogue::rows().iter().map(|row| row.provider))
        .collect();
    Failure::new(
        Code::Usage,
        format!("there is no provider `{name}` that signs; there are {}", known.join(", ")),
    )
}
