//! `[source.NAME]`: an endpoint, read in two passes.
//!
//! Which keys a source has depends on its provider, so `provider` is read first, and the struct that serde fills is
//! chosen by it. A tagged enum would do the same in one pass and lose every place in the file on the way.
//!
//! [`mod@path`], [`answer`], [`allow`] and [`rate`] are keys that every source has; [`provider`] chooses among [`x`], [`twilio`]
//! and [`scheme`] (with [`described`]), which read the provider's own, X with [`crc`]
//! and [`api`]; [`keys`] reads their secrets.

mod allow;
mod answer;
mod api;
mod crc;
mod described;
mod keys;
mod login;
mod path;
mod provider;
mod rate;
mod redact;
mod relay;
mod scheme;
mod twilio;
mod x;

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{DestinationName, SourceName};
use hookhouse_verify::twilio::PublicUrl;
use serde::Deserialize;

use self::allow::Mode;
use self::answer::RawAnswer;
use self::api::RawPlatform;
use self::login::{RawBasic, RawDigest};
use self::provider::Provider;
pub use self::provider::providers;
use self::redact::RawRedact;
use self::relay::RawRelay;
use super::diagnostic::{Code, Diagnostic, Span};
use super::field::{Field, Given, List};
use super::loader::Loader;
use super::model::Source;
use super::section::Section;
use super::server::public_url;
use super::suggestion::did_you_mean;
use super::units::{Period, Size};
use crate::login::{Login, NonceKey};
use crate::rate::Limiter;

const MAX_BODY: u64 = 1 << 20;

/// A body is held in memory, and kept in one piece.
const LARGEST_BODY: u64 = 512 << 20;

const DEDUPE_WINDOW: Duration = Duration::from_hours(7 * 24);

/// The keys that every source has; its provider's stand beside them in the same table.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawSource {
    provider: Field<String>,
    path: Field<String>,
    methods: Field<List<String>>,
    public_url: Field<String>,
    max_body: Field<Size>,
    dedupe: Field<RawDedupe>,
    deliver: Field<List<String>>,
    answer: Field<RawAnswer>,
    allow_ips: Field<List<String>>,
    allow_ips_mode: Field<Mode>,
    basic_auth: Field<RawBasic>,
    digest_auth: Field<RawDigest>,
    relay: Field<RawRelay>,
    rate: Field<String>,
    redact: Field<RawRedact>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { window }")]
struct RawDedupe {
    window: Field<Period>,
}

/// What is known before the sources are read.
pub(super) struct Surroundings<'a> {
    /// `[server] public_url`.
    pub(super) public_url: &'a Field<PublicUrl>,
    /// The names in `[destination.NAME]`, those of faulty sections too.
    pub(super) destinations: &'a [&'a str],
    /// Those of them that take records and answer nobody.
    pub(super) orgs: &'a [&'a DestinationName],
}

/// A source as far as it could be read: what the checks across sections need, and the source itself if it is whole.
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) provider: Option<&'static str>,
    pub(super) path: Option<(String, Span)>,
    /// The destinations that it names, to deliver or to relay to.
    pub(super) named: Vec<DestinationName>,
    pub(super) source: Option<Source>,
}

