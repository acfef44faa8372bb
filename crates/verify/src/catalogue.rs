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

static ROWS: [Row; 4] = [
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
    },
];

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
