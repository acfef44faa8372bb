//! `[destination.NAME]`: where events go.
//!
//! Which keys a destination has depends on its kind, so `kind` is read with the keys that all have, and then the
//! kind's own: `url` and `sign` of an application, or those of [`salesforce`].

mod salesforce;

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{DestinationName, Timestamp};
use hookhouse_delivery::guard::{Denied, Guard};
use hookhouse_delivery::{Destination, DestinationSigning, Kind, RetrySchedule};
use hookhouse_verify::sign;
use http::Uri;
use serde::Deserialize;
use serde::de::IgnoredAny;

use self::salesforce::RawSalesforce;
use super::diagnostic::{Code, Diagnostic};
use super::field::{Field, Given, List};
use super::loader::Loader;
use super::numbers::{Count, Share};
use super::reuse::{Role, Use};
use super::secret::{RawSecret, Reference};
use super::section::Section;
use super::units::Period;

const TIMEOUT: Duration = Duration::from_secs(10);
const CONCURRENCY: u64 = 16;
const MOST_AT_ONCE: u64 = 10_000;
const JITTER: f64 = 0.2;

/// A call may hold two hundred records, with the org's own automation for each.
const SALESFORCE_TIMEOUT: Duration = Duration::from_secs(60);

/// As many as one lease holds: what is leased together shares a call.
const SALESFORCE_CONCURRENCY: u64 = 64;

/// Pauses in seconds: within two days a destination that comes back gets everything.
const SCHEDULE: [u64; 7] = [5, 30, 120, 600, 3_600, 6 * 3_600, 24 * 3_600];

/// The keys that every destination has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawDestination {
    kind: Field<RawKind>,
    allow_loopback: Field<bool>,
    timeout: Field<Period>,
    concurrency: Field<Count>,
    retry: Field<RawRetry>,
    filter: Field<IgnoredAny>,
    transform: Field<IgnoredAny>,
}

/// The keys of an application alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawHttp {
    url: Field<String>,
    sign: Field<RawSign>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    Http,
    Salesforce,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { schedule, jitter }")]
