//! The command: measures every goal, prints the table, and says by its exit code whether all are met.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use hookhouse_soak::goals::{GOALS, Goal, Run, Verdict};
use hookhouse_soak::machine;
use hookhouse_soak::table::{self, Row};
use tokio::time::Instant;

/// Prove that nothing acknowledged is lost, and measure what else is promised
///
/// Each goal gets its part of the minutes; what one does not use, the next ones get. In half an hour that is time for every
/// round that is asked for, on a machine that has nothing else to do; in a longer run there are more of them. With --only a
/// goal goes on for as long as there is time. Progress goes to standard error, the table to standard output. A goal that cannot be measured here (file systems are mounted, which needs root) is a
/// failure, with a word about what is missing.
///
/// What was found in other people's storage by the same means is in docs/reliability.md, with how each goal is measured.
///
/// Exit code: 0 if every goal is met or there was only too little time for all of its rounds, 1 if one is missed or could not
/// be measured.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask soak", after_help = EXAMPLES)]
struct Args {
    /// Minutes for all goals together
    #[arg(long, default_value_t = 30.0, value_name = "N")]
    minutes: f64,
    /// Measure this goal alone; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// List the goals with their targets, and measure nothing
    #[arg(long)]
    list: bool,
    /// Put the table into this file, in place of the one that is there
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "docs/reliability.md")]
    write: Option<PathBuf>,
    /// Where randomness begins; a run says which seed it has
    #[arg(long)]
    seed: Option<u64>,
    /// The program under test
    #[arg(long, default_value = "target/release/hookhouse", value_name = "FILE")]
    hookhouse: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask soak --minutes 30 --write       the table of docs/reliability.md
  cargo xtask soak --minutes 5 --only kills   five minutes of SIGKILL
  cargo xtask soak --list                     what there is";

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    let goals = chosen(&args.only)?;
    if args.list {
        for goal in goals {
            writeln!(out, "{:14} {}\n{:14} {}", goal.name, goal.what, "", goal.target)?;
        }
        return Ok(true);
    }
    let binary = args.hookhouse.canonicalize()?;
    let machine = machine::describe()?;
    eprintln!("{machine}");
    let seed = args.seed.unwrap_or_else(rand::random);
    eprintln!("seed {seed}; {} minutes for {} goals", args.minutes, goals.len());
    let end = Instant::now() + Duration::from_secs_f64(args.minutes.clamp(0.0, 1e6) * 60.0);
    let longer = args.only.is_empty().then_some(args.minutes / 30.0);
    let mut planned: u32 = goals.iter().map(|goal| goal.seconds).sum();
    let mut rows = Vec::new();
    for (number, goal) in goals.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = left * goal.seconds / planned.max(1);
        planned -= goal.seconds;
        eprintln!("── {}: {}, for {:.0} s at most", goal.name, goal.what, share.as_secs_f64());
        let began = Instant::now();
        let row = measure(goal, &Run { binary: binary.clone(), seed, share, longer, done: Arc::default() });
        let word = row.verdict.map_or("not measured", Verdict::word);
        eprintln!("   {word}: {} ({:.0} s)", row.figures, began.elapsed().as_secs_f64());
        rows.push(row);
        // With each row, so that what was measured is there whatever becomes of the rest.
        if let Some(file) = &args.write {
            let missing: Vec<_> = goals.iter().skip(number + 1).map(|goal| goal.name).collect();
            table::write(file, &table::render(&rows, &machine, &missing))?;
        }
    }
    write!(out, "{}", table::render(&rows, &machine, &[]))?;
    if let Some(file) = &args.write {
        eprintln!("the table is in {}", file.display());
    }
    Ok(rows.iter().all(|row| matches!(row.verdict, Some(Verdict::Met | Verdict::Short))))
}

/// A row whatever happens: what goes wrong with one goal is not the end of the others.
fn measure(goal: &'static Goal, run: &Run) -> Row {
    let over = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        let looking_on = scope.spawn(|| look_on(goal, run, &over));
        let outcome = catch_unwind(AssertUnwindSafe(|| (goal.measure)(run)));
        over.store(true, Ordering::Relaxed);
        looking_on.thread().unpark();
        outcome
    });
    let rounds = run.done.load(Ordering::Relaxed);
    match outcome {
        Ok(Ok(reached)) => Row { goal, figures: reached.figures, verdict: Some(reached.verdict) },
        Ok(Err(error)) => Row { goal, figures: format!("after {rounds} rounds: {error:#}"), verdict: None },
        Err(_) => Row { goal, figures: format!("the harness panicked after {rounds} rounds"), verdict: None },
    }
}

/// Says now and then how far a goal has come.
fn look_on(goal: &Goal, run: &Run, over: &AtomicBool) {
    let began = Instant::now();
    let mut next = PROGRESS;
    while !over.load(Ordering::Relaxed) {
        if began.elapsed() >= next {
            let (seconds, of) = (began.elapsed().as_secs(), run.share.as_secs());
            match run.done.load(Ordering::Relaxed) {
                0 => eprintln!("   {}: {seconds} of {of} s", goal.name),
                rounds => eprintln!("   {}: {rounds} rounds in {seconds} of {of} s", goal.name),
            }
            next += PROGRESS;
        }
        std::thread::park_timeout(next.saturating_sub(began.elapsed()));
    }
}

/// Between two words about how far a goal has come.
const PROGRESS: Duration = Duration::from_secs(15);

fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static Goal>> {
    for name in only {
        let known = GOALS.iter().any(|goal| goal.name == name);
        anyhow::ensure!(known, "there is no goal `{name}`; --list shows which there are");
    }
    let is_chosen = |goal: &&Goal| only.is_empty() || only.iter().any(|name| name == goal.name);
    Ok(GOALS.iter().filter(is_chosen).collect())
}
