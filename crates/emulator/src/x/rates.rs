//! How often each endpoint may be called: so often in every window of 15 minutes, which begins with its first call.

use std::collections::HashMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::clock::later;
use super::ids::UserId;

/// Who uses an allowance up: the app, or one of its users.
pub(super) type Bucket = Option<UserId>;

/// The calls of the windows that are open.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<(&'static str, Bucket), Window>);

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Timestamp,
    used: u32,
}

/// Where a call stands in its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) allowed: bool,
    limit: u32,
    remaining: u32,
    reset: i64,
}

impl Rates {
    /// Counts a call.
    pub(super) fn take(
        &mut self,
        endpoint: &'static str,
        bucket: Bucket,
        limit: u32,
        now: Timestamp,
    ) -> Rate {
        let fresh = Window { ends: later(now, WINDOW), used: 0 };
        let window = self.0.entry((endpoint, bucket)).or_insert(fresh);
        if window.ends <= now {
            *window = fresh;
        }
        let allowed = window.used < limit;
        window.used += u32::from(allowed);
        Rate { allowed, limit, remaining: limit - window.used, reset: window.ends.as_second() }
    }
}

impl Rate {
    /// The headers of every answer.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let values = [
            ("limit", i64::from(self.limit)),
            ("remaining", i64::from(self.remaining)),
            ("reset", self.reset),
        ];
        for (name, value) in values {
            if let Ok(name) = HeaderName::try_from(format!("x-rate-limit-{name}")) {
                headers.insert(name, HeaderValue::from(value));
            }
        }
    }
}

const WINDOW: Duration = Duration::from_mins(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_lasts_for_its_window() {
        let mut rates = Rates::default();
        let start = Timestamp::from_second(1_000_000).unwrap();
        let mut take = |bucket, now| rates.take("list", bucket, 2, now);
        let seen: Vec<_> =
            (0..3).map(|_| take(None, start)).map(|r| (r.allowed, r.remaining, r.reset)).collect();
        assert_eq!(seen, [(true, 1, 1_000_900), (true, 0, 1_000_900), (false, 0, 1_000_900)]);
        assert!(take(Some(UserId(1)), start).allowed, "a user has an allowance of their own");
        assert!(!take(None, later(start, Duration::from_secs(899))).allowed);
        let fresh = take(None, later(start, Duration::from_secs(900)));
        assert_eq!((fresh.allowed, fresh.remaining, fresh.reset), (true, 1, 1_001_800));
    }
}
