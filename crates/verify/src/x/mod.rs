//! X (Twitter) webhooks: signed events, and the challenge that keeps a webhook alive.
//!
//! Source of the rules: X's webhook pages (<https://docs.x.com/x-api/webhooks/introduction>, `quickstart`), its archived
//! enterprise page on security, and its own samples; read 2026-11-22. Where those disagree, it is said at the rule.
//!
//! # The rules
//!
//! * An event is a `POST`. `x-twitter-webhooks-signature` is `sha256=` and the base64 of HMAC-SHA256(consumer secret,
//!   body). Since autumn 2026 the same may stand in `x-twitter-webhooks-signature-oauth2`, keyed by the OAuth 2.0
//!   client secret. Every header that has configured keys must verify and at least one must; one without is ignored.
//! * A challenge (CRC) is a `GET` with `crc_token` and, from X itself, `nonce`. The answer is
//!   `{"response_token":"sha256=…"}` over the token, with the same key. Whether X signs the challenge is not promised:
//!   a signature is checked where there is one, over the raw query and then over `crc_token=…&nonce=…` rebuilt from the
//!   decoded values, and the answer is made with the key that verified.
//! * Nothing in the scheme carries a time. A repeat is recognised by its body, and by what the body is made of
//!   ([`reading`]); a challenge's nonce happens to be the base64 of the sending time in milliseconds, which is
//!   undocumented: of a signed one it makes a note, and a refusal only where [`CrcPolicy::max_age`] asks for one.
//!
//! # Why the challenge is no signing oracle
//!
//! The three signed messages share a key and have nothing that tells them apart, and in a challenge a stranger chooses
//! the message. So the sets of messages are kept disjoint:
//!
//! | | set | rule |
//! |---|---|---|
//! | C | what is signed for anybody | a [`CrcToken`]: `[A-Za-z0-9+/_-]{1,256}={0,2}`, so no `{`, no `&`, no inner `=` |
//! | P | what is accepted as an event | a JSON object: its first byte that is not white space is `{` |
//! | Q | what is accepted as a signed query | has `crc_token=…` and a mandatory `nonce=…`, hence `&`, and no `{` |
//!
//! # Not supported
//!
//! OAuth 1.0a request signing, which is X's API and not its webhooks.

mod cost;
pub(crate) mod crc;
pub mod reading;
mod settings;
pub(crate) mod verifier;

#[cfg(test)]
mod tests;

pub use self::cost::Cost;
pub use self::crc::{CrcToken, crc_response};
pub use self::reading::{Element, Family, Reading, read};
pub use self::settings::{CrcKey, CrcPolicy, CrcShape, CrcSignature, Settings};
pub use self::verifier::Verifier;
use crate::descriptor::{Digest, Encoding};
use crate::mac;
use crate::secret::Secret;

/// The header keyed by the consumer secret.
pub const SIGNATURE_HEADER: &str = "x-twitter-webhooks-signature";

/// The header keyed by the OAuth 2.0 client secret.
pub const OAUTH2_SIGNATURE_HEADER: &str = "x-twitter-webhooks-signature-oauth2";

/// What every signature of X begins with.
pub(crate) const PREFIX: &str = "sha256=";

/// The value of the signature header of an event.
#[must_use]
pub fn sign_post(secret: &Secret, body: &[u8]) -> String {
    signature(secret, body)
}

/// The value of the signature header of a challenge: over the raw query, without its `?`.
#[must_use]
pub fn sign_get(secret: &Secret, query: &str) -> String {
    signature(secret, query.as_bytes())
}

fn signature(secret: &Secret, message: &[u8]) -> String {
    let tag = mac::sign(secret.expose(), Digest::Sha256, &[message], Encoding::Base64);
    format!("{PREFIX}{}", tag.into_text())
}
