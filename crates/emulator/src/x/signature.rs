//! X's webhook signature, computed here and not with the library that Hookhouse verifies with: a stand-in that shares a
//! mistake with what it judges would not find it.

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use hookhouse_core::Secret;

/// `sha256=` and the base64 of HMAC-SHA256: over a challenge's token, a challenge's query, or an event's body.
pub(super) fn sign(secret: &Secret, message: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    format!("sha256={}", BASE64.encode(hmac::sign(&key, message).as_ref()))
}

/// A key of the app, and the header for what it signs.
#[derive(Debug, Clone, Copy)]
pub(super) struct AppKey<'a> {
    pub(super) header: &'static str,
    pub(super) secret: &'a Secret,
}

/// By the consumer secret.
pub(super) const HEADER: &str = "x-twitter-webhooks-signature";

/// By the OAuth 2.0 client secret.
pub(super) const OAUTH2_HEADER: &str = "x-twitter-webhooks-signature-oauth2";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x::tests::vectors;

    #[test]
    fn the_published_signatures_come_out() {
        let mut seen = 0;
        for case in vectors() {
            if ["crc_response", "get_signature", "post_signature"].contains(&case.kind.as_str()) {
                let secret = Secret::new(case.secret.as_str()).unwrap();
                assert_eq!(sign(&secret, case.input.as_bytes()), case.expected, "{}", case.id);
                seen += 1;
            }
        }
        assert!(seen >= 10, "{seen} vectors");
    }
}
