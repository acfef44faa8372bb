//! A JSON document, written in the ways that the usual libraries write it.
//!
//! Whatever parsed a body on its way and wrote it anew changed blanks, the order of keys and escapes; numbers and texts
//! stay what they were. So a document is taken apart without evaluating anything, and put together in another layout.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::de::IgnoredAny;

/// A longer document is not taken apart.
const LONGEST: usize = 1 << 20;

/// As deep as a document may be.
const DEEPEST: usize = 64;

/// As many values as it may have.
const MOST_NODES: usize = 100_000;

/// A document, in pieces of its own text.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// A number, or a word.
    Scalar(&'a str),
    /// A text, in its quotes.
    Text(&'a str),
    List(Vec<Self>),
    Map(Vec<(&'a str, Self)>),
}

/// How a document is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    comma: &'static str,
    colon: &'static str,
    /// What a level is indented by, where each value has a line of its own.
    indent: Option<&'static str>,
    is_sorted: bool,
    texts: Texts,
}

/// How texts are escaped.
#[derive(Debug, Clone, Copy)]
enum Texts {
    AsTheyAre,
    /// `\/`, as PHP writes it.
    EscapedSlashes,
    /// `\u00e9`, as Python writes it.
    Ascii,
    /// Both, which is PHP's way without flags.
    AsciiAndSlashes,
    /// `\u003c` for `<`, `>` and `&`, as Go writes it.
    EscapedHtml,
    /// Without any escape that is not needed.
    Plain,
}

const COMPACT: Layout =
    Layout { comma: ",", colon: ":", indent: None, is_sorted: false, texts: Texts::AsTheyAre };
const SPACED: Layout = Layout { comma: ", ", colon: ": ", ..COMPACT };
const INDENTED: Layout = Layout { colon: ": ", indent: Some("  "), ..COMPACT };

/// The layouts, in words, the likeliest first.
pub(super) const LAYOUTS: [(&str, Layout); 18] = [
    ("without blanks", COMPACT),
    ("with a blank after each comma and colon", SPACED),
    ("indented by two blanks", INDENTED),
    ("indented by four blanks", Layout { indent: Some("    "), ..INDENTED }),
    ("indented by tabs", Layout { indent: Some("\t"), ..INDENTED }),
    ("with sorted keys", Layout { is_sorted: true, ..COMPACT }),
    ("with sorted keys and blanks", Layout { is_sorted: true, ..SPACED }),
    ("with sorted keys, indented", Layout { is_sorted: true, ..INDENTED }),
    ("with `\\/` for slashes", Layout { texts: Texts::EscapedSlashes, ..COMPACT }),
    ("with `\\u` escapes", Layout { texts: Texts::Ascii, ..COMPACT }),
    ("with `\\u` escapes and `\\/` for slashes", Layout { texts: Texts::AsciiAndSlashes, ..COMPACT }),
    ("with `\\u` escapes for `<`, `>` and `&`", Layout { texts: Texts::EscapedHtml, ..COMPACT }),
    ("without needless escapes", Layout { texts: Texts::Plain, ..COMPACT }),
    ("with blanks and `\\u` escapes", Layout { texts: Texts::Ascii, ..SPACED }),
    ("with blanks, without needless escapes", Layout { texts: Texts::Plain, ..SPACED }),
    ("with blanks and `\\/` for slashes", Layout { texts: Texts::EscapedSlashes, ..SPACED }),
    ("with sorted keys and `\\u` escapes", Layout { is_sorted: true, texts: Texts::Ascii, ..COMPACT }),
    ("indented, without needless escapes", Layout { texts: Texts::Plain, ..INDENTED }),
];

/// Takes a document apart; `None` where it is none, or too large to try.
pub(super) fn parse(body: &[u8]) -> Option<Node<'_>> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= LONGEST)?;
    let text = text.trim_start_matches('\u{feff}');
    // What follows reads valid JSON alone.
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut reader = Reader { rest: text, nodes_left: MOST_NODES };
    reader.node(0)
}

impl Layout {
    /// Writes a document.
    pub(super) fn write(&self, node: &Node<'_>) -> Vec<u8> {
        let mut out = String::new();
        self.node(node, 0, &mut out);
        out.into_bytes()
    }

    fn node(&self, node: &Node<'_>, depth: usize, out: &mut String) {
        match node {
            Node::Scalar(text) => out.push_str(text),
            Node::Text(text) => out.push_str(&self.texts.write(text)),
            Node::List(items) => self.all('[', ']', items, depth, out, |item, out| {
                self.node(item, depth + 1, out);
            }),
            Node::Map(pairs) => {
                let mut pairs: Vec<&(&str, Node<'_>)> = pairs.iter().collect();
                if self.is_sorted {
                    pairs.sort_by_key(|(key, _)| *key);
                }
                self.all('{', '}', &pairs, depth, out, |(key, value), out| {
                    out.push_str(&self.texts.write(key));
                    out.push_str(self.colon);
                    self.node(value, depth + 1, out);
                });
            }
        }
    }

    fn all<T>(
        &self,
        open: char,
        close: char,
        items: &[T],
        depth: usize,
        out: &mut String,
        mut write: impl FnMut(&T, &mut String),
    ) {
        out.push(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(self.comma);
            }
            self.line(depth + 1, out);
            write(item, out);
        }
        if !items.is_empty() {
            self.line(depth, out);
        }
        out.push(close);
    }

    fn line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = self.indent {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str(indent));
        }
    }
}

