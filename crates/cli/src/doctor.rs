//! `hookhouse doctor`: what is wrong between a provider and the application, and what to do about it.
//!
//! ```text
//! configuration ─▶ server, store, disk, files, descriptors
//!               ─▶ every host that providers call: dns ─▶ tcp ─▶ tls ─▶ every source there: path ─▶ crc, provider
//!               ─▶ every destination: name ─▶ rules ─▶ connection ─▶ certificate
//! ```
//!
//! Everything beside each other, each step within a deadline, and nothing that could become an event.

mod certificate;
mod check;
mod destination;
mod hook;
mod house;
mod outside;
mod provider;
mod way;

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::pin::Pin;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use futures_util::future::join_all;
use hookhouse_core::{Clock, SourceName, SystemClock};
use hookhouse_delivery::Guard;
use hookhouse_server::Runtime;
use hookhouse_server::config::{self, Config, Severity, Source};
use hookhouse_x::rules::Caller;

use self::check::{Check, Topic, Verdict};
use self::hook::{Hook, clock};
use self::outside::{Origin, Trust};
use crate::Global;
use crate::admin::{Client, block_on};
use crate::exit::{Code, Failure, Outcome};
use crate::locate::{self, Place};
use crate::output::{Format, Out};

/// Say what is wrong between a provider and the application, and what to do
///
/// Looks at the configuration, the running server, DNS, connections, certificates and redirects of the public URLs, X's
/// challenge all the way round and X's own view, the clock, the disk, files, limits, and every destination. Sends nothing
/// that could become an event. Ends with 7 if there is a problem.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this source, and what it delivers to
    #[arg(long)]
    source: Option<SourceName>,
}

/// What is looked at.
struct Patient {
    config: Config,
    runtime: Option<Runtime>,
    /// `dev`: nobody but this machine need reach it.
    at_home: bool,
}

type Job<'a> = Pin<Box<dyn Future<Output = Vec<Check>> + 'a>>;

/// How long everything about one host or one destination may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let mut checks = Vec::new();
    let place = locate::place(global)?;
    if let Place::Elsewhere(..) = &place {
        checks.extend(block_on(elsewhere(&place, args.source.as_ref()))?);
        return tell(&checks, global);
    }
    let patient = match locate::config_file(global)? {
        None => {
            let (config, runtime) = locate::house(global)?;
            Some(Patient { config, runtime, at_home: true })
        }
        Some(file) => match config::load(&file, &config::ProcessEnv) {
            Err(diagnostics) => {
                checks.extend(diagnostics.iter().map(|found| diagnosed(&file, found)));
                None
            }
            Ok(loaded) => {
                let (sources, destinations) = (loaded.config.sources.len(), loaded.config.destinations.len());
                let fine =
                    format!("{} is fine: {sources} source(s), {destinations} destination(s)", file.display());
                checks.push(Topic::new("configuration").ok(fine));
                checks.extend(loaded.warnings.iter().map(|found| diagnosed(&file, found)));
                let runtime = Runtime::read(&loaded.config.store.path);
                Some(Patient { config: loaded.config, runtime, at_home: false })
            }
        },
    };
    if let Some(patient) = patient {
        let wanted = |source: &&Source| args.source.as_ref().is_none_or(|name| source.name == *name);
        let sources: Vec<_> = patient.config.sources.iter().filter(wanted).collect();
        if let (Some(name), []) = (&args.source, sources.as_slice()) {
            return Err(Failure::new(Code::NotFound, format!("there is no source `{name}`")));
        }
        checks.extend(block_on(async {
            Ok(examine(&patient, &place, &sources, args.source.is_some()).await)
        })?);
    }
    tell(&checks, global)
}

/// A mistake in the configuration, as the doctor says it.
fn diagnosed(file: &std::path::Path, found: &config::Diagnostic) -> Check {
    let line = found.line.map(|line| format!(":{line}")).unwrap_or_default();
    let words = format!("{}{line}: {}", file.display(), found.message);
    let advice = found.help.as_deref().unwrap_or("`hookhouse check` shows the place");
    let topic = Topic::new("configuration");
    match found.severity {
        Severity::Error => topic.problem(words, advice),
        Severity::Warning => topic.warning(words, advice),
    }
}

