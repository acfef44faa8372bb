//! Names that operators give, parsed once.
//!
//! A name becomes a URL segment, a metric label, a file name and a NATS subject token, so it is lower-case letters,
//! digits, `-` and `_`, begins with a letter or digit, and is at most 63 bytes long.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(Arc::from(text)))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                Self::from(&*name.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name! {
    /// One ingress endpoint: a path, a provider, its secrets.
    SourceName
}
name! {
    /// Where events go.
    DestinationName
}

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The empty string.
    #[error("a name must not be empty")]
    Empty,
    /// More than 63 bytes.
    #[error("a name has at most 63 characters, this one has {0}")]
    TooLong(usize),
    /// The first character.
    #[error("a name begins with a letter or a digit")]
    Start,
    /// Any other character.
    #[error("a name is made of a-z, 0-9, `-` and `_`; `{0}` is none of them")]
    Character(char),
}

fn check(text: &str) -> Result<(), NameError> {
    let first = text.chars().next().ok_or(NameError::Empty)?;
    if text.len() > 63 {
        return Err(NameError::TooLong(text.len()));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if let Some(other) = text.chars().find(|c| !plain(*c) && *c != '-' && *c != '_') {
        return Err(NameError::Character(other));
    }
    if plain(first) { Ok(()) } else { Err(NameError::Start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_wherever_it_ends_up() {
        for good in ["x", "x-prod", "0", "a_b-9"] {
            assert_eq!(good.parse::<SourceName>().unwrap().as_str(), good);
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "_a", "a.b", "a*", "a b", "A", "ä", "a/b", &long] {
            assert!(bad.parse::<SourceName>().is_err(), "{bad}");
        }
    }
}
