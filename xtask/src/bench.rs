//! Builds what is shipped and the benchmark, and runs one against the other.

use std::process::Command;

use crate::{step, tools};

/// The load comes from the second processor; the benchmark puts the servers on the first.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    tools::c_compiler()?;
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