/// A server elsewhere: what it says of itself.
async fn elsewhere(place: &Place, only: Option<&SourceName>) -> Result<Vec<Check>, Failure> {
    let client = Client::require(place).await?;
    let answers = house::running(&client).await;
    let mut checks = answers.checks;
    if let Some(status) = &answers.status {
        let now = SystemClock.now();
        let sources = status.sources.iter().filter(|source| only.is_none_or(|name| source.name == *name));
        checks.extend(sources.filter_map(|source| provider::challenges(source, now)));
        checks.extend(status.destinations.iter().map(destination::standing));
    }
    Ok(checks)
}

/// Everything about a server of this machine.
async fn examine(patient: &Patient, place: &Place, sources: &[&Source], only_some: bool) -> Vec<Check> {
    let config = &patient.config;
    let trust = Trust::system();
    let (hooks, homeless) = hooks(patient, sources);
    let own = patient.runtime.as_ref().map(|runtime| [runtime.ingress.as_slice(), &[runtime.admin]].concat());
    let guard = Guard::new(own.unwrap_or_default());
    let mut jobs: Vec<Job<'_>> = vec![Box::pin(indoors(patient, place, sources))];
    let mut origins: Vec<&Origin> = Vec::new();
    for hook in &hooks {
        if !origins.contains(&&hook.origin) {
            origins.push(&hook.origin);
        }
    }
    for origin in origins {
        let here: Vec<_> = hooks.iter().filter(|hook| hook.origin == *origin).collect();
        jobs.push(Box::pin(outside(patient, origin, here, &trust)));
    }
    for destination in &config.destinations {
        let named = sources.iter().any(|source| {
            source.deliver.contains(&destination.name)
                || source.relay.as_ref().is_some_and(|relay| relay.to == destination.name)
        });
        if named || !only_some {
            let (guard, trust) = (&guard, &trust);
            jobs.push(Box::pin(async move { vec![destination::reach(destination, guard, trust).await] }));
        }
    }
    let mut checks = homeless;
    let progress = Progress::new(jobs.len());
    let done = join_all(jobs.into_iter().map(|job| progress.follow(job))).await;
    progress.end();
    checks.extend(done.into_iter().flatten());
    // Those of the house come first.
    checks.sort_by_key(|check| {
        !matches!(check.check, "server" | "api" | "store" | "disk" | "files" | "descriptors")
    });
    checks
}

/// The server, its store and its machine; what it says of its webhooks and destinations.
async fn indoors(patient: &Patient, place: &Place, sources: &[&Source]) -> Vec<Check> {
    let Patient { config, at_home, .. } = patient;
    let folder = &config.store.path;
    let client = Client::find(place).await.ok().flatten();
    let mut checks = Vec::new();
    let store = match &client {
        Some(client) => {
            let answers = house::running(client).await;
            checks.extend(answers.checks);
            if let Some(status) = &answers.status {
                let now = SystemClock.now();
                let mine = status
                    .sources
                    .iter()
                    .filter(|view| sources.iter().any(|source| source.name == view.name));
                checks.extend(mine.filter_map(|view| provider::challenges(view, now)));
                checks.extend(status.destinations.iter().map(destination::standing));
            }
            answers.status.map(|status| status.store)
        }
        None => {
            let (found, store) = house::stopped(folder, &config.store.encryption).await;
            checks.extend(found);
            store
        }
    };
    checks.extend(store.and_then(|store| house::disk(config, &store)));
    checks.extend(house::permissions(folder));
    if !at_home {
        checks.extend(house::descriptors(config, client.as_ref()).await);
    }
    checks
}

/// The sources with the URLs that their providers call; and what to say of those without.
fn hooks<'a>(patient: &Patient, sources: &[&'a Source]) -> (Vec<Hook<'a>>, Vec<Check>) {
    let (mut hooks, mut homeless) = (Vec::new(), Vec::new());
    for source in sources {
        let stand_in = source.api.as_ref().is_some_and(|api| api.base.is_stand_in());
        let listener = patient.runtime.as_ref().and_then(Runtime::plain);
        let url = match (&source.public_url, listener) {
            (Some(public), _) => Some(format!("{public}{}", source.path)),
            (None, Some(address)) if stand_in => {
                Some(format!("http://127.0.0.1:{}{}", address.port(), source.path))
            }
            _ => None,
        };
        let hook = url.and_then(|url| {
            let url: http::Uri = url.parse().ok()?;
            Some(Hook { source, origin: Origin::of(&url)?, url })
        });
        match hook {
            Some(hook) => hooks.push(hook),
            None => homeless.push(Topic::of("url", &source.name).warning(
                "what its provider calls is not known, so that nothing outside was looked at",
                "set `public_url` on [server] or on the source, such as \"https://hooks.example.com\"",
            )),
        }
    }
    (hooks, homeless)
}

