//! An event that its destination answers now: recorded first, then asked for, then answered.
//!
//! A repeat is relayed like anything else: a `<Gather>` that loops sends the same signed request each time, and wants
//! an answer each time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::store::Receipt;
use hookhouse_core::{
    Answer, Clock, DestinationName, Event, EventId, EventStore, Headers, Notice, Observer, Passed,
    SourceName, StoredEvent, Timestamp,
};
use hookhouse_delivery::{Destination, Guard, Relay, RelayFailure, Transport};
use hookhouse_verify::sign::Signer;
use http::{HeaderMap, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::answer::{self, Refuse, Refused, Reply};
use crate::config::{OnFailure, RelaySettings, Source};
use crate::lifecycle::Lifecycle;
use crate::pending::Pending;
use crate::tunnel;

/// What a relay needs besides the request.
#[derive(Debug)]
pub(crate) struct Relays {
    relays: HashMap<DestinationName, Relay>,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    lifecycle: Lifecycle,
}

/// What is relayed, and how.
pub(crate) struct Order {
    pub(crate) source: SourceName,
    pub(crate) signer: Option<Signer>,
    pub(crate) settings: RelaySettings,
    pub(crate) event: Event,
    /// The sender's side of a WebSocket handshake.
    pub(crate) upgrade: Option<OnUpgrade>,
    pub(crate) pending: Pending,
}

impl Order {
    pub(crate) fn new(
        source: &Source,
        settings: &RelaySettings,
        event: Event,
        upgrade: Option<OnUpgrade>,
        pending: Pending,
    ) -> Self {
        Self {
            source: source.name.clone(),
            signer: source.signer.as_ref().map(|signing| signing.signer.clone()),
            settings: settings.clone(),
            event,
            upgrade,
            pending,
        }
    }
}

impl Relays {
    /// A relay for every destination.
    pub(crate) fn new(
        destinations: &[Destination],
        guard: &Arc<Guard>,
        transport: &Transport,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        lifecycle: Lifecycle,
    ) -> Self {
        let relay = |destination: &Destination| {
            let (tracker, hard) = (lifecycle.tracker.clone(), lifecycle.hard.clone());
            let relay = Relay::new(destination.clone(), Arc::clone(guard), transport, tracker, hard);
            (destination.name.clone(), relay)
        };
        let relays = destinations.iter().map(relay).collect();
        Self { relays, store, clock, observer, lifecycle }
    }

    /// Records an event and brings back what its destination answers.
    pub(crate) async fn relay(self: Arc<Self>, order: Order) -> Result<Reply, Refused> {
        let Order { source, signer, settings, event, upgrade, pending } = order;
        let appending = Instant::now();
        let deadline = appending + settings.deadline;
        let (event, repeat_of) =
            match self.store.append(event).await.map_err(|error| Refused::from(&error))? {
                Receipt::Stored { event, repeat_of } => (event, repeat_of),
                Receipt::Duplicate { .. } => {
                    return Err(Refused::new(
                        Refuse::Internal,
                        "internal",
                        "a relayed event was taken for a repeat",
                    ));
                }
            };
        let stored_in = appending.elapsed();
        self.observer.notice(Notice::Accepted { event: Arc::clone(&event), repeat_of, answered: None });
        let Some(relay) = self.relays.get(&settings.to) else {
            return Err(Refused::new(Refuse::Internal, "internal", "there is no relay to the destination"));
        };
        let asked = Asked {
            source,
            event,
            repeat_of,
            to: settings.to.clone(),
            at: self.clock.now(),
            began: Instant::now(),
            pending,
            stored_in,
        };
        let answer = match upgrade {
            None => relay.forward(&asked.event, asked.at, signer.as_ref(), deadline).await.map(|relayed| {
                self.keep(asked.answer(relayed.status, &relayed.headers, relayed.body.clone()));
                (relayed.status.as_u16(), answer::relayed(relayed))
            }),
            Some(upgrade) => {
                relay.open(&asked.event, asked.at, signer.as_ref(), deadline).await.map(|opened| {
                    let kept = asked.answer(StatusCode::SWITCHING_PROTOCOLS, &opened.headers, Bytes::new());
                    self.tunnel(&asked, kept, settings.idle, upgrade, opened.stream);
                    (101, answer::switching(opened.headers))
                })
            }
        };
        match answer {
            Ok((status, reply)) => {
                self.observer.notice(asked.told(status, None));
                Ok(reply)
            }
            Err(failure) => Ok(self.instead(&asked, &settings, &failure).await),
        }
    }

    /// What is answered where the application did not: the fallback, or a coarse word. The event is kept in any case,
    /// and queued where the source says so.
    async fn instead(&self, asked: &Asked, settings: &RelaySettings, failure: &RelayFailure) -> Reply {
        let id = asked.event.id();
        if settings.on_failure == OnFailure::Queue
            && let Err(error) = self.store.redeliver(id, &settings.to).await
        {
            tracing::error!(event = "relay.not_queued", %id, %error, "replay it by hand");
        }
        let kind = match failure {
            RelayFailure::Late => Refuse::GatewayTimeout,
            RelayFailure::Broken(_) => Refuse::BadGateway,
        };
        let (reply, body) = match &settings.fallback {
            Some(fallback) => (answer::accepted(fallback), fallback.body.clone()),
            None => (kind.reply(&id.to_string(), false), Bytes::new()),
        };
        self.observer.notice(asked.told(reply.status().as_u16(), Some(failure)));
        let failure = Some(failure.to_string());
        self.keep(Answer { failure, ..asked.answer(reply.status(), reply.headers(), body) });
        reply
    }

    /// Keeps an answer, while it is already on its way: the event is durable, and the caller waits for nothing else.
    fn keep(&self, answer: Answer) {
        self.lifecycle.tracker.spawn(keep(Arc::clone(&self.store), answer));
    }

    /// Joins both sides once the sender's has switched; the answer that makes it do so is on its way.
    fn tunnel(
        &self,
        asked: &Asked,
        answer: Answer,
        idle: Duration,
        sender: OnUpgrade,
        application: hyper::upgrade::Upgraded,
    ) {
        let (observer, hard) = (Arc::clone(&self.observer), self.lifecycle.hard.clone());
        let store = Arc::clone(&self.store);
        let source = asked.source.clone();
        let (began, at) = (Instant::now(), self.clock.now());
        self.lifecycle.tracker.spawn(async move {
            let joined = async {
                let Ok(sender) = sender.await else {
                    return tunnel::Passed { up: 0, down: 0, end: "broken" };
                };
                tunnel::join(TokioIo::new(sender), TokioIo::new(application), idle, &hard).await
            };
            let (passed, ()) = tokio::join!(joined, keep(Arc::clone(&store), answer.clone()));
            let duration_ms = milliseconds(began);
            observer.notice(Notice::Tunnelled {
                source,
                event: answer.event,
                destination: answer.destination.clone(),
                at,
                duration_ms,
                up: passed.up,
                down: passed.down,
                end: passed.end,
            });
            let passed = Some(Passed { up: passed.up, down: passed.down, end: passed.end.to_owned() });
            keep(store, Answer { passed, duration_ms, ..answer }).await;
        });
    }
}

/// An event whose destination was asked for an answer.
struct Asked {
    source: SourceName,
    event: Arc<StoredEvent>,
    repeat_of: Option<EventId>,
    to: DestinationName,
    at: Timestamp,
    began: Instant,
    pending: Pending,
    stored_in: Duration,
}

impl Asked {
    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: Bytes) -> Answer {
        let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        Answer {
            event: self.event.id(),
            destination: self.to.clone(),
            asked_at: self.at,
            duration_ms: milliseconds(self.began),
            status: status.as_u16(),
            // hyper takes no header that could not be kept.
            headers: Headers::from_pairs(pairs).unwrap_or_default(),
            body,
            failure: None,
            repeat_of: self.repeat_of,
            passed: None,
        }
    }

    fn told(&self, status: u16, failure: Option<&RelayFailure>) -> Notice {
        Notice::Relayed {
            source: self.source.clone(),
            event: self.event.id(),
            destination: self.to.clone(),
            at: self.at,
            duration_ms: milliseconds(self.began),
            status,
            failure: failure.map(ToString::to_string),
            late: failure == Some(&RelayFailure::Late),
            answered: self.pending.answered(status, Some(self.stored_in)),
        }
    }
}

async fn keep(store: Arc<dyn EventStore>, answer: Answer) {
    let event = answer.event;
    if let Err(error) = store.keep_answer(answer).await {
        tracing::error!(event = "relay.answer_not_kept", id = %event, %error);
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
