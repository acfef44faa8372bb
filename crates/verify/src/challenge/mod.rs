//! Challenges: what a provider asks an endpoint before it sends events there, and the answer.
//!
//! A provider's challenge is data beside its scheme in the [`catalogue`](crate::catalogue). X's, which is signed and
//! carries a time, has code of its own ([`x`](crate::x)).
//!
//! # Why an answer is no signing oracle, and no page
//!
//! Whoever answers says, or signs, what a stranger chose. So only a [`Token`] is ever answered, and only a [`Pattern`]
//! makes one: no pattern has a `{`, a `:`, a `=` or a `<` in it. Where the answer is a MAC under the key of the events,
//! an event's body must be a JSON object, and so has a `{`: no token is the message of an event, whatever stands before
//! the body in it. Where the provider signs the challenge, it is verified before anything else is looked at.
//!
//! # Not supported
//!
//! Challenges in headers, answers in headers, challenges without a secret behind the events (Microsoft Graph), and
//! those that are answered with a plain hash (eBay).

mod pattern;
mod responder;

pub use self::pattern::{Pattern, Token};
pub(crate) use self::responder::Responder;

/// How a provider asks, and what it wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// How it is asked.
    pub asked: Asked,
    /// What a token looks like.
    pub token: Pattern,
    /// What is answered.
    pub answer: Answer,
}

/// How a challenge is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// By a `GET`, with the token in the query.
    Query {
        /// The parameter with the token.
        token: &'static str,
        /// The parameter that must say the verify token, a secret which the provider was told; it is there where the
        /// provider has one.
        confirm: Option<&'static str>,
    },
    /// By a `POST` that says so in its JSON.
    Body {
        /// Where it says so, by the keys on the way with dots between them.
        at: &'static str,
        /// What it says there.
        says: &'static str,
        /// Where the token may stand.
        token: &'static [&'static str],
        /// Whether it is signed as an event is.
        signed: bool,
    },
}

/// What a challenge is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The token, as plain text.
    Echo,
    /// A JSON object with the hex HMAC-SHA256 of the token, under the key of the events.
    Mac {
        /// The key of the token in it, where it is wanted back.
        token: Option<&'static str>,
        /// The key of the MAC in it.
        mac: &'static str,
    },
}

impl Challenge {
    /// Whether the answer is made with the key that events are verified with.
    #[must_use]
    pub fn signs(&self) -> bool {
        matches!(self.answer, Answer::Mac { .. })
    }

    /// Whether the provider was told a verify token, which it says.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        matches!(self.asked, Asked::Query { confirm: Some(_), .. })
    }

    /// The methods that the provider uses.
    #[must_use]
    pub fn methods(&self) -> &'static [&'static str] {
        match self.asked {
            Asked::Query { .. } => &["GET", "POST"],
            Asked::Body { .. } => &["POST"],
        }
    }
}
