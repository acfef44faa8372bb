//! `answer`: what an accepted event is answered, instead of the provider's default.

use http::HeaderValue;
use serde::Deserialize;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::field::{Field, Given};
use super::super::loader::Loader;
use super::super::model::Answer;
use super::super::numbers::Count;
use super::provider::Provider;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { status, content_type, body }")]
pub(super) struct RawAnswer {
    status: Field<Count>,
    content_type: Field<String>,
    body: Field<String>,
}

/// The answer; the provider's where none is given.
pub(super) fn read(field: &Field<RawAnswer>, provider: Option<Provider>, loader: &Loader<'_>) -> Answer {
    let Some(given) = field.given() else {
        return match provider {
            Some(Provider::Twilio) => Answer::twiml(),
            _ => Answer::empty(),
        };
    };
    read_given(given, loader)
}

/// An answer that is given.
pub(super) fn read_given(given: &Given<RawAnswer>, loader: &Loader<'_>) -> Answer {
    let raw = &given.value;
    let status = loader.count(&raw.status, "status", 200..=299, 200);
    let body = raw.body.value().cloned().unwrap_or_default();
    if let Some(content_type) = raw.content_type.given()
        && (HeaderValue::from_str(&content_type.value).is_err() || !content_type.value.contains('/'))
    {
        loader.report.push(
            Diagnostic::error(Code::Value, &content_type.span, "`content_type` is not a media type")
                .help("write it like `application/json` or `text/xml`"),
        );
    }
    if let Some(given) = raw.body.given().filter(|given| !given.value.is_empty()) {
        if raw.content_type.is_missing() {
            loader.report.missing_key(
                &given.span,
                "content_type",
                "the type of an answer is not guessed, and a provider may act on it",
                "`content_type = \"application/json\"`, or what the body is",
            );
        }
        // RFC 9110 sections 15.3.5 and 15.3.6.
        if status == 204 || status == 205 {
            loader.report.value(&given.span, format!("an answer with status {status} has no body"));
        }
    }
    Answer {
        status: u16::try_from(status).unwrap_or(200),
        content_type: raw.content_type.value().cloned(),
        body: body.into(),
    }
}
