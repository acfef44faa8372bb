//! What comes out: evidence, an answer to a challenge, or a reason.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::digest;
use jiff::Timestamp;

use crate::danger::Unsigned;
use crate::request::Request;

/// What a [`Verifier`](crate::Verifier) makes of a request.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// Proved: store it.
    Verified(Verified),
    /// A challenge: send the answer, store nothing.
    Handshake(Handshake),
    /// Refused: the request comes back, so that it can be recorded.
    Rejected {
        /// Why; for the operator, never for the sender.
        reject: Reject,
        /// What was refused.
        request: Request,
    },
    /// The source cannot sign, and its configuration says so.
    Unsigned(Unsigned),
}

impl Verdict {
    /// The verdict on a request that is no challenge.
    pub(crate) fn on_event(request: Request, judged: Result<Evidence, Reject>) -> Self {
        match judged {
            Ok(evidence) => Self::Verified(Verified::new(request, evidence)),
            Err(reject) => Self::Rejected { reject, request },
        }
    }
}

/// A request that a verifier proved. Only this crate makes one.
#[derive(Debug)]
pub struct Verified {
    request: Request,
    evidence: Evidence,
}

impl Verified {
    pub(crate) fn new(request: Request, evidence: Evidence) -> Self {
        Self { request, evidence }
    }

    /// The bytes that were verified.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What proved them.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Both parts, for storing. There is no way back.
    #[must_use]
    pub fn into_parts(self) -> (Request, Evidence) {
        (self.request, self.evidence)
    }
}

/// Why a request was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The provider of the source: `x`, `twilio`, `github`…
    pub provider: Cow<'static, str>,
    /// The scheme in the field's words: `x-post-hmac-sha256`, `twilio-form-hmac-sha1`, `standard-webhooks-v1`…
    pub scheme: Cow<'static, str>,
    /// The name of the [`Key`](crate::Key) that verified.
    pub key: String,
    /// Where a scheme knows several spellings of one message, the one that matched: `exact`, `port removed`…
    pub variant: Option<Cow<'static, str>>,
    /// What the signature covers.
    pub covers: Covers,
    /// What makes two requests the same event; `None` where the scheme has nothing to tell repeats by.
    pub identity: Option<Identity>,
    /// What the body is made of, where a provider may send the same elements again in another body: a request whose
    /// elements were all seen is a repeat as well. Empty where the request is one whole.
    pub elements: Vec<Identity>,
    /// The provider's name for the kind of event, where a cheap look tells it.
    pub event_type: Option<String>,
}

/// What a signature vouches for. Whatever is not listed may have been changed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// The body.
    Body,
    /// The URL, and the body as form parameters.
    UrlAndForm,
    /// The URL alone.
    Url,
    /// The URL, which carries a digest of the body.
    UrlAndBodyDigest,
    /// The body, and other signed parts such as a timestamp or an id.
    BodyAndParts,
    /// Parts that do not include the whole body.
    PartsOnly,
}

impl fmt::Display for Covers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body => "body",
            Self::UrlAndForm => "URL and form parameters",
            Self::Url => "URL",
            Self::UrlAndBodyDigest => "URL and body digest",
            Self::BodyAndParts => "body and signed parts",
            Self::PartsOnly => "signed parts, not the body",
        })
    }
}

/// A digest by which a repeat of a request is recognised, after it was verified.
///
/// `x`: the body, and [what it is made of](crate::x::reading). `twilio`: method, path and signature, because re-split parameters keep their signature. Others: the
/// provider's id and the body, so that the same id with other content is a new event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(pub [u8; 32]);

impl Identity {
    /// A digest over parts that are framed by their lengths, so that bytes cannot move from one to the next.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        Self::framed(parts.iter().copied())
    }

    /// The same, with one more part before them.
    pub(crate) fn within(first: &[u8], parts: &[&[u8]]) -> Self {
        Self::framed(std::iter::once(first).chain(parts.iter().copied()))
    }

    fn framed<'a>(parts: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let length = parts.clone().map(|part| part.len() + 8).sum();
        let mut message = Vec::with_capacity(length);
        for part in parts {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        // In one go: a digest in pieces has a state that is allocated.
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, &message).as_ref());
        Self(out)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", data_encoding::HEXLOWER.encode(&self.0[..8]))
    }
}

