//! What is promised, with its figures: one row of the table each.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::campaign::{Budget, Outcome};
use crate::image::Kind;
use crate::io_errors::Failure;
use crate::latency::Waits;
use crate::{backlog, challenges, clocks, corruption, cuts, floods, full, io_errors, kills, slow, steady};

/// A goal.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is done.
    pub what: &'static str,
    /// What must come out.
    pub target: &'static str,
    /// Its part of the time.
    pub weight: u32,
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

/// All of them, in the order in which they are measured.
pub const GOALS: &[Goal] = &[
    Goal {
        name: "control",
        what: "power cuts with fsync taken away, ext4 and XFS",
        target: "loses data within 20 cuts",
        weight: 1,
        measure: control,
    },
    Goal {
        name: "kills",
        what: "SIGKILL under load",
        target: "1,000: 0 lost, 0 phantom, 0 corrupt",
        weight: 20,
        measure: |run| Ok(rounds(&kills::run(&run.binary, run.budget(), run.seed)?, 1_000)),
    },
    Goal {
        name: "cuts-ext4",
        what: "power cuts under load, ext4",
        target: "500: 0 lost, 0 phantom, 0 corrupt",
        weight: 16,
        measure: |run| Ok(rounds(&cuts::run(&run.binary, Kind::Ext4, run.budget(), run.seed)?, 500)),
    },
    Goal {
        name: "cuts-xfs",
        what: "power cuts under load, XFS",
        target: "500: 0 lost, 0 phantom, 0 corrupt",
        weight: 16,
        measure: |run| Ok(rounds(&cuts::run(&run.binary, Kind::Xfs, run.budget(), run.seed)?, 500)),
    },
    Goal {
        name: "corruption",
        what: "torn, flipped and zeroed bytes in the newest pages",
        target: "1,000: 0 panics, 0 wrong events served, 0 losses unreported",
        weight: 15,
        measure: corrupted,
    },
    Goal {
        name: "disk-full",
        what: "the disk fills up under load and is made room on, with a reserve and without",
        target: "20: 503, challenges answered, 0 lost, goes on",
        weight: 4,
        measure: filled,
    },
    Goal {
        name: "io-errors",
        what: "EIO at the N-th sync, EIO and ENOSPC at the N-th write",
        target: "60: ends after a failed sync, 0 lost",
        weight: 8,
        measure: failing,
    },
    Goal {
        name: "clock-jumps",
        what: "the wall clock is set by a year, to 1970, by a second",
        target: "12: 0 lost, no storm of retries, ids in order",
        weight: 3,
        measure: |run| Ok(rounds(&clocks::run(&run.binary, run.budget(), run.seed)?, 12)),
    },
    Goal {
        name: "challenges",
        what: "p99 of a challenge: idle, disk stalled for 5 s, disk full",
        target: "under 20 ms idle, under 50 ms otherwise",
        weight: 3,
        measure: challenged,
    },
    Goal {
        name: "restart",
        what: "SIGKILL with 1,000,000 events waiting",
        target: "accepting within 300 ms, delivering within 1 s (p99); challenges under 50 ms (p99)",
        weight: 8,
        measure: restarted,
    },
    Goal {
        name: "slow-clients",
        what: "10,000 clients that dawdle in every phase",
        target: "a good client's p99 under 25 ms and twice its quiet value; under 350 MB; all gone in 61 s",
        weight: 8,
        measure: slowed,
    },
    Goal {
        name: "floods",
        what: "8 kinds of HTTP/2 floods from 50 connections",
        target: "a good client's p99 under 50 ms; growth under 50 MB",
        weight: 6,
        measure: flooded,
    },
    Goal {
        name: "steady",
        what: "load that goes on",
        target: "0 lost; under 1 MB/h of growth; descriptors flat",
        weight: 12,
        measure: steadily,
    },
];

impl Run {
    fn budget(&self) -> Budget {
        Budget { times: u32::MAX, until: Some(Instant::now() + self.share) }
    }

