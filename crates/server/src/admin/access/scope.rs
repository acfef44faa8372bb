//! What a token may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a token may do: read what happened; also replay, retry, cancel, pause; also manage tokens and see the
/// configuration; read the metrics and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read events, refusals, deliveries, and how the server is.
    Read,
    /// Change what is delivered: replay, retry, cancel, pause.
    Write,
    /// Manage tokens, see and check the configuration, sign as a provider would.
    Admin,
    /// Read `/metrics`.
    Metrics,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Admin, Self::Metrics];

    /// The scope as a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Metrics => "metrics",
        }
    }

    /// Whether who has this scope may do what asks for `wanted`.
    fn covers(self, wanted: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Write => matches!(wanted, Self::Write | Self::Read),
            Self::Read | Self::Metrics => self == wanted,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(ScopeError)
    }
}

/// A word that is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is read, write, admin or metrics")]
pub struct ScopeError;

/// The scopes of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Scopes(Vec<Scope>);

impl Scopes {
    /// Each of these once.
    pub(crate) fn new(mut scopes: Vec<Scope>) -> Self {
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }

    /// All that there is to do.
    pub(crate) fn everything() -> Self {
        Self(vec![Scope::Admin])
    }

    /// Whether they let their owner do what asks for `wanted`.
    pub(crate) fn cover(&self, wanted: Scope) -> bool {
        self.0.iter().any(|scope| scope.covers(wanted))
    }

    /// The scopes, in order.
    pub(crate) fn list(&self) -> &[Scope] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who may do what, as a table.
    #[test]
    fn the_table_of_scopes() {
        let mut table = String::new();
        for own in Scope::ALL {
            let may: Vec<_> =
                Scope::ALL.into_iter().filter(|wanted| own.covers(*wanted)).map(Scope::as_str).collect();
            table += &format!("{own}: {}\n", may.join(" "));
        }
        insta::assert_snapshot!(table, @r"
        read: read
        write: read write
        admin: read write admin metrics
        metrics: metrics
        ");
        assert!(!Scopes::new(vec![]).cover(Scope::Read));
        assert_eq!(
            Scopes::new(vec![Scope::Write, Scope::Read, Scope::Write]).list(),
            [Scope::Read, Scope::Write]
        );
    }
}
