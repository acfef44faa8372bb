//! What is measured, one function for each: every one makes a [`Table`].

use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;
use tokio::time::Instant;

use crate::compare::{self, Plan, Side, Supply};
use crate::contender::Contender;
use crate::load::{self, Pace, Traffic};
use crate::report::{COLUMNS, Table, median, ms};
use crate::sink::Sink;
use crate::usage::{self, Usage};
use crate::{Args, cluster, relay};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Events of X, acknowledged once they are durable, beside a server that does nothing.
    Ingest,
    /// The same, beside the tutorial's application, Fastify and Debian's `webhook` too.
    Peers,
    /// X's challenges.
    Crc,
    /// Calls of Twilio, beside events of X.
    Forms,
    /// Events of X, delivered as they come.
    Delivery,
    /// How long an acknowledgement takes at half of what the server can take.
    Latency,
    /// With many events in the store already, beside an empty one.
    Stored,
    /// With a destination that is away, and many deliveries that wait for it.
    Waiting,
    /// Calls that an application answers: how much later the answer comes.
    Relay,
    /// What an event costs with one, two and four gateways on a NATS cluster; the binary needs the feature `jetstream`.
    Cluster,
    /// All of these but the cluster.
    All,
}

impl Scenario {
    /// The scenarios that this one stands for.
    pub(crate) fn each(self) -> Vec<Self> {
        match self {
            Self::All => {
                let are_in = |one: &Self| !matches!(one, Self::All | Self::Cluster);
                Self::value_variants().iter().copied().filter(are_in).collect()
            }
            one => vec![one],
        }
    }

    /// Measures.
    pub(crate) async fn run(self, args: &Args) -> anyhow::Result<Vec<Table>> {
        let mut tables = Vec::new();
        match self {
            Self::Ingest | Self::Peers | Self::Forms => {
                for connections in args.connections.map_or(vec![32, 256], |one| vec![one]) {
                    tables.push(self.beside_bare(args, connections).await?);
                }
            }
            Self::Crc => tables.push(self.beside_bare(args, args.connections.unwrap_or(32)).await?),
            Self::Delivery => {
                for connections in args.connections.map_or(vec![32, 256], |one| vec![one]) {
                    tables.push(delivery(args, connections).await?);
                }
            }
            Self::Latency => tables.push(latency(args).await?),
            Self::Stored => tables.push(stored(args).await?),
            Self::Waiting => tables.push(waiting(args).await?),
            Self::Relay => tables.push(relay::run(args).await?),
            Self::Cluster => tables.push(cluster::run(args).await?),
            Self::All => {}
        }
        Ok(tables)
    }

    /// One load on several servers, a bare one first.
    async fn beside_bare(self, args: &Args, connections: u16) -> anyhow::Result<Table> {
        let traffic = if self == Self::Crc { Traffic::Challenges } else { Traffic::X };
        let mut entries = vec![
            Side::new(Contender::bare()?, traffic),
            Side::new(Contender::hookhouse(&args.hookhouse, traffic)?, traffic),
        ];
        match self {
            Self::Forms => {
                let forms = Traffic::Calls;
                entries.push(Side::new(Contender::hookhouse(&args.hookhouse, forms)?, forms));
            }
            Self::Peers => entries.extend([
                Side::new(Contender::fastify()?, traffic).one_in(4),
                Side::new(Contender::tutorial()?, traffic).one_in(20),
                Side::new(Contender::webhook()?, traffic).one_in(100),
            ]),
            _ => {}
        }
        let plan = args.plan(connections);
        let samples = compare::run(&mut entries, &mut Supply::default(), plan).await?;
        let title = match self {
            Self::Crc => "Challenges answered",
            Self::Forms => "Twilio's forms beside X's events, acknowledged",
            _ => "X's events, acknowledged",
        };
        let mut table = Table::new(format!("{title}, {connections} connections"), &COLUMNS);
        let first = samples.first().context("nothing was measured")?;
        for (entry, samples) in entries.iter().zip(&samples) {
            let forms = if entry.traffic == Traffic::Calls { " (forms)" } else { "" };
            table.push(&format!("{}{forms}", entry.contender.name()), samples, first);
        }
        for entry in entries.iter().skip(1) {
            let memory = entry.contender.resident_megabytes().context("resident memory")?;
            table.notes.push(format!("{}: {memory:.1} MB resident at most.", entry.contender.name()));
        }
        if matches!(self, Self::Ingest) {
            table.notes.push(on_disk(&entries, &args.plan(connections))?);
        }
        Ok(table)
    }
}

