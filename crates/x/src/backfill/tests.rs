//! The planner, against X's rules as its pages have them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn job(number: usize) -> ReplayJob {
    ReplayJob { job_id: number.to_string().parse().unwrap(), created_at: None }
}

fn window(from: &str, to: &str) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

/// X's rules, without our margins.
fn obeys(slice: Slice, now: Timestamp) -> bool {
    let (from, to) = (slice.from.begin(), slice.to.begin());
    from < to
        && from >= now - SignedDuration::from_hours(24)
        && from <= now - minutes(31)
        && to <= now - minutes(10)
        && to.duration_since(from) <= minutes(150)
}

/// Runs until nothing is missing: every job takes `takes` minutes and ends well. The answer is what was asked for and when.
fn run(backfill: &mut Backfill, mut now: Timestamp, takes: i64) -> (Vec<(Slice, Timestamp)>, Vec<Deed>) {
    let (mut asked, mut said) = (Vec::new(), Vec::new());
    for _ in 0..10_000 {
        let (step, deeds) = backfill.next(now);
        said.extend(deeds);
        match step {
            Step::Idle => return (asked, said),
            Step::Heal => panic!("nothing failed"),
            Step::Wait(until) => {
                assert!(until > now);
                now = until;
            }
            Step::Replay(slice) => {
                asked.push((slice, now));
                let number = asked.len();
                said.extend(backfill.asked(slice, Ok(&job(number)), now, &mut rng()));
                now += minutes(takes);
                said.extend(backfill.ended(&number.to_string(), true, now));
            }
        }
    }
    panic!("it never ends");
}

#[test]
fn a_gap_is_asked_for_in_slices_once_it_is_old_enough() {
    let mut backfill = Backfill::default();
    let now = at("2026-11-22T12:00:30Z");
    backfill.missed(window("2026-11-22T06:59:59.9Z", "2026-11-22T12:00:10Z"), now);
    let (asked, deeds) = run(&mut backfill, now, 3);
    let shown: Vec<_> = asked
        .iter()
        .map(|(slice, when)| format!("{} {} at {}", slice.from, slice.to, when.strftime("%H:%M:%S")))
        .collect();
    assert_eq!(
        shown,
        [
            "202611220659 202611220859 at 12:00:30",
            "202611220859 202611221059 at 12:03:30",
            "202611221059 202611221201 at 12:12:00"
        ]
    );
    assert_eq!(deeds.len(), 6);
    assert_eq!(deeds[0].to_string(), "X replays 2026-11-22 06:59 UTC to 2026-11-22 08:59 UTC (job 1)");
}

#[test]
fn what_is_too_old_is_reported_with_its_window() {
    let mut backfill = Backfill::default();
    let now = at("2026-11-22T12:00:00Z");
    backfill.missed(window("2026-11-21T09:00:00Z", "2026-11-21T13:00:00Z"), now);
    let (asked, deeds) = run(&mut backfill, now, 3);
    assert_eq!(
        deeds[0].to_string(),
        "what was missed from 2026-11-21 09:00 UTC to 2026-11-21 12:01 UTC cannot be had any more: X replays the last 24 hours and nothing older"
    );
    assert_eq!(asked.len(), 1);
    assert_eq!(backfill.progress().lost.len(), 1);
}

#[test]
fn a_conflict_waits_and_is_said_once() {
    let mut backfill = Backfill::default();
    let mut now = at("2026-11-22T12:00:00Z");
    backfill.missed(window("2026-11-22T09:00:00Z", "2026-11-22T09:10:00Z"), now);
    let conflict = Error::ReplayConflict { detail: "a job runs".to_owned() };
    let mut said = 0;
    for _ in 0..5 {
        let (Step::Replay(slice), _) = backfill.next(now) else { panic!("due") };
        said += backfill.asked(slice, Err(&conflict), now, &mut rng()).len();
        let (Step::Wait(until), _) = backfill.next(now) else { panic!("a pause") };
        assert!(until >= now + minutes(4), "no faster than every few minutes");
        now = until;
    }
    assert_eq!(said, 1);
    // The end of somebody else's job frees the way.
    let (Step::Replay(slice), _) = backfill.next(now) else { panic!("due") };
    backfill.asked(slice, Err(&conflict), now, &mut rng());
    assert!(backfill.ended("another", true, now).is_empty());
    assert!(matches!(backfill.next(now).0, Step::Replay(_)));
}

