//! Event ids and log positions.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A position in the event log: strictly increasing in the order in which events became durable, not dense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The name of an event for ever: 128 bits of UUID version 7 (RFC 9562), written `evt_` and 26 base32 characters.
///
/// The store makes it while it appends. Text and bytes sort by time. Its random part may carry the store's own
/// position ([`EventId::with_position`]), so that a log can find an event by id without a second index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId([u8; 16]);

/// The most that [`EventId::with_position`] carries: 52 bits.
pub const MAX_POSITION: u64 = (1 << 52) - 1;

impl EventId {
    /// An id for an event stored at `at`, in a log that numbers its events: version 7 with the position in the 52
    /// bits after the time, where RFC 9562 section 6.2 puts a counter, and 22 random bits behind it.
    ///
    /// # Panics
    /// When `position` is over [`MAX_POSITION`]: 4.5e15 events.
    #[must_use]
    pub fn with_position(at: Timestamp, position: u64, random: u32) -> Self {
        assert!(position <= MAX_POSITION, "a log position has at most 52 bits");
        let ms = u64::try_from(at.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff;
        let high = (ms << 16) | 0x7000 | (position >> 40);
        let low = (0b10 << 62) | ((position & 0xff_ffff_ffff) << 22) | u64::from(random & 0x3f_ffff);
        Self(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
    }

    /// An id from sixteen bytes, as a store kept them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The position that [`EventId::with_position`] put in; meaningless for an id made otherwise.
    #[must_use]
    pub fn position(&self) -> u64 {
        let id = u128::from_be_bytes(self.0);
        let high = ((id >> 64) & 0xfff) as u64;
        let low = ((id >> 22) & 0xff_ffff_ffff) as u64;
        (high << 40) | low
    }

    /// When the id was made, to the millisecond.
    #[must_use]
    pub fn made_at(&self) -> Timestamp {
        let ms = (u128::from_be_bytes(self.0) >> 80) as i64;
        Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"evt_00000000000000000000000000";
        let (_, digits) = text.split_at_mut(4);
        BASE32.encode_mut(&self.0, digits);
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let digits = text.strip_prefix("evt_").ok_or(EventIdError)?;
        let bytes = BASE32.decode(digits.as_bytes()).map_err(|_| EventIdError)?;
        Ok(Self(bytes.try_into().map_err(|_| EventIdError)?))
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event id is `evt_` and 26 characters of 0-9 and a-z without i, l, o and u")]
pub struct EventIdError;

/// Crockford's digits in lower case: their order is ASCII's, so ids sort as text, and none looks like another.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut digits = Specification::new();
    digits.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    digits.encoding().expect("thirty-two distinct ASCII symbols make an encoding")
});

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn an_id_carries_time_and_position_and_reads_back() {
        for position in [0, 1, (1 << 40) - 1, 1 << 40, MAX_POSITION] {
            let id = EventId::with_position(at(1_795_318_966_123), position, 0xffff_ffff);
            assert_eq!((id.made_at(), id.position()), (at(1_795_318_966_123), position));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.as_bytes()[6] >> 4, 7, "version");
            assert_eq!(id.as_bytes()[8] >> 6, 0b10, "variant");
        }
    }

    #[test]
    fn ids_sort_by_time_then_position_as_bytes_and_as_text() {
        let ids = [(1, 5, 9), (1, 6, 0), (2, 0, 7), (2, 1 << 41, 0)]
            .map(|(ms, position, random)| EventId::with_position(at(ms), position, random));
        assert!(ids.is_sorted());
        assert!(ids.map(|id| id.to_string()).is_sorted());
    }

    #[test]
    fn only_its_own_spelling_is_an_id() {
        let good = EventId::with_position(at(0), 3, 1).to_string();
        for bad in
            ["", "evt_", &good[..29], &good.to_uppercase(), &format!("{good}0"), &good.replace('0', "o")]
        {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
    }
}
