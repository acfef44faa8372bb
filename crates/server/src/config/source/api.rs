//! `api` and `heal`: X's API, for the sources of `x` that use it.

use hookhouse_core::Secret;
use hookhouse_verify::sign::Signer;
use hookhouse_verify::twilio::PublicUrl;
use hookhouse_x::credentials::{Access, Consumer};
use hookhouse_x::rules::{self, Caller};
use hookhouse_x::{Base, Credentials};
use serde::Deserialize;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::field::{Field, Given};
use super::super::loader::Loader;
use super::super::model::{SourceSigner, XApi};
use super::keys::SecretField;

/// The keys of an X source that are about X's API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawPlatform {
    heal: Field<bool>,
    api: Field<RawApi>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table: { bearer } or { consumer_key }, and for a user { access_token, access_token_secret } or { user_token }"
)]
struct RawApi {
    bearer: SecretField,
    consumer_key: SecretField,
    consumer_secret: SecretField,
    access_token: SecretField,
    access_token_secret: SecretField,
    user_token: SecretField,
    base: Field<String>,
}

/// What a source's other keys say that these build on.
pub(super) struct Around<'a> {
    /// What X signs with, where the source could be read so far.
    pub(super) signer: Option<&'a SourceSigner>,
    /// What X calls, without the path.
    pub(super) url: &'a Field<PublicUrl>,
    /// The path.
    pub(super) path: Option<&'a str>,
}

impl RawPlatform {
    /// The credentials, and whether to heal. What is wrong is reported.
    pub(super) fn settings(&self, around: &Around<'_>, loader: &Loader<'_>) -> (Option<XApi>, bool) {
        let api = self.api.given().map(|given| (given, api(given, around, loader)));
        let Some(heal) = self.heal.given().filter(|heal| heal.value) else {
            return (api.and_then(|(_, api)| api), false);
        };
        match &api {
            None if self.api.is_missing() => loader.report.missing_key(
                &heal.key,
                "api",
                "`heal` looks after the webhook through X's API, which wants credentials",
                "`api = { bearer = { env = \"X_BEARER\" } }`, or `api = { consumer_key = { env = \"X_CONSUMER_KEY\" } }`",
            ),
            Some((given, Some(api))) if !api.credentials.has_app() => loader.report.missing_key(
                &given.span,
                "api.bearer",
                "`heal` acts in the app's name, and the credentials are a user's",
                "`bearer = { env = \"X_BEARER\" }`, or a `consumer_key`, with which one is fetched",
            ),
            _ => {}
        }
        let api = api.and_then(|(_, api)| api);
        registered(heal, api.as_ref(), around, loader);
        (api, true)
    }
}

/// What heals must know which URL X calls, and X must be able to call it.
fn registered(heal: &Given<bool>, api: Option<&XApi>, around: &Around<'_>, loader: &Loader<'_>) {
    if around.url.is_missing() {
        loader.report.missing_key(
            &heal.key,
            "public_url",
            "`heal` finds the webhook at X by its URL",
            "`public_url = \"https://hooks.example.com\"`, here or in `[server]`",
        );
    }
    let (Some(api), Some(url), Some(path)) = (api, around.url.value(), around.path) else { return };
    let caller = if api.base.is_stand_in() { Caller::StandIn } else { Caller::X };
    let url = format!("{url}{path}");
    for fault in rules::check(&url, caller).err().unwrap_or_default() {
        loader.report.push(
            Diagnostic::error(Code::Value, &heal.key, format!("`heal`: X cannot call `{url}`: {fault}"))
                .help("set `public_url` to what X shall call: https, a public name, no port"),
        );
    }
}

