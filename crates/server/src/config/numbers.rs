//! Numbers without a unit, and what they may be.

use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::field::Field;
use super::loader::Loader;

/// A whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(u64);

/// A share of a whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share(f64);

impl Loader<'_> {
    /// A whole number within bounds, or `default` where the key is missing.
    pub(super) fn count(
        &self,
        field: &Field<Count>,
        key: &str,
        bounds: RangeInclusive<u64>,
        default: u64,
    ) -> u64 {
        let Some(given) = field.given() else { return default };
        if !bounds.contains(&given.value.0) {
            let message = format!("`{key}` is a number from {} to {}", bounds.start(), bounds.end());
            self.report.value(&given.span, message);
        }
        given.value.0
    }

    /// A number from 0 to 1, or `default` where the key is missing.
    pub(super) fn share(&self, field: &Field<Share>, key: &str, default: f64) -> f64 {
        let Some(given) = field.given() else { return default };
        if !(0.0..=1.0).contains(&given.value.0) {
            self.report.value(&given.span, format!("`{key}` is a number from 0 to 1"));
        }
        given.value.0
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl Visitor<'_> for Whole {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
                u64::try_from(number).map(Count).map_err(|_| E::custom("the number must not be negative"))
            }
        }

        deserializer.deserialize_u64(Whole)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1")
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Share, E> {
                Ok(Share(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Share, E> {
                i32::try_from(number)
                    .map(|number| Share(f64::from(number)))
                    .map_err(|_| E::custom("a number from 0 to 1"))
            }
        }

        deserializer.deserialize_f64(Number)
    }
}
