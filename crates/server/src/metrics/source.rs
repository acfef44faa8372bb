//! The handles of one source, so that a request finds its counters without looking for them.

use std::sync::Arc;

use hookhouse_core::notice::Answered;
use hookhouse_core::{Refusal, Timestamp};
use hookhouse_verify::x::Cost;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::counts::RequestCounts;
use super::durations::Durations;
use super::families::{
    CostLabels, Families, HttpLabels, KeyLabels, Moment, OutcomeLabels, RefusalLabels, SourceLabels,
};
use super::slots::Slots;

/// The most reasons, answers and keys that a source has series for.
const REASONS: usize = 96;
const ANSWERS: usize = 64;
const KEYS: usize = 64;
/// The most event types that have a price.
const TYPES: usize = 64;

/// What is counted for one source; or, without a name and a path, for requests that reach none.
#[derive(Debug)]
pub(super) struct SourceMetrics {
    name: String,
    path: String,
    families: Arc<Families>,
    pub(super) accepted: Counter,
    pub(super) duplicate: Counter,
    pub(super) handshake: Counter,
    refused: Counter,
    /// For a source that answers challenges.
    challenges: Option<Challenges>,
    reasons: Slots<String, Counter>,
    answers: Slots<(&'static str, u16), Durations>,
    keys: Slots<String, Moment>,
    webhook_valid: Slots<(), Gauge>,
    costs: Slots<String, Counter>,
}

#[derive(Debug)]
struct Challenges {
    requests: Counter,
    answered: Counter,
    refused: Counter,
    last: Moment,
}

impl SourceMetrics {
    pub(super) fn new(families: &Arc<Families>, name: &str, path: &str, answers_crc: bool) -> Self {
        let request = |outcome| OutcomeLabels { source: name.to_owned(), outcome };
        let requests = |outcome| families.requests.get_or_create_owned(&request(outcome));
        let challenges = answers_crc.then(|| Challenges {
            requests: requests("crc"),
            answered: families.challenges.get_or_create_owned(&request("answered")),
            refused: families.challenges.get_or_create_owned(&request("refused")),
            last: families
                .challenge_last_answered
                .get_or_create_owned(&SourceLabels { source: name.to_owned() }),
        });
        Self {
            accepted: requests("accepted"),
            duplicate: requests("duplicate"),
            handshake: requests("handshake"),
            refused: requests("refused"),
            challenges,
            reasons: Slots::new(REASONS),
            answers: Slots::new(ANSWERS),
            keys: Slots::new(KEYS),
            webhook_valid: Slots::new(1),
            costs: Slots::new(TYPES),
            name: name.to_owned(),
            path: path.to_owned(),
            families: Arc::clone(families),
        }
    }

    /// Whether this counts for a source with such a path.
    pub(super) fn is_for(&self, path: &str, answers_crc: bool) -> bool {
        self.path == path && self.challenges.is_some() == answers_crc
    }

    /// Takes every series of this source off the page. What is still under way counts for nobody.
    pub(super) fn forget(&self) {
        let (families, source) = (&self.families, || self.name.clone());
        for outcome in ["accepted", "duplicate", "handshake", "refused", "crc"] {
            families.requests.remove(&OutcomeLabels { source: source(), outcome });
        }
        for outcome in ["answered", "refused"] {
            families.challenges.remove(&OutcomeLabels { source: source(), outcome });
        }
        families.challenge_last_answered.remove(&SourceLabels { source: source() });
        families.webhook_valid.remove(&SourceLabels { source: source() });
        for reason in self.reasons.keys().map(String::as_str).chain(["other"]) {
            families.refusals.remove(&RefusalLabels { source: source(), reason: reason.to_owned() });
        }
        for (method, status) in self.answers.keys() {
            families.answered.remove(&HttpLabels {
                http_request_method: method,
                http_route: self.path.clone(),
                http_response_status_code: u32::from(*status),
            });
        }
        for key in self.keys.keys() {
            families.key_last_used.remove(&KeyLabels { source: source(), key: key.clone() });
        }
        for event_type in self.costs.keys() {
            families.cost.remove(&CostLabels { source: source(), event_type: event_type.clone() });
        }
    }

