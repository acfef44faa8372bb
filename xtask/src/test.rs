//! Every test of the workspace: what README tells a newcomer to run, and what CI runs.

use crate::{sdks, step, tools};

/// Unit, integration and black-box tests through nextest, then the examples in the documentation, which nextest
/// leaves out. All packages at once, so that they share one set of features and everything, the binary under test
/// included, is built once.
///
/// The binary is built with every feature, as released ones are, unless packages are named.
///
/// Arguments go to nextest: the beginning of a test's name, `--package NAME`, `-E EXPRESSION`.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    under("default", args)
}

/// The same under a profile of `.config/nextest.toml`.
pub(crate) fn under(profile: &str, args: &[String]) -> anyhow::Result<()> {
    tools::c_compiler()?;
    tools::curl()?;
    tools::prometheus()?;
    tools::nextest()?;
    if are_called(args, "hookhouse") {
        tools::nginx()?;
        tools::haproxy()?;
        tools::systemd()?;
        tools::tls()?;
        tools::soak()?;
        sdks::install()?;
        sdks::install_browser()?;
    }
    if are_called(args, "hookhouse") || are_called(args, "hookhouse-store-jetstream") {
        tools::nats()?;
    }
    let mut nextest = step::cargo(&["nextest", "run", "--profile", profile]);
    if !args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package")) {
        nextest.arg("--workspace").args(FEATURES);
    }
    step::run("tests", nextest.args(args))?;
    if args.is_empty() {
        step::run("documentation tests", step::cargo(&["test", "--workspace", "--doc"]).args(FEATURES))?;
    }
    Ok(())
}

/// What the default build leaves out, so that it stays lean.
pub(crate) const FEATURES: [&str; 2] = ["--features", "hookhouse/jetstream"];

/// Whether nextest is to run tests of this package: all packages' are run unless some are named.
fn are_called(args: &[String], package: &str) -> bool {
    let mut named = args.iter().enumerate().filter_map(|(n, arg)| match arg.as_str() {
        "-p" | "--package" => args.get(n + 1).map(String::as_str),
        arg => arg.strip_prefix("--package=").or_else(|| arg.strip_prefix("-p")),
    });
    named.clone().next().is_none() || named.any(|name| name == package)
}
