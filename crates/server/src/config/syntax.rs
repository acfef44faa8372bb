//! TOML that is not quite TOML: each mistake once, and as much of the rest as can be trusted.
//!
//! The parser recovers by itself from a mistake within a line. From a bracket or a quote that is never closed it does
//! not: the value swallows the rest of the file, and everything after it is reported as well. Such a value is taken
//! out, and the text is parsed again.

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Code, Diagnostic, Span};
use super::reader::entries;

/// How often a runaway value is taken out. Each time the text gets closer to TOML; a file that needs more is none.
const ROUNDS: usize = 32;

/// How many mistakes are reported; a file with more is something else than a configuration.
const MOST: usize = 50;

/// What is left of a text once its syntax has been looked at.
pub(super) struct Checked {
    /// The text without runaway values; what remains is where it was.
    pub(super) text: String,
    /// What is wrong.
    pub(super) found: Vec<Diagnostic>,
    /// Statements that are wrong: nothing else is to be said about them.
    pub(super) broken: Vec<Span>,
    /// Whether something could be missing only because it could not be read.
    pub(super) incomplete: bool,
}

/// A key with its value.
struct Statement {
    span: Span,
    value: Span,
}

/// Looks at the syntax of a text.
pub(super) fn check(source: &str) -> Checked {
    let mut checked =
        Checked { text: source.to_owned(), found: Vec::new(), broken: Vec::new(), incomplete: false };
    for _ in 0..ROUNDS {
        let (root, mut errors) = DeTable::parse_recoverable(&checked.text);
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        let mut statements = Vec::new();
        collect(root.get_ref(), &checked.text, &mut statements);
        let at = |error: &toml::de::Error| error.span().unwrap_or(0..0);

        let header = runaway_header(root.get_ref(), &checked.text);
        let value =
            errors.first().and_then(|first| runaway_value(&statements, &checked.text, at(first).start));
        let unclosed = errors.iter().any(|error| at(error).start >= checked.text.trim_end().len());
        if let Some(header) = header {
            checked.incomplete = true;
            checked.report(&header, "this header is not closed", "end it with `]`");
            let end = next_header(&checked.text, header.end);
            blank(&mut checked.text, header.start..end, false);
        } else if let (Some(statement), true) = (value, unclosed) {
            let first_line = statement.value.start..line_end(&checked.text, statement.value.start);
            checked.report(
                &first_line,
                "this value is not closed",
                "end it with the bracket or quotes that it begins with",
            );
            checked.broken.push(statement.span.start..first_line.end);
            let end = next_statement(&checked.text, first_line.end);
            blank(&mut checked.text, first_line.start..end, true);
        } else {
            for error in &errors {
                let place = visible(&checked.text, at(error));
                let mut help = "";
                match statements.iter().find(|statement| touches(&statement.span, place.start)) {
                    Some(statement) if checked.broken.contains(&statement.span) => continue,
                    Some(statement) => {
                        checked.broken.push(statement.span.clone());
                        if is_bare(&checked.text, &statement.value) {
                            help = "a string stands in quotes";
                        }
                    }
                    None => checked.incomplete = true,
                }
                checked.report(&place, error.message(), help);
            }
            break;
        }
    }
    checked
}

impl Checked {
    fn report(&mut self, span: &Span, message: &str, help: &str) {
        if self.found.len() < MOST {
            let found = Diagnostic::error(Code::Syntax, span, message);
            self.found.push(if help.is_empty() { found } else { found.help(help) });
        }
    }
}

fn touches(span: &Span, at: usize) -> bool {
    span.start <= at && at <= span.end
}

/// The statements of a table and of the sections in it; what is inside a value is part of its statement.
fn collect(table: &DeTable<'_>, text: &str, statements: &mut Vec<Statement>) {
    for (key, value) in entries(table) {
        let span = value.span();
        let starts = |with: &str| text.get(span.clone()).is_some_and(|text| text.starts_with(with));
        match value.get_ref() {
            DeValue::Table(inner) if !starts("{") => collect(inner, text, statements),
            DeValue::Array(list) if starts("[[") && at_line_start(text, span.start) => {
                for element in list.iter() {
                    if let DeValue::Table(inner) = element.get_ref() {
                        collect(inner, text, statements);
                    }
                }
            }
            _ => statements.push(Statement { span: key.span().start..span.end, value: span }),
        }
    }
}

/// A header that goes on into the next line, as far as its first line goes.
fn runaway_header(table: &DeTable<'_>, text: &str) -> Option<Span> {
    entries(table).into_iter().find_map(|(_, value)| {
        let DeValue::Table(inner) = value.get_ref() else { return None };
        let span = value.span();
        let header = text.get(span.clone())?;
        if header.starts_with('[') && header.contains('\n') && at_line_start(text, span.start) {
            return Some(span.start..line_end(text, span.start));
        }
        runaway_header(inner, text)
    })
}

/// The value over several lines that a mistake is in.
fn runaway_value<'s>(statements: &'s [Statement], text: &str, at: usize) -> Option<&'s Statement> {
    statements.iter().find(|statement| {
        touches(&statement.value, at)
            && text.get(statement.value.clone()).is_some_and(|value| value.contains('\n'))
    })
}

/// Whether a value begins with neither a quote nor a bracket.
fn is_bare(text: &str, value: &Span) -> bool {
    text.get(value.clone()).is_some_and(|value| !value.starts_with(['"', '\'', '[', '{']))
}

fn at_line_start(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|before| before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty()))
}

fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |length| at + length)
}

/// Where the next line begins that looks like a header.
fn next_header(text: &str, at: usize) -> usize {
    next_line(text, at, |line| line.starts_with('['))
}

/// Where the next line begins that looks like a header or an assignment.
fn next_statement(text: &str, at: usize) -> usize {
    next_line(text, at, |line| {
        line.starts_with('[')
            || (line.contains('=') && line.starts_with(|c: char| c.is_alphanumeric() || "_-\"'".contains(c)))
    })
}

fn next_line(text: &str, at: usize, wanted: impl Fn(&str) -> bool) -> usize {
    let mut start = at;
    for line in text.get(at..).unwrap_or_default().split_inclusive('\n') {
        if start > at && wanted(line.trim_start()) {
            return start;
        }
        start += line.len();
    }
    text.len()
}

/// Replaces a place by blanks, line ends aside; by a number and blanks, where a value has to remain.
fn blank(text: &mut String, place: Span, value: bool) {
    let Some(old) = text.get(place.clone()) else { return };
    let mut new = String::with_capacity(old.len());
    for char in old.chars() {
        match char {
            '\n' | '\r' => new.push(char),
            _ => new.extend(std::iter::repeat_n(' ', char.len_utf8())),
        }
    }
    if value && new.starts_with(' ') {
        new.replace_range(..1, "0");
    }
    text.replace_range(place, &new);
}

/// A place to put the caret: the end of a line rather than the beginning of the next.
fn visible(text: &str, place: Span) -> Span {
    let before = text.get(..place.start).unwrap_or(text);
    if place.is_empty() && (before.ends_with('\n') || place.start >= text.len()) {
        let end = before.trim_end().len();
        return end..end;
    }
    place
}
