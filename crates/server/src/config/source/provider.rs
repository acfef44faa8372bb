//! `provider`: who calls, and so which keys there are.

use hookhouse_verify::Verifier;
use hookhouse_verify::catalogue::{self, Row};
use hookhouse_verify::challenge::Challenge;
use hookhouse_verify::twilio::PublicUrl;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::field::Field;
use super::super::loader::Loader;
use super::super::model::SourceSigner;
use super::super::section::Section;
use super::super::suggestion::did_you_mean;
use super::keys::SecretField;
use super::{scheme, twilio, x};
use crate::rate::Limiter;

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum Provider {
    X,
    Twilio,
    SendGrid,
    /// A row of the catalogue.
    Known(&'static Row),
    /// A scheme that the file describes.
    Hmac,
    /// Somebody who cannot sign.
    Unsigned,
}

/// What a provider makes of its own keys.
pub(super) struct Scheme {
    pub(super) verifier: Verifier,
    pub(super) signer: Option<SourceSigner>,
    pub(super) challenge_limit: Option<Limiter>,
}

impl Scheme {
    /// One without challenges.
    pub(super) fn new(verifier: Verifier, signer: Option<SourceSigner>) -> Self {
        Self { verifier, signer, challenge_limit: None }
    }
}

/// Keys that some providers have, and which.
const OWNERS: &[(&str, &str)] = &[
    ("consumer_secret", "provider `x`"),
    ("oauth2_client_secret", "provider `x`"),
    ("crc", "provider `x`"),
    ("heal", "provider `x`"),
    ("api", "provider `x`"),
    ("auth_token", "provider `twilio`"),
    ("accounts", "provider `twilio`"),
    ("shared_keys", "provider `twilio`"),
    ("public_key", "provider `sendgrid`"),
    ("hmac", "provider `hmac`"),
    ("verify_token", "provider `meta`"),
    ("secret", "provider `hmac` and of the providers of the catalogue"),
    ("previous_secrets", "the providers that have a secret"),
];

impl Provider {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::Twilio => "twilio",
            Self::SendGrid => "sendgrid",
            Self::Known(row) => row.provider,
            Self::Hmac => "hmac",
            Self::Unsigned => "none",
        }
    }

    /// The methods that it uses.
    pub(super) fn methods(self) -> &'static [&'static str] {
        match self {
            Self::X => &["GET", "POST"],
            Self::Known(row) => row.challenge.as_ref().map_or(&["POST"], Challenge::methods),
            Self::Twilio | Self::SendGrid | Self::Hmac | Self::Unsigned => &["POST"],
        }
    }

    fn find(name: &str) -> Option<Self> {
        match name {
            "x" => Some(Self::X),
            "twilio" => Some(Self::Twilio),
            "sendgrid" => Some(Self::SendGrid),
            "hmac" => Some(Self::Hmac),
            "none" => Some(Self::Unsigned),
            _ => catalogue::find(name).map(Self::Known),
        }
    }

    /// Reads the provider's own keys. Where the answer is `None`, the reason is in the report.
    pub(super) fn scheme(
        self,
        source: &str,
        section: &Section<'_>,
        url: &Field<PublicUrl>,
        loader: &Loader<'_>,
    ) -> Option<Scheme> {
        match self {
            Self::X => x::read(source, section, loader),
            Self::Twilio => twilio::read(source, section, url, loader),
            Self::SendGrid => scheme::read_sendgrid(source, section, loader),
            Self::Known(row) => scheme::read_known(row, source, section, url, loader),
            Self::Hmac => scheme::read_described(source, section, url, loader),
            Self::Unsigned => Some(Scheme::new(Verifier::Unsigned, None)),
        }
    }
}

/// What `provider` can be.
#[must_use]
pub fn providers() -> Vec<&'static str> {
    let known = catalogue::rows().iter().map(|row| row.provider);
    ["x", "twilio", "sendgrid"].into_iter().chain(known).chain(["hmac", "none"]).collect()
}

/// The provider that is named.
pub(super) fn read(field: &Field<String>, section: &Section<'_>, loader: &Loader<'_>) -> Option<Provider> {
    let names = providers();
    if field.is_missing() {
        section.missing(
            "provider",
            "who calls decides how requests are verified",
            &did_you_mean("", &names, "the providers are"),
        );
    }
    let given = field.given()?;
    let provider = Provider::find(&given.value);
    if provider.is_none() {
        loader.report.push(
            Diagnostic::error(
                Code::UnknownProvider,
                &given.span,
                format!("unknown provider `{}`", given.value),
            )
            .note("a scheme that is not in the catalogue can be described: `provider = \"hmac\"`")
            .help(did_you_mean(&given.value, &names, "the providers are")),
        );
    }
    provider
}

/// Reports the keys that the provider does not have.
pub(super) fn finish(provider: Option<Provider>, section: &Section<'_>, loader: &Loader<'_>) {
    let Some(provider) = provider else {
        // Without a provider any provider's keys may be right; a secret must be one in any case.
        for key in ["consumer_secret", "oauth2_client_secret", "auth_token", "secret"] {
            let field: SecretField = section.field(key);
            field.given().and_then(|given| loader.secret(key, given));
        }
        section.accept(OWNERS.iter().map(|(key, _)| *key));
        section.finish("a source", |_| None);
        return;
    };
    section.finish(&format!("provider `{}`", provider.name()), |key| {
        let instead = match provider {
            Provider::X => "consumer_secret",
            Provider::Twilio => "auth_token",
            Provider::SendGrid => "public_key",
            Provider::Known(row) => row.secret_field,
            Provider::Hmac => "secret",
            Provider::Unsigned => "",
        };
        let (_, owner) = OWNERS.iter().find(|(owned, _)| *owned == key)?;
        Some(match (key, instead) {
            ("secret" | "consumer_secret" | "auth_token", "") => {
                "provider `none` verifies nothing and has no secret".to_owned()
            }
            ("secret" | "consumer_secret" | "auth_token", instead) => {
                format!("provider `{}` calls it `{instead}`", provider.name())
            }
            _ => format!("it is a setting of {owner}"),
        })
    });
}
