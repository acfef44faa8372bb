//! An event that its destination answers now: recorded first, then asked for, then answered.
//!
//! A repeat is relayed like anything else: a `<Gather>` that loops sends the same signed request each time, and wants
//! an answer each time.

use std::collections::HashMap;
use std::sync::Arc;

use hookhouse_core::store::Receipt;
use hookhouse_core::{
    Clock, DestinationName, Event, EventStore, Notice, Observer, SourceName, StoredEvent, Timestamp,
};
use hookhouse_delivery::{Destination, Guard, Relay, RelayFailure, Transport};
use hookhouse_verify::sign::Signer;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::answer::{self, Refuse, Refused, Reply};
use crate::config::{OnFailure, RelaySettings, Source};
use crate::lifecycle::Lifecycle;
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
}

impl Order {
    pub(crate) fn new(
        source: &Source,
        settings: &RelaySettings,
        event: Event,
        upgrade: Option<OnUpgrade>,
    ) -> Self {
        Self {
            source: source.name.clone(),
            signer: source.signer.as_ref().map(|signing| signing.signer.clone()),
            settings: settings.clone(),
            event,
            upgrade,
        }
    }
}

impl Relays {
    /// A relay for every destination.
    pub(crate) fn new(
        destinations: &[Destination],
        guard: &Arc<Guard>,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        lifecycle: Lifecycle,
    ) -> Self {
        let transport = Transport::system(destinations);
        let relay = |destination: &Destination| {
            let (tracker, hard) = (lifecycle.tracker.clone(), lifecycle.hard.clone());
            let relay = Relay::new(destination.clone(), Arc::clone(guard), &transport, tracker, hard);
            (destination.name.clone(), relay)
        };
        let relays = destinations.iter().map(relay).collect();
        Self { relays, store, clock, observer, lifecycle }
    }

    /// Records an event and brings back what its destination answers.
    pub(crate) async fn relay(self: Arc<Self>, order: Order) -> Result<Reply, Refused> {
        let Order { source, signer, settings, event, upgrade } = order;
        let deadline = Instant::now() + settings.deadline;
        let record = event.record().clone();
        let (id, sequence) = match self.store.append(event).await.map_err(|error| Refused::from(&error))? {
            Receipt::Stored { id, sequence } => (id, sequence),
            Receipt::Duplicate { .. } => {
                return Err(Refused::new(
                    Refuse::Internal,
                    "internal",
                    "a relayed event was taken for a repeat",
                ));
            }
        };
        let event = Arc::new(StoredEvent::from_store(id, sequence, record));
        let Some(relay) = self.relays.get(&settings.to) else {
            return Err(Refused::new(Refuse::Internal, "internal", "there is no relay to the destination"));
        };
        let began = (Instant::now(), self.clock.now());
        let answer = match upgrade {
            None => relay
                .forward(&event, began.1, signer.as_ref(), deadline)
                .await
                .map(|relayed| (relayed.status.as_u16(), answer::relayed(relayed))),
            Some(upgrade) => relay.open(&event, began.1, signer.as_ref(), deadline).await.map(|opened| {
                self.tunnel(&source, &settings.to, &event, upgrade, opened.stream);
                (101, answer::switching(opened.headers))
            }),
        };
        let told = |status, failure: Option<&RelayFailure>| Notice::Relayed {
            source: source.clone(),
            event: event.id(),
            destination: settings.to.clone(),
            at: began.1,
            duration_ms: milliseconds(began.0),
            status,
            failure: failure.map(ToString::to_string),
        };
        match answer {
            Ok((status, reply)) => {
                self.observer.notice(told(status, None));
                Ok(reply)
            }
            Err(failure) => {
                let kind =
                    if failure == RelayFailure::Late { Refuse::GatewayTimeout } else { Refuse::BadGateway };
                self.observer.notice(told(kind.status().as_u16(), Some(&failure)));
                if settings.on_failure == OnFailure::Queue
                    && let Err(error) = self.store.redeliver(id, &settings.to).await
                {
                    tracing::error!(event = "relay.not_queued", %id, %error, "replay it by hand");
                }
                match &settings.fallback {
                    Some(fallback) => Ok(answer::accepted(fallback)),
                    None => Ok(kind.reply(&id.to_string(), false)),
                }
            }
        }
    }

    /// Joins both sides once the sender's has switched; the answer that makes it do so is on its way.
    fn tunnel(
        &self,
        source: &SourceName,
        destination: &DestinationName,
        event: &StoredEvent,
        sender: OnUpgrade,
        application: hyper::upgrade::Upgraded,
    ) {
        let (observer, hard) = (Arc::clone(&self.observer), self.lifecycle.hard.clone());
        let (source, destination, event) = (source.clone(), destination.clone(), event.id());
        let (began, at): (Instant, Timestamp) = (Instant::now(), self.clock.now());
        self.lifecycle.tracker.spawn(async move {
            let Ok(sender) = sender.await else { return };
            let passed = tokio::select! {
                passed = tunnel::join(TokioIo::new(sender), TokioIo::new(application)) => passed,
                () = hard.cancelled() => tunnel::Passed { up: 0, down: 0, end: "stopped" },
            };
            observer.notice(Notice::Tunnelled {
                source,
                event,
                destination,
                at,
                duration_ms: milliseconds(began),
                up: passed.up,
                down: passed.down,
                end: passed.end,
            });
        });
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
