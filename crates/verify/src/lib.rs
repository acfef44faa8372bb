//! Proves that a webhook comes from who it claims to come from.
//!
//! The crate does no I/O and asks no clock: a [`Request`] holds the exact bytes that arrived, a [`Verifier`] holds
//! the secrets and the rules of one source, the caller says what time it is, and the answer is a [`Verdict`]:
//!
//! ```text
//! Request + Verifier + now ──▶ Verified    the bytes, and the evidence of what proved them
//!                              Handshake   an answer to a challenge, to be sent as it is
//!                              Rejected    the reason, for the operator; the sender learns nothing
//!                              Unsigned    the source cannot sign at all (`danger`)
//! ```
//!
//! Reading order: [`request`] is what goes in, [`verdict`] is what comes out, [`verifier`] chooses the scheme,
//! [`x`], [`twilio`], [`sendgrid`] and [`hmac`] are the schemes, [`descriptor`] is the language in which every plain
//! HMAC scheme is data and [`catalogue`] the rows written in it, [`challenge`] what providers ask before they send, [`x::read`] and [`batch`] tell the elements of a body
//! that X, Twilio or SendGrid may send again in another one, [`sign`] makes what the verifiers accept, [`explain`]
//! says why they did not accept something.
//!
//! ```
//! use hookhouse_verify::x::{self, SIGNATURE_HEADER, Settings};
//! use hookhouse_verify::{Key, Request, Secret, Verdict, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new("a consumer secret")?;
//! let settings = Settings { consumer: vec![Key::new("current", secret.clone())], ..Settings::default() };
//! let verifier = Verifier::X(x::Verifier::new(settings)?);
//!
//! let body = r#"{"for_user_id":"1","tweet_create_events":[]}"#;
//! let headers = [(SIGNATURE_HEADER, x::sign_post(&secret, body.as_bytes()))];
//! let request = Request::new("POST", "/webhooks/x", &headers, body)?;
//! match verifier.verify(request, "2026-11-22T12:00:00Z".parse()?) {
//!     Verdict::Verified(verified) => assert_eq!(verified.evidence().key, "current"),
//!     other => panic!("{other:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What the types promise
//!
//! * A [`Verified`] is built in this crate alone, by a verifier, and owns the bytes that were verified. It cannot be
//!   deserialised, copied from parts or edited:
//!
//! ```compile_fail,E0451
//! # use hookhouse_verify::{Evidence, Request, Verified};
//! fn forge(request: Request, evidence: Evidence) -> Verified {
//!     Verified { request, evidence } // the fields are private
//! }
//! ```
//!
//! * A [`Tag`](tag::Tag) has no `PartialEq`, so a signature cannot be compared in variable time by accident:
//!
//! ```compile_fail,E0369
//! # use hookhouse_verify::tag::Tag;
//! fn leak(a: &Tag, b: &Tag) -> bool {
//!     a == b // no `PartialEq`: use `Tag::matches`
//! }
//! ```
//!
//! * A [`Secret`] refuses to be empty, prints as `[redacted]`, and is wiped when dropped.
#![warn(missing_docs)]

pub mod batch;
pub mod catalogue;
pub mod challenge;
pub mod danger;
pub mod descriptor;
pub mod explain;
#[cfg(test)]
mod fixtures;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod hmac;
mod json;
mod keyring;
mod mac;
pub mod request;
pub mod secret;
pub mod sendgrid;
pub mod sign;
pub mod tag;
pub mod twilio;
pub mod verdict;
pub mod verifier;
pub mod x;

pub use request::{Headers, Request};
pub use secret::{Key, Secret};
pub use verdict::{Evidence, Handshake, Identity, Reject, Verdict, Verified};
pub use verifier::{SchemeError, Verifier};
