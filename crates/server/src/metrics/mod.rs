//! Metrics, as Prometheus reads them (OpenMetrics text).
//!
//! ```text
//! ingest, relay, delivery ── Notice ─▶ Watched ─┬▶ Metrics: counters and histograms, by source and destination
//!                                               └▶ the observer behind it: the log, the terminal
//! a scrape ── Reading: store, backlogs, circuits, connections, process ─┐
//!                                               Metrics ────────────────┴▶ the page
//! ```
//!
//! The handles of every source and destination are made when the configuration names it, and found by name: a request
//! costs a look-up under a lock that only a reload takes for itself, some atomic additions, and no allocation. A name that
//! is no longer configured has no series any more, so that there are never more of them than the configuration makes. What has a state of its own (queues,
//! circuits, the store) is not counted along but read when somebody asks.
//!
//! `docs/reference/metrics.md` is made from the page itself; a test compares the two.

mod counts;
mod destination;
mod durations;
mod families;
mod process;
mod reading;
mod slots;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hookhouse_core::notice::Answered;
use hookhouse_core::{DestinationName, Notice, Observer, SourceName, Timestamp};
use hookhouse_verify::x::Cost;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

use crate::config::Source;
use destination::DestinationMetrics;
use families::Families;
use source::SourceMetrics;

pub use counts::{AttemptCounts, RequestCounts};
pub(crate) use reading::{Connections, Reading};

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    page: Registry,
    families: Arc<Families>,
    sources: RwLock<HashMap<SourceName, Arc<SourceMetrics>>>,
    /// For requests that reach no source.
    nowhere: Arc<SourceMetrics>,
    destinations: RwLock<HashMap<DestinationName, Arc<DestinationMetrics>>>,
}