/// What an event takes on the disk.
fn on_disk(entries: &[Side], plan: &Plan) -> anyhow::Result<String> {
    let house = entries.get(1).context("no hookhouse")?;
    let events = u64::from(plan.events) * u64::from(plan.rounds) + u64::from(plan.events.min(4_000));
    let one = Supply::default().take(Traffic::X, 1)?;
    let (bytes, own) = (house.contender.stored_bytes()? / events.max(1), one.kept_bytes());
    Ok(format!(
        "On disk, log and keys included: {bytes} bytes for an event whose body and headers have {own} ({:.2} times).",
        bytes as f64 / own as f64
    ))
}

/// Events that are delivered on the processor that takes them.
async fn delivery(args: &Args, connections: u16) -> anyhow::Result<Table> {
    let (sink, plan) = (Sink::open().await?, args.plan(connections));
    let mut bare = Contender::bare()?;
    let mut house = Contender::delivering("hookhouse", &args.hookhouse, Traffic::X, sink.address())?;
    let mut supply = Supply::default();
    let mut sent = 0;
    for contender in [&mut bare, &mut house] {
        contender.wait_until_it_serves().await?;
        let warm_up = supply.take(Traffic::X, 2_000)?;
        load::run(contender.address(), &warm_up, plan.pace).await?;
    }
    sent += 2_000;
    sink.has_taken(sent).await?;
    let heads = ["round", "hyper/s", "accepted/s", "delivered/s", "of hyper", "CPU µs", "CPU of hyper"];
    let mut table =
        Table::new(format!("X's events, delivered on the same processor, {connections} connections"), &heads);
    let mut columns = Vec::new();
    for round in 1..=plan.rounds {
        let load = supply.take(Traffic::X, plan.events)?;
        let reference = compare::measure(&bare, &load, plan.pace).await?;
        let (before, began) = (Usage::of(house.process())?, Instant::now());
        let accepted = load::run(house.address(), &load, plan.pace).await?;
        sent += u64::from(plan.events);
        sink.has_taken(sent).await?;
        let delivered = f64::from(plan.events) / began.elapsed().as_secs_f64();
        let cpu = Usage::of(house.process())?.since(before).cpu * 1e6 / f64::from(plan.events);
        anyhow::ensure!(accepted.refused == 0, "{} events were refused", accepted.refused);
        let bare = reference.measured.per_second;
        let row = [bare, accepted.per_second, delivered, delivered / bare, cpu, cpu / reference.cpu()];
        table.rows.push(delivery_row(&round.to_string(), row));
        columns.push(row);
    }
    let medians = std::array::from_fn(|at| {
        median(columns.iter().filter_map(|row: &[f64; 6]| row.get(at).copied()).collect())
    });
    table.rows.push(delivery_row("median", medians));
    let memory = house.resident_megabytes().context("resident memory")?;
    table.notes.push(format!("hookhouse: {memory:.1} MB resident at most."));
    Ok(table)
}

fn delivery_row(name: &str, [bare, accepted, delivered, share, cpu, cpu_share]: [f64; 6]) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{bare:.0}"),
        format!("{accepted:.0}"),
        format!("{delivered:.0}"),
        format!("{share:.2}"),
        format!("{cpu:.1}"),
        format!("{cpu_share:.2}"),
    ]
}

