//! The providers whose schemes are data.
//!
//! `x`, `twilio` and `sendgrid` are no rows: their schemes are code ([`x`](crate::x), [`twilio`](crate::twilio),
//! [`sendgrid`](crate::sendgrid)). Neither is `hmac`, whose descriptor an operator writes, nor `none`, which has no
//! scheme.
//!
//! A signed time may lie 300 s from ours, to either side. Slack and Stripe only ask that old requests are refused; one
//! from the future would otherwise stay acceptable for longer than the tolerance.

use std::borrow::Cow;
use std::time::Duration;

use crate::challenge::{Answer, Asked, Challenge, Pattern};
use crate::descriptor::{
    Descriptor, Digest, Direction, Encoding, KeyForm, Locator, Parse, Part, SignatureSpec, TimestampFrom,
    TimestampSpec, TimestampUnit,
};

/// A provider whose scheme is a descriptor.
#[derive(Debug)]
pub struct Row {
    /// What configuration calls it.
    pub provider: &'static str,
    /// Its page on signatures.
    pub docs: &'static str,
    /// When that page's rules were last compared with the row.
    pub read_on: &'static str,
    /// The configuration key of its secret.
    pub secret_field: &'static str,
    /// How it signs.
    pub descriptor: Descriptor,
    /// What it asks before it sends.
    pub challenge: Option<Challenge>,
}

/// The row of a provider.
#[must_use]
pub fn find(provider: &str) -> Option<&'static Row> {
    rows().iter().find(|row| row.provider == provider)
}

/// Every row, in alphabetical order.
#[must_use]
pub fn rows() -> &'static [Row] {
    &ROWS
}

