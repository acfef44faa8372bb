//! What must hold before a change lands.

use std::process::Command;

use crate::{bench, step, test, tools};

/// Stops at the first thing that does not hold; what takes longest comes last.
pub(crate) fn run(_: &[String]) -> anyhow::Result<()> {
    tools::c_compiler()?;
    step::run("formatting", &mut step::cargo(&["fmt", "--all", "--check"]))?;
    let mut lints = step::cargo(&["clippy", "--workspace", "--all-targets", "--locked"]);
    step::run("lints", lints.args(test::FEATURES).args(["--", "-D", "warnings"]))?;
    let lean = ["clippy", "--package", "hookhouse", "--locked", "--", "-D", "warnings"];
    step::run("lints of the lean build", &mut step::cargo(&lean))?;
    let mut docs = step::cargo(&["doc", "--workspace", "--no-deps"]);
    step::run("docs", docs.args(test::FEATURES).env("RUSTDOCFLAGS", "-D warnings"))?;
    // Offline, since advisories would want a clone of a repository. What only other systems build has to be there to be read.
    step::run("crates", &mut step::cargo(&["fetch", "--locked"]))?;
    let deny = ["--offline", "--log-level", "error", "check", "bans", "licenses", "sources"];
    step::run("dependencies", Command::new(tools::deny()?).args(deny))?;
    bench::instructions()?;
    test::under("ci", &[])
}