impl Metrics {
    /// The type of what [`Metrics::page`] makes.
    pub(crate) const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    pub(crate) fn new<'a>(
        sources: impl IntoIterator<Item = &'a Source>,
        destinations: impl IntoIterator<Item = &'a DestinationName>,
    ) -> Arc<Self> {
        let families = Arc::new(Families::new());
        let mut page = Registry::default();
        families.register(&mut page);
        let metrics = Self {
            sources: RwLock::default(),
            nowhere: Arc::new(SourceMetrics::new(&families, "", "", false)),
            destinations: RwLock::default(),
            families,
            page,
        };
        metrics.change(sources, destinations);
        Arc::new(metrics)
    }

    /// Counts for these from now on. Those that are as before go on; what was counted for the others is gone.
    pub(crate) fn change<'a>(
        &self,
        sources: impl IntoIterator<Item = &'a Source>,
        destinations: impl IntoIterator<Item = &'a DestinationName>,
    ) {
        let mut known = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        let mut former = std::mem::take(&mut *known);
        let mut new = Vec::new();
        for source in sources {
            match former.remove(&source.name) {
                Some(metrics) if metrics.is_for(&source.path, answers_crc(source)) => {
                    known.insert(source.name.clone(), metrics);
                }
                other => {
                    other.inspect(|other| other.forget());
                    new.push(source);
                }
            }
        }
        // A path may have gone from one source to another: what is forgotten goes first.
        former.values().for_each(|gone| gone.forget());
        for source in new {
            let (name, crc) = (source.name.as_str(), answers_crc(source));
            let metrics = SourceMetrics::new(&self.families, name, &source.path, crc);
            known.insert(source.name.clone(), Arc::new(metrics));
        }
        drop(known);
        let mut known = self.destinations.write().unwrap_or_else(PoisonError::into_inner);
        let mut former = std::mem::take(&mut *known);
        for name in destinations {
            let metrics = former
                .remove(name)
                .unwrap_or_else(|| Arc::new(DestinationMetrics::new(&self.families, name.as_str())));
            known.insert(name.clone(), metrics);
        }
        former.values().for_each(|gone| gone.forget());
    }

    /// An observer that counts what it is told, then tells `next`.
    pub(crate) fn before(self: &Arc<Self>, next: Arc<dyn Observer>) -> Arc<dyn Observer> {
        Arc::new(Watched { metrics: Arc::clone(self), next })
    }

    /// What X says of the webhook of a source.
    pub fn set_webhook_valid(&self, source: &SourceName, valid: bool) {
        self.source(Some(source)).set_webhook_valid(valid);
    }

    /// A challenge was answered at this moment, as whoever keeps watch over the webhook knows it: from before the start,
    /// say. Answers of this process are counted without it.
    pub fn challenge_seen(&self, source: &SourceName, at: Timestamp) {
        self.source(Some(source)).challenge_seen(at);
    }

    /// The page: what was counted, and what was just read.
    pub(crate) fn page(&self, reading: &Reading) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(16 * 1024);
        encode_registry(&mut text, &self.page)?;
        encode_registry(&mut text, &reading.page())?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    fn count(&self, notice: &Notice) {
        match notice {
            Notice::Accepted { event, answered, .. } => {
                let record = event.record();
                let source = &*self.source(Some(&record.source));
                source.accepted.inc();
                if let Some(key) = &record.provenance.key {
                    source.key_used(key, record.received_at);
                }
                if let ("x", Some(event_type)) = (&*record.provenance.provider, &record.event_type)
                    && let Some(cost) = Cost::of(event_type)
                {
                    source.charge(event_type, cost);
                }
                if let Some(answered) = answered {
                    self.families.acknowledged.observe(answered.elapsed);
                    self.answer(source, answered);
                }
            }
            Notice::Duplicate { source, answered, .. } => {
                let source = &*self.source(Some(source));
                source.duplicate.inc();
                self.families.acknowledged.observe(answered.elapsed);
                self.answer(source, answered);
            }
            Notice::Refused { refusal, answered, .. } => {
                let source = &*self.source(refusal.source.as_ref());
                source.refuse(refusal);
                if let Some(answered) = answered {
                    self.answer(source, answered);
                }
            }
            Notice::Handshake { source, at, kind, key, answered, .. } => {
                let source = &*self.source(Some(source));
                source.answer_challenge(kind, *at);
                source.key_used(key, *at);
                if *kind == "crc" {
                    self.families.challenge_answered.observe(answered.elapsed);
                }
                self.answer(source, answered);
            }
            Notice::Relayed { source, destination, duration_ms, failure, late, answered, .. } => {
                if let Some(destination) = self.destination(destination) {
                    let took = Duration::from_millis(*duration_ms);
                    destination.relay(took, failure.is_none(), *late);
                }
                self.answer(&self.source(Some(source)), answered);
            }
            Notice::Tunnelled { destination, end, .. } => {
                if let Some(destination) = self.destination(destination) {
                    destination.tunnel(end);
                }
            }
            Notice::Attempted { attempt, next, .. } => {
                if let Some(destination) = self.destination(&attempt.delivery.destination) {
                    destination.attempt(attempt, next);
                }
            }
            // Whether a circuit is open is read, not counted along.
            Notice::Circuit { .. } | Notice::Webhook { .. } => {}
        }
    }

    fn answer(&self, source: &SourceMetrics, answered: &Answered) {
        source.answer(answered);
        if let Some(took) = answered.stored_in {
            self.families.committed.observe(took);
        }
    }

    fn source(&self, name: Option<&SourceName>) -> Arc<SourceMetrics> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(name.and_then(|name| sources.get(name)).unwrap_or(&self.nowhere))
    }

    fn destination(&self, name: &DestinationName) -> Option<Arc<DestinationMetrics>> {
        self.destinations.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

fn answers_crc(source: &Source) -> bool {
    source.provider == "x"
}

/// Counts, and passes on.
#[derive(Debug)]
struct Watched {
    metrics: Arc<Metrics>,
    next: Arc<dyn Observer>,
}

impl Observer for Watched {
    fn notice(&self, notice: Notice) {
        self.metrics.count(&notice);
        self.next.notice(notice);
    }
}
