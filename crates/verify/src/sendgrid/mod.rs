//! SendGrid's Event Webhook: batches of events, signed with a key that only SendGrid has.
//!
//! Source of the rules: SendGrid's page on the security of its Event Webhook
//! (<https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features>)
//! and the verifiers and tests of its SDKs; read 2026-11-22.
//!
//! # The rules
//!
//! * `X-Twilio-Email-Event-Webhook-Signature` is the base64 of an ECDSA signature (curve P-256, SHA-256, DER) over the
//!   text of `X-Twilio-Email-Event-Webhook-Timestamp` and the body, with nothing in between.
//! * The key is public: base64 of its SPKI structure, as SendGrid's settings page shows it. PEM's lines around it are
//!   passed over.
//! * The body is signed to its last byte. Real ones have `,\r\n` between their events and `\r\n` at their end.
//! * The time is Unix seconds. SendGrid documents no tolerance and repeats a request for up to 24 hours, so by default
//!   its age is not judged ([`Settings::tolerance`]).
//! * The body is a JSON array. Nothing stands between the signed time and it, so the last digits of the time could be
//!   moved in front of the body under the same signature; what they make of it is no array.
//!
//! # Repeats
//!
//! Of one ECDSA signature anybody can make a second one that is as valid (`s` and `n - s`), so a request is never known
//! by its signature: a repeat is the same time and the same body, or a batch of which every event has come before, known
//! by its `sg_event_id` and all that it says ([`read`]).
//!
//! # Not supported
//!
//! The OAuth 2.0 option of the Event Webhook, and Inbound Parse, which is another product and not signed.

pub(crate) mod key;
mod reading;
mod settings;
mod verifier;

#[cfg(test)]
mod tests;

pub use self::key::{public_key, sign};
pub use self::reading::read;
pub use self::settings::Settings;
pub use self::verifier::Verifier;

/// The signature header.
pub const SIGNATURE_HEADER: &str = "x-twilio-email-event-webhook-signature";

/// The header with the signed time.
pub const TIMESTAMP_HEADER: &str = "x-twilio-email-event-webhook-timestamp";