/// An open loop at half of what a closed one showed.
async fn latency(args: &Args) -> anyhow::Result<Table> {
    let plan = args.plan(64);
    let mut supply = Supply::default();
    let mut house = Contender::hookhouse(&args.hookhouse, Traffic::X)?;
    house.wait_until_it_serves().await?;
    let load = supply.take(Traffic::X, plan.events)?;
    let most = compare::measure(&house, &load, plan.pace).await?.measured.per_second;
    let pace = Pace { rate: Some(most / 2.0), ..plan.pace };
    let heads = ["round", "sent/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs"];
    let mut table = Table::new(format!("Half load ({most:.0}/s at most), an open loop"), &heads);
    for round in 1..=plan.rounds {
        let sample = compare::measure(&house, &supply.take(Traffic::X, plan.events)?, pace).await?;
        let times = [sample.measured.p50, sample.measured.p99, sample.measured.p999].map(ms);
        let mut row = vec![round.to_string(), format!("{:.0}", sample.measured.per_second)];
        row.extend(times.iter().map(|time| format!("{time:.2}")));
        row.push(format!("{:.1}", sample.cpu()));
        table.rows.push(row);
    }
    Ok(table)
}

/// A store with many events in it, beside an empty one.
async fn stored(args: &Args) -> anyhow::Result<Table> {
    let plan = args.plan(32);
    let mut supply = Supply::default();
    let mut full = Contender::hookhouse(&args.hookhouse, Traffic::X)?;
    full.wait_until_it_serves().await?;
    fill(&full, args.stored, &mut supply).await?;
    let empty = Contender::hookhouse(&args.hookhouse, Traffic::X)?;
    let mut entries = [Side::new(empty, Traffic::X), Side::new(full, Traffic::X)];
    let samples = compare::run(&mut entries, &mut supply, plan).await?;
    let mut table = Table::new(format!("With {} events stored, 32 connections", args.stored), &COLUMNS);
    let first = samples.first().context("nothing was measured")?;
    for (name, samples) in ["empty", "full"].iter().zip(&samples) {
        table.push(name, samples, first);
    }
    for entry in &entries {
        let memory = entry.contender.resident_megabytes().context("resident memory")?;
        table.notes.push(format!("{memory:.1} MB resident at most."));
    }
    Ok(table)
}

/// A destination that is away.
async fn waiting(args: &Args) -> anyhow::Result<Table> {
    let plan = args.plan(256);
    let mut supply = Supply::default();
    // Nobody listens there: it was somebody's a moment ago.
    let nobody = Sink::open().await?.address();
    let mut house = Contender::delivering("hookhouse", &args.hookhouse, Traffic::X, nobody)?;
    house.wait_until_it_serves().await?;
    fill(&house, args.waiting, &mut supply).await?;
    let mut table = Table::new(
        format!("With a destination that is away and {} deliveries that wait, 256 connections", args.waiting),
        &COLUMNS,
    );
    let mut alone = Contender::hookhouse(&args.hookhouse, Traffic::X)?;
    alone.wait_until_it_serves().await?;
    let mut entries = [Side::new(alone, Traffic::X), Side::new(house, Traffic::X)];
    let samples = compare::run(&mut entries, &mut supply, plan).await?;
    let first = samples.first().context("nothing was measured")?;
    for (name, samples) in ["no destination", "one that is away"].iter().zip(&samples) {
        table.push(name, samples, first);
    }
    for entry in &entries {
        let most = entry.contender.resident_megabytes().context("resident memory")?;
        let now = usage::megabytes(entry.contender.process(), "VmRSS").context("resident memory")?;
        table.notes.push(format!("{most:.1} MB resident at most, {now:.1} MB at the end."));
    }
    Ok(table)
}

/// Sends so many events, in pieces that fit into memory.
async fn fill(contender: &Contender, count: u32, supply: &mut Supply) -> anyhow::Result<()> {
    let mut left = count;
    while left > 0 {
        let piece = left.min(100_000);
        let filled = compare::measure(contender, &supply.take(Traffic::X, piece)?, Pace::closed(256)).await;
        filled.context("filling the store")?;
        left -= piece;
    }
    Ok(())
}

/// The machine, in a line.
pub(crate) fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(Path::new(file)).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let model = model.map_or("an unnamed processor", |(_, model)| model);
    format!("{model}, this process on {processors} of its processors, Linux {}", kernel.trim())
}
