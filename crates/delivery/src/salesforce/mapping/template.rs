//! Texts with gaps: what a field of a record is made of.
//!
//! ```text
//! {name}          a value; nothing where there is none
//! {name|line}     on one line: every run of white space becomes one blank
//! {name|cut:200}  at most 200 characters, the last of them an ellipsis where something was left out
//! {{  }}          braces
//! ```
//!
//! Filters follow each other from left to right. That is all: what needs conditions or loops is a program's work. A
//! name that nobody knows is a mistake when the template is read, not a gap that stays empty for ever.

use std::borrow::Cow;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Gap { name: String, filters: Vec<Filter> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Line,
    Cut(usize),
}

/// The names that a template may use.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Each with its meaning fixed.
    pub fixed: &'a [&'a str],
    /// Whether `body.a.b.0` is one too, for any path.
    pub body: bool,
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// The byte that it begins at.
    pub at: usize,
    /// How many bytes are wrong.
    pub length: usize,
    /// What is wrong, in words.
    pub message: String,
    /// The word that is not known, where that is what is wrong.
    pub unknown: Option<String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str, names: &Names<'_>) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.char_indices().peekable();
        while let Some((at, char)) = rest.next() {
            let doubled = rest.peek().is_some_and(|(_, next)| *next == char);
            match char {
                '{' | '}' if doubled => {
                    rest.next();
                    plain.push(char);
                }
                '{' => {
                    let inside = text.get(at + 1..).unwrap_or_default();
                    let end = inside.find(['}', '{']).filter(|end| inside.get(*end..=*end) == Some("}"));
                    let Some(end) = end else {
                        return Err(mistake(at, 1, "this `{` is not closed; a brace itself is written `{{`"));
                    };
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(gap(inside.get(..end).unwrap_or_default(), at + 1, names)?);
                    while rest.next_if(|(next, _)| *next <= at + 1 + end).is_some() {}
                }
                '}' => return Err(mistake(at, 1, "nothing was opened here; a brace itself is written `}}`")),
                char => plain.push(char),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The text with its gaps filled.
    pub fn render(&self, value: &dyn Fn(&str) -> Option<String>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Gap { name, filters } => {
                    let value = value(name).unwrap_or_default();
                    text.push_str(&filters.iter().fold(value, |value, filter| filter.apply(value)));
                }
            }
        }
        text
    }
}

impl Filter {
    fn apply(self, value: String) -> String {
        match self {
            Self::Line => value.split_whitespace().collect::<Vec<_>>().join(" "),
            Self::Cut(most) => cut(&value, most).into_owned(),
        }
    }
}

/// A text of at most so many characters; what is left out is marked by an ellipsis.
///
/// Characters are counted as Java does, in UTF-16 units: what the other side counts by is not written down, and a text
/// that fits by this count fits by the other one as well.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    // A byte in UTF-8 is never more than one unit.
    if text.len() <= most || text.chars().map(char::len_utf16).sum::<usize>() <= most {
        return Cow::Borrowed(text);
    }
    let (mut units, mut end) = (0, 0);
    for (at, char) in text.char_indices() {
        units += char.len_utf16();
        if units >= most {
            break;
        }
        end = at + char.len_utf8();
    }
    let kept = text.get(..end).unwrap_or_default().trim_end();
    Cow::Owned(if most == 0 { String::new() } else { format!("{kept}…") })
}

/// What stands between two braces; `at` is where it begins.
fn gap(inside: &str, at: usize, names: &Names<'_>) -> Result<Part, TemplateError> {
    let mut pieces = inside.split('|');
    let written = pieces.next().unwrap_or_default();
    let name = written.trim();
    let place = at + (written.len() - written.trim_start().len());
    if name.is_empty() {
        return Err(mistake(at - 1, inside.len() + 2, "there is no name between the braces"));
    }
    let is_path = |name: &str| {
        name.strip_prefix("body.").is_some_and(|path| {
            let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            path.split('.').all(|key| !key.is_empty() && key.bytes().all(word))
        })
    };
    let known = names.fixed.contains(&name) || (names.body && is_path(name));
    if !known {
        let unknown = Some(name.to_owned());
        return Err(TemplateError { unknown, ..mistake(place, name.len(), &format!("`{name}` is unknown")) });
    }
    let mut place = at + written.len() + 1;
    let mut filters = Vec::new();
    for piece in pieces {
        filters.push(filter(piece, place)?);
        place += piece.len() + 1;
    }
    Ok(Part::Gap { name: name.to_owned(), filters })
}

