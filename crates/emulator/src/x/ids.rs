//! Numbers that name things: beyond 2^53, as X's are, and growing with the time.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Not the digits of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: an id is 1 to 19 digits")]
pub struct NotAnId;

macro_rules! ids {
    ($($(#[$doc:meta])* $visible:vis $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visible struct $name(pub(super) u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        /// `^[0-9]{1,19}$`, as X's OpenAPI document has it.
        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let digits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
                text.parse().ok().filter(|_| digits).map(Self).ok_or(NotAnId)
            }
        }

        /// As a string: the number does not fit a double.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

ids! {
    /// A user.
    pub UserId
    /// A post.
    pub PostId
    /// A webhook.
    pub WebhookId
    /// A subscription of the X Activity API.
    pub(super) SubscriptionId
    /// A replay job.
    pub JobId
    /// A rule of the filtered stream.
    pub(super) RuleId
}

/// Makes ids: milliseconds since X's epoch, then 22 bits that tell those of one millisecond apart.
#[derive(Debug, Default)]
pub(super) struct Ids {
    last: u64,
}

impl Ids {
    /// An id greater than every one before it.
    pub(super) fn next(&mut self, now: Timestamp) -> u64 {
        let since = u64::try_from(now.as_millisecond().saturating_sub(EPOCH_MS)).unwrap_or(0);
        self.last = (since << 22).max(self.last + 1);
        self.last
    }
}

/// 2010-11-04, where X's ids begin to count.
const EPOCH_MS: i64 = 1_288_834_974_657;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_do_not_fit_a_double() {
        let mut ids = Ids::default();
        let now = Timestamp::from_second(1_795_348_800).unwrap();
        let (one, two) = (ids.next(now), ids.next(now));
        assert!(one > 1 << 53 && two > one && two < i64::MAX as u64);
        assert_eq!(ids.next(Timestamp::UNIX_EPOCH), two + 1, "a clock that lies makes no id twice");
    }

    #[test]
    fn an_id_is_nineteen_digits_at_most() {
        assert_eq!("2080761269309813134".parse(), Ok(UserId(2_080_761_269_309_813_134)));
        for text in ["", "+1", "-1", "1 ", "12345678901234567890", "x"] {
            assert_eq!(text.parse::<UserId>(), Err(NotAnId), "{text}");
        }
    }
}