fn api(given: &Given<RawApi>, around: &Around<'_>, loader: &Loader<'_>) -> Option<XApi> {
    let raw = &given.value;
    let base = raw.base.given().map_or(Some(Base::default()), |base| {
        base.value
            .parse()
            .map_err(|error| {
                loader.report.push(
                    Diagnostic::error(Code::Value, &base.span, format!("`api.base`: {error}")).help(
                        "leave it out for X itself, or name a stand-in: `base = \"http://127.0.0.1:8099\"`",
                    ),
                );
            })
            .ok()
    });
    let whole = complete(given, around, loader);
    let bearer = credential("api.bearer", &raw.bearer, loader);
    let key = credential("api.consumer_key", &raw.consumer_key, loader);
    let secret = credential("api.consumer_secret", &raw.consumer_secret, loader);
    let token = credential("api.access_token", &raw.access_token, loader);
    let token_secret = credential("api.access_token_secret", &raw.access_token_secret, loader);
    let user_token = credential("api.user_token", &raw.user_token, loader);
    let credentials = Credentials {
        bearer,
        // The secret that challenges are answered with is the app's own: it need not be written twice.
        consumer: key
            .zip(secret.or_else(|| own_secret(around)))
            .map(|(key, secret)| Consumer { key, secret }),
        access: token.zip(token_secret).map(|(token, secret)| Access { token, secret }),
        user_token,
    };
    (whole && !credentials.is_empty()).then_some(XApi { credentials, base: base? })
}

/// Whether the keys that belong together are there together.
fn complete(given: &Given<RawApi>, around: &Around<'_>, loader: &Loader<'_>) -> bool {
    let raw = &given.value;
    let mut whole = true;
    let mut missing = |key: &str, why: &str, variable: &str| {
        whole = false;
        let help = format!("`{} = {{ env = \"{variable}\" }}`", key.trim_start_matches("api."));
        loader.report.missing_key(&given.span, key, why, &help);
    };
    let all = [&raw.bearer, &raw.consumer_key, &raw.access_token, &raw.access_token_secret, &raw.user_token];
    if all.iter().all(|field| field.is_missing()) {
        missing("api.bearer", "there are no credentials to call X's API with", "X_BEARER");
        return whole;
    }
    let no_secret =
        raw.consumer_secret.is_missing() && around.signer.is_some() && own_secret(around).is_none();
    if !raw.consumer_key.is_missing() && no_secret {
        missing(
            "api.consumer_secret",
            "the source has none of its own to go with the key",
            "X_CONSUMER_SECRET",
        );
    }
    if !raw.consumer_secret.is_missing() && raw.consumer_key.is_missing() {
        missing("api.consumer_key", "the secret goes with it", "X_CONSUMER_KEY");
    }
    if !raw.access_token.is_missing() && raw.access_token_secret.is_missing() {
        missing("api.access_token_secret", "the token goes with it", "X_ACCESS_TOKEN_SECRET");
    }
    if !raw.access_token_secret.is_missing() && raw.access_token.is_missing() {
        missing("api.access_token", "the secret goes with it", "X_ACCESS_TOKEN");
    }
    if !raw.access_token.is_missing() && raw.consumer_key.is_missing() && raw.consumer_secret.is_missing() {
        missing(
            "api.consumer_key",
            "OAuth 1.0a signs with the app's key and the user's token",
            "X_CONSUMER_KEY",
        );
    }
    whole
}

fn own_secret(around: &Around<'_>) -> Option<Secret> {
    around.signer.filter(|own| matches!(own.signer, Signer::X)).map(|own| own.secret.clone())
}

/// A credential that goes into a header. There is no floor: X, not we, says what a good one is.
fn credential(key: &str, field: &SecretField, loader: &Loader<'_>) -> Option<Secret> {
    let given = field.given()?;
    let secret = loader.password(key, given)?;
    if secret.expose().iter().all(u8::is_ascii_graphic) {
        return Some(secret);
    }
    let message = format!("`{key}` has a blank, a line break or another character that no header can carry");
    loader.report.push(
        Diagnostic::error(Code::Value, &given.span, message)
            .help("copy it from the developer console once more, without what stands around it"),
    );
    None
}
