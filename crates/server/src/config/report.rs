//! What one reading finds, as it goes along.

use std::cell::RefCell;

use super::diagnostic::{Code, Diagnostic, Span};

/// Collects diagnostics. Shared by everything that reads, so that no mistake ends the reading.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: RefCell<Vec<Diagnostic>>,
    secret: RefCell<Vec<Span>>,
    broken: Vec<Span>,
    incomplete: bool,
}

impl Report {
    /// A report that begins with what the syntax is wrong about. Values that touch `broken` places are not looked at
    /// again; where the text is `incomplete`, nothing can be said about what it lacks.
    pub(super) fn after_syntax(found: Vec<Diagnostic>, broken: Vec<Span>, incomplete: bool) -> Self {
        Self { found: RefCell::new(found), secret: RefCell::default(), broken, incomplete }
    }

    /// Adds a diagnostic.
    pub(super) fn push(&self, found: Diagnostic) {
        self.found.borrow_mut().push(found);
    }

    /// Adds a mistake about something that is not in the file, unless a part of the file could not be read.
    pub(super) fn push_missing(&self, found: Diagnostic) {
        if !self.incomplete {
            self.push(found);
        }
    }

    /// Adds that a key must be given.
    pub(super) fn missing_key(&self, section: &Span, key: &str, why: &str, help: &str) {
        let message = format!("`{key}` is missing: {why}");
        self.push_missing(Diagnostic::error(Code::MissingKey, section, message).help(help));
    }

    /// Adds that a value makes no sense.
    pub(super) fn value(&self, span: &Span, message: impl Into<String>) {
        self.push(Diagnostic::error(Code::Value, span, message));
    }

    /// Notes that a place of the file holds a secret, so that no rendering shows it.
    pub(super) fn mask(&self, span: &Span) {
        self.secret.borrow_mut().push(span.clone());
    }

    /// Whether a place was already found to be no TOML.
    pub(super) fn is_broken(&self, span: &Span) -> bool {
        self.broken.iter().any(|broken| broken.start <= span.end && span.start <= broken.end)
    }

    /// The diagnostics, and the places that hold secrets.
    pub(super) fn into_parts(self) -> (Vec<Diagnostic>, Vec<Span>) {
        (self.found.into_inner(), self.secret.into_inner())
    }
}
