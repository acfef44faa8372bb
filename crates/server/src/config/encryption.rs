//! `[store] encrypt` and `[store] seal`: the keys of encrypted payloads, and of what gateways share on a cluster.
//!
//! A key is 32 random bytes in base64, not a passphrase: what people can remember falls to somebody who has a copy of
//! the store and time.

use data_encoding::{BASE64, BASE64_NOPAD};
use hookhouse_core::Secret;
use hookhouse_store_sqlite::{Encryption, KEY_BYTES};
use serde::Deserialize;

use super::diagnostic::{Code, Diagnostic};
use super::field::{Field, Given, List};
use super::loader::Loader;
use super::secret::{RawSecret, Reference};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { key, previous }")]
pub(super) struct RawEncrypt {
    key: Field<Reference<RawSecret>>,
    previous: Field<List<Reference<RawSecret>>>,
}

/// The keys that are given under a name, as far as they are good.
pub(super) fn read(name: &str, field: &Field<RawEncrypt>, loader: &Loader<'_>) -> Encryption {
    let Some(given) = field.given() else { return Encryption::default() };
    let raw = &given.value;
    if raw.key.is_missing() && raw.previous.is_missing() {
        loader.report.push(
            Diagnostic::error(Code::MissingKey, &given.span, format!("`{name}` names no key"))
                .help("`{ key = { file = \"…\" } }`; `hookhouse db key FILE` makes one"),
        );
    }
    let current = raw.key.given().and_then(|given| key(&format!("{name}.key"), given, loader));
    let previous: Vec<_> =
        raw.previous.elements().filter_map(|given| key(&format!("{name}.previous"), given, loader)).collect();
    match Encryption::new(current.as_ref(), &previous) {
        Ok(encryption) => encryption,
        Err(error) => {
            loader.report.value(&given.span, format!("`{name}`: {error}"));
            Encryption::default()
        }
    }
}

fn key(name: &str, given: &Given<Reference<RawSecret>>, loader: &Loader<'_>) -> Option<Secret> {
    let text = loader.password(name, given)?;
    let text = text.expose().trim_ascii();
    let wrong = |what: String| {
        loader.report.push(
            Diagnostic::error(Code::Value, &given.span, format!("`{name}` {what}"))
                .note(format!("a key is {KEY_BYTES} random bytes, written in base64: 44 characters"))
                .help("`hookhouse db key FILE` makes one"),
        );
    };
    let Ok(bytes) = BASE64.decode(text).or_else(|_| BASE64_NOPAD.decode(text)) else {
        wrong(format!("leads to {} characters that are no base64", text.len()));
        return None;
    };
    let length = bytes.len();
    let secret = Secret::new(bytes).ok()?;
    if length != KEY_BYTES {
        wrong(format!("leads to base64 of {length} bytes"));
        return None;
    }
    Some(secret)
}
