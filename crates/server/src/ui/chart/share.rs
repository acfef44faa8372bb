//! How much of a whole: a bar, and the same in percent.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::ui::moment;

/// A part of a whole.
#[derive(Debug, Template)]
#[template(path = "part/share.html")]
pub(in crate::ui) struct Share {
    words: String,
    label: String,
    /// Of a hundred; what is not nothing is seen.
    part: u64,
}

/// Its own template escapes it.
impl HtmlSafe for Share {}

impl Share {
    /// `None` where there is no whole.
    pub(in crate::ui) fn new(part: u64, whole: u64, what: &str) -> Option<Self> {
        let words = moment::percent(part, whole)?;
        let filled = u64::try_from(u128::from(part) * 100 / u128::from(whole)).unwrap_or(100);
        Some(Self {
            label: format!("{words} {what}: {} of {}", moment::count(part), moment::count(whole)),
            words: format!("{words} {what}"),
            part: if part > 0 { filled.clamp(1, 100) } else { 0 },
        })
    }
}
