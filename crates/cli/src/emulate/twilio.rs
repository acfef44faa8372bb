//! `hookhouse emulate twilio`: a call or a message, from the first request to the last.

mod endpoint;
mod story;

use hookhouse_core::{Clock, SystemClock};
use hookhouse_emulator::twilio::{Call, Message, Outcome, Step};

use crate::Global;
use crate::admin::block_on;
use crate::exit::{self, Code, Failure};
use crate::output::Out;

use endpoint::Endpoint;

pub(crate) use story::describe_finding;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Call an endpoint as Twilio does when somebody calls a number, and act out the TwiML that it answers
    #[command(after_help = HELP)]
    Call(Box<CallArgs>),
    /// Text an endpoint as Twilio does when somebody texts a number, and show what would be sent back
    #[command(after_help = HELP)]
    Message(Box<MessageArgs>),
}

const HELP: &str = "\
Requests are signed with the auth token: that of --secret-env or --secret-file, else of TWILIO_AUTH_TOKEN, else of the
Twilio source of the configuration here, or of `hookhouse dev`. They carry no credentials at first; a 401 is answered with
those of the URL or of --user, by Digest or Basic. Redirects, cookies, retries and timeouts are Twilio's. Each answer is
judged as Twilio judges it; a finding has the number under which https://www.twilio.com/docs/api/errors explains it.

The fragment of the URL says how to wait and retry, as at Twilio: #ct=5000&rt=15000&tt=15000&rc=1&rp=ct

Examples:
  hookhouse emulate twilio message http://127.0.0.1:8080/webhooks/twilio --body 'Hello?'
  hookhouse emulate twilio call 'https://hooks.example.com/voice#rc=2&rp=5xx' --digits 1 --digits '42#'
  hookhouse emulate twilio call https://hooks.example.com/voice --via 127.0.0.1:8080 --user twilio --password-env PASSWORD

Ends with 0 when everything was as Twilio wants it, with 7 when something was an error, with 6 when nobody answered.";

/// Plays a phone call: `<Say>`, `<Play>` and `<Pause>` are told, `<Gather>` gets its digits, `<Redirect>` is followed, a `<Stream>` is
/// opened and filled with silence, until the TwiML hangs up or ends.
#[derive(Debug, clap::Args)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    endpoint: Endpoint,
    /// What the caller presses; again for each `<Gather>`
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    digits: Vec<String>,
    /// How many frames of 20 ms a Media Stream carries
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=180_000))]
    media_frames: u32,
}

/// Plays a message that comes in: the text of each `<Message>` in the answer is shown, and so is an answer in plain text,
/// which Twilio would send to the sender.
#[derive(Debug, clap::Args)]
pub(crate) struct MessageArgs {
    #[command(flatten)]
    endpoint: Endpoint,
    /// What the message says [default: a text with what naive parsers trip over]
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
}

/// What is to be done.
enum Plan {
    Call(Call),
    Message(Message),
}

pub(crate) fn run(command: Command, global: &Global) -> exit::Outcome {
    let (endpoint, plan) = match &command {
        Command::Call(args) => (&args.endpoint, Plan::Call(args.call()?)),
        Command::Message(args) => (&args.endpoint, Plan::Message(args.message()?)),
    };
    let twilio = endpoint.twilio(global)?;
    let mut out = Out::new(global.output);
    let mut printed = Ok(());
    let mut observe = |step: Step| {
        if printed.is_ok() {
            printed = out.entry(&step, story::describe);
        }
    };
    let (now, mut rng) = (SystemClock.now(), rand::rng());
    let outcome = block_on(async {
        Ok(match &plan {
            Plan::Call(call) => twilio.call(call, now, &mut rng, &mut observe).await,
            Plan::Message(message) => twilio.message(message, now, &mut rng, &mut observe).await,
        })
    })?;
    printed?;
    out.finish()?;
    judge(outcome)
}

fn judge(outcome: Outcome) -> exit::Outcome {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match outcome {
        Outcome { reached: false, .. } => Err(Failure::new(Code::Unreachable, "nobody answered")),
        Outcome { errors: 0, .. } => Ok(()),
        Outcome { errors, .. } => {
            Err(Failure::new(Code::Refused, format!("not as Twilio wants it: {}", count(errors, "error"))))
        }
    }
}

impl CallArgs {
    fn call(&self) -> Result<Call, Failure> {
        let endpoint = &self.endpoint;
        Ok(Call {
            url: endpoint.url()?,
            method: endpoint.method(),
            fallback: endpoint.fallback()?,
            status_callback: endpoint.status_callback()?,
            digits: self.digits.clone(),
            media_frames: self.media_frames,
        })
    }
}

impl MessageArgs {
    fn message(&self) -> Result<Message, Failure> {
        let endpoint = &self.endpoint;
        Ok(Message {
            url: endpoint.url()?,
            method: endpoint.method(),
            body: self.body.clone(),
            fallback: endpoint.fallback()?,
            status_callback: endpoint.status_callback()?,
        })
    }
}

fn keys(text: &str) -> Result<String, String> {
    let key = |c: char| c.is_ascii_digit() || matches!(c, '#' | '*');
    if !text.is_empty() && text.chars().all(key) {
        Ok(text.to_owned())
    } else {
        Err("a telephone has the keys 0 to 9, * and #".to_owned())
    }
}
