//! Errors of the admin API: `application/problem+json` (RFC 9457).

use axum::response::{IntoResponse, Response};
use hookhouse_core::StoreError;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::view::DiagnosticView;
use crate::config::Diagnostics;

/// What went wrong, for a program and for its user (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:hookhouse:problem:` and a word that stays.
    #[schema(pattern = "^urn:hookhouse:problem:[a-z-]+$")]
    r#type: String,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What went wrong, in words.
    detail: String,
    /// What is wrong with a configuration, where one was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    diagnostics: Vec<DiagnosticView>,
    /// After how many seconds to come again.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    /// `kind` is the stable word; the type URI is made of it.
    pub(crate) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            r#type: format!("urn:hookhouse:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("error"),
            status: status.as_u16(),
            detail: detail.into(),
            diagnostics: Vec::new(),
            retry_after: None,
        }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is no such {what}"))
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(crate) fn conflict(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// A configuration with mistakes: all of them, and in words as `hookhouse check` prints them.
    pub(crate) fn configuration(found: &Diagnostics) -> Self {
        let diagnostics = found.iter().map(DiagnosticView::of).collect();
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "config-rejected", found.render(false));
        Self { diagnostics, ..problem }
    }

    /// Says when to come again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (status, kind) = match error {
            StoreError::Read(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store-read"),
            StoreError::Conflict => (StatusCode::CONFLICT, "conflict"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "store-unavailable"),
        };
        let problem = Self::new(status, kind, error.to_string());
        if status == StatusCode::SERVICE_UNAVAILABLE { problem.retry_after(5) } else { problem }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
