//! What must hold before a change lands.

use crate::{step, test, tools};

/// Stops at the first thing that does not hold; what takes longest comes last.
pub(crate) fn run(_: &[String]) -> anyhow::Result<()> {
    tools::c_compiler()?;
    step::run("formatting", &mut step::cargo(&["fmt", "--all", "--check"]))?;
    let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    step::run("lints", &mut step::cargo(&lints))?;
    let docs = ["doc", "--workspace", "--no-deps"];
    step::run("docs", step::cargo(&docs).env("RUSTDOCFLAGS", "-D warnings"))?;
    if tools::runs("cargo-deny", &["--version"]) {
        let deny = ["deny", "--offline", "check", "bans", "licenses", "sources"];
        step::run("dependencies", &mut step::cargo(&deny))?;
    }
    test::run(&[])
}
