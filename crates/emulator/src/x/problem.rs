//! What the API says when it does not do what it was asked.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// A refusal.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    body: Value,
    /// For the ledger: what went wrong, in a few words that may say more than the answer.
    note: String,
}

/// The reasons that X puts in front of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    CrcValidationFailed,
    DuplicateSubscriptionFailed,
    DuplicateUrlFailed,
    QueryParamInvalid,
    ReplayConflictError,
    SubscriptionLimitExceeded,
    SubscriptionNotFound,
    UrlValidationFailed,
    WebhookIdInvalid,
    WebhookLimitExceeded,
}

/// What a refusal leaves in its response for the ledger.
#[derive(Debug, Clone)]
pub(super) struct Note(pub(super) String);

/// What every handler answers.
pub(super) type Answered = Result<Response, Problem>;

impl Problem {
    /// 400, with a reason in front of the message.
    pub(super) fn because(reason: Reason, details: &str) -> Self {
        Self::invalid(&format!("{reason:?}: {details}"))
    }

    /// 400, with a message.
    pub(super) fn invalid(message: &str) -> Self {
        let body = json!({
            "errors": [{ "message": message }],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": "https://api.twitter.com/2/problems/invalid-request",
        });
        Self { status: StatusCode::BAD_REQUEST, body, note: message.to_owned() }
    }

    /// 401; why is for the ledger alone.
    pub(super) fn unauthorized(why: &str) -> Self {
        let body = json!({ "title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized" });
        Self { status: StatusCode::UNAUTHORIZED, body, note: why.to_owned() }
    }

    /// 403: this endpoint wants another kind of authentication.
    pub(super) fn unsupported(used: &str, supported: &str) -> Self {
        let detail = format!(
            "Authenticating with {used} is forbidden for this endpoint.  Supported authentication types are [{supported}]."
        );
        let body = json!({
            "title": "Unsupported Authentication",
            "detail": detail,
            "type": "https://api.twitter.com/2/problems/unsupported-authentication",
            "status": 403,
        });
        Self { status: StatusCode::FORBIDDEN, note: detail, body }
    }

    /// 403, plainly.
    pub(super) fn forbidden(detail: &str) -> Self {
        let body = json!({ "title": "Forbidden", "type": "about:blank", "status": 403, "detail": detail });
        Self { status: StatusCode::FORBIDDEN, note: detail.to_owned(), body }
    }

    /// 403: the app is not where it may do this. `reason` is `client-not-enrolled` or `client-forbidden`.
    pub(super) fn client_forbidden(client: &str, reason: &str, detail: &str) -> Self {
        let body = json!({
            "client_id": client,
            "detail": detail,
            "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
            "title": "Client Forbidden",
            "required_enrollment": "Appropriate Level of API Access",
            "reason": reason,
            "type": "https://api.twitter.com/2/problems/client-forbidden",
        });
        Self { status: StatusCode::FORBIDDEN, body, note: format!("{reason}: {detail}") }
    }

    /// 404: there is no such thing.
    pub(super) fn not_found(kind: &str, parameter: &str, value: &str) -> Self {
        let detail = format!("Could not find {kind} with {parameter}: [{value}].");
        let body = json!({
            "title": "Not Found Error",
            "detail": detail,
            "type": "https://api.twitter.com/2/problems/resource-not-found",
            "status": 404,
            "parameter": parameter,
            "value": value,
            "resource_id": value,
            "resource_type": kind,
        });
        Self { status: StatusCode::NOT_FOUND, note: detail, body }
    }

    /// 429.
    pub(super) fn rate_limited() -> Self {
        let body = json!({ "errors": [{ "code": 88, "message": "Rate limit exceeded" }] });
        Self { status: StatusCode::TOO_MANY_REQUESTS, body, note: "rate limit exceeded".to_owned() }
    }

    /// The errors of the older endpoints: a code, a message, a label.
    pub(super) fn coded(status: StatusCode, code: u32, message: &str, label: &str) -> Self {
        let body = json!({ "errors": [{ "code": code, "message": message, "label": label }] });
        Self { status, body, note: message.to_owned() }
    }

    /// A fault that somebody asked for.
    pub(super) fn injected(status: StatusCode) -> Self {
        let title = match status {
            StatusCode::PAYMENT_REQUIRED => "CreditsDepleted",
            other => other.canonical_reason().unwrap_or("Error"),
        };
        let kind = match status {
            StatusCode::PAYMENT_REQUIRED => "https://api.x.com/2/problems/credits",
            _ => "about:blank",
        };
        let body = json!({ "title": title, "type": kind, "status": status.as_u16(), "detail": title });
        Self { status, body, note: "injected".to_owned() }
    }

    /// The same with another status.
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        response.extensions_mut().insert(Note(self.note));
        response
    }
}
