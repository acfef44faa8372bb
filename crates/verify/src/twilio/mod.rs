//! Twilio webhooks: signed URLs, and forms signed with them.
//!
//! Source of the rules: Twilio's pages on webhook security (<https://www.twilio.com/docs/usage/security>,
//! <https://www.twilio.com/docs/usage/webhooks/webhooks-security>), the validators and tests of its seven SDKs, and
//! the issues filed there; read 2026-11-22.
//!
//! # The rules
//!
//! `X-Twilio-Signature` is the base64 of an HMAC over
//!
//! ```text
//! form POST    URL, then key and value of every parameter: sorted by key, the values of a key unique and sorted
//! GET          URL
//! other body   URL, which has bodySHA256=<lower-case hex SHA-256 of the body> in its query
//! ```
//!
//! with nothing in between. The key is the auth token of the account or subaccount that owns the resource (HMAC-SHA1)
//! or, where `X-Twilio-Webhooks-Signature-Settings: key=…,algorithm=…` names one, a SharedKey. The request chooses the
//! SharedKey by its id; the algorithm comes from the configuration, and a request that names another one is refused.
//!
//! Of several accounts ([`Settings::accounts`]) the `AccountSid` that the request says it is of chooses: the form's, or
//! the query's where there is no form. Nobody has proven it at that point, so it only ever narrows the choice:
//!
//! | `AccountSid` | keys that may have signed |
//! |---|---|
//! | of a configured account | that account's, then the source's [`tokens`](Settings::tokens) |
//! | of another | the source's `tokens`; without any, the request is refused before a MAC is made |
//! | none (WebSocket handshakes, Event Streams and other JSON) | the source's `tokens`, then every account's |
//! | two different ones | none: refused |
//!
//! The URL is the one Twilio was told: scheme, host, port and path prefix are configured ([`PublicUrl`]), never taken
//! from the request; path and query are the request's, undecoded. Twilio is not consistent about what it signs of that
//! URL, so a fixed set of spellings is accepted, each of which names the same resource, and the one that matched is
//! reported. [`Evidence::variant`](crate::Evidence::variant) is one of these, or several with commas:
//!
//! | | variant | what was signed |
//! |---|---|---|
//! | A | `exact` | the configured URL with the received path and query |
//! | B | `port removed`, `port added` | without the configured port, or with the scheme's own |
//! | C | `with user info` | with the `user:password@` of the configured URL |
//! | D | `root slash removed` | without the `/` that is the whole path |
//! | E | `slash added`, `query as parameters`, `https for wss` | of a WebSocket handshake, where `exact` is `wss://…` |
//! | F | `' unescaped`, `@ and : unescaped`, `space as %20` | of a GET's query |
//!
//! # Bodies
//!
//! A body is covered only as form parameters (the media type is exactly `application/x-www-form-urlencoded`) or by
//! `bodySHA256`. Every copy of `bodySHA256` must be the same.
//!
//! * A body that is no form needs `bodySHA256`, or the request is refused.
//! * A form whose URL has `bodySHA256` must satisfy both rules. Twilio sends no such request; without the second check
//!   a captured signature of a JSON request would pass for an empty form.
//! * An empty body is covered by the URL alone; a `bodySHA256` beside it must be that of nothing, on a POST. On a GET
//!   it is not compared: Twilio's Regulatory Bundle callbacks are GETs that carry one of a body that is not sent.
//! * A GET with a body is refused.
//!
//! # What the bodies say
//!
//! [`Evidence::event_type`](crate::Evidence::event_type) is a best-effort name, found without building anything:
//!
//! | product | body | event type |
//! |---|---|---|
//! | messages, calls, recordings | form | `message.received`, `message.<status>`, `call.<status>`, `recording.<status>` |
//! | Conversations | form | its `EventType`: `onMessageAdded` |
//! | conferences | form | `conference.<StatusCallbackEvent>`: `conference.participant-join` |
//! | TaskRouter events | form | its `EventType`: `task.created` |
//! | TaskRouter assignment callback | form | `reservation.assignment` |
//! | Debugger webhook | form with a JSON `Payload` | `debugger.<level>`: `debugger.error` |
//! | Event Streams | CloudEvents, one or an array of them | the `type` of the first |
//!
//! # What the scheme does not give
//!
//! There is no time and no nonce, and the message has no delimiters: bytes can be moved between query, keys and values
//! under the same signature. So a repeat is recognised by method, path and *signature*, whatever its parameters look
//! like, and a source must be bound to its exact path and methods. A retry of Twilio's is the same request, so it has the
//! same signature. No header but the signature is vouched for, `I-Twilio-Idempotency-Token` included.
//!
//! Event Streams are the exception: they come at least once, and an event that comes again may come in another batch. So
//! besides that a request is a repeat when each of its CloudEvents has come before, known by its `id` and all that it
//! says ([`read`]). The SID and the status of a callback are not used so: two callbacks may report one with reason.
//!
//! # Not supported
//!
//! Authy's signatures, which are another scheme. SendGrid's are [`sendgrid`](crate::sendgrid).

pub(crate) mod content;
pub(crate) mod digest;
mod event;
pub(crate) mod form;
mod reading;
mod settings;
mod settings_header;
pub(crate) mod spelling;
mod url;
pub(crate) mod verifier;

#[cfg(test)]
mod tests;

pub use self::reading::read;
pub use self::settings::{Account, Algorithm, Settings, SharedKey};
pub use self::url::PublicUrl;
pub use self::verifier::Verifier;
use crate::descriptor::Encoding;
use crate::mac;
use crate::secret::Secret;

/// The signature header.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// The header that names a SharedKey.
pub const SIGNATURE_SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";

/// The value of the signature header for a URL in exactly this spelling, and for a form body, empty where there is
/// none.
#[must_use]
pub fn sign(secret: &Secret, algorithm: Algorithm, url: &str, form: &[u8]) -> String {
    let parameters = form::Parameters::read(form).signed();
    mac::sign(secret.expose(), algorithm.digest(), &[url.as_bytes(), &parameters], Encoding::Base64)
        .into_text()
}

/// The URL with the digest of a body that is no form in its query, as Twilio appends it.
#[must_use]
pub fn with_body_digest(url: &str, body: &[u8]) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{}={}", digest::PARAMETER, digest::of(body))
}

/// Whether a body of this `Content-Type` is a form. The media type decides alone and must be exact: a body that one
/// parser takes for a form and another for something else would be two messages under one signature.
pub(crate) fn is_form(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|b| *b == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}
