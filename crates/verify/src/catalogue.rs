//! The providers whose schemes are data.
//!
//! `x`, `twilio` and `sendgrid` are no rows: their schemes are code ([`x`](crate::x), [`twilio`](crate::twilio),
//! [`sendgrid`](crate::sendgrid)). Neither is `hmac`, whose descriptor an operator writes, nor `none`, which has no
//! scheme.
//!
//! A signed time may lie 300 s from ours, to either side. Slack and Stripe only ask that old requests are refused; one
//! from the future would otherwise stay acceptable for longer than the tolerance.

use std::borrow::Cow;
use std::sync::LazyLock;
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

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    const DOTTED: &[Part] = &[Part::Timestamp, Part::Literal(Cow::Borrowed(".")), Part::Body];
    const COLON: &[Part] = &[Part::Timestamp, Part::Literal(Cow::Borrowed(":")), Part::Body];
    const V0: &[Part] = &[
        Part::Literal(Cow::Borrowed("v0:")),
        Part::Timestamp,
        Part::Literal(Cow::Borrowed(":")),
        Part::Body,
    ];
    vec![
        Row::new("bitbucket", "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/")
            .signs("bitbucket-hmac-sha256", "x-hub-signature", plain("sha256="))
            .kind(header("x-event-key")),
        // Signatures of other versions stand beside the one that counts.
        Row::new("circleci", "https://circleci.com/docs/guides/integration/outbound-webhooks/")
            .signs("circleci-v1", "circleci-signature", listed("v1"))
            .id(json("id"))
            .kind(json("type")),
        Row::new("dropbox", "https://www.dropbox.com/developers/reference/webhooks")
            .signs("dropbox-hmac-sha256", "x-dropbox-signature", plain(""))
            .asks(Challenge {
                asked: Asked::Query { token: "challenge", confirm: None },
                token: Pattern::Unreserved,
                answer: Answer::Echo,
            }),
        Row::new("gitea", "https://docs.gitea.com/usage/webhooks")
            .signs("gitea-hmac-sha256", "x-gitea-signature", plain(""))
            .id(header("x-gitea-delivery"))
            .kind(header("x-gitea-event")),
        // The delivery id is not signed, so it tells honest redeliveries apart and nothing more.
        Row::new(
            "github",
            "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        )
        .signs("github-hmac-sha256", "x-hub-signature-256", plain("sha256="))
        .id(header("x-github-delivery"))
        .kind(header("x-github-event")),
        Row::new("line", "https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/")
            .signs("line-hmac-sha256", "x-line-signature", plain(""))
            .base64(),
        // "Randomly generated type-4 UUID string": without that rule, `hmacsha256={…}` would be signed for anybody.
        Row::new(
            "linkedin",
            "https://learn.microsoft.com/en-us/linkedin/shared/api-guide/webhook-validation",
        )
        .signs("linkedin-hmac-sha256", "x-li-signature", plain(""))
        .over(&[Part::Literal(Cow::Borrowed("hmacsha256=")), Part::Body])
        .asks(Challenge {
            asked: Asked::Query { token: "challengeCode", confirm: None },
            token: Pattern::Uuid4,
            answer: Answer::Mac { token: Some("challengeCode"), mac: "challengeResponse" },
        }),
        // Facebook, Messenger, Instagram, WhatsApp and Threads, with the app secret.
        Row::new("meta", "https://developers.facebook.com/docs/graph-api/webhooks/getting-started")
            .signs("meta-hmac-sha256", "x-hub-signature-256", plain("sha256="))
            .kind(json("object"))
            .asks(Challenge {
                asked: Asked::Query { token: "hub.challenge", confirm: Some("hub.verify_token") },
                token: Pattern::Unreserved,
                answer: Answer::Echo,
            }),
        Row::new("mux", "https://www.mux.com/docs/core/verify-webhook-signatures")
            .signs("mux-v1", "mux-signature", timed(',', "v1", "t"))
            .over(DOTTED)
            .at(TimestampFrom::SignatureField)
            .id(json("id"))
            .kind(json("type")),
        Row::new("notion", "https://developers.notion.com/reference/webhooks")
            .signs("notion-hmac-sha256", "x-notion-signature", plain("sha256="))
            .id(json("id"))
            .kind(json("type")),
        // Its SDK allows five seconds, which no clock is sure of.
        Row::new("paddle", "https://developer.paddle.com/webhooks/signature-verification")
            .signs("paddle-h1", "paddle-signature", timed(';', "h1", "ts"))
            .over(COLON)
            .at(TimestampFrom::SignatureField)
            .id(json("event_id"))
            .kind(json("event_type")),
        Row::new("pagerduty", "https://developer.pagerduty.com/docs/verifying-webhook-signatures")
            .signs("pagerduty-v1", "x-pagerduty-signature", listed("v1"))
            .id(json("event.id"))
            .kind(json("event.event_type")),
        Row::new("shopify", "https://shopify.dev/docs/apps/build/webhooks/subscribe/https")
            .signs("shopify-hmac-sha256", "x-shopify-hmac-sha256", plain(""))
            .base64()
            .id(header("x-shopify-webhook-id"))
            .kind(header("x-shopify-topic")),
        Row::new("slack", "https://docs.slack.dev/authentication/verifying-requests-from-slack")
            .signs("slack-v0", "x-slack-signature", plain("v0="))
            .over(V0)
            .at(TimestampFrom::Header(Cow::Borrowed("x-slack-request-timestamp")))
            .id(json("event_id"))
            .kind(json("event.type"))
            .asks(Challenge {
                asked: Asked::Body {
                    at: "type",
                    says: "url_verification",
                    token: &["challenge"],
                    signed: true,
                },
                token: Pattern::Unreserved,
                answer: Answer::Echo,
            }),
        // The key is the application management token. The challenge moved from `payload` to `data`.
        Row::new("smartcar", "https://smartcar.com/docs/integrations/webhooks/callback-verification")
            .signs("smartcar-hmac-sha256", "sc-signature", plain(""))
            .id(json("eventId"))
            .kind(json("eventType"))
            .asks(Challenge {
                asked: Asked::Body {
                    at: "eventType",
                    says: "VERIFY",
                    token: &["data.challenge", "payload.challenge"],
                    signed: false,
                },
                token: Pattern::Word,
                answer: Answer::Mac { token: None, mac: "challenge" },
            }),
        // The symmetric `v1`. The asymmetric `v1a` (ed25519) is passed over.
        Row::new(
            "standard-webhooks",
            "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        )
        .signs(
            "standard-webhooks-v1",
            "webhook-signature",
            Parse::SpaceList { version: Cow::Borrowed("v1,") },
        )
        .base64()
        .keyed(KeyForm::WhsecBase64)
        .over(&[
            Part::Header(Cow::Borrowed("webhook-id")),
            Part::Literal(Cow::Borrowed(".")),
            Part::Timestamp,
            Part::Literal(Cow::Borrowed(".")),
            Part::Body,
        ])
        .at(TimestampFrom::Header(Cow::Borrowed("webhook-timestamp")))
        .id(header("webhook-id"))
        .kind(json("type")),
        // The whole `whsec_…` is the key. While a secret is rolled there is one `v1` for each; `v0` is for tests.
        Row::new("stripe", "https://docs.stripe.com/webhooks")
            .signs("stripe-v1", "stripe-signature", timed(',', "v1", "t"))
            .over(DOTTED)
            .at(TimestampFrom::SignatureField)
            .id(json("id"))
            .kind(json("type")),
        Row::new("typeform", "https://www.typeform.com/developers/webhooks/secure-your-webhooks/")
            .signs("typeform-hmac-sha256", "typeform-signature", plain("sha256="))
            .base64()
            .id(json("event_id"))
            .kind(json("event_type")),
        Row::new("zoom", "https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events")
            .signs("zoom-v0", "x-zm-signature", plain("v0="))
            .over(V0)
            .at(TimestampFrom::Header(Cow::Borrowed("x-zm-request-timestamp")))
            .kind(json("event"))
            .asks(Challenge {
                asked: Asked::Body {
                    at: "event",
                    says: "endpoint.url_validation",
                    token: &["payload.plainToken"],
                    signed: true,
                },
                token: Pattern::Word,
                answer: Answer::Mac { token: Some("plainToken"), mac: "encryptedToken" },
            }),
    ]
});

