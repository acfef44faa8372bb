//! `hookhouse deliveries`: what is on its way, what is not, another try, and none.

use hookhouse_core::store::DeliveryQuery;
use hookhouse_core::{
    Attempt, AttemptOutcome, Delivery, DeliveryId, DeliveryState, DestinationName, EventId,
};

use crate::Global;
use crate::admin::{Client, Reader, block_on};
use crate::exit::{Code, Failure, Outcome};
use crate::locate;
use crate::output::Out;
use crate::terminal::inline;

/// List deliveries, retry them, and call them off
///
/// A delivery is one event for one destination: `evt_…:app`, with `:2` for its second replay.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List deliveries, the newest first
    Ls {
        /// Only in this state: pending, leased, waiting, delivered, dead, cancelled
        #[arg(long)]
        state: Option<DeliveryState>,
        /// Only to this destination
        #[arg(long)]
        destination: Option<DestinationName>,
        /// Only of this event
        #[arg(long)]
        event: Option<EventId>,
        /// How many
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
    },
    /// Try waiting, dead or cancelled deliveries now
    Retry {
        /// The deliveries
        ids: Vec<DeliveryId>,
        /// Every dead delivery to this destination
        #[arg(long, value_name = "DESTINATION", conflicts_with = "ids", required_unless_present = "ids")]
        all_dead: Option<DestinationName>,
    },
    /// Call pending, waiting or dead deliveries off; `retry` takes that back
    Cancel {
        /// The deliveries
        #[arg(required = true)]
        ids: Vec<DeliveryId>,
    },
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    let place = locate::place(global)?;
    block_on(async {
        match command {
            Command::Ls { state, destination, event, limit } => {
                let reader = Reader::open(&place).await?;
                let mut out = Out::new(global.output);
                let mut query =
                    DeliveryQuery { event, destination, state, cursor: None, limit: limit.min(1_000) };
                let mut left = limit;
                loop {
                    let page = reader.deliveries(&query).await?;
                    for delivery in page.data.iter().take(left) {
                        out.entry(delivery, describe)?;
                    }
                    left = left.saturating_sub(page.data.len());
                    query.cursor = page.next_cursor;
                    if left == 0 || query.cursor.is_none() {
                        return Ok(out.finish()?);
                    }
                }
            }
            Command::Retry { ids, all_dead } => {
                let client = Client::require(&place).await?;
                let ids = match all_dead {
                    Some(destination) => dead(&Reader::open(&place).await?, destination).await?,
                    None => ids,
                };
                let mut outcomes = Vec::new();
                for id in &ids {
                    outcomes.push(client.retry(id).await);
                }
                told(&ids, outcomes, "due now")
            }
            Command::Cancel { ids } => {
                let client = Client::require(&place).await?;
                let mut outcomes = Vec::new();
                for id in &ids {
                    outcomes.push(client.cancel(id).await);
                }
                told(&ids, outcomes, "cancelled")
            }
        }
    })
}

/// Every dead delivery to a destination.
async fn dead(reader: &Reader, destination: DestinationName) -> Result<Vec<DeliveryId>, Failure> {
    let mut query = DeliveryQuery {
        destination: Some(destination),
        state: Some(DeliveryState::Dead),
        limit: 1_000,
        ..DeliveryQuery::default()
    };
    let mut ids = Vec::new();
    loop {
        let page = reader.deliveries(&query).await?;
        ids.extend(page.data.into_iter().map(|delivery| delivery.id));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return Ok(ids);
        }
    }
}

/// Says what became of each.
fn told(ids: &[DeliveryId], outcomes: Vec<Result<(), Failure>>, done: &str) -> Outcome {
    let failed = ids.iter().zip(outcomes).filter_map(|(id, outcome)| Some((id, outcome.err()?)));
    let mut failed: Vec<_> = failed.collect();
    let (bad, all) = (failed.len(), ids.len());
    anstream::eprintln!("{} of {all} deliveries are {done}", all - bad);
    if all == 1
        && let Some((_, failure)) = failed.pop()
    {
        return Err(failure);
    }
    for (id, failure) in failed {
        anstream::eprint!("{id}: ");
        failure.report();
    }
    match bad {
        0 => Ok(()),
        _ if bad == all => Err(Failure::silent(Code::Failure)),
        _ => Err(Failure::silent(Code::Partial)),
    }
}

fn describe(delivery: &Delivery) -> String {
    let mut text = format!(
        "{}  {:<10}  {:<9}  {} attempt(s)",
        delivery.id,
        delivery.source,
        delivery.state.as_str(),
        delivery.attempts
    );
    if let Some(mark) = &delivery.edited {
        text += &format!("  edited by {}", inline(&mark.by));
    }
    if let Some(due) = delivery.due_at {
        text += &format!("  due {}", due.strftime("%Y-%m-%d %H:%M:%S"));
    }
    if let Some(reason) = delivery.reason {
        text += &format!("  {}", reason.as_str());
    }
    if let Some(last) = &delivery.last_attempt {
        text += &format!("  last: {}", outcome(last));
    }
    text
}

/// One try, in a line.
pub(crate) fn attempt(attempt: &Attempt) -> String {
    format!(
        "{}  attempt {} to {}  {} ms  {}",
        attempt.started_at.strftime("%Y-%m-%d %H:%M:%S"),
        attempt.number,
        attempt.delivery.destination,
        attempt.duration_ms,
        outcome(attempt)
    )
}

fn outcome(attempt: &Attempt) -> String {
    match &attempt.outcome {
        AttemptOutcome::Delivered { status } => format!("delivered, {status}"),
        AttemptOutcome::Refused { status, answer } if answer.is_empty() => format!("refused, {status}"),
        AttemptOutcome::Refused { status, answer } => format!("refused, {status}: {}", inline(answer)),
        AttemptOutcome::Failed { error } => format!("failed: {}", inline(error)),
        AttemptOutcome::Skipped { reason } => format!("skipped: {}", inline(reason)),
    }
}
