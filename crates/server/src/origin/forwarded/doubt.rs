//! Why a forwarding header was not believed.

use std::net::IpAddr;

use super::MOST_HOPS;

/// The most characters of a header that are repeated to the operator.
const EXCERPT: usize = 64;

/// Why a forwarding header was not believed. Says what stood there where that helps, in printable ASCII and not much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Doubt {
    /// The peer may not speak for others.
    #[error("`{header}` was ignored: {peer} is on no network of `trusted_proxies` in [server]")]
    UntrustedPeer {
        /// The first such header.
        header: &'static str,
        /// Who sent it.
        peer: IpAddr,
    },
    /// A byte that is not printable ASCII.
    #[error("`{header}` has a byte that is not printable ASCII")]
    Unprintable {
        /// The header.
        header: &'static str,
    },
    /// There, with nothing in it.
    #[error("`{header}` is empty")]
    Empty {
        /// The header.
        header: &'static str,
    },
    /// Not of the form that the header has.
    #[error("`{header}` is malformed at `{at}`")]
    Malformed {
        /// The header.
        header: &'static str,
        /// What stands there.
        at: String,
    },
    /// More hops than anybody has.
    #[error("`{header}` has more than {MOST_HOPS} hops")]
    TooManyHops {
        /// The header.
        header: &'static str,
    },
    /// `unknown`, an obfuscated name, or no `for` at all.
    #[error("`{header}` hides the address that a trusted proxy was called from")]
    AddressHidden {
        /// The header.
        header: &'static str,
    },
    /// The two headers lead to two clients.
    #[error(
        "`forwarded` leads to {forwarded} and `x-forwarded-for` to {x_forwarded_for}: the proxy should set both, or \
         remove the one that it does not set"
    )]
    ClientsDiffer {
        /// The client of the one.
        forwarded: IpAddr,
        /// The client of the other.
        x_forwarded_for: IpAddr,
    },
    /// Two headers, or two parts of one, name different things that were called.
    #[error("the forwarding headers name two different values for the {what} that was called")]
    CalledTwice {
        /// The host, the port or the scheme.
        what: &'static str,
    },
    /// A list that cannot be matched with the hops.
    #[error("`{header}` has several values, and which is that of the client's request cannot be told")]
    Ambiguous {
        /// The header.
        header: &'static str,
    },
}

impl Doubt {
    pub(super) fn malformed(header: &'static str, at: &str) -> Self {
        // A tab may stand in a header, and is the only character there that is no printable ASCII.
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        Self::Malformed { header, at: at.chars().take(EXCERPT).map(printable).collect() }
    }

    /// The reason as a stable word.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UntrustedPeer { .. } => "proxy.untrusted_header",
            _ => "proxy.header_invalid",
        }
    }
}
