//! X's own view of a webhook, and what the running server knows of its challenges.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{SystemClock, Timestamp};
use hookhouse_server::admin::view::SourceView;
use hookhouse_server::config::{Source, XApi};
use hookhouse_x::calls::webhooks;
use hookhouse_x::probe::PROBE_AGENT;
use hookhouse_x::rules::{self, Caller};
use hookhouse_x::{Client, Transport};
use http::{Method, Request, Uri, header};
use http_body_util::Full;

use super::check::{Check, Topic};
use super::hook::{clock, date};
use super::outside::{Origin, Trust};

/// How long X may take, retries and all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether X would take the URL.
pub(super) fn url(source: &Source, url: &str, caller: Caller) -> Option<Check> {
    let topic = Topic::of("url", &source.name);
    match rules::check(url, caller) {
        Ok(warnings) => {
            let warning = warnings.first()?;
            Some(topic.warning(warning.to_string(), "leave the query out"))
        }
        Err(faults) => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            Some(topic.problem(
                format!("X does not take {url}: {}", faults.join("; ")),
                "set `public_url` to what X is to call",
            ))
        }
    }
}

/// Asks X how the webhook is.
pub(super) async fn view(source: &Source, api: &XApi, url: &str) -> Check {
    let topic = Topic::of("provider", &source.name);
    let client =
        Client::new(api.base.clone(), api.credentials.clone(), Transport::system(), Arc::new(SystemClock));
    match client.patient_for(PATIENCE).send(&webhooks::list()).await {
        Err(error) => {
            topic.warning(format!("X does not say how the webhook is: {}", error.line()), error.advice())
        }
        Ok(found) => match found.iter().find(|webhook| rules::same(&webhook.url, url)) {
            Some(webhook) if webhook.valid => topic.ok(format!("X calls webhook {} valid", webhook.id)),
            Some(webhook) => topic.problem(
                format!("X calls webhook {} invalid, and sends nothing", webhook.id),
                format!(
                    "once the other checks are ok: `hookhouse x webhooks validate {} --source {}`",
                    webhook.id, source.name
                ),
            ),
            None => topic.problem(
                format!("X has no webhook for {url}"),
                format!("`hookhouse x webhooks register {}` registers it", source.name),
            ),
        },
    }
}

/// Compares the clock with that of the API, which needs no credentials to say what time it is.
pub(super) async fn time(api: &XApi, trust: &Trust) -> Option<Check> {
    let url: Uri = api.base.to_string().parse().ok()?;
    let origin = Origin::of(&url)?;
    let request = Request::builder()
        .method(Method::HEAD)
        .uri("/")
        .header(header::HOST, &origin.authority)
        .header(header::USER_AGENT, PROBE_AGENT)
        .body(Full::new(Bytes::new()))
        .ok()?;
    let answered = origin.ask(request, trust).await.ok()?;
    Some(clock(Topic::of("clock", &origin), &origin.to_string(), date(&answered)?))
}

/// What the running server knows of X's challenges.
pub(super) fn challenges(source: &SourceView, now: Timestamp) -> Option<Check> {
    let webhook = source.webhook.as_ref()?;
    let topic = Topic::of("challenges", &source.name);
    if !webhook.alerts.is_empty() {
        return Some(topic.warning(
            webhook.alerts.join("; "),
            "see the checks `path`, `crc` and `provider`; `hookhouse x webhooks validate` has X challenge the webhook now",
        ));
    }
    let hours = |from: Timestamp, to: Timestamp| (to.as_second() - from.as_second()).max(0) / 3600;
    Some(match (&webhook.challenges.last, webhook.invalidated_at) {
        (Some(last), Some(end)) => topic.ok(format!(
            "the last challenge was answered {} h ago; without another one X gives the webhook up in {} h",
            hours(last.at, now),
            hours(now, end)
        )),
        _ => topic.ok(format!(
            "X has not challenged the webhook since {}, when this was first watched",
            webhook.challenges.since.strftime("%Y-%m-%d %H:%M:%S")
        )),
    })
}
