//! X's identifiers: numbers beyond 2^53, and therefore texts.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

/// A text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(&'static str);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $check:ident, $wrong:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if $check(text) { Ok(Self(text.to_owned())) } else { Err(IdError($wrong)) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Text)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

id! {
    /// A registered webhook.
    WebhookId, is_number, "an id of a webhook is 1 to 19 digits"
}

id! {
    /// An account.
    UserId, is_number, "an id of a user is 1 to 19 digits"
}

id! {
    /// A subscription of the X Activity API. X documents no form for it.
    SubscriptionId, is_opaque, "an id of a subscription is up to 128 letters, digits, `-` and `_`"
}

id! {
    /// A replay job. X documents no form for it.
    JobId, is_opaque, "an id of a job is up to 128 letters, digits, `-` and `_`"
}

/// `^[0-9]{1,19}$`, as X's OpenAPI document has it.
fn is_number(text: &str) -> bool {
    (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_opaque(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// An id in an answer: a string by the documents, and a number where somebody forgot.
pub(crate) struct Text;

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_every_digit() {
        for text in ["1", "1999999999999999999", "0007"] {
            assert_eq!(text.parse::<WebhookId>().unwrap().as_str(), text);
            assert_eq!(serde_json::from_str::<WebhookId>(&format!("\"{text}\"")).unwrap().as_str(), text);
        }
        assert_eq!(serde_json::from_str::<UserId>("9007199254740993").unwrap().as_str(), "9007199254740993");
        assert_eq!(serde_json::to_string(&"12".parse::<UserId>().unwrap()).unwrap(), "\"12\"");
    }

    #[test]
    fn what_could_change_a_path_is_no_id() {
        for text in ["", "1/2", "..", "1?a", "12345678901234567890", "-1", "1 ", "١"] {
            assert!(text.parse::<WebhookId>().is_err(), "{text}");
        }
        for text in ["", "a/b", "..", "a?b", "a b", "a,b"] {
            assert!(text.parse::<SubscriptionId>().is_err(), "{text}");
        }
        for json in ["null", "1.5", "-4", "{}", "\"1/2\""] {
            assert!(serde_json::from_str::<WebhookId>(json).is_err(), "{json}");
        }
    }
}