/// What most providers have, and after it what this one has otherwise.
impl Row {
    /// An HMAC-SHA256 of the body, in hex, with the secret's own bytes.
    fn new(provider: &'static str, docs: &'static str) -> Self {
        Self {
            provider,
            docs,
            read_on: "2026-11-22",
            secret_field: "secret",
            descriptor: Descriptor {
                scheme: Cow::Borrowed(""),
                digest: Digest::Sha256,
                key: KeyForm::Utf8,
                signature: SignatureSpec {
                    header: Cow::Borrowed(""),
                    parse: plain(""),
                    encoding: Encoding::Hex,
                },
                message: Cow::Borrowed(&[Part::Body]),
                timestamp: None,
                dedupe_id: None,
                event_type: None,
            },
            challenge: None,
        }
    }

    /// The scheme's name, the header with the signature, and how it stands in there.
    fn signs(mut self, scheme: &'static str, header: &'static str, parse: Parse) -> Self {
        self.descriptor.scheme = Cow::Borrowed(scheme);
        self.descriptor.signature.header = Cow::Borrowed(header);
        self.descriptor.signature.parse = parse;
        self
    }

    fn base64(mut self) -> Self {
        self.descriptor.signature.encoding = Encoding::Base64;
        self
    }

    fn keyed(mut self, key: KeyForm) -> Self {
        self.descriptor.key = key;
        self
    }

    fn over(mut self, message: &'static [Part]) -> Self {
        self.descriptor.message = Cow::Borrowed(message);
        self
    }

    /// Where the signed time is.
    fn at(mut self, from: TimestampFrom) -> Self {
        self.descriptor.timestamp = Some(TimestampSpec {
            from,
            unit: TimestampUnit::Seconds,
            tolerance: Duration::from_secs(300),
            direction: Direction::Both,
        });
        self
    }

    /// By what a repeat is known.
    fn id(mut self, at: Locator) -> Self {
        self.descriptor.dedupe_id = Some(at);
        self
    }

    fn kind(mut self, at: Locator) -> Self {
        self.descriptor.event_type = Some(at);
        self
    }

    fn asks(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }
}

const fn plain(prefix: &'static str) -> Parse {
    Parse::Plain { prefix: Cow::Borrowed(prefix) }
}

/// One for each key: `v1=…,v1=…`.
const fn listed(signature: &'static str) -> Parse {
    Parse::KeyValue { delimiter: ',', signature: Cow::Borrowed(signature), timestamp: None }
}

/// With the signed time beside it: `t=…,v1=…`.
const fn timed(delimiter: char, signature: &'static str, timestamp: &'static str) -> Parse {
    Parse::KeyValue {
        delimiter,
        signature: Cow::Borrowed(signature),
        timestamp: Some(Cow::Borrowed(timestamp)),
    }
}

const fn header(name: &'static str) -> Locator {
    Locator::Header(Cow::Borrowed(name))
}

const fn json(path: &'static str) -> Locator {
    Locator::Json(Cow::Borrowed(path))
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
