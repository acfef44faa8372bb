//! When to try again: a plain function of what the attempt came to.

use std::time::Duration;

use hookhouse_core::delivery::Next;
use hookhouse_core::{AttemptNumber, DeadReason, Timestamp};
use rand::Rng;

use crate::destination::RetrySchedule;
use crate::response::Tried;

/// What follows an attempt that ended at `now`.
///
/// A delivery that was given up and retried by hand is past the end of its schedule: it gets the one try that was
/// asked for.
pub fn next(
    tried: &Tried,
    number: AttemptNumber,
    schedule: &RetrySchedule,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Next {
    if tried.is_settled() {
        return Next::Done;
    }
    if let Some(reason) = tried.give_up {
        return Next::GiveUp(reason);
    }
    let index = usize::try_from(number.0).unwrap_or(usize::MAX).saturating_sub(1);
    let Some(pause) = schedule.pauses.get(index) else { return Next::GiveUp(DeadReason::Exhausted) };
    // A destination may ask for a longer pause than the schedule's, not for a shorter one.
    let pause = jittered(*pause, schedule.jitter, rng).max(tried.retry_after.unwrap_or_default());
    Next::RetryAt(after(now, pause))
}

/// The moment so long after another one.
pub(crate) fn after(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

/// A pause that strays by at most its share on either side, so that what failed together is not tried together.
fn jittered(pause: Duration, jitter: f64, rng: &mut impl Rng) -> Duration {
    let share = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
    let factor = 1.0 + share * rng.random_range(-1.0..=1.0);
    Duration::try_from_secs_f64(pause.as_secs_f64() * factor).unwrap_or(pause)
}

#[cfg(test)]
mod tests {
    use hookhouse_core::AttemptOutcome;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::circuit::Health;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn refused(status: u16, retry_after: Option<Duration>) -> Tried {
        let outcome = AttemptOutcome::Refused { status, answer: String::new() };
        Tried {
            outcome,
            health: Health::Failing,
            retry_after,
            give_up: (status == 410).then_some(DeadReason::Gone),
            pause: None,
        }
    }

    fn decide(tried: &Tried, number: u32, jitter: f64, seed: u64) -> Next {
        let schedule = RetrySchedule { pauses: vec![seconds(5), seconds(30)], jitter };
        next(tried, AttemptNumber(number), &schedule, NOW, &mut StdRng::seed_from_u64(seed))
    }

    fn retry(pause: Duration) -> Next {
        Next::RetryAt(NOW + pause)
    }

    #[test]
    fn the_schedule_decides() {
        let delivered = Tried {
            outcome: AttemptOutcome::Delivered { status: 204 },
            health: Health::Up,
            retry_after: None,
            give_up: None,
            pause: None,
        };
        let hour = seconds(3600);
        let day = crate::response::LONGEST_RETRY_AFTER;
        for (tried, number, expected) in [
            (delivered.clone(), 1, Next::Done),
            (delivered, 99, Next::Done),
            (refused(500, None), 1, retry(seconds(5))),
            (refused(500, None), 2, retry(seconds(30))),
            (refused(500, None), 3, Next::GiveUp(DeadReason::Exhausted)),
            (refused(500, None), u32::MAX, Next::GiveUp(DeadReason::Exhausted)),
            (refused(410, None), 1, Next::GiveUp(DeadReason::Gone)),
            (refused(429, Some(hour)), 1, retry(hour)),
            (refused(503, Some(seconds(1))), 2, retry(seconds(30))),
            (refused(503, Some(day)), 1, retry(day)),
            (refused(503, Some(hour)), 3, Next::GiveUp(DeadReason::Exhausted)),
            (Tried::failed("no answer", Health::Failing), 1, retry(seconds(5))),
        ] {
            assert_eq!(decide(&tried, number, 0.0, 1), expected, "{tried:?} {number}");
        }
    }

    #[test]
    fn jitter_strays_on_both_sides_and_no_further_than_its_share() {
        let (low, high) = (NOW + seconds(4), NOW + seconds(6));
        let moments: Vec<_> = (0..200)
            .map(|seed| match decide(&refused(500, None), 1, 0.2, seed) {
                Next::RetryAt(at) => at,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(moments.iter().all(|at| (low..=high).contains(at)));
        assert!(moments.iter().any(|at| *at < NOW + seconds(5)));
        assert!(moments.iter().any(|at| *at > NOW + seconds(5)));
        // It never takes from what the destination asked for.
        for seed in 0..50 {
            let asked = refused(503, Some(seconds(6)));
            assert_eq!(decide(&asked, 1, 0.2, seed), retry(seconds(6)));
        }
    }

    #[test]
    fn a_senseless_jitter_changes_nothing() {
        for jitter in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            assert_eq!(decide(&refused(500, None), 1, jitter, 3), retry(seconds(5)), "{jitter}");
        }
    }
}
