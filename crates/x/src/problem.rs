//! From X's error bodies to [`Error`].
//!
//! The forms, as read on 2026-11-22: `{"errors":[{"message":"<Reason>: <details>"}],"title":…,"detail":…,"type":…}` with
//! the reason before the colon (docs.x.com, May 2025, and live answers since); the general problem `{"type","title",
//! "detail","status"}` whose `type` is under api.x.com or api.twitter.com; `{"errors":[{"code":88,"message":…}]}` and
//! `{"code","message"}`; `reason` beside a `client-forbidden`. Something else, or no JSON at all, is told by the status.

use http::StatusCode;
use serde::Deserialize;

use crate::error::Error;
use crate::limit::Budget;
use crate::transport::Answer;

/// What an answer that is no success says. `scrub` takes our credentials out of X's words.
pub(crate) fn read(operation: &'static str, answer: &Answer, scrub: impl Fn(&str) -> String) -> Error {
    let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
    let detail = short(&scrub(&body.words().unwrap_or_else(|| status_words(answer.status))));
    let limited =
        || Error::RateLimited { operation, until: Budget::read(&answer.headers).map(|budget| budget.reset) };
    if answer.status == StatusCode::TOO_MANY_REQUESTS || body.codes().any(|code| code == 88) {
        return limited();
    }
    if let Some(known) = body.reasons().find_map(|reason| by_reason(reason, &detail)) {
        return known;
    }
    let status = answer.status.as_u16();
    match status {
        401 => Error::Unauthorized { detail },
        402 => Error::CreditsDepleted { detail },
        403 if body.is_not_enrolled() => Error::NotEnrolled { detail },
        403 => Error::Forbidden { detail },
        404 => Error::NotFound { detail },
        500..=599 => Error::Unavailable { status, detail },
        // Where subscriptions are made, X has been seen to say it in words alone, by 400 and by 409.
        400 | 409 if detail.contains("Duplicate") => Error::DuplicateSubscription { detail },
        _ => Error::Refused { status, detail },
    }
}

fn by_reason(reason: &str, detail: &str) -> Option<Error> {
    let detail = detail.to_owned();
    Some(match reason {
        "CrcValidationFailed" => Error::CrcFailed { detail },
        "UrlValidationFailed" => Error::UrlRefused { detail },
        "DuplicateUrlFailed" => Error::DuplicateUrl { detail },
        "WebhookLimitExceeded" => Error::WebhookLimit { detail },
        "WebhookIdInvalid" => Error::UnknownWebhook { detail },
        "ReplayConflictError" => Error::ReplayConflict { detail },
        "QueryParamInvalid" => Error::ParameterRefused { detail },
        "DuplicateSubscriptionFailed" | "DuplicateSubscription" => Error::DuplicateSubscription { detail },
        "SubscriptionLimitExceeded" => Error::SubscriptionLimit { detail },
        "SubscriptionNotFound" => Error::UnknownSubscription { detail },
        _ => return None,
    })
}

/// Every form at once: what is missing is missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    errors: Lenient<Vec<Lenient<Item>>>,
    title: Lenient<String>,
    detail: Lenient<String>,
    #[serde(rename = "type")]
    kind: Lenient<String>,
    reason: Lenient<String>,
    code: Lenient<i64>,
    message: Lenient<String>,
    error_description: Lenient<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    code: Lenient<i64>,
    message: Lenient<String>,
    title: Lenient<String>,
    detail: Lenient<String>,
}

impl Body {
    fn items(&self) -> impl Iterator<Item = &Item> {
        self.errors.0.iter().flatten().filter_map(|item| item.0.as_ref())
    }

    fn codes(&self) -> impl Iterator<Item = i64> {
        self.items().filter_map(|item| item.code.0).chain(self.code.0)
    }

    /// What may be X's wording, the most telling first.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let own = self.items().flat_map(|item| [&item.message, &item.detail, &item.title]);
        own.chain([&self.message, &self.error_description, &self.detail, &self.title])
            .filter_map(|text| text.0.as_deref())
            .filter(|text| !text.trim().is_empty())
    }

    /// What may be a reason: the text before a colon, or all of it.
    fn reasons(&self) -> impl Iterator<Item = &str> {
        self.texts().map(|text| text.split_once(':').map_or(text, |(reason, _)| reason).trim())
    }

    fn words(&self) -> Option<String> {
        let first = self.texts().next()?;
        // X's general sentence is worth less than the package it asks for.
        match self.reason.0.as_deref() {
            Some(reason) => Some(format!("{reason}: {first}")),
            None => Some(first.to_owned()),
        }
    }

    /// `https://api.x.com/2/problems/client-forbidden`, or the same under api.twitter.com.
    fn is_not_enrolled(&self) -> bool {
        let kind = self.kind.0.as_deref().and_then(|kind| kind.rsplit('/').next());
        kind == Some("client-not-enrolled") || self.reason.0.as_deref() == Some("client-not-enrolled")
    }
}

/// A value of the expected type, or nothing.
#[derive(Debug)]
struct Lenient<T>(Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(serde_json::from_value(value).ok()))
    }
}

fn status_words(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("it says nothing more").to_ascii_lowercase()
}

/// A stranger's words, fit for a line of a log.
pub(crate) fn short(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c })
        .filter(|c| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .take(LONGEST + 1)
        .collect();
    if line.chars().count() > LONGEST {
        line.pop();
        line.push('…');
    }
    line.trim().to_owned()
}

/// In characters.
const LONGEST: usize = 300;
