//! `provider = "x"`.

use hookhouse_verify::Verifier;
use hookhouse_verify::sign::Signer;
use hookhouse_verify::x::{self, CrcKey, CrcPolicy, CrcShape, CrcSignature};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::field::Field;
use super::super::loader::Loader;
use super::super::model::SourceSigner;
use super::super::reuse::Role;
use super::super::section::Section;
use super::keys::{FormerField, KeyRing, SecretField};
use super::provider::Scheme;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawX {
    consumer_secret: SecretField,
    oauth2_client_secret: SecretField,
    previous_secrets: FormerField,
    crc: Field<RawCrc>,
    heal: Field<bool>,
    api: Field<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { signature, rate, shape, key }")]
struct RawCrc {
    signature: Field<RawCrcSignature>,
    rate: Field<String>,
    shape: Field<RawCrcShape>,
    key: Field<RawCrcKey>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawCrcSignature {
    IfPresent,
    Require,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawCrcShape {
    Any,
    XStrict,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawCrcKey {
    Consumer,
    Oauth2,
}

pub(super) fn read(source: &str, section: &Section<'_>, loader: &Loader<'_>) -> Option<Scheme> {
    let raw: RawX = section.read();
    if raw.heal.value() == Some(&true) {
        loader.not_built(&raw.heal, "heal", "leave it out, and register the webhook at X yourself");
    }
    loader.not_built(&raw.api, "api", "leave it out: nothing calls X's API yet");
    let crc = raw.crc.value().map_or_else(CrcPolicy::default, |raw| crc(raw, loader));

    let mut ring = KeyRing::new(loader, Role::Responder { source: source.to_owned() });
    let current = ring.key("consumer_secret", &raw.consumer_secret);
    let oauth2 = ring.key("oauth2_client_secret", &raw.oauth2_client_secret);
    let former = ring.former(&raw.previous_secrets);

    let (wanted, variable, field) = match crc.key {
        CrcKey::Consumer => ("consumer_secret", "X_CONSUMER_SECRET", &raw.consumer_secret),
        CrcKey::Oauth2 => ("oauth2_client_secret", "X_CLIENT_SECRET", &raw.oauth2_client_secret),
    };
    if field.is_missing() {
        section.missing(
            wanted,
            "challenges are answered and events verified with it",
            &format!("`{wanted} = {{ env = \"{variable}\" }}`"),
        );
        return None;
    }
    let signer = match (&current, &oauth2) {
        (Some(key), _) => SourceSigner { signer: Signer::X, secret: key.secret.clone() },
        (None, Some(key)) => SourceSigner { signer: Signer::XOauth2, secret: key.secret.clone() },
        (None, None) => return None,
    };
    let consumer = current.into_iter().chain(former).collect();
    let settings = x::Settings { consumer, oauth2: oauth2.into_iter().collect(), crc };
    match x::Verifier::new(settings) {
        Ok(verifier) => Some(Scheme { verifier: Verifier::X(verifier), signer: Some(signer) }),
        Err(error) => {
            ring.report(&error, &section.span);
            None
        }
    }
}

fn crc(raw: &RawCrc, loader: &Loader<'_>) -> CrcPolicy {
    if let Some(rate) = raw.rate.given()
        && rate.value != "off"
    {
        loader.not_built_at(&rate.span, "a rate limit for challenges", "`rate = \"off\"`");
    }
    CrcPolicy {
        signature: match raw.signature.value() {
            Some(RawCrcSignature::Require) => CrcSignature::Require,
            Some(RawCrcSignature::IfPresent) | None => CrcSignature::IfPresent,
        },
        shape: match raw.shape.value() {
            Some(RawCrcShape::XStrict) => CrcShape::XStrict,
            Some(RawCrcShape::Any) | None => CrcShape::Any,
        },
        key: match raw.key.value() {
            Some(RawCrcKey::Oauth2) => CrcKey::Oauth2,
            Some(RawCrcKey::Consumer) | None => CrcKey::Consumer,
        },
        ..CrcPolicy::default()
    }
}
