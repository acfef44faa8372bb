//! How far a client has come, as the id of what it was sent last.
//!
//! Two places and a moment: that in the log of events, that in the log of refusals, and when it was sent. Attempts have
//! no log of their own; what happened to deliveries since that moment is read from the deliveries themselves.

use std::fmt;
use std::str::FromStr;

use hookhouse_core::Timestamp;

/// A place in the stream: `EVENT-REFUSAL-MILLISECONDS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// The last event that was looked at.
    pub(super) event: u64,
    /// The last refusal that was.
    pub(super) refusal: u64,
    /// When, in milliseconds of the Unix epoch.
    pub(super) millis: i64,
}

impl Position {
    pub(super) fn moment(self) -> Timestamp {
        Timestamp::from_millisecond(self.millis).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.event, self.refusal, self.millis)
    }
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a place in the stream is the `id` of something that was sent: three numbers with `-` between them")]
pub(super) struct PositionError;

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let number = |part: Option<&str>| {
            let part = part.filter(|part| part.bytes().all(|b| b.is_ascii_digit())).ok_or(PositionError)?;
            part.parse::<u64>().ok().filter(|n| i64::try_from(*n).is_ok()).ok_or(PositionError)
        };
        let mut parts = text.split('-');
        let position = Self {
            event: number(parts.next())?,
            refusal: number(parts.next())?,
            millis: number(parts.next())?.cast_signed(),
        };
        if parts.next().is_none() { Ok(position) } else { Err(PositionError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_nothing_else_does() {
        let place = Position { event: 7, refusal: 0, millis: 1_795_318_966_123 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "7", "1-2", "1-2-3-4", "-1-2-3", "1-2-x", "1-2-+3", "1-2-99999999999999999999"] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }
}