fn filter(piece: &str, at: usize) -> Result<Filter, TemplateError> {
    let (word, argument) = match piece.split_once(':') {
        Some((word, argument)) => (word.trim(), Some(argument.trim())),
        None => (piece.trim(), None),
    };
    match (word, argument.map(str::parse)) {
        ("line", None) => Ok(Filter::Line),
        ("cut", Some(Ok(most))) if most > 0 => Ok(Filter::Cut(most)),
        ("cut", _) => Err(mistake(at, piece.len(), "`cut` wants a number of characters: `cut:200`")),
        ("line", Some(_)) => Err(mistake(at, piece.len(), "`line` takes nothing behind it")),
        _ => Err(mistake(at, piece.len(), "the filters are `line` and `cut:NUMBER`")),
    }
}

fn mistake(at: usize, length: usize, message: &str) -> TemplateError {
    TemplateError { at, length: length.max(1), message: message.to_owned(), unknown: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'_> = Names { fixed: &["text", "author.handle"], body: true };

    fn render(template: &str) -> String {
        let value = |name: &str| match name {
            "text" => Some("one\n two 💡💡".to_owned()),
            "body.a.0" => Some("seven".to_owned()),
            _ => None,
        };
        Template::parse(template, &NAMES).unwrap().render(&value)
    }

    #[test]
    fn gaps_are_filled_and_filters_follow_each_other() {
        for (template, expected) in [
            ("", ""),
            ("plain, é", "plain, é"),
            ("{text}", "one\n two 💡💡"),
            ("@{author.handle}: {text|line}", "@: one two 💡💡"),
            ("{text|line|cut:5}", "one…"),
            ("{ text | line | cut:9 }!", "one two…!"),
            ("{body.a.0}-{body.nothing}", "seven-"),
            ("{{text}} }}{{", "{text} }{"),
        ] {
            assert_eq!(render(template), expected, "{template}");
        }
    }

    #[test]
    fn each_mistake_has_its_place() {
        let place = |template: &str| {
            let error = Template::parse(template, &NAMES).unwrap_err();
            (template.get(error.at..error.at + error.length).unwrap().to_owned(), error.message)
        };
        for (template, at, words) in [
            ("a {text", "{", "not closed"),
            ("a {text {text}", "{", "not closed"),
            ("é } b", "}", "nothing was opened"),
            ("a {} b", "{}", "no name"),
            ("a { |cut:1}", "{ |cut:1}", "no name"),
            ("é { txt |line}", "txt", "`txt` is unknown"),
            ("{body.}", "body.", "unknown"),
            ("{body.a b}", "body.a b", "unknown"),
            ("{text|upper}", "upper", "the filters are"),
            ("{text|line|cut}", "cut", "a number of characters"),
            ("{text|cut:0}", "cut:0", "a number of characters"),
            ("{text|cut:-1}", "cut:-1", "a number of characters"),
            ("{text|line:1}", "line:1", "nothing behind it"),
            ("{text|}", "}", "the filters are"),
        ] {
            let (found, message) = place(template);
            assert_eq!(found, at, "{template}");
            assert!(message.contains(words), "{template}: {message}");
        }
    }

    #[test]
    fn a_cut_text_fits_and_no_character_is_torn() {
        for (text, most, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("ab d", 4, "ab d"),
            ("ab def", 4, "ab…"),
            ("äöüß", 4, "äöüß"),
            ("äöüßx", 4, "äöü…"),
            ("💡💡", 4, "💡💡"),
            ("💡💡x", 4, "💡…"),
            ("💡💡", 3, "💡…"),
            ("💡", 1, "…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            let found = cut(text, most);
            assert_eq!(found, expected, "{text} {most}");
            assert!(found.encode_utf16().count() <= most);
        }
    }
}
