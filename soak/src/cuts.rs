//! Power cuts, under load, on a file system of its own; and the control: the same without fsync, which must lose something.
//!
//! The order matters. The server is stopped first (SIGSTOP) and the senders read what it had said; then the power goes.
//! An fsync under way during the cut may claim success, and nobody would have heard of it either.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use tempfile::TempDir;

use crate::campaign::{Budget, Campaign, Outcome};
use crate::image::{Image, Kind};
use crate::needs;

/// Cuts that one store goes through.
const PER_STORE: u32 = 20;

/// The longest load before a cut.
const MOST: Duration = Duration::from_millis(120);

/// Cuts the power again and again.
///
/// # Errors
/// When the harness cannot do its work. What it finds is no error.
pub fn run(binary: &Path, kind: Kind, budget: &Budget, seed: u64) -> anyhow::Result<Outcome> {
    cut(binary, kind, budget, seed, None)
}

/// The same, with a program that does not sync: it ends with the first cycle that lost something.
///
/// # Errors
/// When the harness cannot do its work.
pub fn control(binary: &Path, kind: Kind, budget: &Budget, seed: u64) -> anyhow::Result<Outcome> {
    let lie = Lie::compile()?;
    cut(binary, kind, budget, seed, Some(&lie))
}

fn cut(binary: &Path, kind: Kind, budget: &Budget, seed: u64, lie: Option<&Lie>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut image = Image::new(kind)?;
    while budget.allows(outcome.rounds) {
        let store = image.place().join(format!("store-{}", outcome.rounds));
        let seed = seed.wrapping_add(u64::from(outcome.rounds));
        let mut campaign = Campaign::new(binary, Some(store.clone()), seed)?;
        if let Some(lie) = lie {
            campaign.server.set("LD_PRELOAD", &lie.library().to_string_lossy());
        }
        campaign.server.start()?;
        for _ in 0..PER_STORE {
            if !budget.allows(outcome.rounds) {
                break;
            }
            let load = campaign.load_for_a_while(MOST)?;
            campaign.server.signal("-STOP")?;
            load.end()?;
            image.cut()?;
            campaign.server.kill();
            image.remount()?;
            outcome.rounds += 1;
            if let Err(refusal) = campaign.server.start() {
                // Without syncs there may be no store left to start on: that is a loss of everything.
                ensure!(lie.is_some(), "after power cut {}: {refusal:#}", outcome.rounds);
                outcome.findings.lost.extend(0..campaign.ledger.acknowledged() as u64);
                return Ok(outcome);
            }
            let found = campaign.audit()?;
            if !found.is_clean() {
                outcome.findings.absorb(found);
                return Ok(outcome);
            }
        }
        outcome.findings.absorb(campaign.settle()?);
        campaign.server.stop()?;
        if !outcome.findings.is_clean() {
            break;
        }
        drop(campaign);
        std::fs::remove_dir_all(&store)?;
    }
    Ok(outcome)
}

/// A library that stands before the system's own and says that everything is synced.
#[derive(Debug)]
struct Lie {
    folder: TempDir,
}

impl Lie {
    fn compile() -> anyhow::Result<Self> {
        needs::compiler()?;
        let lie = Self { folder: tempfile::tempdir()? };
        let source = lie.folder.path().join("nosync.c");
        std::fs::write(&source, SOURCE)?;
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(lie.library()).arg(&source);
        let output = cc.output()?;
        ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        Ok(lie)
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("nosync.so")
    }
}

const SOURCE: &str = "\
#include <stddef.h>
#include <sys/types.h>
int fsync(int fd) { (void)fd; return 0; }
int fdatasync(int fd) { (void)fd; return 0; }
int msync(void *at, size_t length, int flags) { (void)at; (void)length; (void)flags; return 0; }
int sync_file_range(int fd, off_t from, off_t length, unsigned flags) {
  (void)fd; (void)from; (void)length; (void)flags; return 0;
}
";
