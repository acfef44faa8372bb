//! Times as the file holds them: nanoseconds since 1970 in 64 bits, which reach from 1677 to 2262.

use std::time::Duration;

use hookhouse_core::Timestamp;

/// A time as nanoseconds; the end of the range for what lies beyond it.
pub(crate) fn to_nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

/// A time from nanoseconds.
pub(crate) fn from_nanos(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A length in nanoseconds; 292 years for anything longer.
pub(crate) fn length_nanos(length: Duration) -> i64 {
    i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)
}
