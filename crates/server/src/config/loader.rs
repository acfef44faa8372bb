//! What every section needs while it is read: the report, the variables, the folder of the file.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::Digest;

use super::diagnostic::{Code, Diagnostic, Span};
use super::environment::Environment;
use super::field::Field;
use super::report::Report;
use super::reuse::Use;
use super::running::Running;

/// Shared by everything that reads.
pub(super) struct Loader<'a> {
    /// Where mistakes go.
    pub(super) report: &'a Report,
    /// Where secrets come from besides files.
    pub(super) environment: &'a dyn Environment,
    /// Where relative paths start.
    pub(super) base: &'a Path,
    /// Which secrets are used for what.
    pub(super) uses: RefCell<Vec<Use>>,
    /// What was read for the section at hand, besides the file.
    pub(super) read: RefCell<Vec<Digest>>,
    /// The server that is to go on with this, if one is.
    pub(super) running: Option<&'a Running>,
}

impl Loader<'_> {
    /// A path of the file: relative ones start at its folder.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    /// Reports a key whose feature this version does not have.
    pub(super) fn not_built<T>(&self, field: &Field<T>, key: &str, instead: &str) {
        if let Some(given) = field.given() {
            self.not_built_at(&given.key, &format!("`{key}`"), instead);
        }
    }

    /// Reports a value whose feature this version does not have.
    pub(super) fn not_built_at(&self, span: &Span, what: &str, instead: &str) {
        self.report.push(
            Diagnostic::error(Code::NotBuilt, span, format!("{what} is not built yet"))
                .label("a feature of a later version")
                .help(instead),
        );
    }
}