static ROWS: [Row; 19] = [
    Row {
        provider: "bitbucket",
        docs: "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: body(
            "bitbucket-hmac-sha256",
            "x-hub-signature",
            "sha256=",
            Encoding::Hex,
            None,
            Some(header("x-event-key")),
        ),
        challenge: None,
    },
    Row {
        provider: "circleci",
        docs: "https://circleci.com/docs/guides/integration/outbound-webhooks/",
        read_on: "2026-11-22",
        secret_field: "secret",
        // Signatures of other versions stand beside the one that counts.
        descriptor: listed("circleci-v1", "circleci-signature", Some(json("id")), Some(json("type"))),
        challenge: None,
    },
    Row {
        provider: "dropbox",
        docs: "https://www.dropbox.com/developers/reference/webhooks",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: body("dropbox-hmac-sha256", "x-dropbox-signature", "", Encoding::Hex, None, None),
        challenge: Some(Challenge {
            asked: Asked::Query { token: "challenge", confirm: None },
            token: Pattern::Unreserved,
            answer: Answer::Echo,
        }),
    },
    Row {
        provider: "gitea",
        docs: "https://docs.gitea.com/usage/webhooks",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: body(
            "gitea-hmac-sha256",
            "x-gitea-signature",
            "",
            Encoding::Hex,
            Some(header("x-gitea-delivery")),
            Some(header("x-gitea-event")),
        ),
        challenge: None,
    },
    Row {
        provider: "github",
        docs: "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        read_on: "2026-11-22",
        secret_field: "secret",
        // The delivery id is not signed, so it tells honest redeliveries apart and nothing more.
        descriptor: Descriptor {
            scheme: Cow::Borrowed("github-hmac-sha256"),
            digest: Digest::Sha256,
            key: KeyForm::Utf8,
            signature: SignatureSpec {
                header: Cow::Borrowed("x-hub-signature-256"),
                parse: Parse::Plain { prefix: Cow::Borrowed("sha256=") },
                encoding: Encoding::Hex,
            },
            message: Cow::Borrowed(&[Part::Body]),
            timestamp: None,
            dedupe_id: Some(Locator::Header(Cow::Borrowed("x-github-delivery"))),
            event_type: Some(Locator::Header(Cow::Borrowed("x-github-event"))),
        },
        challenge: None,
    },
    Row {
        provider: "line",
        docs: "https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: body("line-hmac-sha256", "x-line-signature", "", Encoding::Base64, None, None),
        challenge: None,
    },
    Row {
        provider: "linkedin",
        docs: "https://learn.microsoft.com/en-us/linkedin/shared/api-guide/webhook-validation",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: Descriptor {
            scheme: Cow::Borrowed("linkedin-hmac-sha256"),
            digest: Digest::Sha256,
            key: KeyForm::Utf8,
            signature: SignatureSpec {
                header: Cow::Borrowed("x-li-signature"),
                parse: Parse::Plain { prefix: Cow::Borrowed("") },
                encoding: Encoding::Hex,
            },
            message: Cow::Borrowed(&[Part::Literal(Cow::Borrowed("hmacsha256=")), Part::Body]),
            timestamp: None,
            dedupe_id: None,
            event_type: None,
        },
        // "Randomly generated type-4 UUID string": without that rule, `hmacsha256={…}` would be signed for anybody.
        challenge: Some(Challenge {
            asked: Asked::Query { token: "challengeCode", confirm: None },
            token: Pattern::Uuid4,
            answer: Answer::Mac { token: Some("challengeCode"), mac: "challengeResponse" },
        }),
    },
    Row {
        provider: "meta",
        docs: "https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        read_on: "2026-11-22",
        secret_field: "secret",
        // Facebook, Messenger, Instagram, WhatsApp and Threads, with the app secret.
        descriptor: body(
            "meta-hmac-sha256",
            "x-hub-signature-256",
            "sha256=",
            Encoding::Hex,
            None,
            Some(json("object")),
        ),
        challenge: Some(Challenge {
            asked: Asked::Query { token: "hub.challenge", confirm: Some("hub.verify_token") },
            token: Pattern::Unreserved,
            answer: Answer::Echo,
        }),
    },
    Row {
        provider: "mux",
        docs: "https://www.mux.com/docs/core/verify-webhook-signatures",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: Descriptor {
            scheme: Cow::Borrowed("mux-v1"),
            digest: Digest::Sha256,
            key: KeyForm::Utf8,
            signature: SignatureSpec {
                header: Cow::Borrowed("mux-signature"),
                parse: Parse::KeyValue {
                    delimiter: ',',
                    signature: Cow::Borrowed("v1"),
                    timestamp: Some(Cow::Borrowed("t")),
                },
                encoding: Encoding::Hex,
            },
            message: Cow::Borrowed(&[Part::Timestamp, Part::Literal(Cow::Borrowed(".")), Part::Body]),
            timestamp: Some(seconds(TimestampFrom::SignatureField)),
            dedupe_id: Some(json("id")),
            event_type: Some(json("type")),
        },
        challenge: None,
    },
    Row {
        provider: "notion",
        docs: "https://developers.notion.com/reference/webhooks",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: body(
            "notion-hmac-sha256",
            "x-notion-signature",
            "sha256=",
            Encoding::Hex,
            Some(json("id")),
            Some(json("type")),
        ),
        challenge: None,
    },
    Row {
        provider: "paddle",
        docs: "https://developer.paddle.com/webhooks/signature-verification",
        read_on: "2026-11-22",
        secret_field: "secret",
        // Its SDK allows five seconds, which no clock is sure of.
        descriptor: Descriptor {
            scheme: Cow::Borrowed("paddle-h1"),
            digest: Digest::Sha256,
            key: KeyForm::Utf8,
            signature: SignatureSpec {
                header: Cow::Borrowed("paddle-signature"),
                parse: Parse::KeyValue {
                    delimiter: ';',
                    signature: Cow::Borrowed("h1"),
                    timestamp: Some(Cow::Borrowed("ts")),
                },
                encoding: Encoding::Hex,
            },
            message: Cow::Borrowed(&[Part::Timestamp, Part::Literal(Cow::Borrowed(":")), Part::Body]),
            timestamp: Some(seconds(TimestampFrom::SignatureField)),
            dedupe_id: Some(json("event_id")),
            event_type: Some(json("event_type")),
        },
        challenge: None,
    },
    Row {
        provider: "pagerduty",
        docs: "https://developer.pagerduty.com/docs/verifying-webhook-signatures",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: listed(
            "pagerduty-v1",
            "x-pagerduty-signature",
            Some(json("event.id")),
            Some(json("event.event_type")),
        ),
        challenge: None,
    },
    Row {
        provider: "shopify",
        docs: "https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: body(
            "shopify-hmac-sha256",
            "x-shopify-hmac-sha256",
            "",
            Encoding::Base64,
            Some(header("x-shopify-webhook-id")),
            Some(header("x-shopify-topic")),
        ),
        challenge: None,
    },
    Row {
        provider: "slack",
        docs: "https://docs.slack.dev/authentication/verifying-requests-from-slack",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: Descriptor {
            scheme: Cow::Borrowed("slack-v0"),
            digest: Digest::Sha256,
            key: KeyForm::Utf8,
            signature: SignatureSpec {
                header: Cow::Borrowed("x-slack-signature"),
                parse: Parse::Plain { prefix: Cow::Borrowed("v0=") },
                encoding: Encoding::Hex,
            },
            message: Cow::Borrowed(&[
                Part::Literal(Cow::Borrowed("v0:")),
                Part::Timestamp,
                Part::Literal(Cow::Borrowed(":")),
                Part::Body,
            ]),
            timestamp: Some(seconds(TimestampFrom::Header(Cow::Borrowed("x-slack-request-timestamp")))),
            dedupe_id: Some(Locator::Json(Cow::Borrowed("event_id"))),
            event_type: Some(Locator::Json(Cow::Borrowed("event.type"))),
        },
        challenge: Some(Challenge {
            asked: Asked::Body { at: "type", says: "url_verification", token: &["challenge"], signed: true },
            token: Pattern::Unreserved,
            answer: Answer::Echo,
        }),
    },
    Row {
        provider: "smartcar",
        docs: "https://smartcar.com/docs/integrations/webhooks/callback-verification",
        read_on: "2026-11-22",
        secret_field: "secret",
        // The key is the application management token.
        descriptor: body(
            "smartcar-hmac-sha256",
            "sc-signature",
            "",
            Encoding::Hex,
            Some(json("eventId")),
            Some(json("eventType")),
        ),
        // The challenge moved from `payload` to `data`.
        challenge: Some(Challenge {
            asked: Asked::Body {
                at: "eventType",
                says: "VERIFY",
                token: &["data.challenge", "payload.challenge"],
                signed: false,
            },
            token: Pattern::Word,
            answer: Answer::Mac { token: None, mac: "challenge" },
        }),
    },
    Row {
        provider: "standard-webhooks",
        docs: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        read_on: "2026-11-22",
        secret_field: "secret",
        // The symmetric `v1`. The asymmetric `v1a` (ed25519) is passed over.
        descriptor: Descriptor {
            scheme: Cow::Borrowed("standard-webhooks-v1"),
            digest: Digest::Sha256,
            key: KeyForm::WhsecBase64,
            signature: SignatureSpec {
                header: Cow::Borrowed("webhook-signature"),
                parse: Parse::SpaceList { version: Cow::Borrowed("v1,") },
                encoding: Encoding::Base64,
            },
            message: Cow::Borrowed(&[
                Part::Header(Cow::Borrowed("webhook-id")),
                Part::Literal(Cow::Borrowed(".")),
                Part::Timestamp,
                Part::Literal(Cow::Borrowed(".")),
                Part::Body,
            ]),
            timestamp: Some(seconds(TimestampFrom::Header(Cow::Borrowed("webhook-timestamp")))),
            dedupe_id: Some(Locator::Header(Cow::Borrowed("webhook-id"))),
            event_type: Some(Locator::Json(Cow::Borrowed("type"))),
        },
        challenge: None,
    },
    Row {
        provider: "stripe",
        docs: "https://docs.stripe.com/webhooks",
        read_on: "2026-11-22",
        secret_field: "secret",
        // The whole `whsec_…` is the key. While a secret is rolled there is one `v1` for each; `v0` is for tests.
        descriptor: Descriptor {
            scheme: Cow::Borrowed("stripe-v1"),
            digest: Digest::Sha256,
            key: KeyForm::Utf8,
            signature: SignatureSpec {
                header: Cow::Borrowed("stripe-signature"),
                parse: Parse::KeyValue {
                    delimiter: ',',
                    signature: Cow::Borrowed("v1"),
                    timestamp: Some(Cow::Borrowed("t")),
                },
                encoding: Encoding::Hex,
            },
            message: Cow::Borrowed(&[Part::Timestamp, Part::Literal(Cow::Borrowed(".")), Part::Body]),
            timestamp: Some(seconds(TimestampFrom::SignatureField)),
            dedupe_id: Some(Locator::Json(Cow::Borrowed("id"))),
            event_type: Some(Locator::Json(Cow::Borrowed("type"))),
        },
        challenge: None,
    },
    Row {
        provider: "typeform",
        docs: "https://www.typeform.com/developers/webhooks/secure-your-webhooks/",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: body(
            "typeform-hmac-sha256",
            "typeform-signature",
            "sha256=",
            Encoding::Base64,
            Some(json("event_id")),
            Some(json("event_type")),
        ),
        challenge: None,
    },
    Row {
        provider: "zoom",
        docs: "https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events",
        read_on: "2026-11-22",
        secret_field: "secret",
        descriptor: Descriptor {
            scheme: Cow::Borrowed("zoom-v0"),
            digest: Digest::Sha256,
            key: KeyForm::Utf8,
            signature: SignatureSpec {
                header: Cow::Borrowed("x-zm-signature"),
                parse: Parse::Plain { prefix: Cow::Borrowed("v0=") },
                encoding: Encoding::Hex,
            },
            message: Cow::Borrowed(&[
                Part::Literal(Cow::Borrowed("v0:")),
                Part::Timestamp,
                Part::Literal(Cow::Borrowed(":")),
                Part::Body,
            ]),
            timestamp: Some(seconds(TimestampFrom::Header(Cow::Borrowed("x-zm-request-timestamp")))),
            dedupe_id: None,
            event_type: Some(json("event")),
        },
        challenge: Some(Challenge {
            asked: Asked::Body {
                at: "event",
                says: "endpoint.url_validation",
                token: &["payload.plainToken"],
                signed: true,
            },
            token: Pattern::Word,
            answer: Answer::Mac { token: Some("plainToken"), mac: "encryptedToken" },
        }),
    },
];

