//! `provider = "x"`.

use hookhouse_verify::Verifier;
use hookhouse_verify::sign::Signer;
use hookhouse_verify::x::{self, CrcKey, CrcPolicy};
use serde::Deserialize;

use super::super::field::Field;
use super::super::loader::Loader;
use super::super::model::SourceSigner;
use super::super::reuse::Role;
use super::super::section::Section;
use super::crc::RawCrc;
use super::keys::{FormerField, KeyRing, SecretField};
use super::provider::Scheme;
use crate::rate::Limiter;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawX {
    consumer_secret: SecretField,
    oauth2_client_secret: SecretField,
    previous_secrets: FormerField,
    crc: Field<RawCrc>,
}

pub(super) fn read(source: &str, section: &Section<'_>, loader: &Loader<'_>) -> Option<Scheme> {
    let raw: RawX = section.read();
    let crc = raw.crc.value().map_or_else(CrcPolicy::default, RawCrc::policy);
    let rate = raw.crc.value().and_then(|raw| raw.rate(loader));

    let mut ring =
        KeyRing::new(loader, Role::Responder { source: source.to_owned(), provider: "x".to_owned() });
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
        Ok(verifier) => Some(Scheme {
            challenge_limit: rate.map(Limiter::new),
            ..Scheme::new(Verifier::X(verifier), Some(signer))
        }),
        Err(error) => {
            ring.report(&error, &section.span);
            None
        }
    }
}
