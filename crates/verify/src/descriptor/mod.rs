//! The language in which every plain HMAC scheme is data.
//!
//! A provider's scheme is a [`Descriptor`]: a constant in the [`catalogue`](crate::catalogue), or what an operator wrote
//! for the `hmac` provider. There is no code per provider, so the rules that matter hold for all of them:
//!
//! * every secret is tried with every candidate signature, and at most eight candidates are looked at;
//! * signatures are compared in their written form, in constant time;
//! * the algorithm is the descriptor's, whatever the request says;
//! * a header that counts must not be repeated.
//!
//! Not in the language: messages of sorted form fields or of fields out of the body, numbered signature headers,
//! signatures in the body, and keys that are hashed first. Providers that need them get a scheme of their own or a new
//! kind of [`Part`].

mod check;

use std::borrow::Cow;
use std::time::Duration;

use crate::verdict::Covers;
use crate::verifier::SchemeError;

/// How a provider signs: what is hashed, with what, and where the result stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What evidence calls the scheme: `standard-webhooks-v1`, `github-hmac-sha256`, `hmac-sha256`.
    pub scheme: Cow<'static, str>,
    /// The hash under the MAC.
    pub digest: Digest,
    /// How the stored secret becomes key bytes.
    pub key: KeyForm,
    /// Where the signature stands, and in which form.
    pub signature: SignatureSpec,
    /// What is signed, part after part, with nothing between them.
    pub message: Cow<'static, [Part]>,
    /// The signed time, where the scheme has one.
    pub timestamp: Option<TimestampSpec>,
    /// The provider's id of the event.
    pub dedupe_id: Option<Locator>,
    /// The provider's name for the kind of event.
    pub event_type: Option<Locator>,
}

/// The hash under the MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-1, which is still sound under HMAC; for providers that know nothing else.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How the stored secret becomes key bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// As it is.
    Utf8,
    /// Decoded from base64.
    Base64,
    /// Standard Webhooks: base64 after `whsec_`. The specification prints secrets so; its libraries also take them
    /// without the prefix, and some senders use plain text. Without the prefix it is base64 where it can be, else text.
    WhsecBase64,
    /// Decoded from hex.
    Hex,
}

/// Where the signature stands, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureSpec {
    /// The header, in any case.
    pub header: Cow<'static, str>,
    /// How the header's value holds it.
    pub parse: Parse,
    /// How the digest is written.
    pub encoding: Encoding,
}

/// How a header's value holds signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parse {
    /// The value is the signature, after a fixed prefix: `sha256=…`.
    Plain {
        /// The prefix, empty for none.
        prefix: Cow<'static, str>,
    },
    /// Named items: `t=…,v1=…,v1=…`.
    KeyValue {
        /// What stands between the items.
        delimiter: char,
        /// The name of the signatures.
        signature: Cow<'static, str>,
        /// The name of the signed time, if it stands here.
        timestamp: Option<Cow<'static, str>>,
    },
    /// Versioned items with spaces between them: `v1,… v1,…`.
    SpaceList {
        /// The version with its separator: `v1,`.
        version: Cow<'static, str>,
    },
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hex.
    Hex,
    /// Standard base64 with padding.
    Base64,
    /// URL-safe base64 without padding.
    Base64Url,
}

impl Encoding {
    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hex => "lower-case hex",
            Self::Base64 => "standard base64",
            Self::Base64Url => "URL-safe base64",
        }
    }
}

/// A part of the signed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Fixed text.
    Literal(Cow<'static, str>),
    /// The signed time, in the sender's spelling.
    Timestamp,
    /// The body.
    Body,
    /// The value of a header.
    Header(Cow<'static, str>),
    /// The URL the provider was told, with the query that arrived.
    Url,
    /// The path, as received.
    Path,
    /// The query without its `?`, as received.
    Query,
    /// The method.
    Method,
}

/// The signed time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampSpec {
    /// Where it stands.
    pub from: TimestampFrom,
    /// How it is written.
    pub unit: TimestampUnit,
    /// How far it may lie from our time, inclusive.
    pub tolerance: Duration,
    /// To which side.
    pub direction: Direction,
}

/// Where the signed time stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimestampFrom {
    /// In a header of its own.
    Header(Cow<'static, str>),
    /// Among the items of the signature header.
    SignatureField,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampUnit {
    /// Unix seconds.
    Seconds,
    /// Unix milliseconds.
    Milliseconds,
    /// RFC 3339.
    Rfc3339,
}

/// To which side a signed time may lie from ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Only old requests are refused.
    Past,
    /// Requests from the future are refused as well.
    Both,
}

/// Where a value that is not part of the scheme stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locator {
    /// In a header.
    Header(Cow<'static, str>),
    /// In the JSON body, by the keys on the way with dots between them: `event.type`.
    Json(Cow<'static, str>),
}

impl Descriptor {
    /// A hex HMAC-SHA256 over the body in `header`: the commonest scheme, and the defaults of the `hmac` provider.
    pub fn new(header: impl Into<Cow<'static, str>>) -> Self {
        Self {
            scheme: Cow::Borrowed("hmac-sha256"),
            digest: Digest::Sha256,
            key: KeyForm::Utf8,
            signature: SignatureSpec {
                header: header.into(),
                parse: Parse::Plain { prefix: Cow::Borrowed("") },
                encoding: Encoding::Hex,
            },
            message: Cow::Borrowed(&[Part::Body]),
            timestamp: None,
            dedupe_id: None,
            event_type: None,
        }
    }

    /// Whether the description is one of something that can be verified.
    ///
    /// # Errors
    /// [`SchemeError::Descriptor`] with the first thing that is wrong.
    pub fn validate(&self) -> Result<(), SchemeError> {
        check::descriptor(self).map_err(|reason| SchemeError::Descriptor { reason })
    }

    /// The same with every header name in lower case, as requests have them.
    pub(crate) fn lower_cased(mut self) -> Self {
        fn lower(name: &mut Cow<'static, str>) {
            if name.bytes().any(|b| b.is_ascii_uppercase()) {
                *name = Cow::Owned(name.to_ascii_lowercase());
            }
        }
        lower(&mut self.signature.header);
        if let Some(TimestampSpec { from: TimestampFrom::Header(name), .. }) = &mut self.timestamp {
            lower(name);
        }
        for locator in [&mut self.dedupe_id, &mut self.event_type] {
            if let Some(Locator::Header(name)) = locator {
                lower(name);
            }
        }
        if self.message.iter().any(|part| matches!(part, Part::Header(_))) {
            for part in self.message.to_mut() {
                if let Part::Header(name) = part {
                    lower(name);
                }
            }
        }
        self
    }

    /// What a signature of this scheme vouches for.
    pub(crate) fn covers(&self) -> Covers {
        let body = self.message.contains(&Part::Body);
        match self.message.as_ref() {
            [Part::Body] => Covers::Body,
            [Part::Url] => Covers::Url,
            _ if body => Covers::BodyAndParts,
            _ => Covers::PartsOnly,
        }
    }
}
