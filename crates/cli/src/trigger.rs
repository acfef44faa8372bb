//! `hookhouse trigger`: an event as its provider would send it.

use hookhouse_core::{Clock, SourceName, SystemClock};
use hookhouse_emulator::sender::{Sent, Tamper};
use hookhouse_emulator::twilio::{Channel, Finding, judge};
use hookhouse_emulator::{Fixture, Sender};
use hookhouse_server::Runtime;
use hookhouse_server::config::{Config, Source};
use serde::Serialize;

use crate::Global;
use crate::admin::block_on;
use crate::exit::{Code, Failure, Outcome};
use crate::locate;
use crate::output::{Format, Out};

/// Send an event as its provider would, correctly signed
///
/// Signs exactly as the provider does, with the secret of the configuration's source (or of `dev`), and sends it to the
/// server on this machine. Ends with 0 if it was acknowledged; a tampered one is expected to be refused.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The provider: x, twilio, github, stripe, slack, standard-webhooks, hmac
    provider: String,
    /// The event [default: the provider's first; --list names them]
    event: Option<String>,
    /// The source to send to, where several have the provider
    #[arg(long, value_name = "SOURCE")]
    source: Option<SourceName>,
    /// Send to this URL instead of the server of the configuration
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Change something after signing, to see it refused
    #[arg(long, value_enum)]
    tamper: Option<What>,
    /// How many
    #[arg(long, short = 'n', default_value_t = 1)]
    count: u32,
    /// List the provider's events
    #[arg(long)]
    list: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// One character of the signature
    Signature,
    /// One character of the body
    Body,
}

/// What came back, for programs.
#[derive(Debug, Serialize)]
struct Report {
    event: &'static str,
    id: String,
    status: u16,
    answer: String,
    ms: u128,
    /// What the provider would make of the answer, where it does what the answer says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let fixtures: Vec<_> = Fixture::list(&args.provider).collect();
    let names =
        || fixtures.iter().map(|f| format!("  {:<32} {}", f.event, f.summary)).collect::<Vec<_>>().join("\n");
    let Some(first) = fixtures.first() else {
        let mut providers: Vec<_> = Fixture::all().iter().map(|fixture| fixture.provider).collect();
        providers.dedup();
        return Err(Failure::new(
            Code::Usage,
            format!("there are no events of `{}`; there are some of {}", args.provider, providers.join(", ")),
        ));
    };
    if args.list {
        let mut out = Out::new(global.output);
        for fixture in &fixtures {
            let listed = serde_json::json!({ "event": fixture.event, "summary": fixture.summary });
            out.entry(&listed, |_| format!("  {:<32} {}", fixture.event, fixture.summary))?;
        }
        return Ok(out.finish()?);
    }
    let fixture = match &args.event {
        None => first,
        Some(event) => Fixture::find(&args.provider, event).ok_or_else(|| {
            Failure::new(
                Code::Usage,
                format!("there is no event `{event}` of {}; there are\n{}", args.provider, names()),
            )
        })?,
    };
    let (config, runtime) = locate::house(global)?;
    let source = source(&config, &args)?;
    let sender = sender(source, &args, runtime.as_ref())?;
    let tamper = args.tamper.map(|what| match what {
        What::Signature => Tamper::Signature,
        What::Body => Tamper::Body,
    });
    let mut out = Out::new(global.output);
    let mut refused = 0;
    block_on(async {
        for _ in 0..args.count {
            let event = fixture.render(SystemClock.now(), &mut rand::rng());
            let sent = sender
                .send(&event, SystemClock.now(), tamper)
                .await
                .map_err(|error| Failure::with_code(error, Code::Unreachable))?;
            refused += u32::from(!sent.status.is_success());
            let report = Report {
                event: fixture.event,
                id: event.id,
                status: sent.status.as_u16(),
                answer: String::from_utf8_lossy(&sent.body).into_owned(),
                ms: sent.elapsed.as_millis(),
                findings: if args.tamper.is_none() { findings(fixture, &sent) } else { Vec::new() },
            };
            out.entry(&report, |report| {
                let answered = format!(
                    "{} {}  answered {} in {} ms  {}",
                    args.provider,
                    report.event,
                    report.status,
                    report.ms,
                    crate::terminal::inline(&report.answer)
                );
                let findings = report.findings.iter().map(crate::emulate::describe_finding);
                std::iter::once(answered).chain(findings).collect::<Vec<_>>().join("\n")
            })?;
        }
        Ok(())
    })?;
    out.finish()?;
    match (refused, args.tamper) {
        (0, None) => Ok(()),
        (n, Some(_)) if n == args.count => {
            if global.output == Format::Human {
                anstream::eprintln!("refused, as it should be");
            }
            Ok(())
        }
        (_, Some(_)) => Err(Failure::new(Code::Failure, "a tampered event was accepted")),
        (n, None) => Err(Failure::new(Code::Failure, format!("{n} of {} were refused", args.count))),
    }
}

/// Twilio acts on what is answered to a call or a message; the other providers, and its own reports, want an
/// acknowledgement.
fn findings(fixture: &Fixture, sent: &Sent) -> Vec<Finding> {
    let channel = match (fixture.provider, fixture.event) {
        ("twilio", "call.incoming") => Channel::Voice,
        ("twilio", "message.received") => Channel::Messaging,
        _ => return Vec::new(),
    };
    if !sent.status.is_success() {
        return Vec::new();
    }
    judge::judge(channel, sent.status, &sent.headers, &sent.body).findings
}

fn source<'a>(config: &'a Config, args: &Args) -> Result<&'a Source, Failure> {
    let provider = args.provider.as_str();
    let mut matching = config.sources.iter().filter(|source| match &args.source {
        Some(name) => source.name == *name,
        None => source.provider == provider || (provider == "hmac" && source.provider == "none"),
    });
    matching.next().ok_or_else(|| match &args.source {
        Some(name) => Failure::new(Code::NotFound, format!("there is no source `{name}`")),
        None => Failure::new(Code::NotFound, format!("no source has the provider `{provider}`")),
    })
}

fn sender(source: &Source, args: &Args, runtime: Option<&Runtime>) -> Result<Sender, Failure> {
    // Where every listener speaks TLS, its certificate is for the name that providers call.
    let public = source.public_url.as_ref().filter(|_| runtime.is_some());
    let target = match (&args.to, runtime.and_then(Runtime::plain), public) {
        (Some(url), _, _) => url.clone(),
        (None, Some(address), _) => format!("http://{}{}", reachable(address), source.path),
        (None, None, Some(public)) => format!("{public}{}", source.path),
        (None, None, None) => {
            return Err(Failure::new(
                Code::Unreachable,
                "the server of this configuration was never started here: start it, or say --to URL",
            ));
        }
    };
    let mut sender = Sender::new(&target).map_err(|error| Failure::with_code(error, Code::Usage))?;
    if let (Some(public), None) = (&source.public_url, &args.to) {
        sender = sender.known_as(&format!("{public}{}", source.path))?;
    }
    if let Some(signing) = &source.signer {
        sender = sender.signed_by(signing.signer.clone(), signing.secret.clone());
    }
    Ok(sender)
}

/// An address that a client can call: a listener on every address is on loopback too.
fn reachable(address: std::net::SocketAddr) -> std::net::SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
