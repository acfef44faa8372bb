//! What the doctor finds: one sentence, and one on what to do.

use serde::Serialize;

use crate::output::plain;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// All is well.
    Ok,
    /// It works, and may not for long, or not for everybody.
    Warning,
    /// It does not work.
    Problem,
}

/// Something that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    /// What: a stable word.
    pub(crate) check: &'static str,
    /// Of whom: a source, a destination, a host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    /// How it is.
    pub(crate) verdict: Verdict,
    /// What was found.
    pub(crate) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
}

/// What is about to be looked at.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    check: &'static str,
    subject: Option<String>,
}

impl Topic {
    pub(super) fn new(check: &'static str) -> Self {
        Self { check, subject: None }
    }

    pub(super) fn of(check: &'static str, subject: impl ToString) -> Self {
        Self { check, subject: Some(subject.to_string()) }
    }

    pub(super) fn ok(self, found: impl AsRef<str>) -> Check {
        self.with(Verdict::Ok, found.as_ref(), None)
    }

    pub(super) fn warning(self, found: impl AsRef<str>, advice: impl AsRef<str>) -> Check {
        self.with(Verdict::Warning, found.as_ref(), Some(advice.as_ref()))
    }

    pub(super) fn problem(self, found: impl AsRef<str>, advice: impl AsRef<str>) -> Check {
        self.with(Verdict::Problem, found.as_ref(), Some(advice.as_ref()))
    }

    /// What others said is in some of these words, and must not steer a terminal.
    pub(super) fn with(self, verdict: Verdict, found: &str, advice: Option<&str>) -> Check {
        let Self { check, subject } = self;
        Check { check, subject, verdict, found: plain(found), advice: advice.map(plain) }
    }
}
