//! Moments and figures as people read them: relative with the exact time behind it, rounded with a unit.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use hookhouse_core::Timestamp;

/// A moment: how long ago, and exactly when for whoever points at it.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "part/moment.html")]
pub(super) struct Moment {
    machine: String,
    exact: String,
    relative: String,
}

/// Its own template escapes it.
impl HtmlSafe for Moment {}

impl Moment {
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self {
            machine: at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            exact: exactly(at),
            relative: relative(at, now),
        }
    }
}

/// To the millisecond, in UTC.
pub(super) fn exactly(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

/// `just now`, `12 s ago`, `in 5 min`; a date beyond a week.
fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second());
    let apart = seconds.unsigned_abs();
    let (number, unit) = match apart {
        0..=1 => return "just now".to_owned(),
        2..=59 => (apart, "s"),
        60..=3_599 => (apart / 60, "min"),
        3_600..=172_799 => (apart / 3_600, "h"),
        172_800..=604_799 => (apart / 86_400, "d"),
        _ => return at.strftime("%Y-%m-%d").to_string(),
    };
    if seconds < 0 { format!("in {number} {unit}") } else { format!("{number} {unit} ago") }
}

/// A length of time in the largest unit that fits: `250 µs`, `8 ms`, `1.2 s`, `3 min`.
pub(super) fn span(length: Duration) -> String {
    let micros = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
    match micros {
        0..=999 => format!("{micros} µs"),
        1_000..=9_999 => with_tenth(micros, 1_000, "ms"),
        10_000..=999_999 => format!("{} ms", micros / 1_000),
        1_000_000..=59_999_999 => with_tenth(micros, 1_000_000, "s"),
        60_000_000..=3_599_999_999 => format!("{} min", micros / 60_000_000),
        3_600_000_000..=172_799_999_999 => format!("{} h", micros / 3_600_000_000),
        _ => format!("{} d", micros / 86_400_000_000),
    }
}

/// A length of time in milliseconds.
pub(super) fn milliseconds(length: u64) -> String {
    if length == 0 { "<1 ms".to_owned() } else { span(Duration::from_millis(length)) }
}

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `312 B`, `1.2 kB`, `3.4 GB`.
pub(super) fn bytes(number: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) => with_tenth(number, size, unit),
        None => format!("{number} B"),
    }
}

/// `1 event`, `2 events`.
pub(super) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A part of a whole in percent; whole numbers but for the last one before 0 and 100.
pub(super) fn percent(part: u64, whole: u64) -> Option<String> {
    if whole == 0 {
        return None;
    }
    let tenths = u128::from(part) * 1_000 / u128::from(whole);
    Some(match tenths {
        1..=9 | 991..=999 => format!("{}.{} %", tenths / 10, tenths % 10),
        _ => format!("{} %", tenths / 10),
    })
}

fn with_tenth(number: u64, size: u64, unit: &str) -> String {
    let (whole, tenth) = (number / size, number % size * 10 / size);
    if whole >= 100 || tenth == 0 { format!("{whole} {unit}") } else { format!("{whole}.{tenth} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_relative_for_a_week() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let words = [0, 1, 59, 60, 3_600, 172_799, 604_799, 604_800, -5, -7_200]
            .map(|before: i64| relative(Timestamp::from_second(1_800_000_000 - before).unwrap(), now));
        assert_eq!(
            words,
            [
                "just now",
                "just now",
                "59 s ago",
                "1 min ago",
                "1 h ago",
                "47 h ago",
                "6 d ago",
                "2027-01-08",
                "in 5 s",
                "in 2 h"
            ]
        );
        let at = Timestamp::from_millisecond(1_800_000_000_007).unwrap();
        assert_eq!(
            Moment::new(at, now).to_string().trim(),
            "<time datetime=\"2027-01-15T08:00:00.007Z\" title=\"2027-01-15 08:00:00.007 UTC\">just now</time>"
        );
    }

    #[test]
    fn figures_have_units() {
        let spans = [0, 999, 1_000, 1_250, 12_345, 1_234_567, 90_000_000, 7_200_000_000, 259_200_000_000]
            .map(|micros| span(Duration::from_micros(micros)));
        assert_eq!(spans, ["0 µs", "999 µs", "1 ms", "1.2 ms", "12 ms", "1.2 s", "1 min", "2 h", "3 d"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 999, 1_000, 1_260, 123_456, 5_000_000_000].map(bytes),
            ["0 B", "999 B", "1 kB", "1.2 kB", "123 kB", "5 GB"]
        );
        let shares =
            [(0, 3), (1, 3), (999, 1_000), (3, 3), (1, 1_000)].map(|(part, whole)| percent(part, whole));
        assert_eq!(shares.map(Option::unwrap), ["0 %", "33 %", "99.9 %", "100 %", "0.1 %"]);
        assert_eq!(percent(0, 0), None);
        assert_eq!([0, 1, 2].map(|n| plural(n, "event")), ["0 events", "1 event", "2 events"]);
    }
}