impl Texts {
    /// A text in its quotes, escaped this way.
    fn write(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::AsTheyAre => Cow::Borrowed(text),
            Self::EscapedSlashes => Cow::Owned(escape(&plain(text), false, true, false)),
            Self::Ascii => Cow::Owned(escape(&plain(text), true, false, false)),
            Self::AsciiAndSlashes => Cow::Owned(escape(&plain(text), true, true, false)),
            Self::EscapedHtml => Cow::Owned(escape(&plain(text), false, false, true)),
            Self::Plain => Cow::Owned(plain(text)),
        }
    }
}

/// The text without the escapes that JSON does not demand.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (character, length) = match escape.as_bytes().get(1) {
            Some(b'/') => (Some('/'), 2),
            Some(b'u') => unicode(escape),
            _ => (None, 2),
        };
        let (escape, tail) = escape.split_at_checked(length).unwrap_or((escape, ""));
        match character.filter(|c| *c >= ' ' && !matches!(c, '"' | '\\' | '\u{7f}')) {
            Some(character) => out.push(character),
            None => out.push_str(escape),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The character of a `\u` escape or of a pair of them, and how long that is.
fn unicode(escape: &str) -> (Option<char>, usize) {
    let unit = |from: usize| {
        let digits = escape.get(from..from + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(0) else { return (None, 2) };
    match char::decode_utf16([first]).next() {
        Some(Ok(character)) => (Some(character), 6),
        _ => match unit(6).and_then(|second| char::decode_utf16([first, second]).next()) {
            Some(Ok(character)) => (Some(character), 12),
            _ => (None, 6),
        },
    }
}

fn escape(text: &str, ascii: bool, slashes: bool, html: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '/' if slashes => out.push_str("\\/"),
            '<' | '>' | '&' if html => units(c, &mut out),
            c if ascii && !c.is_ascii() => units(c, &mut out),
            c => out.push(c),
        }
    }
    out
}

fn units(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// Reads a text that is known to be JSON.
struct Reader<'a> {
    rest: &'a str,
    nodes_left: usize,
}

impl<'a> Reader<'a> {
    fn node(&mut self, depth: usize) -> Option<Node<'a>> {
        self.nodes_left = self.nodes_left.checked_sub(1)?;
        if depth > DEEPEST {
            return None;
        }
        self.blanks();
        match self.rest.as_bytes().first()? {
            b'{' => self
                .all('}', |reader| {
                    let Node::Text(key) = reader.text()? else { return None };
                    reader.blanks();
                    reader.skip(':')?;
                    Some((key, reader.node(depth + 1)?))
                })
                .map(Node::Map),
            b'[' => self.all(']', |reader| reader.node(depth + 1)).map(Node::List),
            b'"' => self.text(),
            _ => {
                let end = self.rest.find([',', ']', '}', ' ', '\t', '\n', '\r']);
                self.take(end.unwrap_or(self.rest.len())).map(Node::Scalar)
            }
        }
    }

    fn all<T>(&mut self, close: char, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.take(1)?;
        let mut items = Vec::new();
        loop {
            self.blanks();
            if self.skip(close).is_some() {
                return Some(items);
            }
            if !items.is_empty() {
                self.skip(',')?;
                self.blanks();
            }
            items.push(item(self)?);
        }
    }

    fn text(&mut self) -> Option<Node<'a>> {
        let bytes = self.rest.as_bytes();
        let mut at = 1;
        while *bytes.get(at)? != b'"' {
            at += if *bytes.get(at)? == b'\\' { 2 } else { 1 };
        }
        self.take(at + 1).map(Node::Text)
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn skip(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(how: &str, text: &str) -> String {
        let (_, layout) = LAYOUTS.iter().find(|(name, _)| *name == how).unwrap();
        String::from_utf8(layout.write(&parse(text.as_bytes()).unwrap())).unwrap()
    }

    #[test]
    fn a_document_is_written_in_every_layout() {
        let text = "{ \"b\" : [1.0, -2e5,true ,[] , {}], \"a\":\"x\\/<\\u00e9>\\n\\\"é\\ud83d\\ude00\" }";
        for (how, expected) in [
            ("without blanks", r#"{"b":[1.0,-2e5,true,[],{}],"a":"x\/<\u00e9>\n\"é\ud83d\ude00"}"#),
            (
                "with a blank after each comma and colon",
                r#"{"b": [1.0, -2e5, true, [], {}], "a": "x\/<\u00e9>\n\"é\ud83d\ude00"}"#,
            ),
            ("with sorted keys", r#"{"a":"x\/<\u00e9>\n\"é\ud83d\ude00","b":[1.0,-2e5,true,[],{}]}"#),
            ("with `\\/` for slashes", r#"{"b":[1.0,-2e5,true,[],{}],"a":"x\/<é>\n\"é😀"}"#),
            ("with `\\u` escapes", r#"{"b":[1.0,-2e5,true,[],{}],"a":"x/<\u00e9>\n\"\u00e9\ud83d\ude00"}"#),
            (
                "with `\\u` escapes for `<`, `>` and `&`",
                r#"{"b":[1.0,-2e5,true,[],{}],"a":"x/\u003cé\u003e\n\"é😀"}"#,
            ),
            ("without needless escapes", r#"{"b":[1.0,-2e5,true,[],{}],"a":"x/<é>\n\"é😀"}"#),
        ] {
            assert_eq!(write(how, text), expected, "{how}");
        }
        let indented = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}";
        assert_eq!(write("indented by two blanks", r#"{"a":[1,{}],"b":[]}"#), indented);
        assert_eq!(write("without blanks", indented), r#"{"a":[1,{}],"b":[]}"#);
        assert_eq!(write("without blanks", "\u{feff} 1 "), "1");
        assert_eq!(
            write("without needless escapes", r#""\ud800\u0000\u0022\u005c""#),
            r#""\ud800\u0000\u0022\u005c""#
        );
    }

    #[test]
    fn what_is_no_document_is_not_taken_apart() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let wide = format!("[{}1]", "1,".repeat(MOST_NODES));
        let long = format!("\"{}\"", "x".repeat(LONGEST));
        for text in ["", "{", "{}}", "{a:1}", "nul", "\"", &deep, &wide, &long] {
            assert!(parse(text.as_bytes()).is_none(), "{}", &text[..text.len().min(40)]);
        }
        assert!(parse(b"\"\xff\"").is_none());
    }

    proptest! {
        #[test]
        fn every_layout_keeps_what_a_document_says(text in "\\PC{0,20}", key in "[a-z/<]{1,3}", number in any::<i64>()) {
            let value = serde_json::json!({ &key: [text, { "n": number }], "k": null });
            for document in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let node = parse(document.as_bytes()).unwrap();
                for (how, layout) in LAYOUTS {
                    let written: serde_json::Value = serde_json::from_slice(&layout.write(&node)).unwrap();
                    prop_assert_eq!(&written, &value, "{}", how);
                }
            }
        }

        #[test]
        fn nothing_panics(text in "[\\[\\]{}\",:\\\\u0-9a-e \u{e9}-]{0,40}") {
            if let Some(node) = parse(text.as_bytes()) {
                LAYOUTS.iter().for_each(|(_, layout)| drop(layout.write(&node)));
            }
        }
    }
}