    fn part(&self, of: u32) -> Self {
        Self { share: self.share / of, ..self.clone() }
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

    fn of(holds: bool, enough: bool) -> Self {
        match (holds, enough) {
            (true, true) => Self::Met,
            (true, false) => Self::Short,
            (false, _) => Self::Missed,
        }
    }
}

/// A number with commas, as people read it.
fn number(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn rounds(outcome: &Outcome, wanted: u32) -> Reached {
    let found = &outcome.findings;
    Reached {
        figures: format!(
            "{}: {} lost, {} phantom or corrupt, {} twice, {} undelivered, of {} acknowledged",
            number(outcome.rounds as usize),
            found.lost.len(),
            found.phantom,
            found.doubled.len(),
            found.undelivered.len(),
            number(found.acknowledged)
        ),
        verdict: Verdict::of(found.is_clean(), outcome.rounds >= wanted),
    }
}

fn control(run: &Run) -> anyhow::Result<Reached> {
    let mut said = Vec::new();
    let mut lost = true;
    for kind in [Kind::Ext4, Kind::Xfs] {
        let outcome = cuts::control(&run.binary, kind, Budget::times(20), run.seed)?;
        let (gone, of) =
            (outcome.findings.lost.len(), outcome.findings.acknowledged.max(outcome.findings.lost.len()));
        lost &= gone > 0;
        said.push(format!("{kind}: {gone} of {of} lost after {} cut(s)", outcome.rounds));
    }
    Ok(Reached { figures: said.join("; "), verdict: Verdict::of(lost, true) })
}

fn corrupted(run: &Run) -> anyhow::Result<Reached> {
    let seen = corruption::run(&run.binary, run.budget(), run.seed)?;
    let mut figures = format!(
        "{}: {} starts refused with the damage named, {} losses reported, {} logs cut off at their end, {} without a loss; \
         {} wrong",
        number(seen.rounds as usize),
        number(seen.refused as usize),
        number(seen.reported as usize),
        number(seen.cut_off as usize),
        number(seen.whole as usize),
        seen.wrong.len()
    );
    if let Some(first) = seen.wrong.first() {
        figures += &format!(" (the first: {})", first.lines().next().unwrap_or_default());
    }
    Ok(Reached { figures, verdict: Verdict::of(seen.wrong.is_empty(), seen.rounds >= 1_000) })
}

fn filled(run: &Run) -> anyhow::Result<Reached> {
    let half = run.part(2);
    let mut both = Outcome::default();
    for reserve in [full::Reserve::Kept, full::Reserve::None] {
        let outcome = full::run(&run.binary, reserve, half.budget(), run.seed)?;
        both.rounds += outcome.rounds;
        both.findings.absorb(outcome.findings);
    }
    Ok(rounds(&both, 20))
}

fn failing(run: &Run) -> anyhow::Result<Reached> {
    let part = run.part(Failure::ALL.len() as u32);
    let mut all = Outcome::default();
    for failure in Failure::ALL {
        let outcome = io_errors::run(&run.binary, failure, 3, part.budget(), run.seed)?;
        all.rounds += outcome.rounds;
        all.findings.absorb(outcome.findings);
    }
    Ok(rounds(&all, 60))
}

fn challenged(run: &Run) -> anyhow::Result<Reached> {
    let length = (run.share / 4).max(Duration::from_secs(5));
    let idle = challenges::idle(&run.binary, length, run.seed)?;
    let stalled = challenges::stalled(&run.binary, Duration::from_secs(5), run.seed)?;
    let full = challenges::full(&run.binary, length, run.seed)?;
    let under = |waits: &Waits, limit: f64| waits.refused == 0 && waits.percentile(99) < limit;
    Ok(Reached {
        figures: format!("idle: {idle}; stalled: {stalled}; full: {full}"),
        verdict: Verdict::of(under(&idle, 20.0) && under(&stalled, 50.0) && under(&full, 50.0), true),
    })
}

fn restarted(run: &Run) -> anyhow::Result<Reached> {
    let mut backlog = backlog::Backlog::fill(&run.binary, 1_000_000, run.seed)?;
    let restarts = backlog.restart(100)?;
    let waits = backlog.challenges(Duration::from_secs(5))?;
    let (accepting, delivering) = (restarts.accepting.percentile(99), restarts.delivering.percentile(99));
    Ok(Reached {
        figures: format!(
            "{} restarts: accepting: {}; delivering: {}; challenges: {waits}",
            restarts.accepting.count(),
            restarts.accepting,
            restarts.delivering
        ),
        verdict: Verdict::of(accepting < 300.0 && delivering < 1_000.0 && waits.percentile(99) < 50.0, true),
    })
}

fn slowed(run: &Run) -> anyhow::Result<Reached> {
    let length = (run.share / 2).clamp(Duration::from_secs(10), Duration::from_secs(60));
    let seen = slow::run(&run.binary, 10_000, length, run.seed)?;
    let (p99, quiet) = (seen.events.percentile(99), seen.quiet.percentile(99));
    let holds = p99 < 25.0
        && p99 < 2.0 * quiet
        && seen.challenges.percentile(99) < 50.0
        && seen.events.refused + seen.challenges.refused == 0
        && seen.resident < 350.0
        && seen.gone_after <= 61.0;
    Ok(Reached {
        figures: format!(
            "{} connected: events: {} (quiet: p99 {quiet:.1} ms); challenges: {}; {:.0} MB; all gone after {:.0} s",
            number(seen.connected),
            seen.events,
            seen.challenges,
            seen.resident,
            seen.gone_after
        ),
        verdict: Verdict::of(holds, seen.connected >= 9_500),
    })
}

fn flooded(run: &Run) -> anyhow::Result<Reached> {
    let length = (run.share / floods::KINDS.len() as u32).max(Duration::from_secs(3));
    let seen = floods::run(&run.binary, length, run.seed)?;
    let worst = seen.iter().max_by(|a, b| a.good.percentile(99).total_cmp(&b.good.percentile(99)));
    let most = seen.iter().max_by(|a, b| a.growth.total_cmp(&b.growth));
    let holds = seen.iter().all(|flood| flood.good.percentile(99) < 50.0 && flood.growth < 50.0);
    let (Some(worst), Some(most)) = (worst, most) else { anyhow::bail!("there is no kind of flood") };
    Ok(Reached {
        figures: format!(
            "worst p99: {:.1} ms ({}); most growth: {:.0} MB ({}); {} attackers thrown out",
            worst.good.percentile(99),
            worst.kind,
            most.growth,
            most.kind,
            number(seen.iter().map(|flood| flood.thrown_out).sum())
        ),
        verdict: Verdict::of(holds, length >= Duration::from_secs(60)),
    })
}

fn steadily(run: &Run) -> anyhow::Result<Reached> {
    let seen = steady::run(&run.binary, run.share, run.seed)?;
    let flat = seen.descriptors.1 <= seen.descriptors.0 + 8;
    let holds = seen.findings.is_clean() && flat;
    let grows = seen.slope >= 1.0;
    // In a few minutes a single page table is megabytes an hour: the slope counts from half an hour on.
    let long = seen.minutes >= 30.0;
    Ok(Reached {
        figures: format!(
            "{:.0} min: {} lost of {}; {:+.1} MB/h at {:.0} MB; {} descriptors, then {}",
            seen.minutes,
            seen.findings.lost.len(),
            number(seen.findings.acknowledged),
            seen.slope,
            seen.resident,
            seen.descriptors.0,
            seen.descriptors.1
        ),
        verdict: Verdict::of(holds && !(long && grows), long),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_people() {
        assert_eq!([1, 999, 1_000, 1_234_567].map(number), ["1", "999", "1,000", "1,234,567"]);
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
