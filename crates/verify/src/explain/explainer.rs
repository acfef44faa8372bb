//! Finds out what is wrong.

use jiff::Timestamp;

use super::case::Case;
use super::cause::Cause;
use super::context::Context;
use super::explanation::{Clue, Explanation};
use super::trial::Budget;
use super::{hmac, sendgrid, twilio, x};
use crate::request::Request;
use crate::verdict::Reject;
use crate::verifier::Verifier;

/// A source that may know something: the one that refused a request, or another.
#[derive(Debug, Clone, Copy)]
pub struct Witness<'a> {
    /// The source's name.
    pub name: &'a str,
    /// Where it listens, if that is worth telling.
    pub path: Option<&'a str>,
    /// Its rules and keys.
    pub verifier: &'a Verifier,
}

/// Finds out why requests were refused. See the [module](super).
#[derive(Debug, Clone)]
pub struct Explainer<'a> {
    witnesses: Vec<Witness<'a>>,
}

impl<'a> Explainer<'a> {
    /// An explainer that knows these sources.
    #[must_use]
    pub fn new(witnesses: impl IntoIterator<Item = Witness<'a>>) -> Self {
        Self { witnesses: witnesses.into_iter().collect() }
    }

    /// Why `source` refused a request as of `now`.
    ///
    /// The request's own headers suggest what to try; `context` may add to that.
    #[must_use]
    pub fn explain(
        &self,
        request: &Request,
        reject: &Reject,
        source: &str,
        context: &Context,
        now: Timestamp,
    ) -> Explanation {
        let Some(own) = self.witnesses.iter().find(|witness| witness.name == source) else {
            let detail = format!("{reject}; source `{source}` is not known any more, so no more can be told");
            return Explanation::of(vec![Clue::new(Cause::Unknown, detail).likely()], true);
        };
        let provider = own.verifier.provider();
        let mut others: Vec<_> =
            self.witnesses.iter().filter(|witness| witness.name != source).copied().collect();
        others.sort_by_key(|witness| witness.verifier.provider() != provider);
        let mut context = context.and(&Context::of(&request.headers));
        context.prefixes_before(request.path());
        let mut case = Case { request, reject, now, context, provider, others, budget: Budget::new() };
        let findings = match own.verifier {
            Verifier::X(verifier) => x::investigate(&mut case, verifier),
            Verifier::Twilio(verifier) => twilio::investigate(&mut case, verifier),
            Verifier::SendGrid(verifier) => sendgrid::investigate(&mut case, verifier),
            Verifier::Hmac(verifier) => hmac::investigate(&mut case, verifier),
            Verifier::Unsigned => vec![case.unexplained("this source takes everything")],
        };
        Explanation::of(findings, !case.budget.ran_out())
    }
}
