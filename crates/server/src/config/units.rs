//! Durations and sizes, each a whole number with a unit: `10s`, `500ms`, `30d`; `1MiB`, `20GB`.
//!
//! A bare number is refused, because whoever reads the file would have to guess. So is a sum (`1h30m`) and a fraction
//! (`1.5h`): there is one way to write each value, and the message says which.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A duration with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period(pub(super) Duration);

/// A number of bytes with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// A limit that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit<T> {
    /// `"off"`: none.
    Off,
    /// So much.
    Of(T),
}

impl<T: Copy> Limit<T> {
    /// How much; `None` for no limit.
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::Of(value) => Some(value),
        }
    }
}

/// The longest duration, in milliseconds: a hundred years. More is a slip of the pen, and would overflow when added to
/// a date.
const LONGEST: u64 = 100 * 365 * 24 * 3_600_000;

/// The largest size. Files and databases count bytes in signed 64-bit numbers.
const LARGEST: u64 = i64::MAX.unsigned_abs();

/// Units of time in milliseconds, and the spellings that mean them but are not accepted.
const TIME: &[Unit] = &[
    Unit { name: "ms", factor: 1, means: &["msec", "millis", "milliseconds", "millisecond"] },
    Unit { name: "s", factor: 1_000, means: &["sec", "secs", "second", "seconds"] },
    Unit { name: "m", factor: 60_000, means: &["min", "mins", "minute", "minutes"] },
    Unit { name: "h", factor: 3_600_000, means: &["hr", "hrs", "hour", "hours"] },
    Unit { name: "d", factor: 86_400_000, means: &["day", "days"] },
];

/// Units of size in bytes: `kB` and its like count in thousands, `KiB` and its like in 1,024s.
const BYTES: &[Unit] = &[
    Unit { name: "B", factor: 1, means: &["byte", "bytes"] },
    Unit { name: "kB", factor: 1_000, means: &["k"] },
    Unit { name: "MB", factor: 1_000_000, means: &["m"] },
    Unit { name: "GB", factor: 1_000_000_000, means: &["g"] },
    Unit { name: "TB", factor: 1_000_000_000_000, means: &["t"] },
    Unit { name: "KiB", factor: 1 << 10, means: &["ki"] },
    Unit { name: "MiB", factor: 1 << 20, means: &["mi"] },
    Unit { name: "GiB", factor: 1 << 30, means: &["gi"] },
    Unit { name: "TiB", factor: 1 << 40, means: &["ti"] },
];

struct Unit {
    name: &'static str,
    factor: u64,
    means: &'static [&'static str],
}

impl Period {
    /// Parses `10s`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and how to write it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        parse(text, TIME, LONGEST, "a hundred years").map(|ms| Self(Duration::from_millis(ms)))
    }
}

impl Size {
    /// Parses `20GB`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and how to write it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // The SI prefix for a thousand is a small k; a capital one is what most people type.
        let text = text.strip_suffix("KB").map_or_else(|| text.to_owned(), |number| format!("{number}kB"));
        parse(&text, BYTES, LARGEST, "8 EiB").map(Self)
    }
}

fn parse(text: &str, units: &[Unit], limit: u64, limit_in_words: &str) -> Result<u64, String> {
    let names = || units.iter().map(|unit| unit.name).collect::<Vec<_>>().join(", ");
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return Err(match text.strip_prefix(['-', '+']) {
            Some(_) => format!("`{text}`: a sign is not allowed"),
            None => format!("`{text}` does not begin with a number; units are {}", names()),
        });
    }
    if unit.is_empty() {
        let example = units.get(1).map_or("", |unit| unit.name);
        return Err(format!("`{text}` has no unit: write `{number}{example}`; units are {}", names()));
    }
    if unit.starts_with(['.', ',', '_']) {
        return Err(format!(
            "`{text}` is not a whole number with a unit: take a smaller unit instead of a fraction"
        ));
    }
    let Some(unit) = units.iter().find(|known| known.name == unit) else {
        let bare = unit.trim();
        let meant = units.iter().find(|known| {
            known.name.eq_ignore_ascii_case(bare)
                || known.means.iter().any(|word| word.eq_ignore_ascii_case(bare))
        });
        return Err(match meant {
            Some(meant) => format!("`{text}` is written `{number}{}`", meant.name),
            None => format!("`{unit}` is not a unit: {}", names()),
        });
    };
    let value = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit.factor));
    value.filter(|value| *value <= limit).ok_or_else(|| format!("`{text}` is more than {limit_in_words}"))
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text { expected: "a duration such as \"10s\"", parse: Self::parse })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text { expected: "a size such as \"20MiB\"", parse: Self::parse })
    }
}

