//! The platform's time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookhouse_core::Clock;
use jiff::{SignedDuration, Timestamp};

/// A clock that can be turned ahead, never back. Share it with whoever is to live in the same time.
#[derive(Debug)]
pub struct EmulatedClock(Mutex<Hands>);

#[derive(Debug)]
enum Hands {
    /// Shows one time until it is turned.
    Stopped(Timestamp),
    /// Follows another clock at a distance.
    Running { base: Arc<dyn Clock>, ahead: SignedDuration },
}

impl EmulatedClock {
    /// A clock that stands still.
    #[must_use]
    pub fn stopped(at: Timestamp) -> Self {
        Self(Mutex::new(Hands::Stopped(at)))
    }

    /// A clock that follows another.
    #[must_use]
    pub fn running(base: Arc<dyn Clock>) -> Self {
        Self(Mutex::new(Hands::Running { base, ahead: SignedDuration::ZERO }))
    }

    /// Whether time goes on by itself.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(*self.hands(), Hands::Running { .. })
    }

    /// Shows a later time; an earlier one changes nothing.
    pub(super) fn turn_to(&self, then: Timestamp) {
        let mut hands = self.hands();
        let now = hands.show();
        if then <= now {
            return;
        }
        match &mut *hands {
            Hands::Stopped(at) => *at = then,
            Hands::Running { ahead, .. } => *ahead = ahead.saturating_add(then.duration_since(now)),
        }
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hands {
    fn show(&self) -> Timestamp {
        match self {
            Self::Stopped(at) => *at,
            Self::Running { base, ahead } => later(base.now(), *ahead),
        }
    }
}

impl Clock for EmulatedClock {
    fn now(&self) -> Timestamp {
        self.hands().show()
    }
}

/// A time and what comes after it; the end of time where there is nothing after it.
pub(super) fn later(at: Timestamp, by: impl TryInto<SignedDuration>) -> Timestamp {
    let by = by.try_into().unwrap_or(SignedDuration::MAX);
    at.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use hookhouse_testkit::clock::FakeClock;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_it_is_turned() {
        let start = Timestamp::from_second(1_795_348_800).unwrap();
        let clock = EmulatedClock::stopped(start);
        assert!(!clock.runs());
        clock.turn_to(later(start, Duration::from_secs(60)));
        assert_eq!(clock.now().as_second(), start.as_second() + 60);
        clock.turn_to(start);
        assert_eq!(clock.now().as_second(), start.as_second() + 60, "never back");
    }

    #[test]
    fn a_running_clock_keeps_its_distance() {
        let base = Arc::new(FakeClock::default());
        let clock = EmulatedClock::running(Arc::clone(&base) as _);
        let start = clock.now();
        clock.turn_to(later(start, Duration::from_hours(6)));
        base.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), later(start, Duration::from_secs(6 * 3600 + 5)));
    }

    #[test]
    fn the_end_of_time_is_a_wall() {
        assert_eq!(later(Timestamp::MAX, Duration::from_secs(1)), Timestamp::MAX);
        assert_eq!(later(Timestamp::UNIX_EPOCH, Duration::MAX), Timestamp::MAX);
    }
}
