//! Everything that is wrong with a configuration, in file order, rendered with its carets.

use std::error::Error;
use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use serde::Serialize;

use super::diagnostic::{Diagnostic, Severity};

/// What one reading of a configuration found, with the text that the carets point into.
///
/// The text is a copy in which everything that could be a secret is masked, so it may be rendered anywhere.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    name: String,
    masked: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Puts diagnostics into file order and gives each its line and column.
    pub(super) fn new(name: &str, masked: String, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|found| found.span.as_ref().map(|span| (span.start, span.end)));
        for found in &mut list {
            if let Some((line, column)) = found.span.as_ref().map(|span| position(&masked, span.start)) {
                (found.line, found.column) = (Some(line), Some(column));
            }
        }
        Self { name: name.to_owned(), masked, list }
    }

    /// The text of the file, in which everything that could be a secret is masked.
    pub(super) fn masked(&self) -> &str {
        &self.masked
    }

    /// The diagnostics, in file order.
    #[must_use]
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The diagnostics, in file order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether the configuration cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.iter().any(|found| found.severity == Severity::Error)
    }

    /// How many there are of each severity: `hookhouse.toml: 2 errors, 1 warning`.
    #[must_use]
    pub fn summary(&self) -> String {
        let of = |severity| self.iter().filter(|found| found.severity == severity).count();
        let counts = [(of(Severity::Error), "error"), (of(Severity::Warning), "warning")];
        let words: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
            .collect();
        let name = normalize_untrusted_str(&self.name);
        if words.is_empty() { format!("{name}: ok") } else { format!("{name}: {}", words.join(", ")) }
    }

    /// Each diagnostic with its line of the file, a caret, and what to do; with ANSI colours, if they are wanted.
    #[must_use]
    pub fn render(&self, coloured: bool) -> String {
        let renderer =
            if coloured { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Unicode);
        let reports: Vec<_> = self.iter().map(|found| renderer.render(&[self.group(found)])).collect();
        reports.join("\n\n")
    }

    fn group<'a>(&'a self, found: &'a Diagnostic) -> Group<'a> {
        let level = match found.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(&found.message).id(found.code.as_str()));
        if let Some(span) = &found.span {
            let mut primary = AnnotationKind::Primary.span(span.clone());
            if let Some(label) = &found.label {
                primary = primary.label(label.as_str());
            }
            let related = found
                .related
                .iter()
                .map(|(span, label)| AnnotationKind::Context.span(span.clone()).label(label.as_str()));
            group = group.element(
                Snippet::source(self.masked.as_str())
                    .path(self.name.as_str())
                    .annotation(primary)
                    .annotations(related),
            );
        }
        // The renderer leaves these as they are, and they may quote the file.
        if let Some(note) = &found.note {
            group = group.element(Level::NOTE.message(normalize_untrusted_str(note)));
        }
        if let Some(help) = &found.help {
            group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
        }
        group
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Plainly rendered.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Error for Diagnostics {}

impl Serialize for Diagnostics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

/// Line and column of a byte, both from 1, the column in characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    (line, column)
}
