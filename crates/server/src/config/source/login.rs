//! `basic_auth` and `digest_auth`: what a sender must know besides the signing secret, or instead of one.

use serde::Deserialize;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::field::{Field, Given};
use super::super::loader::Loader;
use super::super::secret::{RawSecret, Reference};
use crate::login::{Credentials, DigestCredentials};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { user, password }")]
pub(super) struct RawBasic {
    user: Field<String>,
    password: Field<Reference<RawSecret>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { user, password, md5 }")]
pub(super) struct RawDigest {
    user: Field<String>,
    password: Field<Reference<RawSecret>>,
    md5: Field<bool>,
}

pub(super) fn basic(field: &Field<RawBasic>, loader: &Loader<'_>) -> Option<Credentials> {
    let given = field.given()?;
    credentials("basic_auth", given, &given.value.user, &given.value.password, loader)
}

pub(super) fn digest(field: &Field<RawDigest>, loader: &Loader<'_>) -> Option<DigestCredentials> {
    let given = field.given()?;
    let credentials = credentials("digest_auth", given, &given.value.user, &given.value.password, loader)?;
    // Which algorithm Twilio knows is written down nowhere, so MD5 is offered too, after SHA-256.
    Some(DigestCredentials { credentials, md5: given.value.md5.value().copied().unwrap_or(true) })
}

fn credentials<T>(
    key: &str,
    given: &Given<T>,
    user: &Field<String>,
    password: &Field<Reference<RawSecret>>,
    loader: &Loader<'_>,
) -> Option<Credentials> {
    if user.is_missing() {
        let example =
            format!("`{key} = {{ user = \"twilio\", password = {{ env = \"WEBHOOK_PASSWORD\" }} }}`");
        loader.report.missing_key(&given.span, "user", "a login has a user name", &example);
    }
    if password.is_missing() {
        loader.report.missing_key(
            &given.span,
            "password",
            "a login without one would let everybody in",
            "`password = { env = \"WEBHOOK_PASSWORD\" }`",
        );
    }
    let password = password.given().and_then(|given| loader.password("password", given));
    let (user, password) = (user.given()?, password?);
    Credentials::new(&user.value, password)
        .map_err(|error| {
            loader.report.push(
                Diagnostic::error(Code::Value, &user.span, format!("`{key}`: {error}"))
                    .help("take letters, digits and punctuation: both travel inside a header"),
            );
        })
        .ok()
}
