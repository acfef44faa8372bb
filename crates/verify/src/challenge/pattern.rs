//! What a token looks like, and the proof that one does.

use std::borrow::Cow;

/// What a token looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// A random UUID (RFC 9562 version 4), in either case.
    Uuid4,
    /// `[A-Za-z0-9_-]{1,64}`.
    Word,
    /// `[A-Za-z0-9._~-]{1,256}`: RFC 3986's unreserved characters, which mean nothing anywhere.
    Unreserved,
}

/// A text that a stranger chose, of a form in which it is harmless. Only [`Pattern::parse`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a>(Cow<'a, str>);

impl Pattern {
    /// The token, if the text is one.
    #[must_use]
    pub fn parse<'a>(self, text: impl Into<Cow<'a, str>>) -> Option<Token<'a>> {
        let text = text.into();
        let fits = match self {
            Self::Uuid4 => is_uuid4(text.as_bytes()),
            Self::Word => (1..=64).contains(&text.len()) && text.bytes().all(is_word),
            Self::Unreserved => {
                (1..=256).contains(&text.len())
                    && text.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'~'))
            }
        };
        fits.then_some(Token(text))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_uuid4(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => byte.is_ascii_hexdigit(),
        })
}

impl Token<'_> {
    /// The token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Pattern; 3] = [Pattern::Uuid4, Pattern::Word, Pattern::Unreserved];

    #[test]
    fn each_pattern_takes_its_own() {
        let taken = |pattern: Pattern, text: &str| pattern.parse(text.to_owned()).is_some();
        for uuid in ["890e4665-4dfe-4ab1-b689-ed553bceeed0", "890E4665-4DFE-4AB1-8689-ED553BCEEED0"] {
            assert!(ALL.iter().all(|pattern| taken(*pattern, uuid)), "{uuid}");
        }
        for other in [
            "890e4665-4dfe-1ab1-b689-ed553bceeed0",
            "890e4665-4dfe-4ab1-c689-ed553bceeed0",
            "890e4665-4dfe-4ab1-b689-ed553bceeed",
            "890e4665-4dfe-4ab1-b689-ed553bceeed00",
            "890e4665_4dfe-4ab1-b689-ed553bceeed0",
            "890e4665-4dfe-4ab1-b689_ed553bceeed0",
            "g90e4665-4dfe-4ab1-b689-ed553bceeed0",
        ] {
            assert!(!taken(Pattern::Uuid4, other), "{other}");
        }
        let (word, unreserved) = ("a_-9".repeat(16), "a.~9".repeat(64));
        assert!(taken(Pattern::Word, &word) && taken(Pattern::Unreserved, &unreserved));
        assert!(!taken(Pattern::Word, &format!("{word}a")) && !taken(Pattern::Word, "a.b"));
        assert!(!taken(Pattern::Unreserved, &format!("{unreserved}a")));
        assert!(ALL.iter().all(|pattern| !taken(*pattern, "")));
    }

    const MEANINGFUL: [char; 12] = ['{', '}', '"', '\\', ':', '=', '&', '<', '>', '%', ' ', '\''];

    proptest! {
        /// What would make a token an event, a signed string, another parameter or a page.
        #[test]
        fn no_token_means_anything(text in "[a-zA-Z0-9._~-]{0,40}[ -,/:-@\\[-`{|}\\PC]?[a-zA-Z0-9._~-]{0,4}") {
            for pattern in ALL {
                if let Some(token) = pattern.parse(text.as_str()) {
                    let means_something = token.as_str().contains(MEANINGFUL);
                    prop_assert!(!means_something, "{token:?}");
                    prop_assert!(token.as_str().is_ascii() && !token.as_str().is_empty());
                }
            }
        }
    }
}
