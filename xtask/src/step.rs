//! One command of a chore: announced, timed, and the end of the chore where it fails.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Runs a command and says how long it took.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn run(name: &str, command: &mut Command) -> anyhow::Result<()> {
    eprintln!("\n── {name}: {}", shown(command));
    let (status, took) = timed(|| command.status());
    let status = status.with_context(|| format!("cannot run {}", command.get_program().display()))?;
    eprintln!(
        "── {name}: {} in {:.1} s",
        if status.success() { "done" } else { "FAILED" },
        took.as_secs_f64()
    );
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// `cargo` with arguments: the one that runs this chore.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "a chore measures the machine it runs on; there is no clock to set"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    (work(), started.elapsed())
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let variables =
        command.get_envs().filter_map(|(name, value)| Some(format!("{}={:?} ", name.display(), value?)));
    let words = std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy());
    variables.collect::<String>() + &words.collect::<Vec<_>>().join(" ")
}
