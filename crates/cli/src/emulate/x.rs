//! `hookhouse emulate x`: the platform, for a laptop without an account.

mod control;
mod keys;
mod lines;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use hookhouse_emulator::x::{
    ActivityAnswer, NewUser, Options, Platform, SignatureHeaders, SigningKey, Tier, Watch,
};
use hookhouse_server::Lifecycle;

use crate::Global;
use crate::exit::{Code, Failure, Outcome};

/// Serves what stands for `https://api.x.com` on this machine, for one app: webhooks with their challenges and replays,
/// subscriptions of the X Activity and the Account Activity API, the filtered stream. Prints the app's keys and the
/// users' tokens once, then a line for each thing that happens.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    client: Option<control::Command>,
    #[command(flatten)]
    platform: PlatformArgs,
}

const HELP: &str = "\
Examples:
  hookhouse emulate x --allow-http --seed 7
  hookhouse emulate x act --user alice post 'Hello, @bob'
  hookhouse emulate x act --user bob reply alice 'Hello yourself'
  hookhouse emulate x act --user bob follow alice
  hookhouse emulate x advance 24h

The same over HTTP: POST /emulator/act {\"user\",\"action\",\"text\",\"target\"}, POST /emulator/clock {\"advance\":\"6h\"},
GET /emulator/ledger, /emulator/users and /emulator/webhooks, POST /emulator/fail {\"endpoint\",\"status\",\"times\"},
POST /emulator/rotate {} for a new consumer secret.";

#[derive(Debug, clap::Args)]
struct PlatformArgs {
    /// Where to listen: an address of this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4050")]
    listen: SocketAddr,
    /// What the account may have
    #[arg(long, value_enum, default_value_t)]
    tier: TierName,
    /// How many webhooks, instead of the tier's
    #[arg(long, value_name = "N")]
    webhook_per_app: Option<usize>,
    /// Who is there; again for each. The first one owns the app [default: alice, bob, carol]
    #[arg(long = "user", value_name = "HANDLE", value_parser = handle)]
    users: Vec<String>,
    /// The share of events that are sent twice
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share)]
    duplicates: f64,
    /// The share of events that arrive after younger ones
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share)]
    disorder: f64,
    /// The share of Account Activity elements that travel with another one that still waits
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share)]
    batches: f64,
    /// The same number makes the same keys, ids and accidents [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Let http:// URLs of this machine, with a port, be webhooks
    #[arg(long)]
    allow_http: bool,
    /// Connect to this address for a host: hooks.example.com=127.0.0.1:8443
    #[arg(long, value_name = "HOST=ADDRESS", value_parser = connect_to)]
    connect_to: Vec<(String, SocketAddr)>,
    /// Trust the certificates in this PEM file, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Which headers sign an event
    #[arg(long, value_enum, default_value_t)]
    signatures: Signatures,
    /// The key of challenges and their answers
    #[arg(long, value_enum, default_value_t)]
    crc_key: KeyName,
    /// Leave the daily challenges unsigned
    #[arg(long)]
    unsigned_crc: bool,
    /// Let PUT answer 200 before the challenge, which then may fail
    #[arg(long)]
    put_answers_first: bool,
    /// Let a replay cover what was held back while the webhook was invalid
    #[arg(long)]
    replay_withheld: bool,
    /// The answer to a new subscription of the X Activity API
    #[arg(long, value_enum, default_value_t)]
    activity_answer: Shape,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum TierName {
    #[default]
    PayPerUse,
    Enterprise,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Signatures {
    #[default]
    Consumer,
    Oauth2,
    Both,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum KeyName {
    #[default]
    Consumer,
    Oauth2,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Shape {
    /// {"data":{"subscription":{…}}}
    #[default]
    Wrapped,
    /// {"data":[{…}],"meta":{…}}
    List,
    /// {"data":{…}}
    Bare,
    /// 204
    Empty,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    if let Some(command) = args.client {
        return control::run(&command, global.output);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args.platform, global))
}

async fn serve(args: PlatformArgs, global: &Global) -> Outcome {
    let lifecycle = Lifecycle::default();
    lifecycle.stop_on_signals()?;
    let lines = lines::Lines::start(global.output)?;
    let options = args.options(lines.watch()).map_err(|error| Failure::with_code(error, Code::Usage))?;
    let platform = Platform::start(options).await?;
    keys::print(&platform, global.output)?;
    anstream::eprintln!("● Waiting for calls… (Ctrl-C ends)");
    lifecycle.soft.cancelled().await;
    platform.stop().await;
    lines.finish();
    Ok(())
}

impl PlatformArgs {
    fn options(self, watch: Watch) -> anyhow::Result<Options> {
        let mut options = Options {
            listen: self.listen,
            seed: self.seed.unwrap_or_else(rand::random),
            allow_http: self.allow_http,
            connect_to: self.connect_to,
            watch: Some(watch),
            // What a person looks back at; a test that wants more has the library.
            ledger: 100_000,
            ..Options::default()
        };
        options.tier = match self.tier {
            TierName::PayPerUse => Tier::pay_per_use(),
            TierName::Enterprise => Tier::enterprise(),
        };
        if let Some(webhooks) = self.webhook_per_app {
            options.tier.webhooks = webhooks;
        }
        if !self.users.is_empty() {
            options.users = self.users.iter().map(|handle| NewUser::new(handle, handle)).collect();
        }
        if let Some(file) = self.ca {
            let pem = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            options.trust(&pem).with_context(|| format!("cannot use {}", file.display()))?;
        }
        options.delivery.duplicates = self.duplicates;
        options.delivery.disorder = self.disorder;
        options.delivery.batches = self.batches;
        options.delivery.signatures = match self.signatures {
            Signatures::Consumer => SignatureHeaders::Consumer,
            Signatures::Oauth2 => SignatureHeaders::Oauth2,
            Signatures::Both => SignatureHeaders::Both,
        };
        options.crc.key = match self.crc_key {
            KeyName::Consumer => SigningKey::Consumer,
            KeyName::Oauth2 => SigningKey::Oauth2,
        };
        options.crc.sign_periodic = !self.unsigned_crc;
        options.crc.put_answers_first = self.put_answers_first;
        options.replay.covers_withheld = self.replay_withheld;
        options.activity_answer = match self.activity_answer {
            Shape::Wrapped => ActivityAnswer::Wrapped,
            Shape::List => ActivityAnswer::List,
            Shape::Bare => ActivityAnswer::Bare,
            Shape::Empty => ActivityAnswer::Empty,
        };
        Ok(options)
    }
}

/// `5%`, or `0.05`.
fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let share = number.trim().parse::<f64>().map(|number| number / scale);
    share.ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "a share is 0% to 100%".to_owned())
}

