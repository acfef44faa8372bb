//! Stretches of time, and X's minutes.

use std::fmt;

use hookhouse_core::Timestamp;
use serde::{Deserialize, Serialize};

/// From a moment to a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first moment of it.
    pub from: Timestamp,
    /// The last one.
    pub to: Timestamp,
}

impl Window {
    /// A window; none where it would end before it begins.
    #[must_use]
    pub fn new(from: Timestamp, to: Timestamp) -> Option<Self> {
        (from <= to).then_some(Self { from, to })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", clock(self.from), clock(self.to))
    }
}

/// A moment for people.
pub(crate) fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A time for people: `2h 10m`, `45s`.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, _) => format!("{m}m"),
        (0, h, m, _) => format!("{h}h {m}m"),
        (d, h, ..) => format!("{d}d {h}h"),
    }
}

/// A whole minute, as X's replay counts them: since 1970, in UTC. Shown as `yyyymmddhhmm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minute(i64);

impl Minute {
    /// The minute that a moment lies in.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(60))
    }

    /// The first minute that begins at the moment or after it.
    #[must_use]
    pub fn from(at: Timestamp) -> Self {
        let minute = Self::of(at);
        if minute.begin() == at { minute } else { minute.plus(1) }
    }

    /// So many minutes later, or earlier.
    #[must_use]
    pub fn plus(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes))
    }

    /// How many minutes later another one is.
    #[must_use]
    pub fn until(self, other: Self) -> i64 {
        other.0.saturating_sub(self.0)
    }

    /// When it begins.
    #[must_use]
    pub fn begin(self) -> Timestamp {
        let end = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        self.0.checked_mul(60).and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(end)
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.begin().strftime("%Y%m%d%H%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn minutes_are_counted_and_written_as_x_does() {
        let noon = at("2026-11-22T12:00:00Z");
        assert_eq!(Minute::of(noon).to_string(), "202611221200");
        assert_eq!(Minute::of(at("2026-11-22T12:00:59.999Z")), Minute::of(noon));
        assert_eq!(Minute::from(noon), Minute::of(noon));
        assert_eq!(Minute::from(at("2026-11-22T12:00:00.001Z")).to_string(), "202611221201");
        assert_eq!(Minute::of(noon).plus(-1).until(Minute::of(noon)), 1);
        assert_eq!(Minute::of(at("1969-12-31T23:59:59Z")).begin(), at("1969-12-31T23:59:00Z"));
        assert_eq!(Minute(i64::MAX).begin(), Timestamp::MAX);
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let from = at("2026-11-22T12:00:00Z");
        for (to, said) in [
            ("2026-11-22T12:00:45Z", "45s"),
            ("2026-11-22T12:03:45Z", "3m"),
            ("2026-11-22T14:10:00Z", "2h 10m"),
            ("2026-11-25T15:10:00Z", "3d 3h"),
            ("2026-11-22T11:00:00Z", "0s"),
        ] {
            assert_eq!(span(from, at(to)), said);
        }
        assert_eq!(Window::new(at("2026-11-22T12:00:01Z"), from), None);
    }
}