    /// What became of the requests.
    pub(super) fn counts(&self) -> RequestCounts {
        let challenges = self.challenges.as_ref().map_or(0, |challenges| challenges.answered.get());
        RequestCounts {
            accepted: self.accepted.get(),
            duplicate: self.duplicate.get(),
            challenges: challenges + self.handshake.get(),
            refused: self.refused.get(),
        }
    }

    /// Counts a request that was turned away.
    pub(super) fn refuse(&self, refusal: &Refusal) {
        self.refused.inc();
        if let Some(challenges) = self.challenges.as_ref().filter(|_| refusal.code.starts_with("crc.")) {
            challenges.refused.inc();
        }
        let series = |reason: &str| {
            let labels = RefusalLabels { source: self.name.clone(), reason: reason.to_owned() };
            self.families.refusals.get_or_create_owned(&labels)
        };
        let make = || (refusal.code.clone(), series(&refusal.code));
        match self.reasons.of(|reason| *reason == refusal.code, make) {
            Some(reason) => reason.inc(),
            None => series("other").inc(),
        };
    }

    /// Counts a challenge that was answered.
    pub(super) fn answer_challenge(&self, kind: &str, at: Timestamp) {
        match self.challenges.as_ref().filter(|_| kind == "crc") {
            Some(challenges) => {
                challenges.requests.inc();
                challenges.answered.inc();
                self.challenge_seen(at);
            }
            None => {
                self.handshake.inc();
            }
        }
    }

    /// A challenge was answered at this moment; an earlier one does not count.
    pub(super) fn challenge_seen(&self, at: Timestamp) {
        if let Some(challenges) = &self.challenges {
            advance(&challenges.last, at);
        }
    }

    /// How long an answer took.
    pub(super) fn answer(&self, answered: &Answered) {
        let make = || {
            let labels = HttpLabels {
                http_request_method: answered.method,
                http_route: self.path.clone(),
                http_response_status_code: u32::from(answered.status),
            };
            ((answered.method, answered.status), self.families.answered.get_or_create_owned(&labels))
        };
        let fits = |key: &(&str, u16)| *key == (answered.method, answered.status);
        if let Some(answers) = self.answers.of(fits, make) {
            answers.observe(answered.elapsed);
        }
    }

    /// A key of this source was of use.
    pub(super) fn key_used(&self, key: &str, at: Timestamp) {
        let make = || {
            let labels = KeyLabels { source: self.name.clone(), key: key.to_owned() };
            (key.to_owned(), self.families.key_last_used.get_or_create_owned(&labels))
        };
        if let Some(used) = self.keys.of(|known| known == key, make) {
            advance(used, at);
        }
    }

    /// Counts what X charges for an event. Its Activity API puts one in a body.
    pub(super) fn charge(&self, event_type: &str, cost: Cost) {
        let make = || {
            let labels = CostLabels { source: self.name.clone(), event_type: event_type.to_owned() };
            (event_type.to_owned(), self.families.cost.get_or_create_owned(&labels))
        };
        if let Some(sum) = self.costs.of(|known| known == event_type, make) {
            sum.inc_by(u64::from(cost.micro_dollars));
        }
    }

    /// What X says of this source's webhook.
    pub(super) fn set_webhook_valid(&self, valid: bool) {
        let make = || {
            let labels = SourceLabels { source: self.name.clone() };
            ((), self.families.webhook_valid.get_or_create_owned(&labels))
        };
        if let Some(gauge) = self.webhook_valid.of(|()| true, make) {
            gauge.set(i64::from(valid));
        }
    }
}

/// Moves a moment forward. Of two at once either may win; they differ by less than anybody looks at.
fn advance(moment: &Moment, at: Timestamp) {
    let seconds = at.as_duration().as_secs_f64();
    if seconds > moment.get() {
        moment.set(seconds);
    }
}
