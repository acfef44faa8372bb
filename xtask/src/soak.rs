//! Builds what is shipped and the harness, and measures whether what is promised holds.

use std::process::Command;

use crate::{step, tools};

/// Installs what the measurements need, where that is ours to do; what is missing then, the harness names.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    tools::c_compiler()?;
    tools::soak()?;
    let build = ["build", "--release", "--locked", "--package", "hookhouse", "--package", "hookhouse-soak"];
    step::run("build", &mut step::cargo(&build))?;
    step::run("soak", Command::new("target/release/soak").args(args))
}