/// Reads a section. It is called `label`, which may not be a `name`.
pub(super) fn read(
    label: &str,
    name: Option<SourceName>,
    section: &Section<'_>,
    around: &Surroundings<'_>,
    loader: &Loader<'_>,
) -> Outcome {
    let raw: RawSource = section.read();
    let provider = provider::read(&raw.provider, section, loader);
    let own_url = raw.public_url.and_then(|given| public_url(given, loader));
    let url = if own_url.is_missing() { around.public_url } else { &own_url };

    let scheme = provider.and_then(|provider| provider.scheme(label, section, url, loader));
    let is_x = matches!(provider, Some(Provider::X));
    let platform: Option<RawPlatform> = is_x.then(|| section.read());
    provider::finish(provider, section, loader);
    let basic = login::basic(&raw.basic_auth, loader);
    let digest = login::digest(&raw.digest_auth, loader);
    let relay = relay::read(&raw.relay, around, loader);

    let path = path::read(&raw.path, section, loader);
    let (api, heal) = platform.map_or((None, false), |platform| {
        let signer = scheme.as_ref().and_then(|scheme| scheme.signer.as_ref());
        let path = path.as_ref().map(|(path, _)| path.as_str());
        platform.settings(&api::Around { signer, url, path }, loader)
    });
    let methods = methods(&raw.methods, provider, loader);
    let answer = answer::read(&raw.answer, provider, loader);
    let allow_ips = allow::read(&raw.allow_ips, &raw.allow_ips_mode, loader);
    let deliver = deliver(&raw.deliver, around.destinations, loader);
    let max_body = max_body(&raw.max_body, loader);
    let redaction = redact::read(&raw.redact, loader);
    let window = raw.dedupe.value().and_then(|raw| raw.window.value());

    let source = match (name, provider, scheme, &path) {
        (Some(name), Some(provider), Some(scheme), Some((path, _))) => Some(Source {
            login: Login::new(name.clone(), basic.as_ref(), digest.as_ref(), NonceKey::new(rand::random())),
            relay: relay.clone(),
            name,
            path: path.clone(),
            methods,
            provider: provider.name().to_owned(),
            verifier: scheme.verifier,
            signer: scheme.signer,
            public_url: url.value().cloned(),
            max_body,
            dedupe_window: window.map_or(DEDUPE_WINDOW, |window| window.0),
            deliver: deliver.clone(),
            answer,
            allow_ips,
            addresses: Arc::default(),
            redaction,
            challenge_limit: scheme.challenge_limit,
            unproven_limit: rate::read(&raw.rate, loader).map(Limiter::new),
            api,
            heal,
        }),
        _ => None,
    };
    Outcome {
        name: label.to_owned(),
        provider: provider.map(Provider::name),
        path,
        named: deliver.iter().cloned().chain(relay.map(|relay| relay.to)).collect(),
        source,
    }
}

fn max_body(field: &Field<Size>, loader: &Loader<'_>) -> u64 {
    let Some(given) = field.given() else { return MAX_BODY };
    if !(1..=LARGEST_BODY).contains(&given.value.0) {
        loader.report.value(&given.span, format!("`max_body` is from 1B to {}MiB", LARGEST_BODY >> 20));
    }
    given.value.0
}

/// The methods in the order of `Allow`.
fn methods(field: &Field<List<String>>, provider: Option<Provider>, loader: &Loader<'_>) -> Vec<String> {
    const KNOWN: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    let is_x = provider.is_some_and(|provider| provider.name() == "x");
    let Some(list) = field.given() else {
        let default = provider.map_or(&["POST"][..], Provider::methods);
        return default.iter().map(|method| (*method).to_owned()).collect();
    };
    if list.value.is_empty() {
        loader.report.value(&list.span, "`methods` is empty: every request would be refused");
    }
    let mut methods: Vec<String> = Vec::new();
    for given in list.value.iter() {
        let method = given.value.as_str();
        if !KNOWN.contains(&method) {
            loader.report.push(
                Diagnostic::error(
                    Code::Value,
                    &given.span,
                    format!("`{method}` is not a method that webhooks use"),
                )
                .help(did_you_mean(method, KNOWN, "the methods are")),
            );
        } else if is_x && !matches!(method, "GET" | "POST") {
            loader.report.value(&given.span, format!("X sends GET and POST, not {method}"));
        } else if methods.iter().any(|other| other == method) {
            loader.report.value(&given.span, format!("`{method}` is listed twice"));
        } else {
            methods.push(method.to_owned());
        }
    }
    methods
}

fn deliver(field: &Field<List<String>>, destinations: &[&str], loader: &Loader<'_>) -> Vec<DestinationName> {
    let mut deliver: Vec<DestinationName> = Vec::new();
    for given in field.elements() {
        let Some(name) = destination(given, destinations, loader) else { continue };
        if deliver.contains(&name) {
            loader.report.value(&given.span, format!("`{name}` is listed twice"));
        } else {
            deliver.push(name);
        }
    }
    deliver
}

/// A destination by its name; one that does not exist is reported.
fn destination(given: &Given<String>, destinations: &[&str], loader: &Loader<'_>) -> Option<DestinationName> {
    let text = given.value.as_str();
    if destinations.contains(&text) {
        // The section of a name that does not parse reports it.
        return text.parse().ok();
    }
    let help = match destinations {
        [] => format!("add a section `[destination.{text}]` with a `url`"),
        known => did_you_mean(text, known, "the destinations are"),
    };
    loader.report.push_missing(
        Diagnostic::error(Code::UnknownDestination, &given.span, format!("unknown destination `{text}`"))
            .label("named here and nowhere configured")
            .help(help),
    );
    None
}