/// An answer to a provider's challenge. It is the whole response; nothing is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// What was answered: `crc`, or `challenge`.
    pub kind: &'static str,
    /// The `Content-Type` of the answer.
    pub content_type: &'static str,
    /// The body of the answer.
    pub body: String,
    /// The name of the key that signed the answer, or that vouched for the challenge; `none` for neither.
    pub key: String,
    /// Whether the challenge itself carried a signature that verified.
    pub signed: bool,
    /// When the challenge says that it was sent. Only a signature vouches for it.
    pub sent_at: Option<Timestamp>,
    /// What an operator may want to know about it: `shape=unusual`, `stale`, `echo`.
    pub notes: Vec<&'static str>,
}

/// Why a request was refused. The text is for the operator; it holds no secret, no expected signature, no body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reject {
    /// The signature header is absent or empty.
    #[error("no `{header}` header: the request is not signed")]
    SignatureMissing {
        /// The header that the scheme expects.
        header: Cow<'static, str>,
    },
    /// The signature header, or a signed parameter, occurs more than once.
    #[error("`{header}` occurs more than once: neither is tried")]
    SignatureAmbiguous {
        /// The repeated name.
        header: Cow<'static, str>,
    },
    /// The signature does not have the scheme's form.
    #[error("`{header}` is malformed: expected {expected}")]
    SignatureMalformed {
        /// The header.
        header: Cow<'static, str>,
        /// The form in words.
        expected: Cow<'static, str>,
    },
    /// The signature names an algorithm that this source is not configured for.
    #[error("`{header}` names another algorithm than the one configured")]
    AlgorithmRefused {
        /// The header.
        header: Cow<'static, str>,
    },
    /// The signature is well formed and wrong.
    #[error("`{header}` does not match{}", match .retired { Some(key) => format!(": it was made with `{key}`, which is retired"), None => String::new() })]
    SignatureMismatch {
        /// The header.
        header: Cow<'static, str>,
        /// The name of a retired key that would have matched.
        retired: Option<String>,
    },
    /// The signed time is too far from ours.
    #[error("the signed time is {age_seconds} s from ours; {tolerance_seconds} s are tolerated")]
    Stale {
        /// Our time minus the signed time; negative when it lies ahead.
        age_seconds: i64,
        /// What the source tolerates.
        tolerance_seconds: u64,
    },
    /// The request names a signing key that is not configured.
    #[error("the request names signing key `{id}`, which is not configured")]
    KeyUnknown {
        /// The key id, cut to a printable length.
        id: String,
    },
    /// The request says it is of an account for which there is no key.
    #[error("the request is of account `{sid}`, for which no auth token is configured")]
    AccountUnknown {
        /// What the request calls its account, cut to a printable length.
        sid: String,
    },
    /// A CRC without `crc_token`.
    #[error("no `crc_token` in the query")]
    CrcTokenMissing,
    /// A CRC token that is not an opaque string: signing it could sign an event.
    #[error("`crc_token` is not an opaque token: signing it could forge an event")]
    CrcTokenShape,
    /// `crc_token` or `nonce` occurs more than once.
    #[error("`{name}` occurs more than once in the query")]
    CrcParameterRepeated {
        /// The repeated parameter.
        name: &'static str,
    },
    /// A CRC must be signed here and is not.
    #[error("the CRC is not signed, and this source requires it")]
    CrcSignatureMissing,
    /// A CRC with a wrong signature.
    #[error("the CRC's signature does not match")]
    CrcSignatureMismatch,
    /// A CRC that no key may answer, because every one has ended.
    #[error("every key of this source has ended, so the CRC cannot be answered")]
    CrcKeysEnded,
    /// A challenge without its token.
    #[error("no `{name}` in the challenge")]
    ChallengeTokenMissing {
        /// Where it should be.
        name: &'static str,
    },
    /// A challenge whose token is not of the provider's form: answering it could say or sign something else.
    #[error("`{name}` is not a token of this provider: answering it could sign an event, or show a page")]
    ChallengeTokenShape {
        /// Where it stands.
        name: &'static str,
    },
    /// A parameter of a challenge occurs more than once.
    #[error("`{name}` occurs more than once in the query")]
    ChallengeParameterRepeated {
        /// The repeated parameter.
        name: &'static str,
    },
    /// A challenge that does not say the verify token.
    #[error("`{name}` is not the verify token")]
    ChallengeUnconfirmed {
        /// Where it should be.
        name: &'static str,
    },
    /// A challenge that no key may answer, because every one has ended.
    #[error("every key of this source has ended, so the challenge cannot be answered")]
    ChallengeKeysEnded,
    /// A provider whose challenges are answered with the key of its events sends JSON objects only; anything else could
    /// be a token.
    #[error("the body is signed but is not a JSON object, which is all that this provider sends")]
    EventNotObject,
    /// A body where there must be none.
    #[error("a {method} must not have a body here")]
    BodyUnexpected {
        /// The method.
        method: String,
    },
    /// X sends JSON objects only; anything else could be a challenge token.
    #[error("the body is signed but is not a JSON object, which is all that X sends")]
    BodyNotObject,
    /// SendGrid sends JSON arrays only; a digit of the signed time in front of one would be another message under the
    /// same signature.
    #[error("the body is signed but is not a JSON array, which is all that SendGrid sends")]
    BodyNotArray,
    /// The signature does not cover the body.
    #[error("the body is not covered by the signature: {reason}")]
    BodyUncovered {
        /// What is missing.
        reason: &'static str,
    },
    /// The digest in the URL is not the body's.
    #[error("`bodySHA256` is not the digest of the body: it was changed after signing, or on the way")]
    BodyDigestMismatch,
    /// The scheme does not know this method.
    #[error("the scheme does not sign {method} requests")]
    MethodUnexpected {
        /// The method.
        method: String,
    },
}

