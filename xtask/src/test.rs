//! Every test of the workspace: what README tells a newcomer to run, and what CI runs.

use crate::{step, tools};

/// Unit, integration and black-box tests through nextest, then the examples in the documentation, which nextest
/// leaves out. All packages at once, so that they share one set of features and everything, the binary under test
/// included, is built once.
///
/// Arguments go to nextest: the beginning of a test's name, `--package NAME`, `-E EXPRESSION`.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    tools::c_compiler()?;
    tools::curl()?;
    tools::nextest()?;
    let mut nextest = step::cargo(&["nextest", "run"]);
    if !args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package")) {
        nextest.arg("--workspace");
    }
    step::run("tests", nextest.args(args))?;
    if args.is_empty() {
        step::run("documentation tests", &mut step::cargo(&["test", "--workspace", "--doc"]))?;
    }
    Ok(())
}
