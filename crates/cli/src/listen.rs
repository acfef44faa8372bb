//! `hookhouse listen`: the events of a server elsewhere, for an application on this machine.

mod application;
mod bookmark;

use std::time::Duration;

use hookhouse_core::store::{EventQuery, Order};
use hookhouse_core::{EventId, SourceName, Timestamp};
use hookhouse_server::admin::view::{EventDetail, EventView};
use serde::Serialize;
use tokio::sync::watch;

use self::application::{Application, Outcome as Handed};
use self::bookmark::Bookmark;
use crate::Global;
use crate::admin::{Client, block_on};
use crate::events::moment;
use crate::exit::{Code, Failure, Outcome};
use crate::feed::{Came, Feed, Wanted};
use crate::locate;
use crate::output::{Format, Pages, json, line, size};
use crate::terminal::{clock, inline};

/// The pauses while the application does not take an event: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// Hand the events of a server elsewhere to an application on this machine
///
/// Hands verified events to an application here, one after the other, each until it is taken (2xx). How far it came is kept
/// on the server under a name: sleep, lose the network, start again, and nothing is missed. The signatures of providers
/// stay on the server; `Hookhouse-Verified` says what was checked there.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only events of these sources
    sources: Vec<SourceName>,
    /// The application
    #[arg(long, value_name = "URL", required_unless_present = "forget")]
    forward_to: Option<String>,
    /// The cursor that keeps the place [default: the name of this machine]
    #[arg(long, value_name = "NAME", value_parser = cursor)]
    name: Option<String>,
    /// Where to begin, rather than where it stopped: `beginning`, `now`, an event, a time (RFC 3339), or a while ago (2h)
    #[arg(long, value_name = "FROM")]
    from: Option<From>,
    /// Also events that no signature vouches for, of sources that take anything
    #[arg(long)]
    unverified: bool,
    /// An answer of any status counts as taken: go on with the next event
    #[arg(long)]
    any_answer: bool,
    /// How long the application may take for an event, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Forget the cursor on the server, and end
    #[arg(long, conflicts_with_all = ["forward_to", "from", "sources"])]
    forget: bool,
}

/// A cursor's name is made like a source's.
fn cursor(text: &str) -> Result<String, String> {
    text.parse::<SourceName>().map(String::from).map_err(|error| error.to_string())
}

/// Where to begin.
#[derive(Debug, Clone)]
enum From {
    Beginning,
    Now,
    Event(EventId),
    Since(Timestamp),
}

impl std::str::FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beginning" => Ok(Self::Beginning),
            "now" => Ok(Self::Now),
            text if text.starts_with("evt_") => {
                text.parse().map(Self::Event).map_err(|_| "it is no event".to_owned())
            }
            text => moment(text).map(Self::Since),
        }
    }
}

/// How what happens is printed.
#[derive(Debug)]
struct Shown {
    format: Format,
    pages: Pages,
}

/// An event that was taken, for programs.
#[derive(Debug, Serialize)]
struct Taken<'a> {
    id: EventId,
    sequence: u64,
    source: &'a SourceName,
    #[serde(rename = "type")]
    event_type: Option<&'a str>,
    status: u16,
    ms: u128,
    attempts: u32,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let place = locate::place(global)?;
    let name = match args.name {
        Some(name) => name,
        None => machine(),
    };
    block_on(async {
        let client = Client::require(&place).await?;
        let Some(url) = &args.forward_to else { return Bookmark::forget(&client, &name).await };
        let mut application = Application::new(url, Duration::from_secs(args.timeout))?;
        let after = match &args.from {
            None => None,
            Some(from) => Some(start(&client, from).await?),
        };
        let head = client.status().await?.store.head.0;
        let (bookmark, cursor) = Bookmark::take(Client::require(&place).await?, name.clone(), after).await?;
        let after = cursor.after.0;
        anstream::eprintln!(
            "events for {} (cursor {name}{}); Ctrl-C ends",
            application.url(),
            if after < head { format!(": {} places behind", head - after) } else { String::new() }
        );
        let wanted = Wanted {
            sources: args.sources,
            verified: (!args.unverified).then_some(true),
            bodies: true,
            ..Wanted::default()
        };
        let shown = Shown { format: global.output, pages: client.pages() };
        let feed = Feed::after(client, after, wanted).await?;
        let (moved, places) = watch::channel(after);
        let outcome = tokio::select! {
            outcome = forward(feed, &mut application, &moved, args.any_answer, &shown) => outcome,
            outcome = bookmark.follow(places) => outcome,
            outcome = stopped() => outcome,
        };
        let last = *moved.borrow();
        let kept = match &outcome {
            // Whoever took the cursor has it.
            Err(failure) if failure.code() == Code::Failure => Ok(()),
            _ => bookmark.save(last).await,
        };
        outcome.and(kept)
    })
}

