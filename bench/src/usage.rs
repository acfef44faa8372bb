//! What a process has taken so far, by Linux's account.

use std::fs;

use anyhow::Context;

/// Clock ticks a second in `/proc`; Linux has shown a hundred on every architecture for twenty years.
const TICKS: f64 = 100.0;

/// Processor time and changes of thread.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Seconds, of its children that ended too.
    pub(crate) cpu: f64,
    /// How often one of its threads left the processor.
    pub(crate) switches: u64,
}

impl Usage {
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let read = |file: String| fs::read_to_string(&file).with_context(|| format!("cannot read {file}"));
        let stat = read(format!("/proc/{process}/stat"))?;
        // The name is in parentheses and may hold anything; the numbers begin behind it, with field 3.
        let numbers = stat.rsplit_once(')').map_or("", |(_, numbers)| numbers);
        let ticks: u64 =
            numbers.split_whitespace().skip(11).take(4).filter_map(|n| n.parse::<u64>().ok()).sum();
        let mut switches = 0;
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            // A thread may have ended since the folder was read.
            let Ok(status) = fs::read_to_string(thread?.path().join("status")) else { continue };
            let counts = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            switches += counts.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum::<u64>();
        }
        Ok(Self { cpu: ticks as f64 / TICKS, switches })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self { cpu: self.cpu - before.cpu, switches: self.switches.saturating_sub(before.switches) }
    }
}

/// Megabytes of a line in `/proc/PID/status`: `VmHWM` for the most that was resident, `VmRSS` for what is.
pub(crate) fn megabytes(process: u32, line: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))?;
    let kilobytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_taken_something() {
        let process = std::process::id();
        assert!(megabytes(process, "VmRSS").unwrap() > 0.0);
        assert!(megabytes(process, "VmNone").is_none());
        let before = Usage::of(process).unwrap();
        assert!(before.since(Usage::default()).cpu >= 0.0);
    }
}
