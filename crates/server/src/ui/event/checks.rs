//! What proved an event, step by step.
//!
//! What was established when it arrived is on record: source, scheme, key. The signature is judged once more as the page
//! is made, as of the moment it arrived, so that the page can say whether today's keys would still take it.

use hookhouse_core::{Answer, Provenance, StoredEvent};
use hookhouse_verify::Verdict;

use crate::config::Source;
use crate::ui::moment;
use crate::ui::prose::Prose;
use crate::ui::row::Mood;

/// A step.
#[derive(Debug)]
pub(in crate::ui) struct Check {
    pub(in crate::ui) mood: Mood,
    pub(in crate::ui) what: String,
    pub(in crate::ui) detail: Prose,
}

impl Check {
    fn new(mood: Mood, what: impl Into<String>, detail: impl AsRef<str>) -> Self {
        Self { mood, what: what.into(), detail: Prose::new(detail.as_ref()) }
    }
}

/// The steps, in the order in which they were taken.
pub(in crate::ui) fn of(event: &StoredEvent, source: Option<&Source>, answer: Option<&Answer>) -> Vec<Check> {
    let record = event.record();
    let path = record.request.path();
    let mut checks = vec![Check::new(
        Mood::Good,
        format!("Arrived at source {}", record.source),
        format!("{} {path}", record.request.method),
    )];
    if let Some(source) = source {
        checks.extend(address(event, source));
        if source.login.is_some() {
            checks.push(Check::new(Mood::Good, "Logged in", "its credentials were those of this source"));
        }
    }
    checks.push(signature(&record.provenance));
    match &record.provenance.redacted[..] {
        [] => checks.extend(source.and_then(|source| again(event, source))),
        kinds => {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
            let what = format!("Redacted before it was stored: {}", kinds.join(", "));
            checks.push(Check::new(
                Mood::Warn,
                what,
                "its signature covered what is not here, and was checked before",
            ));
        }
    }
    checks.push(repeat(event, source, answer));
    let place = moment::count(event.sequence().0);
    checks.push(Check::new(
        Mood::Good,
        "Stored before it was acknowledged",
        format!("place {place} in the log"),
    ));
    checks
}

fn address(event: &StoredEvent, source: &Source) -> Option<Check> {
    let peer = event.record().peer?;
    let covers = |list: &[ipnet::IpNet]| list.iter().any(|network| network.contains(&peer));
    let lists = &source.allow_ips;
    if !lists.enforce.is_empty() {
        return Some(Check::new(Mood::Good, "Its address may call", format!("{peer} is on `allow_ips`")));
    }
    if lists.monitor.is_empty() {
        return None;
    }
    Some(if covers(&lists.monitor) {
        Check::new(Mood::Good, "Its address is a usual one", format!("{peer} is on `allow_ips`"))
    } else {
        Check::new(
            Mood::Warn,
            "Its address is not a usual one",
            format!("{peer} is not on `allow_ips`, which is monitored only"),
        )
    })
}

fn signature(provenance: &Provenance) -> Check {
    match &provenance.scheme {
        None => Check::new(
            Mood::Warn,
            "Not verified",
            format!("its source has provider `{}`: nothing proves who sent it", provenance.provider),
        ),
        Some(scheme) => {
            let key = provenance.key.as_deref().unwrap_or("unnamed");
            let variant = provenance.variant.as_ref().map(|variant| format!(", spelling: {variant}"));
            let detail = format!("{scheme} with key `{key}`{}", variant.unwrap_or_default());
            Check::new(Mood::Good, "Signature matches", detail)
        }
    }
}

/// What today's keys make of it.
fn again(event: &StoredEvent, source: &Source) -> Option<Check> {
    let record = event.record();
    match source.verifier.verify(record.request.clone(), record.received_at) {
        Verdict::Verified(verified) => {
            let covers = verified.evidence().covers;
            Some(Check::new(
                Mood::Good,
                "Still matches today's keys",
                format!("the signature covers: {covers}"),
            ))
        }
        Verdict::Rejected { reject, .. } if record.provenance.is_verified() => Some(Check::new(
            Mood::Warn,
            "Today's keys would refuse it",
            format!("{reject}; it was taken with a key or a setting that has changed since"),
        )),
        _ => None,
    }
}

fn repeat(event: &StoredEvent, source: Option<&Source>, answer: Option<&Answer>) -> Check {
    if let Some(first) = answer.and_then(|answer| answer.repeat_of) {
        return Check::new(
            Mood::Warn,
            "Repeats an earlier one",
            format!("{first}, as far as its signature tells"),
        );
    }
    // Without a signature there is nothing that a repeat could be told by.
    let verified = event.record().provenance.is_verified();
    match source.filter(|_| verified).map(|source| source.dedupe_window) {
        Some(window) if !window.is_zero() => {
            Check::new(Mood::Good, "Not a repeat", format!("of anything within {}", moment::span(window)))
        }
        _ => Check::new(Mood::Calm, "Repeats are not looked for", "each request is an event of its own"),
    }
}
