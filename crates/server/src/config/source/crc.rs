//! `crc`: how X's challenges are answered.

use std::time::Duration;

use hookhouse_verify::x::{CrcKey, CrcPolicy, CrcShape, CrcSignature};
use serde::Deserialize;

use super::super::field::{Field, Given};
use super::super::loader::Loader;
use super::super::units::Period;
use crate::crc::{MOST, Rate};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { signature, rate, shape, key, max_age }")]
pub(super) struct RawCrc {
    signature: Field<RawSignature>,
    rate: Field<String>,
    shape: Field<RawShape>,
    key: Field<RawKey>,
    max_age: Field<Period>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawSignature {
    IfPresent,
    Require,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawShape {
    Any,
    XStrict,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKey {
    Consumer,
    Oauth2,
}

impl RawCrc {
    /// What the verifier is to know.
    pub(super) fn policy(&self) -> CrcPolicy {
        CrcPolicy {
            signature: match self.signature.value() {
                Some(RawSignature::Require) => CrcSignature::Require,
                Some(RawSignature::IfPresent) | None => CrcSignature::IfPresent,
            },
            shape: match self.shape.value() {
                Some(RawShape::XStrict) => CrcShape::XStrict,
                Some(RawShape::Any) | None => CrcShape::Any,
            },
            key: match self.key.value() {
                Some(RawKey::Oauth2) => CrcKey::Oauth2,
                Some(RawKey::Consumer) | None => CrcKey::Consumer,
            },
            max_age: self.max_age.value().map(|age| age.0),
        }
    }

    /// How often one address may ask without a signature; `None` for as often as it likes.
    pub(super) fn rate(&self, loader: &Loader<'_>) -> Option<Rate> {
        let given: &Given<String> = self.rate.given()?;
        parse(&given.value).unwrap_or_else(|| {
            loader.report.value(
                &given.span,
                format!(
                    "`rate` is \"off\", or how many from 1 to {MOST} in how long: \"10/m\", with s, m, h or d"
                ),
            );
            None
        })
    }
}

/// `10/m`; `Some(None)` for `off`.
fn parse(text: &str) -> Option<Option<Rate>> {
    if text == "off" {
        return Some(None);
    }
    let (most, unit) = text.split_once('/')?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let is_plain = !most.is_empty() && most.bytes().all(|b| b.is_ascii_digit());
    let most = most.parse().ok().filter(|_| is_plain)?;
    Some(Some(Rate::new(most, Duration::from_secs(seconds))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_unit_of_time() {
        let rate = |most, seconds| Some(Rate::new(most, Duration::from_secs(seconds)));
        for (text, expected) in [
            ("off", Some(None)),
            ("10/m", rate(10, 60)),
            ("1/s", rate(1, 1)),
            ("1000/h", rate(1_000, 3_600)),
            ("5/d", rate(5, 86_400)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        for text in [
            "",
            "10",
            "10/",
            "/m",
            "0/m",
            "1001/m",
            "+1/m",
            "-1/m",
            "10/min",
            "10 / m",
            "Off",
            "99999999999/m",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
