//! Every metric that is counted while things happen: its name, its labels, what it means.
//!
//! Labels are types, and every value comes from the configuration or from a set in this program: no path, no address, no
//! id and no word of a sender's is ever one.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::durations::Durations;

/// A moment, in seconds since the epoch; zero for never.
pub(super) type Moment = Gauge<f64, std::sync::atomic::AtomicU64>;

type DurationsOf<L> = Family<L, Durations, fn() -> Durations>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceLabels {
    pub(super) source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabels {
    pub(super) source: String,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RefusalLabels {
    pub(super) source: String,
    pub(super) reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KeyLabels {
    pub(super) source: String,
    pub(super) key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CostLabels {
    pub(super) source: String,
    pub(super) event_type: String,
}

/// The names are OpenTelemetry's (HTTP semantic conventions, stable), as Prometheus writes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HttpLabels {
    pub(super) http_request_method: &'static str,
    pub(super) http_route: String,
    pub(super) http_response_status_code: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DestinationLabels {
    pub(super) destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AttemptLabels {
    pub(super) destination: String,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DeadLabels {
    pub(super) destination: String,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TunnelLabels {
    pub(super) destination: String,
    pub(super) end: &'static str,
}

/// The metrics that are counted, before anybody knows for whom.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) requests: Family<OutcomeLabels, Counter>,
    pub(super) refusals: Family<RefusalLabels, Counter>,
    pub(super) acknowledged: Durations,
    pub(super) answered: DurationsOf<HttpLabels>,
    pub(super) key_last_used: Family<KeyLabels, Moment>,
    pub(super) challenges: Family<OutcomeLabels, Counter>,
    pub(super) challenge_answered: Durations,
    pub(super) challenge_last_answered: Family<SourceLabels, Moment>,
    pub(super) webhook_valid: Family<SourceLabels, Gauge>,
    pub(super) cost: Family<CostLabels, Counter>,
    pub(super) attempts: Family<AttemptLabels, Counter>,
    pub(super) attempted: DurationsOf<DestinationLabels>,
    pub(super) lag: DurationsOf<DestinationLabels>,
    pub(super) dead: Family<DeadLabels, Counter>,
    pub(super) relays: Family<AttemptLabels, Counter>,
    pub(super) relayed: DurationsOf<DestinationLabels>,
    pub(super) tunnels: Family<TunnelLabels, Counter>,
    pub(super) committed: Durations,
}

impl Families {
    pub(super) fn new() -> Self {
        Self {
            requests: Family::default(),
            refusals: Family::default(),
            acknowledged: Durations::waited(),
            answered: Family::new_with_constructor(Durations::waited),
            key_last_used: Family::default(),
            challenges: Family::default(),
            challenge_answered: Durations::waited(),
            challenge_last_answered: Family::default(),
            webhook_valid: Family::default(),
            cost: Family::default(),
            attempts: Family::default(),
            attempted: Family::new_with_constructor(Durations::waited),
            lag: Family::new_with_constructor(Durations::queued),
            dead: Family::default(),
            relays: Family::default(),
            relayed: Family::new_with_constructor(Durations::waited),
            tunnels: Family::default(),
            committed: Durations::waited(),
        }
    }

    /// Puts every metric on the page.
    pub(super) fn register(&self, page: &mut Registry) {
        page.register_with_unit(
            "http_server_request_duration",
            "From the end of a request's head to its answer, on the ingress; http_route is the source's path, empty where no source has the path, and a method that is not a common one is _OTHER",
            Unit::Seconds,
            self.answered.clone(),
        );
        let page = page.sub_registry_with_prefix("hookhouse");
        self.register_intake(page);
        self.register_challenges(page);
        self.register_deliveries(page);
    }

    fn register_intake(&self, page: &mut Registry) {
        page.register(
            "requests",
            "Requests by what became of them: accepted (an event is durable), duplicate, crc, handshake (another challenge), refused; source is empty where no source has the path",
            self.requests.clone(),
        );
        page.register(
            "refusals",
            "Requests that were turned away, by the code that the log and the record of refusals have",
            self.refusals.clone(),
        );
        page.register_with_unit(
            "ack",
            "From the end of a request's head until its event, or the one that it repeats, is durable and can be acknowledged; relayed requests aside",
            Unit::Seconds,
            self.acknowledged.clone(),
        );
        page.register_with_unit(
            "store_commit",
            "How long the store took to make an event durable, waiting included",
            Unit::Seconds,
            self.committed.clone(),
        );
        page.register_with_unit(
            "key_last_used_timestamp",
            "When a key last proved an event or signed the answer to a challenge, since the start: a former secret that nobody uses any more can go",
            Unit::Seconds,
            self.key_last_used.clone(),
        );
    }

    fn register_challenges(&self, page: &mut Registry) {
        page.register("crc_challenges", "X's challenges, answered or refused", self.challenges.clone());
        page.register_with_unit(
            "crc_response",
            "From the end of a challenge's head to its answer; X waits three seconds",
            Unit::Seconds,
            self.challenge_answered.clone(),
        );
        page.register_with_unit(
            "crc_last_success_timestamp",
            "When a challenge was last answered, 0 if not since the start; X gives a webhook up after 28 hours without",
            Unit::Seconds,
            self.challenge_last_answered.clone(),
        );
        page.register(
            "x_webhook_valid",
            "Whether X says that the webhook is valid; absent until X was asked",
            self.webhook_valid.clone(),
        );
        page.register(
            "x_cost_micro_dollars",
            "What X charges for the events that were accepted, in millionths of a US dollar by its published prices of August 2026: an upper bound, since X charges an event once a day",
            self.cost.clone(),
        );
    }

    fn register_deliveries(&self, page: &mut Registry) {
        page.register(
            "delivery_attempts",
            "Tries to deliver an event: delivered (2xx), refused (another status), failed (no answer); skipped (nothing was sent, because the destination does not want it)",
            self.attempts.clone(),
        );
        page.register_with_unit(
            "delivery",
            "How long a try took, whatever came of it",
            Unit::Seconds,
            self.attempted.clone(),
        );
        page.register_with_unit(
            "delivery_lag",
            "From when an event was stored until its destination took it; a replay counts from the event's own time",
            Unit::Seconds,
            self.lag.clone(),
        );
        page.register("dead", "Deliveries that were given up", self.dead.clone());
        page.register(
            "relays",
            "Events that the destination was asked to answer itself: answered, late, broken (no answer that may be passed on)",
            self.relays.clone(),
        );
        page.register_with_unit(
            "relay",
            "How long the destination took to answer itself",
            Unit::Seconds,
            self.relayed.clone(),
        );
        page.register("tunnels", "WebSocket connections that ended, and why", self.tunnels.clone());
    }
}
