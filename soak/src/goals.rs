//! What is promised, with its figures: one row of the table each.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use anyhow::Context;

use crate::campaign::Budget;
use crate::change::Change;
use crate::image::Kind;
use crate::reached;

/// A goal.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is done.
    pub what: &'static str,
    /// What must come out.
    pub target: &'static str,
    /// Its part of the half hour that all of them take.
    pub seconds: u32,
    /// Measures it.
    pub measure: fn(&Run) -> anyhow::Result<Reached>,
}

/// What a measurement may use.
#[derive(Debug, Clone)]
pub struct Run {
    /// The program under test.
    pub binary: PathBuf,
    /// Where randomness begins.
    pub seed: u64,
    /// How long it may take, about.
    pub share: Duration,
    /// How many times longer than half an hour the whole run is; `None` where not all goals are measured.
    pub longer: Option<f64>,
    /// How many rounds there were so far.
    pub done: Arc<AtomicU32>,
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Reached {
    /// The figures.
    pub figures: String,
    /// Whether it is enough.
    pub verdict: Verdict,
}

/// Whether a goal is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Met,
    /// Nothing speaks against it, but there was no time for as many rounds as it asks for.
    Short,
    /// It is not.
    Missed,
}

/// All of them, in the order in which they are measured: what is done so many times first, what takes as long as it likes last.
pub const GOALS: &[Goal] = &[
    Goal {
        name: "control",
        what: "power cuts with fsync taken away, ext4 and XFS",
        target: "loses data within 20 cuts",
        seconds: 10,
        measure: reached::control,
    },
    Goal {
        name: "kills",
        what: "SIGKILL under load",
        target: "1,000: 0 lost, 0 phantom, 0 corrupt",
        seconds: 250,
        measure: reached::killed,
    },
    Goal {
        name: "cuts-ext4",
        what: "power cuts under load, ext4",
        target: "500: 0 lost, 0 phantom, 0 corrupt",
        seconds: 210,
        measure: |run| reached::cut(run, Kind::Ext4),
    },
    Goal {
        name: "cuts-xfs",
        what: "power cuts under load, XFS",
        target: "500: 0 lost, 0 phantom, 0 corrupt",
        seconds: 210,
        measure: |run| reached::cut(run, Kind::Xfs),
    },
    Goal {
        name: "corruption",
        what: "torn, flipped and zeroed bytes in the newest pages",
        target: "1,000: 0 panics, 0 wrong events served, 0 losses unreported",
        seconds: 220,
        measure: reached::corrupted,
    },
    Goal {
        name: "disk-full",
        what: "the disk fills up under load and is made room on, with a reserve and without",
        target: "20: 503, challenges answered, 0 lost, goes on",
        seconds: 90,
        measure: reached::filled,
    },
    Goal {
        name: "io-errors",
        what: "EIO at the N-th sync, EIO and ENOSPC at the N-th write",
        target: "60: ends after a failed sync, 0 lost",
        seconds: 90,
        measure: reached::failing,
    },
    Goal {
        name: "clock-jumps",
        what: "the wall clock is set by a year, to 1970, by a second",
        target: "12: 0 lost, no storm of retries, ids in order",
        seconds: 70,
        measure: reached::jumped,
    },
    Goal {
        name: "take-overs",
        what: "another process takes over, at 1,000 requests a second",
        target: "50: 0 requests failed, 0 lost",
        seconds: 60,
        measure: |run| reached::changed(run, Change::Process),
    },
    Goal {
        name: "reloads",
        what: "the configuration becomes another one, or has a mistake, at 1,000 requests a second",
        target: "50: 0 requests failed, 0 lost",
        seconds: 45,
        measure: |run| reached::changed(run, Change::Configuration),
    },
    Goal {
        name: "rotation",
        what: "the secret is rotated, at 1,000 requests a second",
        target: "50: 0 requests refused, 0 lost",
        seconds: 60,
        measure: |run| reached::changed(run, Change::Secret),
    },
    Goal {
        name: "challenges",
        what: "p99 of a challenge: idle, disk stalled for 5 s, disk full",
        target: "under 20 ms idle, under 50 ms otherwise",
        seconds: 30,
        measure: reached::challenged,
    },
    Goal {
        name: "restart",
        what: "SIGKILL with 1,000,000 events waiting",
        target: "accepting within 300 ms, delivering within 1 s (p99); challenges under 50 ms (p99)",
        seconds: 120,
        measure: reached::restarted,
    },
    Goal {
        name: "slow-clients",
        what: "10,000 clients that dawdle in every phase",
        target: "a good client's p99 under 25 ms and twice its quiet value; under 350 MB; all gone in 61 s",
        seconds: 130,
        measure: reached::slowed,
    },
    Goal {
        name: "floods",
        what: "8 kinds of HTTP/2 floods from 50 connections",
        target: "a good client's p99 under 50 ms; growth under 50 MB",
        seconds: 120,
        measure: reached::flooded,
    },
    Goal {
        name: "memory",
        what: "refused requests without end, and forged bodies of 1 MB, from 50 connections",
        target: "the server's memory grows by less than 120 MB, the bodies that it holds at once included",
        seconds: 20,
        measure: reached::bounded,
    },
    Goal {
        name: "fuzz",
        what: "inputs by `cargo xtask fuzz`, of every parser of outside bytes",
        target: "100,000,000: 0 panics, 0 hangs",
        seconds: 0,
        measure: reached::fuzzed,
    },
    Goal {
        name: "mutants",
        what: "changes to signatures, challenges, duplicates and proxy trust by `cargo xtask mutants`",
        target: "95 % noticed by a test",
        seconds: 0,
        measure: reached::mutated,
    },
    Goal {
        name: "steady",
        what: "load that goes on",
        target: "0 lost; under 1 MB/h of growth; descriptors flat",
        seconds: 65,
        measure: reached::steadily,
    },
];

impl Run {
    /// As many rounds as a goal asks for; in a longer run more, and where only some goals are measured as many as there is time
    /// for. What is not needed of the time is the others'.
    pub(crate) fn budget(&self, wanted: u32) -> Budget {
        let times =
            self.longer.map_or(u32::MAX, |longer| (f64::from(wanted) * longer.max(1.0)).ceil() as u32);
        Budget::within(self.share, times, &self.done)
    }

    /// One of several parts of the same length.
    pub(crate) fn part(&self, of: u32) -> Self {
        Self { share: self.share / of, ..self.clone() }
    }

    /// The folder that all chores of the repository build and write into.
    pub(crate) fn target(&self) -> anyhow::Result<&Path> {
        self.binary.ancestors().nth(2).context("the program is not in a target folder")
    }
}

impl Verdict {
    /// What the table says.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Short => "short: fewer rounds than asked for",
            Self::Missed => "**missed**",
        }
    }

    pub(crate) fn of(holds: bool, enough: bool) -> Self {
        match (holds, enough) {
            (true, true) => Self::Met,
            (true, false) => Self::Short,
            (false, _) => Self::Missed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_fits_into_half_an_hour() {
        assert_eq!(GOALS.iter().map(|goal| goal.seconds).sum::<u32>(), 30 * 60);
    }

    #[test]
    fn names_are_unique_and_can_be_typed() {
        let names: std::collections::BTreeSet<_> = GOALS.iter().map(|goal| goal.name).collect();
        assert_eq!(names.len(), GOALS.len());
        assert!(
            names
                .iter()
                .all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        );
    }
}
