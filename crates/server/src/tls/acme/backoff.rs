//! How long to wait after an order that failed.
//!
//! An authority that cannot be reached is asked again soon. One that says no has counted that: Let's Encrypt takes five
//! failed validations of a name an hour (<https://letsencrypt.org/docs/rate-limits/>, read 2026-11-22), so that three are
//! tried in the first half hour, and then ever fewer.

use std::time::Duration;

/// Why an order failed, as far as waiting is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The authority was not reached, or has trouble of its own.
    Trouble,
    /// The authority said no.
    Refused,
}

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// All is well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure; `asked` is the authority's own word (`Retry-After`), and `chance` between
    /// zero and one spreads those who fail together.
    pub(super) fn next(&mut self, kind: Kind, asked: Option<Duration>, chance: f64) -> Duration {
        let (first, factor, most) = match kind {
            Kind::Trouble => (Duration::from_secs(5), 2_u32, Duration::from_secs(600)),
            Kind::Refused => (Duration::from_secs(120), 4, Duration::from_secs(6 * 3600)),
        };
        let wait = factor.checked_pow(self.failures).and_then(|factor| first.checked_mul(factor));
        let wait = wait.map_or(most, |wait| wait.min(most));
        self.failures = self.failures.saturating_add(1);
        wait.max(asked.unwrap_or_default().min(MOST_ASKED)).mul_f64(1.0 + 0.2 * chance.clamp(0.0, 1.0))
    }
}

/// However long an authority wants to be left alone: certificates end some time.
const MOST_ASKED: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_tried_again_soon_and_a_refusal_rarely() {
        let waits = |kind, count: usize| {
            let mut backoff = Backoff::default();
            (0..count).map(|_| backoff.next(kind, None, 0.0).as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(waits(Kind::Trouble, 9), [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(waits(Kind::Refused, 6), [120, 480, 1920, 7680, 21_600, 21_600]);
        assert_eq!(waits(Kind::Trouble, 100).last(), Some(&600));
    }

    #[test]
    fn the_authority_is_believed_up_to_a_day_and_success_forgets() {
        let mut backoff = Backoff::default();
        let asked = |hours: u64| Some(Duration::from_secs(hours * 3600));
        assert_eq!(backoff.next(Kind::Refused, asked(3), 0.0), Duration::from_secs(3 * 3600));
        assert_eq!(backoff.next(Kind::Refused, asked(300), 1.0), MOST_ASKED.mul_f64(1.2));
        backoff.reset();
        assert_eq!(backoff.next(Kind::Trouble, None, 0.5), Duration::from_millis(5_500));
    }
}
