//! Why a request was refused, for whoever can do something about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use hookhouse_core::{SourceName, Timestamp};
use hookhouse_verify::explain::{Context, Explainer, Explanation, Witness};
use hookhouse_verify::{Reject, Request};

use crate::answer::Unproven;
use crate::config::Source;

/// How many refusals a second are looked into. One may cost hundreds of MACs, and a flood of forged requests must not
/// buy them.
const A_SECOND: u32 = 10;

/// Looks into refusals, a few at a time.
#[derive(Debug)]
pub(crate) struct Reasons {
    sources: Vec<Arc<Source>>,
    second: AtomicI64,
    asked: AtomicU32,
}

impl Reasons {
    pub(crate) fn new(sources: Vec<Arc<Source>>) -> Self {
        Self { sources, second: AtomicI64::new(0), asked: AtomicU32::new(0) }
    }

    /// Whether one more may be looked into. Two that begin a second at once may count one too few; that is no harm.
    pub(crate) fn may_ask(&self, now: Timestamp) -> bool {
        if self.second.swap(now.as_second(), Ordering::Relaxed) != now.as_second() {
            self.asked.store(0, Ordering::Relaxed);
        }
        self.asked.fetch_add(1, Ordering::Relaxed) < A_SECOND
    }

    /// The verifier's word, and what lies behind it.
    pub(crate) fn of(&self, source: &SourceName, unproven: &Unproven, now: Timestamp) -> String {
        let sources = self.sources.iter().map(Arc::as_ref);
        let explanation = explain(sources, source, &unproven.request, &unproven.reject, now);
        let (word, sentence) = (unproven.reject.to_string(), explanation.sentence);
        if sentence.starts_with(&word) { sentence } else { format!("{word}: {sentence}") }
    }
}

/// Why one of these sources refused a request.
pub fn explain<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    source: &SourceName,
    request: &Request,
    reject: &Reject,
    now: Timestamp,
) -> Explanation {
    let witnesses = sources.into_iter().map(|source| Witness {
        name: source.name.as_str(),
        path: Some(&source.path),
        verifier: &source.verifier,
    });
    Explainer::new(witnesses).explain(request, reject, source.as_str(), &Context::default(), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_looked_into_a_few_times_a_second() {
        let reasons = Reasons::new(Vec::new());
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!((0..1_000).filter(|ms| reasons.may_ask(at(5_000 + ms))).count(), A_SECOND as usize);
        assert!(reasons.may_ask(at(6_000)));
    }
}