/// Hands events over until something ends it. Each is noted once it is taken, and no sooner.
async fn forward(
    mut feed: Feed,
    application: &mut Application,
    moved: &watch::Sender<u64>,
    any_answer: bool,
    shown: &Shown,
) -> Outcome {
    loop {
        let Came::Event(event) = feed.next().await? else { continue };
        if shown.format == Format::Human {
            line(&arrived(&event, &shown.pages))?;
        }
        let mut pause = BACK_OFF.0;
        for attempt in 1_u32.. {
            let outcome = application.take(&event, attempt).await;
            let trouble = match outcome {
                Handed::Answered { status, took } if status.is_success() || any_answer => {
                    let ms = took.as_millis();
                    match shown.format {
                        Format::Human => line(&answered(&event, status.as_u16(), ms, &shown.pages))?,
                        Format::Json | Format::Jsonl => line(&json(&serde_json::to_string(&Taken {
                            id: event.id,
                            sequence: event.sequence.0,
                            source: &event.source,
                            event_type: event.event_type.as_deref(),
                            status: status.as_u16(),
                            ms,
                            attempts: attempt,
                        })?))?,
                    }
                    break;
                }
                Handed::Answered { status, took } => {
                    format!("{} after {} ms", status.as_u16(), took.as_millis())
                }
                Handed::Failed(why) => why,
            };
            anstream::eprintln!("{}  not taken: {}; again in {pause:?}", event.id, inline(&trouble));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACK_OFF.1);
        }
        moved.send_replace(event.sequence.0);
    }
}

/// Ctrl-C, or the word of a supervisor.
async fn stopped() -> Outcome {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => Ok(ended?),
        _ = terminate.recv() => Ok(()),
    }
}

/// The place behind which the first event is.
async fn start(client: &Client, from: &From) -> Result<u64, Failure> {
    let since = match from {
        From::Beginning => return Ok(0),
        From::Now => return Ok(client.status().await?.store.head.0),
        From::Event(id) => {
            let detail: EventDetail = client.read(&format!("events/{id}")).await?;
            return Ok(detail.event.sequence.0.saturating_sub(1));
        }
        From::Since(since) => *since,
    };
    let head = client.status().await?.store.head.0;
    let query =
        EventQuery { since: Some(since), order: Order::OldestFirst, limit: 1, ..EventQuery::default() };
    Ok(client.first(query).await?.map_or(head, |first| first.sequence.0.saturating_sub(1)))
}

/// The name of this machine, as far as it fits a cursor's.
fn machine() -> String {
    let known = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain: String = known
        .trim()
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(63)
        .collect();
    if plain.trim_matches('-').is_empty() {
        "listen".to_owned()
    } else {
        plain.trim_start_matches('-').to_owned()
    }
}

fn arrived(event: &EventView, pages: &Pages) -> String {
    let kind = event.event_type.as_deref().map_or_else(|| event.method.clone(), inline);
    format!(
        "{}  {:<8} --> {kind}  {}  [{}]",
        clock(event.received_at),
        event.source,
        size(event.body_bytes),
        pages.event(event.id)
    )
}

fn answered(event: &EventView, status: u16, ms: u128, pages: &Pages) -> String {
    format!("{:12}  {:<8} <-- {status}  {ms} ms  [{}]", "", event.source, pages.event(event.id))
}
