//! Points in time: `2026-12-01T00:00:00Z`, with or without quotes.

use std::fmt;

use hookhouse_core::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A point in time: TOML's own date with an offset, or the same as a string.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date such as 2026-12-01T00:00:00Z")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
                text.parse().map(Moment).map_err(|_| {
                    E::custom("not a date with time and offset: write it like 2026-12-01T00:00:00Z")
                })
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, date: D) -> Result<Moment, D::Error> {
                date.deserialize_str(self)
            }
        }

        deserializer.deserialize_any(Text)
    }
}