impl<'de> Deserialize<'de> for Limit<Period> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse =
            |text: &str| if text == "off" { Ok(Self::Off) } else { Period::parse(text).map(Self::Of) };
        deserializer.deserialize_str(Text { expected: "a duration such as \"30d\", or \"off\"", parse })
    }
}

impl<'de> Deserialize<'de> for Limit<Size> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| if text == "off" { Ok(Self::Off) } else { Size::parse(text).map(Self::Of) };
        deserializer.deserialize_str(Text { expected: "a size such as \"20GB\", or \"off\"", parse })
    }
}

/// Reads a string and parses it.
struct Text<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, String>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_spellings() {
        for (text, ms) in [("0s", 0), ("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(Period::parse(text), Ok(Period(Duration::from_millis(ms))), "{text}");
        }
        assert_eq!(Period::parse("30d"), Ok(Period(Duration::from_hours(30 * 24))));
        for (text, bytes) in [
            ("1B", 1),
            ("1kB", 1_000),
            ("1KB", 1_000),
            ("32MB", 32_000_000),
            ("1MiB", 1 << 20),
            ("2TiB", 2 << 40),
        ] {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn a_wrong_spelling_is_told_the_right_one() {
        let told = |text| Period::parse(text).unwrap_err();
        insta::assert_snapshot!(
            ["", "10", "10sec", "10 s", "1.5h", "-1s", "s", "1fortnight", "99999999999999999999s", "36501d"]
                .map(told)
                .join("\n"),
            @r#"
        `` does not begin with a number; units are ms, s, m, h, d
        `10` has no unit: write `10s`; units are ms, s, m, h, d
        `10sec` is written `10s`
        `10 s` is written `10s`
        `1.5h` is not a whole number with a unit: take a smaller unit instead of a fraction
        `-1s`: a sign is not allowed
        `s` does not begin with a number; units are ms, s, m, h, d
        `fortnight` is not a unit: ms, s, m, h, d
        `99999999999999999999s` is more than a hundred years
        `36501d` is more than a hundred years
        "#
        );
        let told = |text| Size::parse(text).unwrap_err();
        insta::assert_snapshot!(["", "10", "1mb", "1 GiB", "1M", "0x1MB", "9EB", "9999999TiB"].map(told).join("\n"), @r#"
        `` does not begin with a number; units are B, kB, MB, GB, TB, KiB, MiB, GiB, TiB
        `10` has no unit: write `10kB`; units are B, kB, MB, GB, TB, KiB, MiB, GiB, TiB
        `1mb` is written `1MB`
        `1 GiB` is written `1GiB`
        `1M` is written `1MB`
        `x1MB` is not a unit: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB
        `EB` is not a unit: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB
        `9999999TiB` is more than 8 EiB
        "#);
    }

    proptest! {
        #[test]
        fn every_number_and_unit_reads_back(number in 0_u64..=36_500, unit in 0..TIME.len()) {
            let unit = &TIME[unit];
            let read = Period::parse(&format!("{number}{}", unit.name)).unwrap();
            prop_assert_eq!(read.0, Duration::from_millis(number * unit.factor));
        }

        #[test]
        fn every_size_reads_back(number in 0_u64..=8_000_000, unit in 0..BYTES.len()) {
            let unit = &BYTES[unit];
            prop_assert_eq!(Size::parse(&format!("{number}{}", unit.name)), Ok(Size(number * unit.factor)));
        }

        #[test]
        fn no_number_overflows(number in any::<u128>(), unit in "ms|s|m|h|d") {
            if let Ok(read) = Period::parse(&format!("{number}{unit}")) {
                prop_assert!(read.0.as_millis() <= u128::from(LONGEST));
                prop_assert!(read.0.as_millis() >= number);
            }
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(text in "\\PC*") {
            let well_formed = |units: &[Unit]| units.iter().any(|unit| {
                text.strip_suffix(unit.name)
                    .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
            });
            prop_assert!(Period::parse(&text).is_err() || well_formed(TIME));
            prop_assert!(Size::parse(&text).is_err() || well_formed(BYTES) || text.ends_with("KB"));
        }
    }
}
