//! What was measured, in the words of the table, and whether it is enough.

use std::time::Duration;

use crate::campaign::{Budget, Outcome, side_by_side};
use crate::change::{self, Change};
use crate::goals::{Reached, Run, Verdict};
use crate::image::Kind;
use crate::io_errors::Failure;
use crate::latency::Waits;
use crate::{
    backlog, challenges, clocks, corruption, cuts, elsewhere, floods, full, io_errors, kills, slow, steady,
};

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

pub(crate) fn killed(run: &Run) -> anyhow::Result<Reached> {
    both(run, 1_000, |budget, seed| kills::run(&run.binary, budget, seed))
}

pub(crate) fn cut(run: &Run, kind: Kind) -> anyhow::Result<Reached> {
    both(run, 500, |budget, seed| cuts::run(&run.binary, kind, budget, seed))
}

/// So many rounds by two side by side.
fn both(
    run: &Run,
    wanted: u32,
    work: impl Fn(&Budget, u64) -> anyhow::Result<Outcome> + Sync,
) -> anyhow::Result<Reached> {
    let [mut outcome, other] = side_by_side(&run.budget(wanted), run.seed, work)?;
    outcome.absorb(other);
    Ok(rounds(&outcome, wanted))
}

pub(crate) fn jumped(run: &Run) -> anyhow::Result<Reached> {
    Ok(rounds(&clocks::run(&run.binary, &run.budget(12), run.seed)?, 12))
}

pub(crate) fn control(run: &Run) -> anyhow::Result<Reached> {
    let mut said = Vec::new();
    let mut lost = true;
    for kind in [Kind::Ext4, Kind::Xfs] {
        let outcome = cuts::control(&run.binary, kind, &Budget::times(20), run.seed)?;
        let (gone, of) =
            (outcome.findings.lost.len(), outcome.findings.acknowledged.max(outcome.findings.lost.len()));
        lost &= gone > 0;
        said.push(format!("{kind}: {gone} of {of} lost after {} cut(s)", outcome.rounds));
    }
    Ok(Reached { figures: said.join("; "), verdict: Verdict::of(lost, true) })
}

pub(crate) fn corrupted(run: &Run) -> anyhow::Result<Reached> {
    let [mut seen, other] = side_by_side(&run.budget(1_000), run.seed, |budget, seed| {
        corruption::run(&run.binary, budget, seed)
    })?;
    seen.absorb(other);
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

pub(crate) fn filled(run: &Run) -> anyhow::Result<Reached> {
    let half = run.part(2);
    let mut both = Outcome::default();
    for reserve in [full::Reserve::Kept, full::Reserve::None] {
        let outcome = full::run(&run.binary, reserve, &half.budget(10), run.seed)?;
        both.absorb(outcome);
    }
    Ok(rounds(&both, 20))
}

pub(crate) fn failing(run: &Run) -> anyhow::Result<Reached> {
    let part = run.part(Failure::ALL.len() as u32);
    let mut all = Outcome::default();
    for failure in Failure::ALL {
        let outcome = io_errors::run(&run.binary, failure, 3, &part.budget(20), run.seed)?;
        all.absorb(outcome);
    }
    Ok(rounds(&all, 60))
}

pub(crate) fn challenged(run: &Run) -> anyhow::Result<Reached> {
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

pub(crate) fn restarted(run: &Run) -> anyhow::Result<Reached> {
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

pub(crate) fn slowed(run: &Run) -> anyhow::Result<Reached> {
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

pub(crate) fn flooded(run: &Run) -> anyhow::Result<Reached> {
    let length = (run.share / floods::KINDS.len() as u32).max(Duration::from_secs(3));
    let seen = floods::run(&run.binary, &floods::KINDS, length, run.seed)?;
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

pub(crate) fn bounded(run: &Run) -> anyhow::Result<Reached> {
    let length = (run.share / floods::PLAIN.len() as u32).max(Duration::from_secs(3));
    let seen = floods::run(&run.binary, &floods::PLAIN, length, run.seed)?;
    let said = seen.iter().map(|flood| format!("{}: {:+.0} MB", flood.kind, flood.growth));
    Ok(Reached {
        figures: said.collect::<Vec<_>>().join("; "),
        verdict: Verdict::of(seen.iter().all(|flood| flood.growth < 120.0), true),
    })
}

/// Requests a second under which a server is changed.
const RATE: u32 = 1_000;

pub(crate) fn changed(run: &Run, change: Change) -> anyhow::Result<Reached> {
    let seen = change::run(&run.binary, change, RATE, &run.budget(50), run.seed)?;
    let (found, tally) = (&seen.findings, &seen.tally);
    let mut figures = format!(
        "{}: {} of {} requests failed, {} lost, {} twice; {:.0} requests/s, {}, longest {:.0} ms",
        seen.rounds,
        tally.failures.len(),
        number(tally.failures.len() + tally.waits.count()),
        found.lost.len(),
        found.doubled.len(),
        tally.rate(),
        tally.waits,
        tally.waits.longest()
    );
    if let Some(first) = tally.failures.first() {
        figures += &format!(" (the first: {first})");
    }
    let holds = tally.failures.is_empty() && found.is_clean();
    // A machine that is too slow for the senders shows nothing of what happens at their rate.
    let enough = seen.rounds >= 50 && tally.rate() >= f64::from(RATE) * 0.95;
    Ok(Reached { figures, verdict: Verdict::of(holds, enough) })
}

pub(crate) fn fuzzed(run: &Run) -> anyhow::Result<Reached> {
    let Some(seen) = elsewhere::fuzzed(run.target()?)? else {
        return Ok(Reached {
            figures: "0: `cargo xtask fuzz` has not run here".to_owned(),
            verdict: Verdict::Short,
        });
    };
    let executions = usize::try_from(seen.executions)?;
    Ok(Reached {
        figures: format!(
            "{} by {} fuzzers on {}, {} of which found something",
            number(executions),
            seen.targets,
            seen.day,
            seen.failed
        ),
        verdict: Verdict::of(seen.failed == 0, executions >= 100_000_000),
    })
}

pub(crate) fn mutated(run: &Run) -> anyhow::Result<Reached> {
    let Some(seen) = elsewhere::mutated(run.target()?)? else {
        return Ok(Reached {
            figures: "0: `cargo xtask mutants` has not run here".to_owned(),
            verdict: Verdict::Short,
        });
    };
    let of = seen.caught + seen.missed;
    let share = seen.caught as f64 * 100.0 / (of.max(1)) as f64;
    Ok(Reached {
        figures: format!(
            "{} of {} noticed, {share:.1} %, in {} of {} modules, the last of them on {}",
            number(usize::try_from(seen.caught)?),
            number(usize::try_from(of)?),
            seen.modules,
            seen.of,
            seen.day
        ),
        verdict: Verdict::of(share >= 95.0, seen.modules as u64 == seen.of),
    })
}

pub(crate) fn steadily(run: &Run) -> anyhow::Result<Reached> {
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
}
