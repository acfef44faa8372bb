//! The rules of one source, whichever scheme they are.

use jiff::Timestamp;

use crate::danger::Unsigned;
use crate::request::Request;
use crate::verdict::Verdict;
use crate::{hmac, sendgrid, twilio, x};

/// What decides whether a request comes from who it claims to come from.
///
/// It holds the secrets, and the form of them that the MAC wants, made once; it prints none of them.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a source has one of these for as long as it is configured")]
pub enum Verifier {
    /// X: events, and the CRC challenge.
    X(x::Verifier),
    /// Twilio: signed URLs and forms.
    Twilio(twilio::Verifier),
    /// SendGrid: signed batches of mail events.
    SendGrid(sendgrid::Verifier),
    /// Any scheme that a [`Descriptor`](crate::descriptor::Descriptor) describes.
    Hmac(hmac::Verifier),
    /// A source that truly cannot sign: everything is let in, and marked so for ever.
    Unsigned,
}

impl Verifier {
    /// Judges a request as of `now`.
    pub fn verify(&self, request: Request, now: Timestamp) -> Verdict {
        match self {
            Self::X(verifier) => verifier.verify(request, now),
            Self::Twilio(verifier) => verifier.verify(request, now),
            Self::SendGrid(verifier) => verifier.verify(request, now),
            Self::Hmac(verifier) => verifier.verify(request, now),
            Self::Unsigned => Verdict::Unsigned(Unsigned::accept(request)),
        }
    }

    /// The provider in configuration's words: `x`, `twilio`, `sendgrid`, `github`, `none`…
    #[must_use]
    pub fn provider(&self) -> &str {
        match self {
            Self::X(_) => "x",
            Self::Twilio(_) => "twilio",
            Self::SendGrid(_) => "sendgrid",
            Self::Hmac(verifier) => verifier.provider(),
            Self::Unsigned => "none",
        }
    }
}

/// Why a scheme could not be set up: our side's mistake, found when a configuration is loaded. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemeError {
    /// There is no key to verify with.
    #[error("no secret is configured, so nothing could be verified")]
    NoKeys,
    /// The scheme signs the URL that the provider was told, and none was given.
    #[error("the scheme signs the URL, so the public URL must be known")]
    NoPublicUrl,
    /// Neither a built-in scheme nor a row of the catalogue.
    #[error("unknown provider `{name}`")]
    UnknownProvider {
        /// What was asked for.
        name: String,
    },
    /// A descriptor that describes nothing that could be verified.
    #[error("the signature's description is wrong: {reason}")]
    Descriptor {
        /// What is wrong with it.
        reason: String,
    },
    /// A URL that is not `https://[user:pass@]host[:port][/prefix]`.
    #[error("not a usable public URL: {reason}")]
    PublicUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A secret that is not in the form the scheme writes secrets in.
    #[error("secret `{key}` is not {expected}")]
    KeyForm {
        /// The key's name.
        key: String,
        /// The form in words.
        expected: &'static str,
    },
    /// Two keys with one id.
    #[error("the key id `{id}` is given twice")]
    KeyIdRepeated {
        /// The id.
        id: String,
    },
    /// A draft from which the scheme's message cannot be made.
    #[error("cannot sign: {reason}")]
    Draft {
        /// What is missing.
        reason: String,
    },
}
