//! What the ingress answers: one table from what happened to status and public words.
//!
//! A sender learns a coarse code and a request id; why exactly is in the refusal record, for the operator.

use bytes::Bytes;
use hookhouse_core::StoreError;
use hookhouse_delivery::Relayed;
use hookhouse_verify::explain::Called;
use hookhouse_verify::{Handshake, Reject, Request};
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::config::Answer;
use crate::login::{self, LoginRefused};

/// An answer of the ingress.
pub(crate) type Reply = Response<Full<Bytes>>;

/// A request that is turned away.
#[derive(Debug)]
pub(crate) struct Refused {
    /// What kind of refusal: the status, the public code, and whether the connection goes on.
    pub(crate) kind: Refuse,
    /// The reason as a stable word, for the operator.
    pub(crate) code: &'static str,
    /// The reason in words, for the operator.
    pub(crate) reason: String,
    /// What a verifier refused, for whoever wants to know why exactly.
    pub(crate) unproven: Option<Box<Unproven>>,
}

/// A request that a verifier refused.
#[derive(Debug)]
pub(crate) struct Unproven {
    pub(crate) request: Request,
    pub(crate) reject: Reject,
    /// What a trusted proxy says that it was asked for.
    pub(crate) called: Called,
}

impl Refused {
    pub(crate) fn new(kind: Refuse, code: &'static str, reason: impl Into<String>) -> Self {
        Self { kind, code, reason: reason.into(), unproven: None }
    }
}

/// The kinds of refusal, as senders see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refuse {
    BadRequest,
    /// With the values of `WWW-Authenticate`.
    Unauthorized {
        challenges: Vec<HeaderValue>,
    },
    Forbidden,
    NotFound,
    MethodNotAllowed {
        allow: String,
    },
    RequestTimeout,
    PayloadTooLarge,
    UriTooLong,
    UnsupportedMedia,
    ExpectationFailed,
    Misdirected,
    TooManyRequests {
        retry_after: u32,
    },
    HeadersTooLarge,
    Internal,
    NotImplemented,
    BadGateway,
    Unavailable {
        retry_after: u32,
    },
    GatewayTimeout,
}

impl Refuse {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The word in `{"error": …}`.
    fn public(&self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UriTooLong => "uri_too_long",
            Self::UnsupportedMedia => "unsupported_media",
            Self::ExpectationFailed => "expectation_failed",
            Self::Misdirected => "misdirected",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::HeadersTooLarge => "headers_too_large",
            Self::Internal => "internal",
            Self::NotImplemented => "not_implemented",
            Self::BadGateway => "upstream_error",
            Self::Unavailable { .. } => "unavailable",
            Self::GatewayTimeout => "upstream_timeout",
        }
    }

    /// The one answer for this kind. `close` ends the connection after it: where the rest of the request was not read,
    /// or may not have been a request at all.
    pub(crate) fn reply(&self, request_id: &str, close: bool) -> Reply {
        let body = format!(r#"{{"error":"{}","id":"{request_id}"}}"#, self.public());
        let mut reply = plain(self.status(), Some("application/json"), body);
        let headers = reply.headers_mut();
        match self {
            Self::Unauthorized { challenges } => {
                for challenge in challenges {
                    headers.append(WWW_AUTHENTICATE, challenge.clone());
                }
            }
            Self::MethodNotAllowed { allow } => {
                if let Ok(allow) = HeaderValue::from_str(allow) {
                    headers.insert(ALLOW, allow);
                }
            }
            // RFC 9110 section 12.5.3: on a 415, what codings would have been fine.
            Self::UnsupportedMedia => {
                headers
                    .insert(HeaderName::from_static("accept-encoding"), HeaderValue::from_static("identity"));
            }
            Self::TooManyRequests { retry_after } | Self::Unavailable { retry_after } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            _ => {}
        }
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}

impl From<&Reject> for Refuse {
    /// The exhaustive map from why to what senders see: every failed proof looks the same.
    fn from(reject: &Reject) -> Self {
        match reject {
            Reject::CrcTokenMissing
            | Reject::CrcTokenShape
            | Reject::CrcParameterRepeated { .. }
            | Reject::ChallengeTokenMissing { .. }
            | Reject::ChallengeTokenShape { .. }
            | Reject::ChallengeParameterRepeated { .. }
            | Reject::BodyUnexpected { .. } => Self::BadRequest,
            _ => Self::Forbidden,
        }
    }
}

impl From<LoginRefused> for Refused {
    fn from(refused: LoginRefused) -> Self {
        let (code, reason) = (refused.code(), refused.to_string());
        let kind = match refused.kind() {
            login::Kind::Ambiguous => Refuse::BadRequest,
            login::Kind::Challenge | login::Kind::Failed | login::Kind::Malformed => {
                Refuse::Unauthorized { challenges: refused.into_challenges() }
            }
        };
        Self::new(kind, code, reason)
    }
}

impl From<&StoreError> for Refused {
    fn from(error: &StoreError) -> Self {
        let (code, retry_after) = match error {
            StoreError::Overloaded => ("store.overloaded", 1),
            StoreError::Full(_) => ("store.full", 10),
            StoreError::Failed(_) => ("store.failed", 10),
            _ => ("store.unavailable", 10),
        };
        Self::new(Refuse::Unavailable { retry_after }, code, error.to_string())
    }
}

/// The acknowledgement of an event, or of a repeat of one.
pub(crate) fn accepted(answer: &Answer) -> Reply {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    plain(status, answer.content_type.as_deref(), answer.body.clone())
}

/// The application's own answer.
pub(crate) fn relayed(relayed: Relayed) -> Reply {
    let mut reply = Response::new(Full::new(relayed.body));
    *reply.status_mut() = relayed.status;
    *reply.headers_mut() = relayed.headers;
    reply
}

/// An agreement to speak WebSocket, in the application's words.
pub(crate) fn switching(headers: HeaderMap) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *reply.headers_mut() = headers;
    reply
}

/// The answer to a challenge, as the scheme made it. A stranger may have chosen what it says, so no browser is to make
/// anything of it.
pub(crate) fn handshake(handshake: Handshake) -> Reply {
    let mut reply = plain(StatusCode::OK, Some(handshake.content_type), handshake.body);
    let headers = reply.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    reply
}

fn plain(status: StatusCode, content_type: Option<&str>, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    if let Some(Ok(content_type)) = content_type.map(HeaderValue::from_str) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    // Twilio caches GET answers by their headers, and a cached challenge answer is a wrong one.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
