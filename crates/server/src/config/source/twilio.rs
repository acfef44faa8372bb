//! `provider = "twilio"`.

use hookhouse_verify::Verifier;
use hookhouse_verify::sign::Signer;
use hookhouse_verify::twilio::{self, Account, Algorithm, PublicUrl, SharedKey};
use serde::Deserialize;

use super::super::field::{Entries, Field};
use super::super::loader::Loader;
use super::super::model::SourceSigner;
use super::super::reuse::Role;
use super::super::secret::{RawSecret, Reference};
use super::super::section::Section;
use super::keys::{FormerField, KeyRing, SecretField};
use super::provider::Scheme;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawTwilio {
    auth_token: SecretField,
    previous_secrets: FormerField,
    shared_keys: Field<Entries<RawSharedKey>>,
    accounts: Field<Entries<Reference<RawSecret>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { secret, algorithm }")]
struct RawSharedKey {
    secret: SecretField,
    algorithm: Field<RawAlgorithm>,
}

/// As Twilio spells them.
#[derive(Debug, Clone, Copy, Deserialize)]
enum RawAlgorithm {
    #[serde(rename = "HMAC_SHA1")]
    HmacSha1,
    #[serde(rename = "HMAC_SHA256")]
    HmacSha256,
}

pub(super) fn read(
    source: &str,
    section: &Section<'_>,
    url: &Field<PublicUrl>,
    loader: &Loader<'_>,
) -> Option<Scheme> {
    let raw: RawTwilio = section.read();
    let mut ring =
        KeyRing::new(loader, Role::Scheme { source: source.to_owned(), provider: "twilio".to_owned() });
    let current = ring.key("auth_token", &raw.auth_token);
    let former = ring.former(&raw.previous_secrets);
    let shared_keys = shared_keys(&raw.shared_keys, &mut ring, loader);
    let accounts = accounts(&raw.accounts, &mut ring, loader);
    if raw.auth_token.is_missing() && raw.shared_keys.is_missing() && raw.accounts.is_missing() {
        section.missing(
            "auth_token",
            "requests are verified with it",
            "`auth_token = { env = \"TWILIO_AUTH_TOKEN\" }`",
        );
    }
    if url.is_missing() {
        section.missing("public_url",
            "Twilio signs the URL that it was told, and the Host header, which anybody can write, is no source for it",
            "`public_url = \"https://hooks.example.com\"`, here or in `[server]`",
        );
    }
    let url = url.value()?.clone();
    let (algorithm, shared_key, secret) = match (&current, shared_keys.first()) {
        (Some(key), _) => (Algorithm::HmacSha1, None, key.secret.clone()),
        (None, Some(shared)) => (shared.algorithm, Some(shared.id.clone()), shared.key.secret.clone()),
        (None, None) => {
            let first = accounts.first().and_then(|account| account.keys.first())?;
            (Algorithm::HmacSha1, None, first.secret.clone())
        }
    };
    let tokens = current.into_iter().chain(former).collect();
    match twilio::Verifier::new(twilio::Settings { urls: vec![url], tokens, shared_keys, accounts }) {
        Ok(verifier) => {
            let signer = SourceSigner { signer: Signer::Twilio { algorithm, shared_key }, secret };
            Some(Scheme::new(Verifier::Twilio(verifier), Some(signer)))
        }
        Err(error) => {
            ring.report(&error, &section.span);
            None
        }
    }
}

/// Accounts with tokens of their own: the AccountSid of a request chooses, the signature proves.
fn accounts(
    field: &Field<Entries<Reference<RawSecret>>>,
    ring: &mut KeyRing<'_>,
    loader: &Loader<'_>,
) -> Vec<Account> {
    let mut accounts = Vec::new();
    for (sid, given) in field.value().into_iter().flat_map(Entries::iter) {
        let hex = |digits: &str| digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if !sid.strip_prefix("AC").is_some_and(hex) {
            loader.report.value(&given.key, "an AccountSid is `AC` and 32 hexadecimal digits");
        }
        if let Some(key) = ring.given(&format!("accounts.{sid}"), given) {
            accounts.push(Account { sid: sid.to_owned(), keys: vec![key] });
        }
    }
    accounts
}

fn shared_keys(
    field: &Field<Entries<RawSharedKey>>,
    ring: &mut KeyRing<'_>,
    loader: &Loader<'_>,
) -> Vec<SharedKey> {
    let mut keys = Vec::new();
    for (id, given) in field.value().into_iter().flat_map(Entries::iter) {
        let (name, raw) = (format!("shared_keys.{id}"), &given.value);
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_graphic()) {
            loader.report.value(&given.key, "the id of a SharedKey is printable ASCII without blanks");
        }
        if raw.secret.is_missing() {
            let help = "`secret = { env = \"…\" }`";
            loader.report.missing_key(
                &given.key,
                &format!("{name}.secret"),
                "the key verifies with it",
                help,
            );
        }
        if raw.algorithm.is_missing() {
            loader.report.missing_key(
                &given.key,
                &format!("{name}.algorithm"),
                "a request must not choose how it is verified",
                "`algorithm = \"HMAC_SHA256\"` or `\"HMAC_SHA1\"`, as at Twilio",
            );
        }
        if let (Some(key), Some(algorithm)) = (ring.key(&name, &raw.secret), raw.algorithm.value()) {
            let algorithm = match algorithm {
                RawAlgorithm::HmacSha1 => Algorithm::HmacSha1,
                RawAlgorithm::HmacSha256 => Algorithm::HmacSha256,
            };
            keys.push(SharedKey { id: id.to_owned(), key, algorithm });
        }
    }
    keys
}
