//! Traces for a collector: OTLP over HTTP, as JSON, where the environment names one.
//!
//! What happens is told as notices; here they become spans. A request is one span, with the store's part in it below, and
//! each try of a delivery is another, in the trace of the request that it delivers: the trace that the sender named, or
//! one of the event's own. The ids follow from the event's, so a try hours later, or after a restart, finds its place.
//!
//! The observer only queues, and a collector that is slow or away costs spans, never requests.
//! <https://opentelemetry.io/docs/specs/otlp/> says what is sent.

mod exporter;
mod settings;
mod span;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookhouse_core::{EventStore, Notice, Observer};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use exporter::Exporter;
pub(crate) use settings::Settings;

/// Notices that may wait; a notice of an event holds its body.
const QUEUE: usize = 1_024;

/// How long the last spans may take to leave.
const FAREWELL: Duration = Duration::from_secs(5);

/// Has what it is told exported, and tells `next`.
#[derive(Debug)]
struct Told {
    queue: Mutex<Option<mpsc::Sender<Notice>>>,
    next: Arc<dyn Observer>,
}

impl Observer for Told {
    fn notice(&self, notice: Notice) {
        if span::is_one(&notice) {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(queue) = &*queue
                && queue.try_send(notice.clone()).is_err()
            {
                tracing::debug!(event = "otlp.lost", "a span was lost: the collector is slow");
            }
        }
        self.next.notice(notice);
    }
}

/// Exports until it is told to finish.
#[derive(Debug)]
pub(crate) struct Traces {
    told: Arc<Told>,
    exporter: JoinSet<()>,
}

impl Traces {
    /// Exports what an observer is told from now on; tells `next` as well.
    pub(crate) fn start(settings: Settings, store: Arc<dyn EventStore>, next: Arc<dyn Observer>) -> Self {
        let (sender, notices) = mpsc::channel(QUEUE);
        let told = Arc::new(Told { queue: Mutex::new(Some(sender)), next });
        let mut exporter = JoinSet::new();
        exporter.spawn(Exporter::new(settings, store).run(notices));
        Self { told, exporter }
    }

    /// Who is to be told.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.told) as _
    }

    /// Sends what is left.
    pub(crate) async fn finish(mut self) {
        self.told.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        if tokio::time::timeout(FAREWELL, self.exporter.join_next()).await.is_err() {
            tracing::warn!("the collector took too long: the last spans are lost");
        }
    }
}
