//! How much of a budget is used up.

use askama::Template;
use askama::filters::HtmlSafe;

/// A budget, and what is used of it.
#[derive(Debug, Template)]
#[template(path = "part/meter.html")]
pub(in crate::ui) struct Meter {
    used: i64,
    label: String,
    state: &'static str,
}

/// Its own template escapes it.
impl HtmlSafe for Meter {}

impl Meter {
    /// `warn` and `bad` are the parts of a hundred from which on it looks like it.
    pub(in crate::ui) fn new(used: i64, whole: i64, (warn, bad): (i64, i64), label: String) -> Self {
        let used = (used.max(0).saturating_mul(100) / whole.max(1)).min(100);
        let state = if used >= bad {
            "bad"
        } else if used >= warn {
            "warn"
        } else {
            "good"
        };
        Self { used, label, state }
    }
}
