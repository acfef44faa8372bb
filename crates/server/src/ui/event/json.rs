//! JSON, laid out with its tokens as they came: no number is rounded, no key is moved, nothing is read twice.

use serde::de::IgnoredAny;

/// A piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Token {
    /// `key`, `text`, `number`, `word`; empty for what stands between.
    pub(in crate::ui) kind: &'static str,
    pub(in crate::ui) text: String,
}

/// Why it is no JSON.
pub(super) fn problem(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<IgnoredAny>(body).err().map(|error| error.to_string())
}

/// Deeper than this, a level is no longer indented: ten thousand brackets are no wall of spaces.
const DEEPEST: usize = 40;

/// The pieces of a text that is JSON.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut out = Layout::default();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string(rest),
            '{' | '[' | '}' | ']' | ',' | ':' => 1,
            _ => rest.find(|c: char| "{}[],:\"".contains(c) || c.is_ascii_whitespace()).unwrap_or(rest.len()),
        };
        let (token, tail) = rest.split_at_checked(length.max(first.len_utf8())).unwrap_or((rest, ""));
        rest = tail.trim_start_matches([' ', '\t', '\n', '\r']);
        out.add(token, rest);
    }
    out.tokens
}

/// How long the string is that the text begins with, quotes and all.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

#[derive(Debug, Default)]
struct Layout {
    tokens: Vec<Token>,
    depth: usize,
    /// An opening bracket was the last: a closing one stays beside it.
    open: bool,
}

impl Layout {
    fn add(&mut self, token: &str, rest: &str) {
        match token {
            "{" | "[" => {
                self.plain(token);
                self.depth += 1;
                self.open = !rest.starts_with(['}', ']']);
                if self.open {
                    self.line();
                }
            }
            "}" | "]" => {
                self.depth = self.depth.saturating_sub(1);
                if self.tokens.last().is_none_or(|last| !last.text.ends_with(['{', '['])) {
                    self.line();
                }
                self.plain(token);
            }
            "," => {
                self.plain(token);
                self.line();
            }
            ":" => self.plain(": "),
            _ => {
                let kind = match token.bytes().next() {
                    Some(b'"') if rest.starts_with(':') => "key",
                    Some(b'"') => "text",
                    Some(b'-' | b'0'..=b'9') => "number",
                    _ => "word",
                };
                self.tokens.push(Token { kind, text: token.to_owned() });
            }
        }
    }

    fn line(&mut self) {
        let indent = "  ".repeat(self.depth.min(DEEPEST));
        self.plain(&format!("\n{indent}"));
    }

    fn plain(&mut self, text: &str) {
        match self.tokens.last_mut() {
            Some(last) if last.kind.is_empty() => last.text.push_str(text),
            _ => self.tokens.push(Token { kind: "", text: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(text: &str) -> String {
        assert_eq!(problem(text.as_bytes()), None, "{text}");
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn json_is_laid_out_with_its_tokens_as_they_came() {
        let text = r#" {"id":2080761269309813134000 , "e":[], "o":{ }, "t":"a\"{,}<\u0041", "n":[1e400,{"x":null}]} "#;
        insta::assert_snapshot!(laid_out(text), @r#"
        {
          "id": 2080761269309813134000,
          "e": [],
          "o": {},
          "t": "a\"{,}<\u0041",
          "n": [
            1e400,
            {
              "x": null
            }
          ]
        }
        "#);
        let kinds: Vec<_> = tokens(r#"{"a":["b",-1,true]}"#).into_iter().map(|token| token.kind).collect();
        assert_eq!(kinds, ["", "key", "", "text", "", "number", "", "word", ""]);
    }

    #[test]
    fn ten_thousand_brackets_are_laid_out() {
        let text = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let laid_out = laid_out(&text);
        assert!(laid_out.len() < 2_000_000);
        assert_eq!(laid_out.split_whitespace().collect::<String>(), text);
    }
}
