//! A sentence in which names of settings stand between backticks, as the log and the API have it.

use askama::Template;
use askama::filters::HtmlSafe;

/// A sentence, its names set as code.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "part/prose.html")]
pub(super) struct Prose {
    pieces: Vec<(bool, String)>,
}

/// Its own template escapes it.
impl HtmlSafe for Prose {}

impl Prose {
    pub(super) fn new(sentence: &str) -> Self {
        // An odd one out stays what it is.
        let marks = sentence.matches('`').count() / 2 * 2;
        let pieces = sentence.splitn(marks + 1, '`').enumerate();
        let pieces = pieces.map(|(place, piece)| (place % 2 == 1, piece.to_owned()));
        Self { pieces: pieces.filter(|(_, piece)| !piece.is_empty()).collect() }
    }
}

impl<T: AsRef<str>> From<T> for Prose {
    fn from(sentence: T) -> Self {
        Self::new(sentence.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code_and_everything_is_escaped() {
        for (sentence, html) in [
            ("set `a` or <b>", "<bdi>set <code>a</code> or &#60;b&#62;</bdi>"),
            ("`<i>`", "<bdi><code>&#60;i&#62;</code></bdi>"),
            ("one ` alone", "<bdi>one ` alone</bdi>"),
            ("`a` b ` c", "<bdi><code>a</code> b ` c</bdi>"),
            ("``", "<bdi></bdi>"),
            ("", "<bdi></bdi>"),
        ] {
            assert_eq!(Prose::new(sentence).to_string().trim(), html, "{sentence}");
        }
    }
}
