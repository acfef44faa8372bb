//! `Last-Event-ID`, as clients send it back.

use super::position::Position;

/// A place that reads is written as a place that is the same.
pub(crate) fn position(text: &str) {
    if let Ok(place) = text.parse::<Position>() {
        assert_eq!(place.to_string().parse(), Ok(place));
        assert!(place.moment() >= hookhouse_core::Timestamp::UNIX_EPOCH);
    }
}
