//! What the kernel says about a process.

use std::process::Command;

use anyhow::{Context, ensure};

/// Resident memory, in megabytes.
///
/// # Errors
/// When there is no such process.
pub fn resident(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes / 1e3)
}

/// Open descriptors.
///
/// # Errors
/// When there is no such process.
pub fn descriptors(pid: u32) -> anyhow::Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Allows this process, and those that it starts, so many descriptors.
///
/// # Errors
/// When the system does not allow as many.
pub fn allow_descriptors(count: u32) -> anyhow::Result<()> {
    let pid = std::process::id().to_string();
    let set = |limit: &str| {
        let output =
            Command::new("prlimit").args(["--pid", &pid, limit]).output().context("cannot start prlimit")?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        ensure!(output.status.success(), "{count} descriptors are not to be had: {said}");
        anyhow::Ok(())
    };
    // The soft limit is ours to raise up to the hard one; more takes privileges.
    set(&format!("--nofile={count}:")).or_else(|_| set(&format!("--nofile={count}:{count}")))
}
