//! Signed times in their written form.

use jiff::Timestamp;

use crate::descriptor::TimestampUnit;

impl TimestampUnit {
    /// The time that a text says. Numbers are digits and nothing else: no sign, no exponent, no more than fit.
    pub(crate) fn read(self, text: &[u8]) -> Option<Timestamp> {
        let text = std::str::from_utf8(text).ok()?;
        let is_number = text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit());
        let number = || text.parse::<i64>().ok().filter(|_| is_number);
        match self {
            Self::Seconds => Timestamp::from_second(number()?).ok(),
            Self::Milliseconds => Timestamp::from_millisecond(number()?).ok(),
            Self::Rfc3339 => text.parse().ok(),
        }
    }

    /// The text that says a time.
    pub(crate) fn write(self, time: Timestamp) -> String {
        match self {
            Self::Seconds => time.as_second().to_string(),
            Self::Milliseconds => time.as_millisecond().to_string(),
            Self::Rfc3339 => time.to_string(),
        }
    }

    /// How it is written, in words.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Seconds => "one time in Unix seconds",
            Self::Milliseconds => "one time in Unix milliseconds",
            Self::Rfc3339 => "one time in RFC 3339",
        }
    }
}
