//! A clock that stands still until it is told otherwise.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hookhouse_core::{Clock, Timestamp};

/// A settable [`Clock`]: it moves when a test moves it, forwards or back.
#[derive(Debug)]
pub struct FakeClock(Mutex<Timestamp>);

impl FakeClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Shows another time, earlier or later.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Goes forward.
    ///
    /// # Panics
    /// When that is past the year 9999.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.checked_add(by).expect("tests stay within the range of a timestamp");
    }
}

/// Noon of a day in 2026.
impl Default for FakeClock {
    fn default() -> Self {
        Self::at(Timestamp::constant(1_795_348_800, 0))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