fn handle(text: &str) -> Result<String, String> {
    let handle = text.strip_prefix('@').unwrap_or(text);
    let fits =
        (1..=15).contains(&handle.len()) && handle.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fits { Ok(handle.to_owned()) } else { Err("a handle is 1 to 15 letters, digits and _".to_owned()) }
}

fn connect_to(text: &str) -> Result<(String, SocketAddr), String> {
    let (host, address) = text.split_once('=').ok_or("it is HOST=ADDRESS")?;
    let address = address.parse().map_err(|_| "the address is an IP address and a port")?;
    Ok((host.to_owned(), address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages_or_fractions() {
        for (text, expected) in [("5%", 0.05), ("0", 0.0), ("100 %", 1.0), ("0.5", 0.5)] {
            assert_eq!(share(text), Ok(expected), "{text}");
        }
        for text in ["", "%", "101%", "-1%", "2", "NaN", "x"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn handles_and_addresses_are_checked() {
        assert_eq!(handle("@Harbour_Cafe"), Ok("Harbour_Cafe".to_owned()));
        assert!(handle("").is_err() && handle("a b").is_err() && handle("sixteen_letters_").is_err());
        assert!(connect_to("hooks.example.com=127.0.0.1:8443").is_ok());
        assert!(connect_to("hooks.example.com").is_err() && connect_to("h=localhost").is_err());
    }
}
