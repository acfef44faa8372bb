//! X's rate limits, as its answers tell them: `x-rate-limit-limit`, `-remaining`, `-reset`.
//!
//! Source: <https://docs.x.com/x-api/fundamentals/rate-limits>, read 2026-11-22. `reset` is in seconds since 1970.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hookhouse_core::Timestamp;
use http::HeaderMap;

/// What is left of an operation's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many calls the window has.
    pub limit: Option<u64>,
    /// How many of them are left.
    pub remaining: u64,
    /// When the next window begins.
    pub reset: Timestamp,
}

impl Budget {
    /// What the headers of an answer say; `None` where they are missing or make no sense.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let number = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).and_then(|v| v.trim().parse().ok())
        };
        let reset = number("x-rate-limit-reset")?;
        Some(Self {
            limit: number("x-rate-limit-limit"),
            remaining: number("x-rate-limit-remaining").unwrap_or(0),
            reset: Timestamp::from_second(i64::try_from(reset).ok()?).ok()?,
        })
    }
}

/// What is left, by operation.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<BTreeMap<&'static str, Budget>>);

impl Limits {
    /// Until when an operation has no calls left.
    pub(crate) fn closed_until(&self, operation: &'static str, now: Timestamp) -> Option<Timestamp> {
        let budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.get(operation).filter(|b| b.remaining == 0 && now < b.reset).map(|b| b.reset)
    }

    pub(crate) fn note(&self, operation: &'static str, budget: Budget) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(operation, budget);
    }

    /// After a window was waited for, whatever the clock says.
    pub(crate) fn forget(&self, operation: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(operation);
    }

    pub(crate) fn of(&self, operation: &'static str) -> Option<Budget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(operation).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn an_empty_window_is_closed_until_it_is_reset() {
        let told = headers(&[
            ("x-rate-limit-limit", "450"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1795348800"),
        ]);
        let reset = Timestamp::from_second(1_795_348_800).unwrap();
        let budget = Budget::read(&told).unwrap();
        assert_eq!(budget, Budget { limit: Some(450), remaining: 0, reset });
        let limits = Limits::default();
        limits.note("list", budget);
        let before = Timestamp::from_second(1_795_348_799).unwrap();
        assert_eq!(limits.closed_until("list", before), Some(reset));
        assert_eq!(limits.closed_until("list", reset), None);
        assert_eq!(limits.closed_until("create", before), None);
        limits.note("list", Budget { remaining: 1, ..budget });
        assert_eq!(limits.closed_until("list", before), None);
    }

    #[test]
    fn headers_that_make_no_sense_are_none() {
        for pairs in [
            &[][..],
            &[("x-rate-limit-remaining", "0")],
            &[("x-rate-limit-reset", "soon")],
            &[("x-rate-limit-reset", "-1")],
            &[("x-rate-limit-reset", "18446744073709551615")],
            &[("x-rate-limit-reset", "9223372036854775807")],
        ] {
            assert_eq!(Budget::read(&headers(pairs)), None, "{pairs:?}");
        }
    }
}
