//! `hookhouse tail`: events, and if it is wanted refusals, as they come.

use hookhouse_core::SourceName;
use hookhouse_core::store::{EventQuery, Order};

use crate::Global;
use crate::admin::{Client, block_on};
use crate::events::{refused, summary, with_body};
use crate::exit::{Failure, Outcome};
use crate::feed::{Came, Feed, Wanted};
use crate::locate;
use crate::output::{Format, Pages, json, line};

/// Follow what is received, as it is received
///
/// Follows until Ctrl-C. A lost connection is made again, and what came in between comes then. -o json prints a line for
/// each, as -o jsonl does: there is no end to close a list at.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only of these sources
    #[arg(long)]
    source: Vec<SourceName>,
    /// Only of this type; `*` stands for any text, as in `post.*`
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only events that a signature vouches for
    #[arg(long, conflicts_with = "unverified")]
    verified: bool,
    /// Only events that none does: of sources that take anything
    #[arg(long)]
    unverified: bool,
    /// Also what is refused, and why
    #[arg(long)]
    refused: bool,
    /// Print bodies too, JSON laid out
    #[arg(long)]
    bodies: bool,
    /// Begin with so many events that are there already
    #[arg(short = 'n', long = "lines", default_value_t = 0, value_name = "N")]
    lines: usize,
}

/// Events that are there already, at most.
const MOST_LINES: usize = 1_000;

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let place = locate::place(global)?;
    block_on(async {
        let client = Client::require(&place).await?;
        let pages = client.pages();
        let head = client.status().await?.store.head.0;
        let wanted = Wanted {
            sources: args.source,
            event_type: args.event_type,
            verified: (args.verified || args.unverified).then_some(args.verified),
            bodies: args.bodies,
            refusals: args.refused,
        };
        for event in earlier(&client, &wanted, args.lines, head).await? {
            print(&event, args.bodies, global.output, &pages)?;
        }
        let mut feed = Feed::after(client, head, wanted).await?;
        loop {
            tokio::select! {
                came = feed.next() => print(&came?, args.bodies, global.output, &pages)?,
                ended = tokio::signal::ctrl_c() => return Ok(ended?),
            }
        }
    })
}

/// The last events up to a place, the oldest of them first.
async fn earlier(client: &Client, wanted: &Wanted, count: usize, head: u64) -> Result<Vec<Came>, Failure> {
    let count = count.min(MOST_LINES);
    let mut found = Vec::new();
    let mut query = EventQuery {
        event_type: wanted.event_type.clone(),
        order: Order::NewestFirst,
        limit: count.clamp(1, 200),
        ..EventQuery::default()
    };
    while found.len() < count {
        let page = client.events(&query, wanted.bodies).await?;
        let events = page.data.into_iter().filter(|event| event.sequence.0 <= head && wanted.takes(event));
        found.extend(events.take(count - found.len()).map(|event| Came::Event(Box::new(event))));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

fn print(came: &Came, bodies: bool, format: Format, pages: &Pages) -> Outcome {
    let text = match (format, came) {
        (Format::Json | Format::Jsonl, came) => json(&serde_json::to_string(came)?).into_owned(),
        (Format::Human, Came::Event(event)) if bodies => with_body(event, pages).trim_end().to_owned(),
        (Format::Human, Came::Event(event)) => summary(event, pages),
        (Format::Human, Came::Refusal(stored)) => refused(stored),
    };
    Ok(line(&text)?)
}