/// A host, and every source there.
async fn outside(patient: &Patient, origin: &Origin, hooks: Vec<&Hook<'_>>, trust: &Trust) -> Vec<Check> {
    let stand_in = |hook: &&Hook<'_>| hook.source.api.as_ref().is_some_and(|api| api.base.is_stand_in());
    // X and Twilio call from the internet; whoever else there is may be next door.
    let internet = !patient.at_home
        && hooks
            .iter()
            .any(|hook| matches!(hook.source.provider.as_str(), "x" | "twilio") && !stand_in(hook));
    let way = way::go(origin.clone(), internet, trust).await;
    let mut checks = way.checks;
    let looked = hooks.iter().map(|hook| async {
        let mut checks = Vec::new();
        let url = hook.url.to_string();
        if hook.source.provider == "x" && !patient.at_home {
            let caller = if stand_in(hook) { Caller::StandIn } else { Caller::X };
            checks.extend(provider::url(hook.source, &url, caller));
        }
        if way.open {
            let seen = hook::call(hook, trust).await;
            checks.extend(seen.checks);
            // A clock is compared with another machine's.
            if let Some(date) = seen.date.filter(|_| way.origin.secure && !way.own) {
                checks.push(clock(Topic::of("clock", origin), &origin.to_string(), date));
            }
        }
        // The stand-in of `dev` has a webhook when somebody wants to try that.
        if let Some(api) = hook.source.api.as_ref().filter(|_| !patient.at_home) {
            checks.push(provider::view(hook.source, api, &url).await);
            checks.extend(provider::time(api, trust).await);
        }
        checks
    });
    let mut clocks = Vec::new();
    for check in join_all(looked).await.into_iter().flatten() {
        // Once for each host is enough.
        if check.check == "clock" {
            if clocks.contains(&check.subject) {
                continue;
            }
            clocks.push(check.subject.clone());
        }
        checks.push(check);
    }
    checks
}

/// Prints what was found; ends with 7 where something is a problem.
fn tell(checks: &[Check], global: &Global) -> Outcome {
    let mut out = Out::new(global.output);
    for check in checks {
        out.entry(check, describe)?;
    }
    out.finish()?;
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (problems, warnings) = (count(Verdict::Problem), count(Verdict::Warning));
    if global.output == Format::Human {
        anstream::eprintln!("{} checks: {problems} problem(s), {warnings} warning(s)", checks.len());
    }
    if problems == 0 { Ok(()) } else { Err(Failure::silent(Code::Refused)) }
}

fn describe(check: &Check) -> String {
    let (style, word) = match check.verdict {
        Verdict::Ok => (GOOD, "ok"),
        Verdict::Warning => (WARN, "warning"),
        Verdict::Problem => (BAD, "problem"),
    };
    let subject = check.subject.as_ref().map(|subject| format!("{subject}: ")).unwrap_or_default();
    let mut text = format!("{style}{word:<7}{style:#}  {:<13}  {subject}{}", check.check, check.found);
    if let Some(advice) = &check.advice {
        text += &format!("\n{:24}what to do: {advice}", "");
    }
    text
}

/// How far it is, on a terminal.
struct Progress {
    done: Cell<usize>,
    all: usize,
    shown: bool,
}

impl Progress {
    fn new(all: usize) -> Self {
        Self { done: Cell::new(0), all, shown: std::io::stderr().is_terminal() }
    }

    async fn follow(&self, job: Job<'_>) -> Vec<Check> {
        self.show();
        let late = || {
            Topic::new("doctor").problem(
                format!("a check did not end within {PATIENCE:?}"),
                "see the checks that are missing: something takes connections and says nothing",
            )
        };
        let checks = tokio::time::timeout(PATIENCE, job).await.unwrap_or_else(|_| vec![late()]);
        self.done.set(self.done.get() + 1);
        self.show();
        checks
    }

    fn show(&self) {
        if self.shown {
            // A terminal that takes no more shows nothing; the checks go on.
            let _ = write!(std::io::stderr(), "\r{} of {} looked at", self.done.get(), self.all);
        }
    }

    fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
