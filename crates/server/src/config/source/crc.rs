//! `crc`: how X's challenges are answered.

use hookhouse_verify::x::{CrcKey, CrcPolicy, CrcShape, CrcSignature};
use serde::Deserialize;

use super::super::field::Field;
use super::super::loader::Loader;
use super::super::units::Period;
use super::rate;
use crate::rate::Rate;

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
        rate::read(&self.rate, loader)
    }
}
