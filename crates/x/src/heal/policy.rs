//! How often, how long, how much.

use std::time::Duration;

use rand::Rng;

/// The pace of healing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Between two looks at a webhook that is well.
    pub look_every: Duration,
    /// X is asked to challenge a webhook that is well when it has not done so by itself for so long.
    pub refresh_after: Duration,
    /// And not again before so much time has passed.
    pub refresh_again: Duration,
    /// From asking for a challenge to looking how it went; the second look comes after three times as long again.
    pub confirm_after: Duration,
    /// The pause after the first failure; each further one doubles it.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// By how large a part each pause is varied, so that many houses do not ask in step.
    pub jitter: f64,
    /// Whether a URL that X does not have is registered.
    pub register: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            look_every: Duration::from_mins(15),
            refresh_after: Duration::from_hours(18),
            refresh_again: Duration::from_hours(3),
            confirm_after: Duration::from_secs(10),
            first_pause: Duration::from_mins(1),
            longest_pause: Duration::from_mins(30),
            jitter: 0.1,
            register: true,
        }
    }
}

impl Policy {
    /// The pause after so many failures in a row.
    pub(super) fn pause(&self, failures: u32, rng: &mut impl Rng) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let pause = self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause);
        self.jittered(pause, rng)
    }

    /// After how many failures the pause is the longest one.
    pub(super) fn longest_after(&self) -> u32 {
        let mut failures = 1;
        while failures < 32 && self.first_pause.saturating_mul(1 << (failures - 1)) < self.longest_pause {
            failures += 1;
        }
        failures
    }

    pub(super) fn jittered(&self, pause: Duration, rng: &mut impl Rng) -> Duration {
        let part = self.jitter.clamp(0.0, 1.0);
        pause.mul_f64(1.0 - part + 2.0 * part * rng.random::<f64>())
    }
}

/// No more calls than this are made for one webhook in any hour.
pub const MOST_CALLS_AN_HOUR: usize = 30;

/// Without an answered challenge for so long, somebody should look. X gives up eight hours later.
pub const ALERT_AFTER: Duration = Duration::from_hours(20);

/// Without an answered challenge for so long, X invalidates the webhook: a day and four hours of grace
/// (<https://docs.x.com/x-api/webhooks/introduction>, read 2026-11-22).
pub const INVALIDATED_AFTER: Duration = Duration::from_hours(28);