#[test]
fn a_failed_challenge_is_healed_first() {
    let mut backfill = Backfill::default();
    let now = at("2026-11-22T12:00:00Z");
    backfill.missed(window("2026-11-22T09:00:00Z", "2026-11-22T09:10:00Z"), now);
    let (Step::Replay(slice), _) = backfill.next(now) else { panic!("due") };
    let failed = Error::CrcFailed { detail: "Invalid response_token".to_owned() };
    backfill.asked(slice, Err(&failed), now, &mut rng());
    assert!(backfill.needs_healing());
    let later = now + minutes(10);
    assert_eq!(backfill.next(later).0, Step::Heal);
    backfill.healed();
    assert_eq!(backfill.next(later).0, Step::Replay(slice));
}

#[test]
fn a_job_without_an_end_is_asked_for_again_and_then_called_doubtful() {
    let mut backfill = Backfill::default();
    let mut now = at("2026-11-22T12:00:00Z");
    backfill.missed(window("2026-11-22T09:00:00Z", "2026-11-22T09:10:00Z"), now);
    let (mut asked, mut lines) = (0, Vec::new());
    loop {
        let (step, deeds) = backfill.next(now);
        lines.extend(deeds.iter().map(ToString::to_string));
        match step {
            Step::Idle => break,
            Step::Wait(until) => now = until,
            Step::Heal => panic!("nothing failed"),
            Step::Replay(slice) => {
                asked += 1;
                backfill.asked(slice, Ok(&job(asked)), now, &mut rng());
                if asked == 2 {
                    let deeds = backfill.ended("2", false, now);
                    lines.extend(deeds.iter().map(ToString::to_string));
                }
            }
        }
    }
    assert_eq!(asked, 3);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].contains("X did not say how it ended"), "{}", lines[0]);
    assert!(lines[1].contains("incomplete"), "{}", lines[1]);
    assert!(lines[2].ends_with("X never said that the replay was whole"), "{}", lines[2]);
    assert_eq!(backfill.progress().doubtful.len(), 1);
}

