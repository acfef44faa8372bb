//! `kind = "salesforce"`: events become records of an org.

use std::fmt;

use hookhouse_core::Secret;
use hookhouse_delivery::salesforce::{
    AutoAssign, Existing, Grant, Mapping, Names, Origin, Settings, SigningKey, Template, TemplateError,
};
use http::Uri;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::super::diagnostic::{Code, Diagnostic, Span};
use super::super::field::{Entries, Field, Given};
use super::super::loader::Loader;
use super::super::numbers::Share;
use super::super::secret::{RawSecret, Reference};
use super::super::section::Section;
use super::super::suggestion::did_you_mean;

const API_VERSION: &str = "v67.0";
const API_RESERVE: f64 = 0.1;

/// Where assertions are for; a sandbox has its own.
const AUDIENCE: &str = "https://login.salesforce.com";
const SANDBOX_AUDIENCE: &str = "https://test.salesforce.com";

/// The keys of this kind alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawSalesforce {
    pub(super) login: Field<String>,
    client_id: Field<String>,
    client_secret: Field<Reference<RawSecret>>,
    private_key: Field<Reference<RawSecret>>,
    username: Field<String>,
    audience: Field<String>,
    object: Field<String>,
    external_id: Field<String>,
    mapping: Field<RawMapping>,
    key: Field<String>,
    fields: Field<Entries<String>>,
    existing: Field<RawExisting>,
    own_posts: Field<bool>,
    auto_assign: Field<RawAutoAssign>,
    api_version: Field<String>,
    api_reserve: Field<Share>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawMapping {
    Event,
    XPosts,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawExisting {
    Update,
    Keep,
}

/// `true`, `false`, or the id of a rule.
#[derive(Debug, Clone)]
enum RawAutoAssign {
    Switch(bool),
    Rule(String),
}

/// Reads the keys; the login host has been judged by then. Where the answer is `None`, the reason is in the report.
pub(super) fn read(
    raw: &RawSalesforce,
    login: Option<&Uri>,
    section: &Section<'_>,
    loader: &Loader<'_>,
) -> Option<Settings> {
    let grant = grant(raw, login, section, loader);
    let object = raw.object.and_then(|given| name("object", given, loader));
    if raw.object.is_missing() {
        section.missing("object", "records are of an object", "`object = \"Case\"`");
    }
    let external_id = raw.external_id.and_then(|given| name("external_id", given, loader));
    if raw.external_id.is_missing() {
        let why = "it keeps a record from being made twice";
        let help = "make a text field that is an external id and unique: `external_id = \"X_Event_Key__c\"`";
        section.missing("external_id", why, help);
    }
    let mapping = mapping(raw, object.value(), external_id.value(), section, loader);
    let api_version = match raw.api_version.given() {
        None => Some(API_VERSION.to_owned()),
        Some(given) => version(given, loader),
    };
    let auto_assign = match raw.auto_assign.given() {
        None => Some(AutoAssign::On),
        Some(given) => auto_assign(given, loader),
    };
    Some(Settings {
        existing: match raw.existing.value() {
            Some(RawExisting::Keep) => Existing::Keep,
            Some(RawExisting::Update) | None => Existing::Update,
        },
        api_reserve: loader.share(&raw.api_reserve, "api_reserve", API_RESERVE),
        grant: grant?,
        object: object.value()?.clone(),
        external_id: external_id.value()?.clone(),
        mapping: mapping?,
        auto_assign: auto_assign?,
        api_version: api_version?,
    })
}

/// Who logs in, and how.
fn grant(
    raw: &RawSalesforce,
    login: Option<&Uri>,
    section: &Section<'_>,
    loader: &Loader<'_>,
) -> Option<Grant> {
    if raw.client_id.is_missing() {
        let help = "the consumer key of an external client app: `client_id = \"3MVG9…\"`";
        section.missing("client_id", "the org must know who asks for a token", help);
    }
    let client_id = raw.client_id.given().and_then(|given| {
        let good = !given.value.is_empty() && given.value.bytes().all(|b| b.is_ascii_graphic());
        if !good {
            loader.report.value(&given.span, "`client_id` is the consumer key, without blanks");
        }
        good.then(|| given.value.clone())
    });
    let secret = raw.client_secret.given().and_then(|given| text_secret("client_secret", given, loader));
    let key = raw.private_key.given().and_then(|given| signing_key(given, loader));
    match (raw.client_secret.is_missing(), raw.private_key.is_missing()) {
        (true, true) => {
            let help = "`client_secret = { env = \"SF_CLIENT_SECRET\" }`, or `private_key = { file = \"salesforce.key\" }` with `username`";
            section.missing("client_secret", "it, or a `private_key`, proves who asks", help);
            return None;
        }
        (false, false) => {
            let place = raw.private_key.given().map_or(&section.span, |given| &given.key);
            loader.report.push(
                Diagnostic::error(Code::Value, place, "both `client_secret` and `private_key` are given")
                    .help("keep the one whose flow the app allows"),
            );
            return None;
        }
        (false, true) => {
            for (key, field) in [("username", &raw.username), ("audience", &raw.audience)] {
                if let Some(given) = field.given() {
                    loader.report.push(
                        Diagnostic::error(
                            Code::Value,
                            &given.key,
                            format!("`{key}` goes with `private_key`"),
                        )
                        .help(
                            "the client credentials flow runs as the user that the app names: leave it out",
                        ),
                    );
                }
            }
            if let (Some(given), Some(host)) = (raw.login.given(), login.and_then(Uri::host))
                && matches!(host, "login.salesforce.com" | "test.salesforce.com")
            {
                loader.report.push(
                    Diagnostic::error(
                        Code::Value,
                        &given.span,
                        format!("`login`: {host} knows no client credentials flow"),
                    )
                    .help("write the org's own My Domain URL: `https://acme.my.salesforce.com`"),
                );
                return None;
            }
            return Some(Grant::ClientCredentials { client_id: client_id?, client_secret: secret? });
        }
        (true, false) => {}
    }
    if raw.username.is_missing() {
        let help = "`username = \"integration@acme.example\"`";
        section.missing("username", "an assertion is about a user", help);
    }
    let sandbox = login.and_then(Uri::host).is_some_and(|host| {
        host == "test.salesforce.com" || host.contains(".sandbox.") || host.contains("--")
    });
    let default = if sandbox { SANDBOX_AUDIENCE } else { AUDIENCE };
    let audience = raw.audience.given().map_or(Some(default.to_owned()), |given| {
        let good = given.value.starts_with("https://") && !given.value.ends_with('/');
        if !good {
            loader.report.push(
                Diagnostic::error(
                    Code::Value,
                    &given.span,
                    "`audience` is a host: it is compared letter by letter",
                )
                .help(format!("`{AUDIENCE}`, `{SANDBOX_AUDIENCE}` for a sandbox, or the URL of a site")),
            );
        }
        good.then(|| given.value.clone())
    });
    let username = raw.username.value().filter(|name| !name.is_empty()).cloned();
    if let (Some(given), None) = (raw.username.given(), &username) {
        loader.report.value(&given.span, "`username` is empty");
    }
    Some(Grant::JwtBearer { client_id: client_id?, username: username?, audience: audience?, key: key? })
}

fn text_secret(key: &str, given: &Given<Reference<RawSecret>>, loader: &Loader<'_>) -> Option<Secret> {
    let secret = loader.secret(key, given)?;
    if std::str::from_utf8(secret.expose()).is_err() {
        loader.report.value(&given.span, format!("`{key}` is not text"));
        return None;
    }
    Some(secret)
}

fn signing_key(given: &Given<Reference<RawSecret>>, loader: &Loader<'_>) -> Option<SigningKey> {
    let pem = loader.secret("private_key", given)?;
    SigningKey::from_pem(&pem)
        .map_err(|error| {
            loader.report.push(
                Diagnostic::error(Code::Value, &given.span, format!("`private_key`: {error}"))
                    .help("make one with `openssl req -x509 -newkey rsa:2048 -nodes -keyout salesforce.key -out salesforce.crt -days 365`, and give the app the certificate"),
            );
        })
        .ok()
}

/// What the fields are filled with.
fn mapping(
    raw: &RawSalesforce,
    object: Option<&String>,
    external_id: Option<&String>,
    section: &Section<'_>,
    loader: &Loader<'_>,
) -> Option<Mapping> {
    let origin = match &raw.mapping {
        Field::Missing => Origin::Event,
        // Whatever was meant, there are no more names than these.
        Field::Faulty => Origin::XPosts,
        Field::Given(given) => match given.value {
            RawMapping::XPosts => Origin::XPosts,
            RawMapping::Event => Origin::Event,
        },
    };
    if origin == Origin::Event
        && let Some(given) = raw.own_posts.given()
    {
        let message = "`own_posts` goes with `mapping = \"x-posts\"`";
        loader.report.push(Diagnostic::error(Code::Value, &given.key, message).help("leave it out"));
    }
    let key = raw.key.and_then(|given| template("key", given, origin, origin.names_of_key(), loader));
    let mut fields = Vec::new();
    let mut whole = !raw.mapping.is_faulty() && !raw.fields.is_faulty() && !key.is_faulty();
    for (name, given) in raw.fields.value().into_iter().flat_map(Entries::iter) {
        if external_id.is_some_and(|id| id.eq_ignore_ascii_case(name)) {
            loader.report.push(
                Diagnostic::error(
                    Code::Value,
                    &given.key,
                    format!("`{name}` is the `external_id`: it holds the key"),
                )
                .help("`key` is the template of its value"),
            );
        } else if !is_api_name(name) {
            loader.report.value(&given.key, format!("`{name}` is not the API name of a field"));
        } else if let Some(template) = template(name, given, origin, origin.names(), loader) {
            fields.push((name.to_owned(), template));
            continue;
        }
        whole = false;
    }
    let mapping =
        Mapping::new(origin, object?, key.value().cloned(), fields, raw.own_posts.value() == Some(&true))
            .map_err(|error| loader.report.value(&section.span, error.to_string()))
            .ok()?;
    if mapping.is_empty() && whole {
        let help = match origin {
            Origin::Event => {
                "`mapping = \"x-posts\"` for posts, or `fields = { Subject = \"{body.title}\" }`"
            }
            Origin::XPosts => "only a Case has ready ones: `fields = { Name = \"{author}: {text|line}\" }`",
        };
        section.missing("fields", "nothing but the key would be written", help);
        return None;
    }
    whole.then_some(mapping)
}

/// A template; a mistake in it has its own caret.
fn template(
    key: &str,
    given: &Given<String>,
    origin: Origin,
    names: Names<'_>,
    loader: &Loader<'_>,
) -> Option<Template> {
    let error = Template::parse(&given.value, &names).map_err(|error| {
        let mut found = Diagnostic::error(Code::Value, &place(given, &error), format!("`{key}`: {error}"));
        if let Some(word) = &error.unknown {
            let of_posts =
                origin == Origin::Event && Origin::XPosts.names_of_key().fixed.contains(&word.as_str());
            found = found.help(if of_posts {
                format!("`{{{word}}}` is there with `mapping = \"x-posts\"`")
            } else {
                did_you_mean(word, names.fixed, "the names are `body.PATH` and")
            });
        }
        loader.report.push(found);
    });
    error.ok()
}

/// Where in the file a mistake of a template is. A string with escapes or over several lines has no such place.
fn place(given: &Given<String>, error: &TemplateError) -> Span {
    if given.span.len() == given.value.len() + 2 {
        let start = given.span.start + 1 + error.at;
        start..start + error.length
    } else {
        given.span.clone()
    }
}

fn name(key: &str, given: &Given<String>, loader: &Loader<'_>) -> Option<String> {
    let good = is_api_name(&given.value);
    if !good {
        let message = format!("`{key}` is an API name: letters, digits and `_`");
        loader.report.value(&given.span, message);
    }
    good.then(|| given.value.clone())
}

fn is_api_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 255
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn version(given: &Given<String>, loader: &Loader<'_>) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    let good = given
        .value
        .strip_prefix('v')
        .and_then(|number| number.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && minor == "0");
    if !good {
        let help = format!("write it like `{API_VERSION}`");
        let message = "`api_version` is not a version of the REST API";
        loader.report.push(Diagnostic::error(Code::Value, &given.span, message).help(help));
    }
    good.then(|| given.value.clone())
}

fn auto_assign(given: &Given<RawAutoAssign>, loader: &Loader<'_>) -> Option<AutoAssign> {
    match &given.value {
        RawAutoAssign::Switch(true) => Some(AutoAssign::On),
        RawAutoAssign::Switch(false) => Some(AutoAssign::Off),
        RawAutoAssign::Rule(id) => {
            let good = matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric());
            if !good {
                loader.report.push(
                    Diagnostic::error(Code::Value, &given.span, "`auto_assign` is not the id of a rule")
                        .help("`true` runs the active rules, `false` none, an id of 15 or 18 characters that one"),
                );
            }
            good.then(|| AutoAssign::Rule(id.clone()))
        }
    }
}

impl<'de> Deserialize<'de> for RawAutoAssign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = RawAutoAssign;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or the id of an assignment rule")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<RawAutoAssign, E> {
                Ok(RawAutoAssign::Switch(flag))
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<RawAutoAssign, E> {
                Ok(RawAutoAssign::Rule(id.to_owned()))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
