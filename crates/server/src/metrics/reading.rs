//! What is read when somebody asks: the store, the queues, the circuits, the connections, the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hookhouse_core::store::{Backlog, StoreStatus};
use hookhouse_core::{DestinationName, Timestamp};
use hookhouse_delivery::circuit::Phase;
use hookhouse_delivery::engine::Standing;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::families::DestinationLabels;
use super::process;
use crate::config::Source;
use crate::tls::Issued;

/// One reading.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) now: Timestamp,
    pub(crate) started_at: Timestamp,
    /// `None` where the store could not say.
    pub(crate) store: Option<StoreStatus>,
    pub(crate) reserve: u64,
    pub(crate) backlogs: Vec<Backlog>,
    pub(crate) standings: BTreeMap<DestinationName, Standing>,
    pub(crate) connections: Vec<Connections>,
    /// How many clients listen to the stream.
    pub(crate) streams: usize,
    pub(crate) sources: Vec<Arc<Source>>,
    pub(crate) certificates: Vec<Issued>,
}

/// The connections of a listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connections {
    /// `ingress` or `admin`.
    pub(crate) listener: &'static str,
    /// How many are open.
    pub(crate) open: usize,
    /// How many were closed at once, because there were too many.
    pub(crate) turned_away: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DomainLabels {
    domain: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    destination: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallerLabels {
    source: String,
    decision: &'static str,
}

impl Reading {
    /// The metrics of this reading. They are made anew each time, so that nothing outlives what it was read from.
    pub(super) fn page(&self) -> Registry {
        let mut page = Registry::default();
        self.register_process(&mut page);
        let own = page.sub_registry_with_prefix("hookhouse");
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", option_env!("HOOKHOUSE_COMMIT").unwrap_or("unknown")),
        ];
        own.register("build", "Which program this is", Info::new(build));
        self.register_connections(own);
        self.register_certificates(own);
        self.register_callers(own);
        self.register_queues(own);
        self.register_store(own);
        page
    }

    fn register_process(&self, page: &mut Registry) {
        let started = gauge(self.started_at.as_duration().as_secs_f64());
        page.register_with_unit("process_start_time", "When the server started", Unit::Seconds, started);
        if let Some(bytes) = process::resident_bytes() {
            page.register_with_unit(
                "process_resident_memory",
                "Memory that is resident",
                Unit::Bytes,
                gauge(bytes),
            );
        }
        if let Some(open) = process::open_descriptors() {
            page.register("process_open_fds", "Descriptors that are open", gauge(open));
        }
        if let Some(most) = process::most_descriptors() {
            page.register("process_max_fds", "Descriptors that may be open", gauge(most));
        }
    }

    fn register_connections(&self, page: &mut Registry) {
        page.register(
            "sse_clients",
            "Clients that listen to the stream of the admin API",
            gauge(u64::try_from(self.streams).unwrap_or(u64::MAX)),
        );
        let (open, turned_away) = (Family::default(), Family::default());
        for connections in &self.connections {
            let labels = ListenerLabels { listener: connections.listener };
            set(&open, &labels, u64::try_from(connections.open).unwrap_or(u64::MAX));
            count(&turned_away, &labels, connections.turned_away);
        }
        page.register("connections", "Connections that are open", open);
        page.register(
            "connections_refused",
            "Connections that were closed at once, because there were too many in all or from one address",
            turned_away,
        );
    }

    fn register_certificates(&self, page: &mut Registry) {
        let mut ends: BTreeMap<&str, f64> = BTreeMap::new();
        for certificate in self.certificates.iter().flat_map(|issued| &issued.certificates) {
            let end = certificate.not_after.as_duration().as_secs_f64();
            for name in &certificate.names {
                ends.entry(name).and_modify(|first| *first = first.min(end)).or_insert(end);
            }
        }
        let family = Family::<DomainLabels, Gauge<f64, AtomicU64>>::default();
        for (name, end) in ends {
            family.get_or_create_owned(&DomainLabels { domain: name.to_owned() }).set(end);
        }
        page.register_with_unit(
            "tls_not_after_timestamp",
            "When the certificate for a name expires, the first where there are several; only names of certificates in use",
            Unit::Seconds,
            family,
        );
    }

    fn register_callers(&self, page: &mut Registry) {
        let callers = Family::default();
        for source in &self.sources {
            let counts = source.addresses.snapshot();
            let decisions = [
                ("allowed", counts.allowed),
                ("denied", counts.denied),
                ("would_be_denied", counts.would_be_denied),
            ];
            for (decision, number) in decisions {
                let labels = CallerLabels { source: source.name.to_string(), decision };
                count(&callers, &labels, number);
            }
        }
        page.register(
            "callers",
            "What allow_ips said of callers; would_be_denied is what monitoring lets through",
            callers,
        );
    }

    fn register_queues(&self, page: &mut Registry) {
        let depths = Family::default();
        let oldest = Family::<DestinationLabels, Gauge<f64, AtomicU64>>::default();
        for backlog in &self.backlogs {
            let destination = backlog.destination.to_string();
            let states = [("pending", backlog.pending), ("waiting", backlog.waiting), ("dead", backlog.dead)];
            for (state, depth) in states {
                set(&depths, &QueueLabels { destination: destination.clone(), state }, depth);
            }
            let age = backlog.oldest.map_or(0.0, |oldest| self.now.duration_since(oldest).as_secs_f64());
            let labels = DestinationLabels { destination };
            oldest.get_or_create_owned(&labels).set(age.max(0.0));
        }
        page.register(
            "queue_depth",
            "Deliveries that are due or under way (pending; an upper bound), wait for their next try (waiting), or were given up and are kept (dead)",
            depths,
        );
        page.register_with_unit(
            "queue_oldest",
            "How long ago the oldest event was received that the destination is not done with; 0 if there is none",
            Unit::Seconds,
            oldest,
        );
        let circuits = Family::default();
        for (destination, standing) in &self.standings {
            let state = match standing.phase {
                Phase::Closed => 0,
                Phase::HalfOpen => 1,
                Phase::Open => 2,
            };
            set(&circuits, &DestinationLabels { destination: destination.to_string() }, state);
        }
        page.register(
            "circuit_state",
            "Whether a destination is tried: 0 closed (all is well), 1 half open (one probe is under way), 2 open (it is left alone)",
            circuits,
        );
    }

    fn register_store(&self, page: &mut Registry) {
        let writable = self.store.as_ref().is_some_and(|store| store.writable);
        page.register("store_writable", "Whether the store takes events", gauge(u64::from(writable)));
        page.register_with_unit(
            "store_reserve",
            "Below so many free bytes no event is taken",
            Unit::Bytes,
            gauge(self.reserve),
        );
        let Some(store) = &self.store else { return };
        page.register("store_events", "Events in the log", gauge(store.events));
        page.register_with_unit("store", "Bytes that the store uses", Unit::Bytes, gauge(store.bytes));
        if let Some(free) = store.free_bytes {
            page.register_with_unit(
                "store_free",
                "Free bytes where the store lies",
                Unit::Bytes,
                gauge(free),
            );
        }
        page.register(
            "refusals_dropped",
            "Refusals that were not recorded, because there were too many at once",
            ConstCounter::new(store.refusals_dropped),
        );
    }
}

fn gauge<N>(value: N) -> ConstGauge<N>
where
    ConstGauge<N>: EncodeMetric,
{
    ConstGauge::new(value)
}

fn set<L: Clone + Eq + std::hash::Hash>(family: &Family<L, Gauge<u64, AtomicU64>>, labels: &L, value: u64) {
    family.get_or_create_owned(labels).set(value);
}

fn count<L: Clone + Eq + std::hash::Hash>(
    family: &Family<L, prometheus_client::metrics::counter::Counter>,
    labels: &L,
    value: u64,
) {
    family.get_or_create_owned(labels).inc_by(value);
}