#[test]
fn a_job_that_an_outage_cut_is_asked_for_again() {
    let now = at("2026-11-22T12:00:00Z");
    let mut backfill = Backfill::default();
    backfill.missed(window("2026-11-22T09:00:00Z", "2026-11-22T09:10:00Z"), now);
    let (Step::Replay(slice), _) = backfill.next(now) else { panic!("due") };
    backfill.asked(slice, Ok(&job(1)), now, &mut rng());
    assert_eq!(backfill.progress().running, Some(slice.window()));
    let mut resumed = Backfill::resume(&backfill.saved());
    assert_eq!(resumed.next(now).0, Step::Replay(slice));
    assert!(resumed.ended("1", true, now).is_empty(), "the end of the cut job ends nothing");
    assert_eq!(resumed.next(now).0, Step::Replay(slice));
    assert_eq!(Backfill::resume(b"[").next(now).0, Step::Idle);
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_machine() {
    let now = at("2026-11-22T12:00:00Z");
    let mut backfill = Backfill::default();
    backfill.missed(window("2026-11-22T02:00:00Z", "2026-11-22T02:10:00Z"), now);
    let (Step::Replay(slice), _) = backfill.next(now) else { panic!("due") };
    backfill.asked(slice, Ok(&job(1)), now, &mut rng());
    assert!(!matches!(backfill.next(now - minutes(6 * 60)).1.as_slice(), []), "the job counts as failed");
}

#[test]
fn a_broken_rule_is_named() {
    let now = at("2026-11-22T12:00:00Z");
    let slice = |from: &str, to: &str| Slice { from: Minute::of(at(from)), to: Minute::of(at(to)) };
    for (from, to, word) in [
        ("2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z", Some("before it begins")),
        ("2026-11-21T11:59:00Z", "2026-11-22T09:00:00Z", Some("24 hours")),
        ("2026-11-22T11:30:00Z", "2026-11-22T11:45:00Z", Some("31 minutes")),
        ("2026-11-22T11:29:00Z", "2026-11-22T11:51:00Z", Some("10 minutes")),
        ("2026-11-22T11:29:00Z", "2026-11-22T11:50:00Z", None),
        ("2026-11-21T12:00:00Z", "2026-11-22T11:50:00Z", None),
    ] {
        let broken = broken_rule(slice(from, to), now);
        assert_eq!(broken.is_some(), word.is_some(), "{from} {to}");
        assert!(broken.unwrap_or_default().contains(word.unwrap_or_default()), "{from} {to}: {broken:?}");
    }
}

/// Every minute that a gap touches.
fn touched(gap: &Window) -> impl Iterator<Item = Minute> {
    let (from, to) = (Minute::of(gap.from), Minute::of(gap.to));
    (0..=from.until(to)).map(move |n| from.plus(n))
}

proptest! {
    /// Whatever the gaps and however slow the jobs: every slice obeys X's rules, and each minute of a gap is sent again
    /// by both readings of `to_date`, or reported as lost because X no longer had it.
    #[test]
    fn no_minute_is_left_out_and_no_rule_is_broken(
        gaps in prop::collection::vec((0_i64..30 * 3600, 0_i64..9 * 3600), 1..6),
        takes in 0_i64..60,
        offset in 0_i64..120_000,
    ) {
        let now = at("2026-11-22T12:00:00Z") + SignedDuration::from_millis(offset);
        let mut backfill = Backfill::default();
        let gaps: Vec<_> = gaps
            .into_iter()
            .map(|(age, length)| {
                let from = now - SignedDuration::from_secs(age);
                Window { from, to: (from + SignedDuration::from_secs(length)).min(now) }
            })
            .collect();
        for gap in &gaps {
            backfill.missed(*gap, now);
        }
        // A job that takes longer than the machine waits counts as failed; these end in time.
        let (asked, deeds) = run(&mut backfill, now, takes.min(29));
        let mut sent = BTreeSet::new();
        for (slice, when) in &asked {
            prop_assert!(obeys(*slice, *when), "{slice:?} at {when}");
            // The exclusive reading is the smaller one.
            sent.extend((0..slice.from.until(slice.to)).map(|n| slice.from.plus(n)));
        }
        let mut lost = BTreeSet::new();
        for deed in &deeds {
            if let Deed::Lost { window, .. } = deed {
                let (from, to) = (Minute::of(window.from), Minute::of(window.to));
                lost.extend((0..from.until(to)).map(|n| from.plus(n)));
            }
        }
        for minute in gaps.iter().flat_map(touched) {
            prop_assert!(sent.contains(&minute) || lost.contains(&minute), "{minute} was forgotten");
        }
        // Nothing is given up that could still have been asked for when the gap was reported, unless the jobs before
        // took so long; the first ask comes at once.
        let recoverable = Minute::from(now - SignedDuration::from_hours(24)).plus(1 + i64::from(takes > 0) * 24 * 60);
        for minute in lost {
            prop_assert!(minute < recoverable, "{minute} could have been had");
        }
    }

    /// Adding and removing slices is the same as adding and removing their minutes.
    #[test]
    fn gaps_are_sets_of_minutes(
        moves in prop::collection::vec((any::<bool>(), 0_i64..200, 0_i64..40), 1..40),
    ) {
        let base = Minute::of(at("2026-11-22T12:00:00Z"));
        let (mut gaps, mut model) = (Gaps::default(), BTreeSet::new());
        for (add, from, length) in moves {
            let slice = Slice { from: base.plus(from), to: base.plus(from + length) };
            let minutes = (0..length).map(|n| slice.from.plus(n));
            if add {
                gaps.add(slice);
                model.extend(minutes);
            } else {
                gaps.remove(slice);
                for minute in minutes {
                    model.remove(&minute);
                }
            }
            let slices: Vec<_> = gaps.iter().copied().collect();
            prop_assert!(slices.windows(2).all(|pair| pair[0].to < pair[1].from), "{slices:?}");
            let held: BTreeSet<_> =
                slices.iter().flat_map(|slice| (0..slice.from.until(slice.to)).map(|n| slice.from.plus(n))).collect();
            prop_assert_eq!(&held, &model);
        }
    }

    /// What was saved by somebody else, or by nobody, does no harm.
    #[test]
    fn any_saved_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut backfill = Backfill::resume(&bytes);
        backfill.next(at("2026-11-22T12:00:00Z"));
    }
}
