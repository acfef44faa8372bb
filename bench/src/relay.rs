//! What a relay adds: an application that answers with TwiML, called directly, and through Hookhouse, which proves each
//! call, makes it durable, and only then asks the application.
//!
//! What counts is the time of one call, so few are on their way at once. With many, both sides measure how long their
//! queues are.

use std::io::Write;

use crate::Args;
use crate::contender::{self, Contender};
use crate::load::{self, Events, Measured, Traffic};
use crate::report::{self, median, ms};

/// Keep-alive connections, each with one call on its way.
const CONNECTIONS: u16 = 1;

/// Calls per round.
const EVENTS: u32 = 5_000;

/// Both ways in one round.
struct Row {
    direct: Measured,
    relayed: Measured,
}

const HEADING: &str = "\
round  direct p50    p99 ms    relayed p50    p99 ms    added p50    p99 ms    ratio p50      p99";

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let (pace, count) = (args.pace(CONNECTIONS), args.events.unwrap_or(EVENTS));
    let mut events = Events::of(Traffic::Calls)?;
    let warm_up = events.take(count.min(1_000))?;
    let mut application = Contender::application()?;
    application.wait_until_it_serves().await?;
    let mut hookhouse = Contender::relay(&args.hookhouse, application.address())?;
    hookhouse.wait_until_it_serves().await?;
    for contender in [&application, &hookhouse] {
        load::run(contender.address(), &warm_up, pace).await?;
    }
    writeln!(
        out,
        "{count} calls of {} bytes a round, {} on their way at once, {} ms apart{}",
        warm_up.body_bytes(),
        pace.connections,
        args.pause,
        if contender::pinned() { ", servers on CPU 0" } else { "" }
    )?;
    writeln!(out, "{}", report::disk()?)?;
    writeln!(out, "{HEADING}")?;
    let mut rows = Vec::new();
    for round in 1..=args.rounds {
        let load = events.take(count)?;
        let [direct, relayed] = load::in_turn(round, [&application, &hookhouse], &load, pace).await?;
        let row = Row { direct, relayed };
        writeln!(out, "{}", line(&round.to_string(), &row.columns()))?;
        rows.push(row.columns());
    }
    // The medians of what each round showed: a slow moment of the machine hit both sides of one round.
    let medians = std::array::from_fn(|column| median(rows.iter().map(|row| row[column]).collect()));
    writeln!(out, "{}", line("median", &medians))?;
    Ok(())
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

fn line(name: &str, columns: &[f64; 8]) -> String {
    let [p50, p99, relayed_p50, relayed_p99, added_p50, added_p99, ratio_p50, ratio_p99] = columns;
    format!(
        "{name:<6} {p50:>10.3} {p99:>9.3} {relayed_p50:>14.3} {relayed_p99:>9.3} {added_p50:>12.3} {added_p99:>9.3} \
         {ratio_p50:>12.2} {ratio_p99:>8.2}"
    )
}
