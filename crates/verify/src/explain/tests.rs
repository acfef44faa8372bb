//! Requests with exactly one mistake, and whether it is found.

mod hmac;
mod secrecy;
mod sendgrid;
mod twilio;
mod x;

use super::{Called, Cause, Context, Explainer, Explanation, Finding, Witness};
use crate::fixtures::now;
use crate::request::Request;
use crate::verdict::{Reject, Verdict};
use crate::verifier::Verifier;

/// The source that refuses is called `own`.
const OWN: &str = "own";

/// Why a source refuses a request; it must.
fn explain_with(own: &Verifier, others: &[(&str, &Verifier)], request: Request) -> (Reject, Explanation) {
    let Verdict::Rejected { reject, request } = own.verify(request, now()) else {
        panic!("it is not refused")
    };
    let own = Witness { name: OWN, path: Some("/own"), verifier: own };
    let others = others.iter().map(|(name, verifier)| Witness { name, path: Some("/other"), verifier });
    let explainer = Explainer::new(std::iter::once(own).chain(others));
    let explanation = explainer.explain(&request, &reject, OWN, &Context::default(), now());
    assert!(!explanation.findings.is_empty() && !explanation.sentence.is_empty());
    (reject, explanation)
}

fn explain(own: &Verifier, request: Request) -> Explanation {
    explain_with(own, &[], request).1
}

fn finding(explanation: &Explanation, cause: Cause) -> &Finding {
    let found = explanation.findings.iter().find(|finding| finding.cause == cause);
    found.unwrap_or_else(|| panic!("no {cause} in {explanation:#?}"))
}

/// That the mistake is found, proven, named first, and put right by this setting.
#[track_caller]
fn assert_found(explanation: &Explanation, cause: Cause, setting: Option<&str>) {
    let found = finding(explanation, cause);
    assert!(found.proven, "{explanation:#?}");
    assert_eq!(found.setting.as_deref(), setting, "{explanation:#?}");
    assert!(explanation.sentence.contains(&found.detail), "{explanation:#?}");
    assert!(explanation.findings.iter().all(|finding| finding.proven || finding.cause != cause));
}

#[test]
fn a_source_that_is_gone_is_said_to_be() {
    let request = Request::new("GET", "/", &[] as &[(&str, &str)], "").unwrap();
    let reject = Reject::SignatureMissing { header: "x-signature".into() };
    let explanation = Explainer::new([]).explain(&request, &reject, "gone", &Context::default(), now());
    assert_eq!(explanation.findings[0].cause, Cause::Unknown);
    assert!(explanation.sentence.contains("`gone`"));
}
