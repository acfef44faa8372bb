//! Builds what is shipped and the benchmark, and runs one against the other.

use std::process::Command;

use anyhow::Context;

use crate::{sdks, step, tools};

/// The hot path's budget: instructions for each event.
const BUDGET: &str = "bench/instructions.txt";

/// How many percent over the budget pass. Compilers and C libraries differ by less.
const SLACK: u64 = 10;

/// Counts what an event costs, and compares it with the budget; writes the budget with `UPDATE_BUDGET=1`.
///
/// # Errors
/// When an event costs more than it may.
pub(crate) fn instructions() -> anyhow::Result<()> {
    tools::c_compiler()?;
    tools::valgrind()?;
    step::run(
        "build",
        &mut step::cargo(&["build", "--release", "--locked", "--package", "hookhouse-bench"]),
    )?;
    let (few, many) = (500, 2_500);
    let each = (counted(many)?.saturating_sub(counted(few)?)) / (many - few);
    if std::env::var_os("UPDATE_BUDGET").is_some() {
        std::fs::write(BUDGET, format!("{each}\n")).with_context(|| format!("cannot write {BUDGET}"))?;
    }
    let text = std::fs::read_to_string(BUDGET).with_context(|| format!("cannot read {BUDGET}"))?;
    let budget: u64 = text.trim().parse().with_context(|| format!("{BUDGET} is no number"))?;
    eprintln!("\n{each} instructions for each event; the budget is {budget}");
    anyhow::ensure!(
        each <= budget * (100 + SLACK) / 100,
        "an event costs {each} instructions, more than {SLACK} % over its budget of {budget}: find out why, or set \
         a new one with UPDATE_BUDGET=1"
    );
    Ok(())
}

/// The instructions of a run with so many events.
fn counted(events: u64) -> anyhow::Result<u64> {
    let mut run = Command::new("valgrind");
    run.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "target/release/bench", "hot-path"]);
    let output = run.arg(events.to_string()).output().context("cannot run valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the hot path failed under valgrind:\n{said}");
    let count = said.lines().find_map(|line| line.split_once("Collected : "));
    Ok(count.context("callgrind counted nothing")?.1.trim().parse()?)
}

/// The load comes from the second processor; the benchmark puts the servers on the first.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    if args.iter().any(|arg| arg == "--instructions") {
        return instructions();
    }
    tools::c_compiler()?;
    if args.iter().any(|arg| arg == "peers" || arg == "all") {
        sdks::install_peers()?;
    }
    let build = ["build", "--release", "--package", "hookhouse", "--package", "hookhouse-bench"];
    step::run("build", &mut step::cargo(&build))?;
    let mut bench = if tools::runs("taskset", &["-c", "1", "true"]) {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", "1", "target/release/bench"]);
        pinned
    } else {
        Command::new("target/release/bench")
    };
    step::run("bench", bench.args(["--hookhouse", "target/release/hookhouse"]).args(args))
}
