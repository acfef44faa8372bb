//! `[destination.NAME]`: where events go.

use std::time::Duration;

use hookhouse_core::{DestinationName, Timestamp};
use hookhouse_delivery::guard::{Denied, Guard};
use hookhouse_delivery::{Destination, DestinationSigning, RetrySchedule};
use hookhouse_verify::sign;
use http::Uri;
use serde::Deserialize;
use serde::de::IgnoredAny;

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

/// Pauses in seconds: within two days a destination that comes back gets everything.
const SCHEDULE: [u64; 7] = [5, 30, 120, 600, 3_600, 6 * 3_600, 24 * 3_600];

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawDestination {
    url: Field<String>,
    allow_loopback: Field<bool>,
    timeout: Field<Period>,
    concurrency: Field<Count>,
    retry: Field<RawRetry>,
    sign: Field<RawSign>,
    filter: Field<IgnoredAny>,
    transform: Field<IgnoredAny>,
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
    section.finish("a destination", |_| None);
    loader.not_built(
        &raw.filter,
        "filter",
        "leave it out: every event of the sources that deliver here is sent",
    );
    loader.not_built(&raw.transform, "transform", "leave it out: events are sent as they were received");

    let allow_loopback = raw.allow_loopback.value().copied().unwrap_or(false);
    if raw.url.is_missing() {
        let help = "`url = \"http://10.0.3.4:3000/hooks\"`";
        section.missing("url", "events have nowhere to go", help);
    }
    let url = raw.url.given().and_then(|given| url(given, allow_loopback, guard, loader));
    if let Some(given) = raw.timeout.given()
        && given.value.0.is_zero()
    {
        loader.report.value(&given.span, "`timeout` is zero: every attempt would fail");
    }
    let concurrency = loader.count(&raw.concurrency, "concurrency", 1..=MOST_AT_ONCE, CONCURRENCY);
    Some(Destination {
        allow_loopback,
        timeout: raw.timeout.value().map_or(TIMEOUT, |period| period.0),
        concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
        retry: retry(&raw.retry, loader),
        sign: raw.sign.given().and_then(|given| signing(label, given, loader)),
        name: name?,
        url: url?,
    })
}

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
fn url(given: &Given<String>, allow_loopback: bool, guard: &Guard, loader: &Loader<'_>) -> Option<Uri> {
    let text = given.value.as_str();
    let refuse = |message: &str, help: &str| {
        loader
            .report
            .push(Diagnostic::error(Code::Value, &given.span, format!("`url` {message}")).help(help));
        None
    };
    let example = "write it like `https://app.example.com/hooks`";
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
        loader.report.push(Diagnostic::error(code, &given.span, format!("`url`: {denied}")).maybe_help(help));
        return None;
    }
    Some(uri)
}
