//! What was measured, and on what.

use std::io::{Seek, SeekFrom, Write};
use std::process::Command;

use hookhouse_core::{Clock, SystemClock};
use tokio::time::Instant;

use crate::latency::Waits;

/// How often the disk is asked to sync.
const SYNCS: usize = 200;

/// A sentence that says when and where, to stand under the figures.
///
/// # Errors
/// When the disk cannot be measured.
pub fn describe() -> anyhow::Result<String> {
    let now = SystemClock.now().to_string();
    let day = now.split('T').next().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let folder = std::env::temp_dir();
    let file_system = output(Command::new("stat").args(["--file-system", "--format=%T"]).arg(&folder));
    let commit = output(Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]));
    let sync = syncs()?;
    Ok(format!(
        "Measured on {day} at commit `{commit}`: {cores} cores, Linux {}, {file_system}; a sync of 4 KiB takes {:.2} ms \
         (p50), {:.2} ms (p99). The load of the machine was {load} when the run began.",
        kernel.trim(),
        sync.percentile(50),
        sync.percentile(99),
    ))
}

/// What a command prints; nothing where there is no such command.
fn output(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}

/// How long it takes to overwrite a block and sync it, in the folder where stores are put.
fn syncs() -> anyhow::Result<Waits> {
    let mut file = tempfile::tempfile()?;
    let block = [0x5a; 4096];
    for _ in 0..SYNCS {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    Ok(Waits::of(took))
}
