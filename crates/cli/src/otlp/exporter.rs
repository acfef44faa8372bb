//! The way to the collector: what has gathered goes in one request, and what it does not take is lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{Clock, EventId, EventStore, Notice, SystemClock};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::Settings;
use super::span::{Context, spans};

/// Notices in one request, at most.
const BATCH: usize = 256;

/// How long a first span waits for others.
const GATHER: Duration = Duration::from_millis(250);

/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is read.
const MOST_ANSWER: usize = 64 << 10;

/// Events whose place is remembered; of others the store knows.
const REMEMBERED: usize = 1_024;

/// Between two complaints about a collector that is away.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Exporter {
    settings: Settings,
    store: Arc<dyn EventStore>,
    recent: VecDeque<(EventId, Context)>,
    complained: Option<Instant>,
}

impl Exporter {
    pub(super) fn new(settings: Settings, store: Arc<dyn EventStore>) -> Self {
        Self { settings, store, recent: VecDeque::new(), complained: None }
    }

    /// Exports until nobody tells anything any more.
    pub(super) async fn run(mut self, mut notices: mpsc::Receiver<Notice>) {
        let mut batch = Vec::new();
        while notices.recv_many(&mut batch, BATCH).await > 0 {
            if batch.len() < BATCH && !notices.is_closed() {
                sleep(GATHER).await;
                while batch.len() < BATCH
                    && let Ok(notice) = notices.try_recv()
                {
                    batch.push(notice);
                }
            }
            let now = SystemClock.now();
            let mut all = Vec::new();
            for notice in batch.drain(..) {
                let context = self.context(&notice).await;
                all.extend(spans(&notice, context.as_ref(), now));
            }
            if !all.is_empty()
                && let Err(error) = self.send(all).await
            {
                self.complain(&error);
            }
        }
    }

    /// Where the event of a notice belongs.
    async fn context(&mut self, notice: &Notice) -> Option<Context> {
        let id = match notice {
            Notice::Accepted { event, .. } => {
                let context = Context::of(event);
                if self.recent.len() == REMEMBERED {
                    self.recent.pop_front();
                }
                self.recent.push_back((event.id(), context.clone()));
                return Some(context);
            }
            Notice::Attempted { attempt, .. } => attempt.delivery.event,
            Notice::Relayed { event, .. } => *event,
            _ => return None,
        };
        if let Some((_, context)) = self.recent.iter().rev().find(|(known, _)| *known == id) {
            return Some(context.clone());
        }
        // Gone, or closed already: then it has a trace of its own.
        let event = self.store.event(id).await.ok().flatten()?;
        Some(Context::of(&event))
    }

    async fn send(&self, spans: Vec<Value>) -> anyhow::Result<()> {
        let resource = self.settings.resource.iter();
        let resource: Vec<_> =
            resource.map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect();
        let scope = json!({ "name": "hookhouse", "version": env!("CARGO_PKG_VERSION") });
        let document = json!({ "resourceSpans": [{
            "resource": { "attributes": resource },
            "scopeSpans": [{ "scope": scope, "spans": spans }],
        }] });
        let mut request = Request::new(Full::new(Bytes::from(document.to_string())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.settings.path.parse()?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.settings.line.authority().parse()?);
        headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        headers.extend(self.settings.headers.iter().cloned());
        let exchange = async {
            let mut wire = self.settings.line.open().await?;
            let answer = wire.send(request).await?;
            let status = answer.status();
            let read = Limited::new(answer.into_body(), MOST_ANSWER).collect().await;
            anyhow::ensure!(status.is_success(), "it answered {status}");
            read.map(drop).map_err(|_| anyhow::anyhow!("its answer broke off"))
        };
        timeout(PATIENCE, exchange).await.map_err(|_| anyhow::anyhow!("it took longer than {PATIENCE:?}"))?
    }

    fn complain(&mut self, error: &anyhow::Error) {
        let now = Instant::now();
        if self.complained.is_none_or(|last| now.duration_since(last) >= COMPLAIN_EVERY) {
            self.complained = Some(now);
            tracing::warn!(event = "otlp.lost", %error, collector = self.settings.line.authority(), "spans were lost");
        }
    }
}