struct RawRetry {
    schedule: Field<List<Period>>,
    jitter: Field<Share>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { standard_webhooks } or { provider }")]
struct RawSign {
    standard_webhooks: Field<Reference<RawSecret>>,
    provider: Field<Reference<RawSecret>>,
}

/// Reads a section. It is called `label`, which may not be a `name`. Where the answer is `None`, the reason is in the
/// report.
pub(super) fn read(
    label: &str,
    name: Option<DestinationName>,
    section: &Section<'_>,
    guard: &Guard,
    loader: &Loader<'_>,
) -> Option<Destination> {
    let raw: RawDestination = section.read();
    let salesforce = raw.kind.value() == Some(&RawKind::Salesforce);
    let allow_loopback = raw.allow_loopback.value().copied().unwrap_or(false);
    let place = if raw.kind.is_faulty() {
        // Whose keys the others are is not known.
        return None;
    } else if salesforce {
        org(section, allow_loopback, guard, loader)
    } else {
        application(label, section, allow_loopback, guard, loader)
    };
    loader.not_built(
        &raw.filter,
        "filter",
        "leave it out: every event of the sources that deliver here is sent",
    );
    loader.not_built(&raw.transform, "transform", "leave it out: events are sent as they were received");
    if let Some(given) = raw.timeout.given()
        && given.value.0.is_zero()
    {
        loader.report.value(&given.span, "`timeout` is zero: every attempt would fail");
    }
    let (timeout, at_once) =
        if salesforce { (SALESFORCE_TIMEOUT, SALESFORCE_CONCURRENCY) } else { (TIMEOUT, CONCURRENCY) };
    let concurrency = loader.count(&raw.concurrency, "concurrency", 1..=MOST_AT_ONCE, at_once);
    let retry = retry(&raw.retry, loader);
    let Place { url, kind, sign } = place?;
    Some(Destination {
        kind,
        allow_loopback,
        timeout: raw.timeout.value().map_or(timeout, |period| period.0),
        concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
        retry,
        sign,
        name: name?,
        url,
    })
}

/// What is there, and how it is reached.
struct Place {
    url: Uri,
    kind: Kind,
    sign: Option<DestinationSigning>,
}

fn application(
    label: &str,
    section: &Section<'_>,
    allow_loopback: bool,
    guard: &Guard,
    loader: &Loader<'_>,
) -> Option<Place> {
    let raw: RawHttp = section.read();
    section.finish("a destination", |key| {
        let foreign = SALESFORCE_ONLY.contains(&key);
        foreign.then(|| format!("`{key}` is a setting of `kind = \"salesforce\"`"))
    });
    if raw.url.is_missing() {
        let help = "`url = \"http://10.0.3.4:3000/hooks\"`";
        section.missing("url", "events have nowhere to go", help);
    }
    let example = "write it like `https://app.example.com/hooks`";
    let url = raw.url.given().and_then(|given| url("url", example, given, allow_loopback, guard, loader));
    let sign = raw.sign.given().and_then(|given| signing(label, given, loader));
    Some(Place { url: url?, kind: Kind::Http, sign })
}

fn org(section: &Section<'_>, allow_loopback: bool, guard: &Guard, loader: &Loader<'_>) -> Option<Place> {
    let raw: RawSalesforce = section.read();
    section.finish("a Salesforce destination", |key| match key {
        "url" => Some("the org is named by `login`".to_owned()),
        "sign" => Some("leave it out: an org is logged in to, not signed for".to_owned()),
        _ => None,
    });
    let example = "write it like `https://acme.my.salesforce.com`";
    if raw.login.is_missing() {
        section.missing("login", "an org is reached by its My Domain URL", example);
    }
    let login = raw.login.given().and_then(|given| {
        let url = url("login", example, given, allow_loopback, guard, loader)?;
        let refuse = |message: &str| {
            let found = Diagnostic::error(Code::Value, &given.span, format!("`login` {message}"));
            loader.report.push(found.help(example));
            None
        };
        if url.scheme_str() != Some("https") && !allow_loopback {
            return refuse("is not https: it takes credentials");
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return refuse("is a host, without a path");
        }
        Some(url)
    });
    let settings = salesforce::read(&raw, login.as_ref(), section, loader);
    Some(Place { url: login?, kind: Kind::Salesforce(Arc::new(settings?)), sign: None })
}

/// Keys that are a slip in the section of an application.
const SALESFORCE_ONLY: [&str; 14] = [
    "login",
    "client_id",
    "client_secret",
    "private_key",
    "username",
    "audience",
    "object",
    "external_id",
    "mapping",
    "fields",
    "existing",
    "own_posts",
    "auto_assign",
    "api_version",
];

fn retry(field: &Field<RawRetry>, loader: &Loader<'_>) -> RetrySchedule {
    let raw = field.value();
    let pauses = match raw.and_then(|raw| raw.schedule.value()) {
        Some(schedule) => schedule.iter().map(|period| period.value.0).collect(),
        None => SCHEDULE.into_iter().map(Duration::from_secs).collect(),
    };
    RetrySchedule { pauses, jitter: raw.map_or(JITTER, |raw| loader.share(&raw.jitter, "jitter", JITTER)) }
}

fn signing(label: &str, given: &Given<RawSign>, loader: &Loader<'_>) -> Option<DestinationSigning> {
    let secret = |key: &str, field: &Field<Reference<RawSecret>>, role: Role| {
        let given = field.given()?;
        let secret = loader.secret(key, given)?;
        loader.uses.borrow_mut().push(Use { secret: secret.clone(), span: given.span.clone(), role });
        Some(secret)
    };
    let raw = &given.value;
    let destination = label.to_owned();
    let standard = secret(
        "standard_webhooks",
        &raw.standard_webhooks,
        Role::StandardWebhooks { destination: destination.clone() },
    );
    let provider = secret("provider", &raw.provider, Role::Provider { destination });
    if let (Some(secret), Some(place)) = (&standard, raw.standard_webhooks.given())
        && let Err(error) = sign::standard_webhooks(secret, "probe", Timestamp::UNIX_EPOCH, b"")
    {
        loader.report.value(&place.span, format!("`standard_webhooks`: {error}"));
    }
    if raw.standard_webhooks.is_missing() == raw.provider.is_missing() {
        let (code, found) = if raw.provider.is_missing() {
            (Code::MissingKey, "neither is")
        } else {
            (Code::Value, "both are")
        };
        let message = format!("`sign` wants one of `standard_webhooks` and `provider`; {found} given");
        loader.report.push(
            Diagnostic::error(code, &given.span, message)
                .help("`sign = { standard_webhooks = { env = \"APP_SIGNING_SECRET\" } }`"),
        );
    }
    standard.map(DestinationSigning::StandardWebhooks).or(provider.map(DestinationSigning::Provider))
}

/// An absolute URL that may be dialled, as far as that can be told without looking a name up.
fn url(
    key: &str,
    example: &str,
    given: &Given<String>,
    allow_loopback: bool,
    guard: &Guard,
    loader: &Loader<'_>,
) -> Option<Uri> {
    let text = given.value.as_str();
    let refuse = |message: &str, help: &str| {
        loader
            .report
            .push(Diagnostic::error(Code::Value, &given.span, format!("`{key}` {message}")).help(help));
        None
    };
    if text.contains('#') {
        return refuse("has a fragment, which is never sent", "leave out what begins with `#`");
    }
    let Ok(uri) = text.parse::<Uri>() else { return refuse("is not a URL", example) };
    // Names are judged again when they are dialled, by the addresses they then have.
    if let Err(denied) = guard.check_url(&uri, allow_loopback) {
        let malformed = matches!(
            denied,
            Denied::Scheme | Denied::NoHost | Denied::Userinfo | Denied::Port | Denied::Name { .. }
        );
        let (code, help) =
            if malformed { (Code::Value, Some(example.to_owned())) } else { (Code::DestinationDenied, None) };
        loader
            .report
            .push(Diagnostic::error(code, &given.span, format!("`{key}`: {denied}")).maybe_help(help));
        return None;
    }
    Some(uri)
}
