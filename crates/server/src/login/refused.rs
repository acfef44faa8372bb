//! Why a login was refused, and what to answer.

use http::HeaderValue;

use super::algorithm::Algorithm;

/// A login that was refused. Its text is for the operator: it holds nothing that the sender sent.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct LoginRefused {
    fault: Fault,
    challenges: Vec<HeaderValue>,
}

impl LoginRefused {
    pub(super) fn new(fault: Fault, challenges: Vec<HeaderValue>) -> Self {
        Self { fault, challenges }
    }

    /// What kind of refusal: 400 for [`Kind::Ambiguous`], 401 for all others.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.fault.kind()
    }

    /// Whether Digest's `uri` is another target: what a proxy does that rewrites it.
    pub(crate) fn is_of_another_target(&self) -> bool {
        matches!(self.fault, Fault::Uri)
    }

    /// The reason as a stable word for logs, metrics and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// The values of `WWW-Authenticate`, the strongest first, each a field of its own; none where the answer is 400.
    #[must_use]
    pub fn challenges(&self) -> &[HeaderValue] {
        &self.challenges
    }

    /// Takes the values of `WWW-Authenticate` out.
    #[must_use]
    pub fn into_challenges(self) -> Vec<HeaderValue> {
        self.challenges
    }
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No failure: nothing was offered yet, or all is right but the nonce is too old. The next request counts.
    Challenge,
    /// Something was offered, and it does not open.
    Failed,
    /// What was offered cannot be read.
    Malformed,
    /// More than one thing was offered: neither is tried.
    Ambiguous,
}

/// Why a login was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("no credentials yet: the sender was asked for them")]
    NoCredentials,
    #[error("more than one `Authorization` header: neither is tried")]
    Repeated,
    #[error("`Authorization` cannot be read: {0}")]
    Malformed(&'static str),
    #[error("`Authorization` has a scheme that this source does not ask for")]
    Scheme,
    #[error("the user name is not the configured one")]
    User,
    #[error("the user name is right, the password is wrong")]
    Password,
    #[error("the Digest algorithm is not one that was offered{}", if *.md5_refused { ": MD5 is turned off for this source" } else { "" })]
    Algorithm {
        /// Whether it is one that we know, and this source does without.
        md5_refused: bool,
    },
    #[error("the Digest quality of protection is not `auth`, which is all that was offered")]
    Qop,
    #[error("Digest with a hashed user name, which was not offered")]
    UserHash,
    #[error("the Digest realm is not this source's name")]
    Realm,
    #[error(
        "the Digest `uri` is not the request's target: it was rewritten on the way, or is another request's"
    )]
    Uri,
    #[error("the Digest nonce was not made here{}", if *.proved { ", or before the last start; the password is right" } else { "" })]
    NonceForeign {
        /// Whether whoever made the response knows the password.
        proved: bool,
    },
    #[error("the Digest nonce has ended, all else is right: the sender was given a new one")]
    NonceEnded,
    #[error("the Digest nonce count was used before: the request is a repeat")]
    Replayed,
}

impl Fault {
    fn kind(self) -> Kind {
        match self {
            Self::NoCredentials | Self::NonceEnded => Kind::Challenge,
            Self::Repeated => Kind::Ambiguous,
            Self::Malformed(_) => Kind::Malformed,
            Self::Scheme
            | Self::User
            | Self::Password
            | Self::Algorithm { .. }
            | Self::Qop
            | Self::UserHash
            | Self::Realm
            | Self::Uri
            | Self::NonceForeign { .. }
            | Self::Replayed => Kind::Failed,
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::NoCredentials => "auth.challenge",
            Self::Repeated => "auth.ambiguous",
            Self::Malformed(_) => "auth.malformed",
            Self::Scheme | Self::User | Self::Password => "auth.failed",
            Self::Algorithm { .. } => "auth.digest_algorithm",
            Self::Qop => "auth.digest_qop",
            Self::UserHash => "auth.digest_userhash",
            Self::Realm => "auth.digest_realm",
            Self::Uri => "auth.digest_uri",
            Self::NonceForeign { .. } => "auth.digest_nonce",
            Self::NonceEnded => "auth.digest_stale",
            Self::Replayed => "auth.digest_replay",
        }
    }

    /// Whether the response proves the password, and only the nonce is in the way: `stale=true`, so that the sender
    /// asks again instead of giving up (RFC 7616 section 3.3).
    pub(super) fn is_stale(self) -> bool {
        matches!(self, Self::NonceForeign { proved: true } | Self::NonceEnded | Self::Replayed)
    }

    /// A Digest algorithm that was not offered.
    pub(super) fn algorithm(named: Option<Algorithm>) -> Self {
        Self::Algorithm { md5_refused: named == Some(Algorithm::Md5) }
    }
}
