//! System calls that fail, one at a time: the N-th sync or write of each thread. A failed sync is final: the process ends,
//! so that the next one reads what the disk really has. No space is not final: it is refused, and goes on.

use std::path::Path;

use anyhow::ensure;

use crate::campaign::{Budget, Campaign, Outcome};
use crate::load::Load;
use crate::needs;

/// What fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A sync, with an input/output error.
    Sync,
    /// A write, with an input/output error.
    Write,
    /// A write, for want of space.
    Space,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sync, Self::Write, Self::Space];

    const fn calls(self) -> &'static str {
        match self {
            Self::Sync => "fsync,fdatasync",
            Self::Write | Self::Space => "pwrite64",
        }
    }

    const fn error(self) -> &'static str {
        match self {
            Self::Sync | Self::Write => "EIO",
            Self::Space => "ENOSPC",
        }
    }
}

/// What the log says of a failed sync.
pub const SYNC_FAILED: &str = "store.fsync_failed";

/// Events of a run.
const EVENTS: usize = 200;

/// How many of them are sent at once. With few, each commit has few events, and there are many commits to fail.
const SENDERS: usize = 2;

/// Lets each N-th call fail in a run of its own, for N in steps, until a run is through before the call comes.
///
/// # Errors
/// When the harness cannot do its work, or the server goes on after a failed sync. What the audits find is no error.
pub fn run(
    binary: &Path,
    failure: Failure,
    step: usize,
    budget: &Budget,
    seed: u64,
) -> anyhow::Result<Outcome> {
    needs::tracing()?;
    let mut outcome = Outcome::default();
    for n in (1..).step_by(step) {
        if !budget.allows(outcome.rounds) || !outcome.findings.is_clean() {
            break;
        }
        let (found, came) = once(binary, failure, n, seed.wrapping_add(n as u64))?;
        outcome.rounds += 1;
        outcome.findings.absorb(found);
        if !came {
            break;
        }
    }
    Ok(outcome)
}

/// One run. Says what was found, and whether the call came that was to fail.
fn once(
    binary: &Path,
    failure: Failure,
    n: usize,
    seed: u64,
) -> anyhow::Result<(crate::audit::Findings, bool)> {
    let mut campaign = Campaign::new(binary, None, seed)?;
    let trace = campaign.folder().join("trace");
    let (calls, error) = (failure.calls(), failure.error());
    campaign.server.wrap(&[
        "strace",
        "-D",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-o",
        &trace.to_string_lossy(),
        "-e",
        &format!("trace={calls}"),
        "-e",
        &format!("inject={calls}:error={error}:when={n}"),
    ]);
    let started = campaign.server.start().is_ok();
    if started {
        let load = Load::start(campaign.server.ingress, &campaign.ledger, SENDERS);
        load.wait_for(EVENTS)?;
        load.end()?;
    }
    let came = std::fs::read_to_string(&trace).unwrap_or_default().contains("(INJECTED)");
    if came && failure == Failure::Sync {
        // Its own end: with an error, so that whoever watches it starts it again.
        let status = campaign.server.wait()?;
        ensure!(!status.success(), "it ended with {status} after sync {n} had failed");
        let said = campaign.server.log().contains(SYNC_FAILED);
        ensure!(
            said || !started,
            "sync {n} failed, and the log does not say so:\n{}",
            campaign.server.last_words()
        );
    }
    campaign.server.kill();
    let log = campaign.server.log();
    ensure!(!log.contains("panicked"), "a panic after {calls} {n} had failed:\n{log}");
    campaign.server.wrap(&[]);
    campaign.server.start()?;
    let found = campaign.settle()?;
    campaign.server.stop()?;
    Ok((found, came))
}
