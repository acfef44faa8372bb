//! `hookhouse replay`: deliver stored events again.

mod edit;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use hookhouse_core::{DestinationName, EventId};
use hookhouse_server::admin::view::{
    EventCount, NewReplay, ReplayFilter, ReplayRequest, ReplayState, ReplayView,
};
use http::Method;

use crate::Global;
use crate::admin::{Client, Reader, block_on};
use crate::events::Which;
use crate::exit::{Code, Failure, Outcome};
use crate::locate;
use crate::output::Out;

/// Between two looks at a job.
const PAUSE: Duration = Duration::from_millis(250);

/// Deliver stored events again
///
/// Each replay is a delivery of its own, with attempts and a state of its own. With a filter, the server replays in a job
/// that goes on when this command ends.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The events
    ids: Vec<EventId>,
    #[command(flatten)]
    which: Which,
    /// Only to this destination [default: wherever the event's source delivers]
    #[arg(long, value_name = "DESTINATION")]
    to: Option<DestinationName>,
    /// How many events a second [default: as fast as the store takes them]
    #[arg(long, value_name = "N", conflicts_with = "ids", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
    /// Only count what would be replayed
    #[arg(long)]
    dry_run: bool,
    /// Order the job, and do not wait for its end
    #[arg(long, conflicts_with_all = ["ids", "dry_run"])]
    detach: bool,
    /// Call a job off; what it made stays
    #[arg(long, value_name = "JOB", conflicts_with_all = ["ids", "to", "rate", "dry_run", "detach"])]
    cancel: Option<String>,
    #[command(flatten)]
    edit: edit::Editing,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let Which { source, event_type, since, until } = &args.which;
    let filtered = source.is_some() || event_type.is_some() || since.is_some() || until.is_some();
    if args.ids.is_empty() && !filtered && args.cancel.is_none() {
        return Err(Failure::new(
            Code::Usage,
            "name events, or say which with --source, --type, --since or --until",
        ));
    }
    if filtered && (!args.ids.is_empty() || args.cancel.is_some()) {
        return Err(Failure::new(Code::Usage, "name events or say which, not both"));
    }
    if args.edit.is_wanted() && (args.ids.len() != 1 || args.dry_run) {
        return Err(Failure::new(Code::Usage, "one event is edited at a time: name it, without --dry-run"));
    }
    let place = locate::place(global)?;
    block_on(async {
        let client = Client::require(&place).await?;
        match &args.cancel {
            Some(job) => {
                let called_off: ReplayView =
                    client.ask(Method::POST, &format!("replays/{job}/cancel"), None::<&()>).await?;
                Ok(Out::one(global.output, &called_off, describe)?)
            }
            None if filtered => in_a_job(&client, args, global).await,
            None => one_by_one(&client, &args, &place, global).await,
        }
    })
}

/// Events that were named.
async fn one_by_one(client: &Client, args: &Args, place: &locate::Place, global: &Global) -> Outcome {
    if args.dry_run {
        let count = EventCount { events: u64::try_from(args.ids.len()).unwrap_or(u64::MAX), complete: true };
        return Ok(Out::one(global.output, &count, counted)?);
    }
    let edit = match args.ids.first() {
        Some(id) if args.edit.is_wanted() => {
            Some(args.edit.of(*id, client, &Reader::open(place).await?).await?)
        }
        _ => None,
    };
    let request = ReplayRequest { destination: args.to.clone(), edit };
    let mut out = Out::new(global.output);
    let (mut replayed, mut failure) = (0_usize, None);
    for id in &args.ids {
        match client.replay(*id, &request).await {
            Ok(done) => {
                replayed += 1;
                for delivery in done.deliveries {
                    out.entry(&delivery, ToString::to_string)?;
                }
            }
            Err(error) => failure = Some(error),
        }
    }
    out.finish()?;
    anstream::eprintln!("{replayed} of {} event(s) replayed", args.ids.len());
    match failure {
        None => Ok(()),
        Some(failure) if replayed == 0 => Err(failure),
        Some(failure) => {
            failure.report();
            Err(Failure::silent(Code::Partial))
        }
    }
}

/// Events that a filter means, as of now.
async fn in_a_job(client: &Client, args: Args, global: &Global) -> Outcome {
    let Which { source, event_type, since, until } = args.which;
    let filter = ReplayFilter { source, event_type, since, until, ..ReplayFilter::default() };
    let asked = NewReplay { filter, destination: args.to, rate: args.rate, dry_run: args.dry_run };
    if args.dry_run {
        let count: EventCount = client.ask(Method::POST, "replays", Some(&asked)).await?;
        return Ok(Out::one(global.output, &count, counted)?);
    }
    let mut job: ReplayView = client.ask(Method::POST, "replays", Some(&asked)).await?;
    if args.detach {
        return Ok(Out::one(global.output, &job, describe)?);
    }
    let shown = std::io::stderr().is_terminal();
    while !job.state.is_final() {
        if shown {
            let all = job.total.map_or_else(|| "?".to_owned(), |total| total.to_string());
            // A terminal that takes no more shows nothing; the job goes on.
            let _ = write!(std::io::stderr(), "\r{}: {} of {all} events", job.id, job.processed);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            ended = tokio::signal::ctrl_c() => {
                ended?;
                anstream::eprintln!("\n{0} goes on; `hookhouse replay --cancel {0}` calls it off", job.id);
                return Ok(());
            }
        }
        job = client.read(&format!("replays/{}", job.id)).await?;
    }
    if shown {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    Out::one(global.output, &job, describe)?;
    match job.state {
        ReplayState::Done if job.skipped == 0 => Ok(()),
        ReplayState::Done if job.deliveries > 0 => Err(Failure::silent(Code::Partial)),
        _ => Err(Failure::silent(Code::Failure)),
    }
}

fn counted(count: &EventCount) -> String {
    let least = if count.complete { "" } else { "at least " };
    format!("{least}{} event(s) would be replayed", count.events)
}

fn describe(job: &ReplayView) -> String {
    let state = match job.state {
        ReplayState::Queued => "queued",
        ReplayState::Counting => "counting",
        ReplayState::Running => "running",
        ReplayState::Done => "done",
        ReplayState::Cancelled => "cancelled",
        ReplayState::Failed => "failed",
    };
    let mut text = format!("{}  {state}  {} event(s), {} deliveries", job.id, job.processed, job.deliveries);
    if job.skipped > 0 {
        text += &format!(", {} gone or without a destination", job.skipped);
    }
    if let Some(error) = &job.error {
        text += &format!("  {}", crate::terminal::inline(error));
    }
    text
}
