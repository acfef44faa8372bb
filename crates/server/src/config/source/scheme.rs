//! Providers whose scheme is a description: rows of the catalogue, and `provider = "hmac"`, which brings its own.

use hookhouse_verify::catalogue::Row;
use hookhouse_verify::descriptor::Descriptor;
use hookhouse_verify::sign::Signer;
use hookhouse_verify::twilio::PublicUrl;
use hookhouse_verify::{Key, SchemeError, Verifier, hmac, sendgrid};
use serde::Deserialize;

use super::super::field::Field;
use super::super::loader::Loader;
use super::super::model::SourceSigner;
use super::super::reuse::Role;
use super::super::section::Section;
use super::described::{RawHmac, descriptor};
use super::keys::{FormerField, KeyRing, SecretField};
use super::provider::Scheme;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawDescribed {
    hmac: Field<RawHmac>,
}

/// A provider of the catalogue: nothing but its secrets is to be configured.
pub(super) fn read_known(
    row: &'static Row,
    source: &str,
    section: &Section<'_>,
    url: &Field<PublicUrl>,
    loader: &Loader<'_>,
) -> Option<Scheme> {
    let provider = row.provider.to_owned();
    let role = match &row.challenge {
        Some(challenge) if challenge.signs() => Role::Responder { source: source.to_owned(), provider },
        _ => Role::Scheme { source: source.to_owned(), provider },
    };
    let mut ring = KeyRing::new(loader, role);
    let keys = keys(row.secret_field, section, &mut ring);
    let confirmed = row.challenge.is_some_and(|challenge| challenge.is_confirmed());
    let verify_token =
        confirmed.then(|| verify_token(keys.as_deref().unwrap_or_default(), section, &mut ring));
    let scheme = build(row.provider, row.descriptor.clone(), keys?, url, &ring, section)?;
    let verify_tokens = match verify_token {
        Some(token) => vec![token?],
        None => Vec::new(),
    };
    let verifier = match (scheme.verifier, row.challenge) {
        (Verifier::Hmac(verifier), Some(challenge)) => {
            Verifier::Hmac(verifier.answering(challenge, verify_tokens))
        }
        (verifier, _) => verifier,
    };
    Some(Scheme { verifier, ..scheme })
}

/// What the provider was told to say in its challenge. It travels in a URL, so it must not be what events are signed
/// with.
fn verify_token(keys: &[Key], section: &Section<'_>, ring: &mut KeyRing<'_>) -> Option<Key> {
    let field: SecretField = section.field("verify_token");
    if field.is_missing() {
        section.missing(
            "verify_token",
            "the provider says it when it asks whether the endpoint is yours",
            "`verify_token = { env = \"VERIFY_TOKEN\" }`",
        );
    }
    let token = ring.key("verify_token", &field)?;
    if keys.iter().any(|key| key.secret.expose() == token.secret.expose()) {
        let place = field.given().map_or(&section.span, |given| &given.span);
        ring.reused(place, "`verify_token` is the secret that events are signed with");
        return None;
    }
    Some(token)
}

/// A provider that the file describes.
pub(super) fn read_described(
    source: &str,
    section: &Section<'_>,
    url: &Field<PublicUrl>,
    loader: &Loader<'_>,
) -> Option<Scheme> {
    let raw: RawDescribed = section.read();
    let mut ring = ring(source, "hmac", loader);
    let keys = keys("secret", section, &mut ring);
    if raw.hmac.is_missing() {
        section.missing(
            "hmac",
            "it says how requests are signed",
            "`hmac = { header = \"X-Signature\" }` for hex HMAC-SHA256 over the body",
        );
    }
    let given = raw.hmac.given()?;
    let descriptor = descriptor(given, loader)?;
    if let Err(error) = descriptor.validate() {
        ring.report(&error, &given.key);
        return None;
    }
    build("hmac", descriptor, keys?, url, &ring, section)
}

/// SendGrid signs with a key of its own, and shows the public half of it.
pub(super) fn read_sendgrid(source: &str, section: &Section<'_>, loader: &Loader<'_>) -> Option<Scheme> {
    let mut ring = ring(source, "sendgrid", loader);
    let public_keys = keys("public_key", section, &mut ring)?;
    match sendgrid::Verifier::new(sendgrid::Settings { public_keys, tolerance: None }) {
        Ok(verifier) => Some(Scheme::new(Verifier::SendGrid(verifier), None)),
        Err(error) => {
            ring.report(&error, &section.span);
            None
        }
    }
}

fn ring<'a>(source: &str, provider: &str, loader: &'a Loader<'a>) -> KeyRing<'a> {
    KeyRing::new(loader, Role::Scheme { source: source.to_owned(), provider: provider.to_owned() })
}

/// The current secret and the former ones; `None` where there is no good current one.
fn keys(name: &'static str, section: &Section<'_>, ring: &mut KeyRing<'_>) -> Option<Vec<Key>> {
    let current: SecretField = section.field(name);
    let former: FormerField = section.field("previous_secrets");
    if current.is_missing() {
        section.missing(
            name,
            "requests are verified with it",
            &format!("`{name} = {{ env = \"{}\" }}`", name.to_ascii_uppercase()),
        );
    }
    let current = ring.key(name, &current);
    let former = ring.former(&former);
    Some(std::iter::once(current?).chain(former).collect())
}

fn build(
    provider: &'static str,
    descriptor: Descriptor,
    keys: Vec<Key>,
    url: &Field<PublicUrl>,
    ring: &KeyRing<'_>,
    section: &Section<'_>,
) -> Option<Scheme> {
    let secret = keys.first()?.secret.clone();
    let signer = SourceSigner { signer: Signer::Hmac(descriptor.clone()), secret };
    let urls = url.value().cloned().into_iter().collect();
    match hmac::Verifier::new(provider, descriptor, keys, urls) {
        Ok(verifier) => Some(Scheme::new(Verifier::Hmac(verifier), Some(signer))),
        Err(SchemeError::NoPublicUrl) => {
            if url.is_missing() {
                section.missing(
                    "public_url",
                    "the URL is signed, and the Host header, which anybody can write, is no source for it",
                    "`public_url = \"https://hooks.example.com\"`, here or in `[server]`",
                );
            }
            None
        }
        Err(error) => {
            ring.report(&error, &section.span);
            None
        }
    }
}