/// An HMAC-SHA256 over the body.
const fn body(
    scheme: &'static str,
    signature: &'static str,
    prefix: &'static str,
    encoding: Encoding,
    dedupe_id: Option<Locator>,
    event_type: Option<Locator>,
) -> Descriptor {
    Descriptor {
        scheme: Cow::Borrowed(scheme),
        digest: Digest::Sha256,
        key: KeyForm::Utf8,
        signature: SignatureSpec {
            header: Cow::Borrowed(signature),
            parse: Parse::Plain { prefix: Cow::Borrowed(prefix) },
            encoding,
        },
        message: Cow::Borrowed(&[Part::Body]),
        timestamp: None,
        dedupe_id,
        event_type,
    }
}

/// Hex HMAC-SHA256s over the body, one for each key: `v1=…,v1=…`.
const fn listed(
    scheme: &'static str,
    signature: &'static str,
    dedupe_id: Option<Locator>,
    event_type: Option<Locator>,
) -> Descriptor {
    Descriptor {
        scheme: Cow::Borrowed(scheme),
        digest: Digest::Sha256,
        key: KeyForm::Utf8,
        signature: SignatureSpec {
            header: Cow::Borrowed(signature),
            parse: Parse::KeyValue { delimiter: ',', signature: Cow::Borrowed("v1"), timestamp: None },
            encoding: Encoding::Hex,
        },
        message: Cow::Borrowed(&[Part::Body]),
        timestamp: None,
        dedupe_id,
        event_type,
    }
}

const fn header(name: &'static str) -> Locator {
    Locator::Header(Cow::Borrowed(name))
}

const fn json(path: &'static str) -> Locator {
    Locator::Json(Cow::Borrowed(path))
}

const fn seconds(from: TimestampFrom) -> TimestampSpec {
    TimestampSpec {
        from,
        unit: TimestampUnit::Seconds,
        tolerance: Duration::from_secs(300),
        direction: Direction::Both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_valid_and_has_a_name_of_its_own() {
        for row in rows() {
            assert_eq!(row.descriptor.validate(), Ok(()), "{}", row.provider);
            assert_eq!(row.descriptor.clone().lower_cased(), row.descriptor, "{}", row.provider);
        }
        assert!(rows().is_sorted_by(|a, b| a.provider < b.provider));
        assert!(find("github").is_some());
        for provider in ["x", "twilio", "sendgrid", "hmac", "none", ""] {
            assert!(find(provider).is_none(), "{provider}");
        }
    }
}
