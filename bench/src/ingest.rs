//! How many signed events per second Hookhouse proves, makes durable and acknowledges, beside a bare hyper server that
//! answers 200 to everything: the ceiling of any server made of the same parts on the same machine.

use std::io::Write;

use anyhow::Context;

use crate::Args;
use crate::contender::{self, Contender};
use crate::load::{self, Events, Traffic};
use crate::report::{self, Row};

/// Keep-alive connections, each with one request on its way.
const CONNECTIONS: u16 = 32;

/// Events per round.
const EVENTS: u32 = 100_000;

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let (pace, count) = (args.pace(CONNECTIONS), args.events.unwrap_or(EVENTS));
    let mut events = Events::of(Traffic::X)?;
    let warm_up = events.take(count.min(5_000))?;
    let mut bare = Contender::bare()?;
    let mut hookhouse = Contender::hookhouse(&args.hookhouse)?;
    for contender in [&mut bare, &mut hookhouse] {
        contender.wait_until_it_serves().await?;
        load::run(contender.address(), &warm_up, pace).await?;
    }
    writeln!(
        out,
        "{count} events of {} bytes a round, {} connections{}",
        warm_up.body_bytes(),
        pace.connections,
        if contender::pinned() { ", servers on CPU 0" } else { "" }
    )?;
    writeln!(out, "{}", report::disk()?)?;
    writeln!(out, "{}", report::HEADING)?;
    let mut rows = Vec::new();
    for round in 1..=args.rounds {
        let load = events.take(count)?;
        let [bare, hookhouse] = load::in_turn(round, [&bare, &hookhouse], &load, pace).await?;
        let row = Row { bare, hookhouse };
        writeln!(out, "{}", row.line(&round.to_string()))?;
        rows.push(row);
    }
    writeln!(out, "{}", report::summary(&rows))?;
    let memory = hookhouse.resident_megabytes().context("the memory of hookhouse")?;
    let binary = std::fs::metadata(&args.hookhouse)?.len();
    writeln!(out, "hookhouse: {memory:.1} MB resident at most, binary {:.1} MB", binary as f64 / 1e6)?;
    Ok(())
}