impl Reject {
    /// The reason as a stable word for logs, metrics and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SignatureMissing { .. } => "sig.missing",
            Self::SignatureAmbiguous { .. } => "sig.ambiguous",
            Self::SignatureMalformed { .. } => "sig.malformed",
            Self::AlgorithmRefused { .. } => "sig.alg",
            Self::SignatureMismatch { .. } => "sig.mismatch",
            Self::Stale { .. } => "sig.stale",
            Self::KeyUnknown { .. } | Self::AccountUnknown { .. } => "sig.key_unknown",
            Self::CrcTokenMissing | Self::CrcTokenShape => "crc.token_shape",
            Self::CrcParameterRepeated { .. } => "crc.duplicate_param",
            Self::CrcSignatureMissing => "crc.sig_missing",
            Self::CrcSignatureMismatch => "crc.sig_mismatch",
            Self::CrcKeysEnded => "crc.keys_ended",
            Self::ChallengeTokenMissing { .. } | Self::ChallengeTokenShape { .. } => "challenge.token_shape",
            Self::ChallengeParameterRepeated { .. } => "challenge.duplicate_param",
            Self::ChallengeUnconfirmed { .. } => "challenge.verify_token",
            Self::ChallengeKeysEnded => "challenge.keys_ended",
            Self::EventNotObject => "challenge.body_not_object",
            Self::BodyUnexpected { .. } => "body.unexpected",
            Self::BodyNotObject => "x.body_not_object",
            Self::BodyNotArray => "sendgrid.body_not_array",
            Self::BodyUncovered { .. } => "twilio.body_uncovered",
            Self::BodyDigestMismatch => "twilio.body_hash",
            Self::MethodUnexpected { .. } => "http.method",
        }
    }
}
