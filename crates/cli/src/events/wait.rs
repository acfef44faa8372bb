//! `hookhouse events wait`: until so many events have come, or it took too long.

use std::time::Duration;

use hookhouse_core::store::{EventQuery, Order};
use hookhouse_core::{SourceName, Timestamp};
use jiff::SignedDuration;
use tokio::time::Instant;

use super::{moment, summary};
use crate::Global;
use crate::admin::Client;
use crate::exit::{Code, Failure, Outcome};
use crate::feed::{Came, Feed, Wanted};
use crate::locate::Place;
use crate::output::Out;

/// Wait until events have come, and print them; for tests
///
/// Counts events from now on; with --since also those that are there already, which spares a test a race. Ends with 9 if
/// they did not come in time, and prints those that did.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only of this source
    #[arg(long)]
    source: Option<SourceName>,
    /// Only of this type; `*` stands for any text, as in `post.*`
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Also those received at or after: a time (RFC 3339) or a while ago (10s, 2m)
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Timestamp>,
    /// How many
    #[arg(long, short = 'n', default_value_t = 1, value_name = "N")]
    count: usize,
    /// How long
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = while_long)]
    timeout: Duration,
}

fn while_long(text: &str) -> Result<Duration, String> {
    let wanted = || "give a time such as 30s or 2m".to_owned();
    let parsed: SignedDuration = text.parse().map_err(|_| wanted())?;
    Duration::try_from(parsed).map_err(|_| wanted())
}

pub(super) async fn wait(args: Args, place: &Place, global: &Global) -> Outcome {
    let until = Instant::now() + args.timeout;
    let client = Client::require(place).await?;
    let start = start(&client, args.since).await?;
    let wanted = Wanted {
        sources: args.source.into_iter().collect(),
        event_type: args.event_type,
        bodies: true,
        ..Wanted::default()
    };
    let pages = client.pages();
    let mut feed = Feed::after(client, start, wanted).await?;
    let mut out = Out::new(global.output);
    let mut left = args.count;
    while left > 0 {
        match tokio::time::timeout_at(until, feed.next()).await {
            Ok(came) => {
                if let Came::Event(event) = came? {
                    out.entry(&*event, |event| summary(event, &pages))?;
                    left -= 1;
                }
            }
            Err(_) => {
                out.finish()?;
                return Err(Failure::new(
                    Code::TimedOut,
                    format!("{} of {} events came within {:?}", args.count - left, args.count, args.timeout),
                ));
            }
        }
    }
    Ok(out.finish()?)
}

/// The place in the log behind which the events are that count.
async fn start(client: &Client, since: Option<Timestamp>) -> Result<u64, Failure> {
    let head = client.status().await?.store.head.0;
    if since.is_none() {
        return Ok(head);
    }
    let query = EventQuery { since, order: Order::OldestFirst, limit: 1, ..EventQuery::default() };
    Ok(client.first(query).await?.map_or(head, |first| first.sequence.0.saturating_sub(1)))
}
