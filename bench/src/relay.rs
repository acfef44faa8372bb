//! What a relay adds: an application that answers with TwiML, called directly, and through Hookhouse, which proves each
//! call, makes it durable, and only then asks the application.
//!
//! What counts is the time of one call, so few are on their way at once. With many, both sides measure how long their
//! queues are.

use crate::Args;
use crate::compare;
use crate::contender::Contender;
use crate::load::{self, Events, Measured, Traffic};
use crate::report::{Table, median, ms};

/// Keep-alive connections, each with one call on its way.
const CONNECTIONS: u16 = 1;

/// Calls per round.
const EVENTS: u32 = 5_000;

/// Both ways in one round.
struct Row {
    direct: Measured,
    relayed: Measured,
}

const HEADS: [&str; 9] =
    ["round", "direct p50 ms", "p99", "relayed p50 ms", "p99", "added p50 ms", "p99", "ratio p50", "p99"];

pub(crate) async fn run(args: &Args) -> anyhow::Result<Table> {
    let pace = args.pace(CONNECTIONS);
    let count = args.events.unwrap_or(EVENTS);
    let mut events = Events::of(Traffic::Calls)?;
    let warm_up = events.take(count.min(1_000))?;
    let mut application = Contender::application()?;
    application.wait_until_it_serves().await?;
    let mut hookhouse = Contender::relay(&args.hookhouse, application.address())?;
    hookhouse.wait_until_it_serves().await?;
    for contender in [&application, &hookhouse] {
        load::run(contender.address(), &warm_up, pace).await?;
    }
    let title = format!("Calls relayed, {} on their way at once, {} ms apart", pace.connections, args.pause);
    let mut table = Table::new(title, &HEADS);
    let mut rows = Vec::new();
    for round in 1..=args.rounds {
        let load = events.take(count)?;
        let measure = async |contender| anyhow::Ok(compare::measure(contender, &load, pace).await?.measured);
        // Whatever the first one leaves behind must not always hit the same one.
        let row = if round % 2 == 1 {
            let direct = measure(&application).await?;
            Row { direct, relayed: measure(&hookhouse).await? }
        } else {
            let relayed = measure(&hookhouse).await?;
            Row { direct: measure(&application).await?, relayed }
        };
        table.rows.push(line(&round.to_string(), &row.columns()));
        rows.push(row.columns());
    }
    // The medians of what each round showed: a slow moment of the machine hit both sides of one round.
    let medians =
        std::array::from_fn(|column| median(rows.iter().map(|row: &[f64; 8]| row[column]).collect()));
    table.rows.push(line("median", &medians));
    Ok(table)
}

impl Row {
    /// Direct, relayed, their difference and their ratio, each as p50 and p99.
    fn columns(&self) -> [f64; 8] {
        let (direct, relayed) = (&self.direct, &self.relayed);
        let [p50, p99, relayed_p50, relayed_p99] = [direct.p50, direct.p99, relayed.p50, relayed.p99].map(ms);
        [
            p50,
            p99,
            relayed_p50,
            relayed_p99,
            relayed_p50 - p50,
            relayed_p99 - p99,
            relayed_p50 / p50,
            relayed_p99 / p99,
        ]
    }
}

fn line(name: &str, columns: &[f64; 8]) -> Vec<String> {
    let (times, ratios) = columns.split_at(6);
    let times = times.iter().map(|time| format!("{time:.3}"));
    let ratios = ratios.iter().map(|ratio| format!("{ratio:.2}"));
    std::iter::once(name.to_owned()).chain(times).chain(ratios).collect()
}
