//! The engine: a lane for every destination.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{Clock, DestinationName, EventStore, Observer, SourceName, StoreError, Timestamp};
use hookhouse_verify::sign::Signer;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::circuit::{Moment, Phase, Saved};
use crate::client::{Client, Spawner, Transport};
use crate::courier::Courier;
use crate::destination::Destination;
use crate::guard::Guard;
use crate::lane::{Lane, SharedCircuit, Worker};
use crate::pause::Pause;
use crate::settle::{CircuitRecord, Settler};

/// What an engine is made of.
#[derive(Debug)]
pub struct EngineParts {
    /// Where deliveries come from and outcomes go. Its subscriptions are the caller's business, before the start.
    pub store: Arc<dyn EventStore>,
    /// Where events go.
    pub destinations: Vec<Destination>,
    /// How the sources sign, for destinations that want a provider's signature made anew. A source that is not here
    /// signs as its provider does, where the catalogue knows it.
    pub signers: HashMap<SourceName, Signer>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who is told of attempts and circuits.
    pub observer: Arc<dyn Observer>,
    /// Where deliveries may go.
    pub guard: Arc<Guard>,
    /// Waits for every task of the engine.
    pub tracker: TaskTracker,
    /// Cancelled: nothing more is leased; what is in flight is finished.
    pub soft: CancellationToken,
    /// Cancelled: attempts are broken off and their leases handed back.
    pub hard: CancellationToken,
}

/// A running engine. It runs until its tokens are cancelled, whatever becomes of this handle.
#[derive(Debug)]
pub struct Engine {
    lanes: BTreeMap<DestinationName, (SharedCircuit, Pause)>,
}

/// How a destination stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is tried.
    pub phase: Phase,
    /// Until when it is left alone.
    pub open_until: Option<Timestamp>,
    /// What the last failure was.
    pub cause: Option<String>,
    /// Whether an operator holds it.
    pub paused: bool,
}

impl Engine {
    /// Starts delivering, over the machine's network.
    ///
    /// Must be called within a tokio runtime. Reads the system's root certificates where a destination needs them.
    #[must_use]
    pub fn start(parts: EngineParts) -> Self {
        let transport = Transport::system(&parts.destinations);
        Self::start_over(parts, &transport)
    }

    /// Starts delivering, over a network of the caller's.
    #[must_use]
    pub fn start_over(parts: EngineParts, transport: &Transport) -> Self {
        let guard = parts.guard;
        let signers = Arc::new(parts.signers);
        let mut lanes = BTreeMap::new();
        for mut destination in parts.destinations {
            destination.timeout = destination.timeout.min(LONGEST_TIMEOUT);
            let circuit = SharedCircuit::new();
            let pause = Pause::new(Arc::clone(&parts.store), &destination.name);
            lanes.insert(destination.name.clone(), (circuit.clone(), pause.clone()));
            let spawner = Spawner { tracker: parts.tracker.clone(), hard: parts.hard.clone() };
            let clock = Arc::clone(&parts.clock);
            let client =
                Client::new(&destination, Arc::clone(&guard), transport, Arc::clone(&clock), spawner);
            let courier = Courier::new(&destination, client, Arc::clone(&guard), clock);
            let starting = Starting {
                store: Arc::clone(&parts.store),
                observer: Arc::clone(&parts.observer),
                clock: Arc::clone(&parts.clock),
                signers: Arc::clone(&signers),
                tracker: parts.tracker.clone(),
                stop: parts.soft.child_token(),
                hard: parts.hard.clone(),
                destination,
                courier,
                circuit,
                pause,
            };
            parts.tracker.spawn(starting.run());
        }
        Self { lanes }
    }

    /// How each destination stands.
    #[must_use]
    pub fn standings(&self) -> BTreeMap<DestinationName, Standing> {
        let standing = |(circuit, pause): &(SharedCircuit, Pause)| {
            let circuit = circuit.lock();
            let Saved { open_until, cause, .. } = circuit.saved();
            Standing { phase: circuit.phase(), open_until, cause, paused: pause.is_held() }
        };
        self.lanes.iter().map(|(name, lane)| (name.clone(), standing(lane))).collect()
    }

    /// Holds a destination, or lets it go on: what is due waits in its queue meanwhile, also over restarts. Attempts
    /// that are under way end. Answers whether that changed anything; `None` where there is no such destination.
    ///
    /// # Errors
    /// When the store does not keep it; then nothing changes.
    pub async fn pause(
        &self,
        destination: &DestinationName,
        paused: bool,
    ) -> Result<Option<bool>, StoreError> {
        match self.lanes.get(destination) {
            Some((_, pause)) => pause.set(paused).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A lane before it knows its circuit.
struct Starting {
    store: Arc<dyn EventStore>,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    signers: Arc<HashMap<SourceName, Signer>>,
    tracker: TaskTracker,
    stop: CancellationToken,
    hard: CancellationToken,
    destination: Destination,
    courier: Courier,
    circuit: SharedCircuit,
    pause: Pause,
}

impl Starting {
    async fn run(self) {
        let now = Moment { wall: self.clock.now(), tick: Instant::now() };
        let loading = CircuitRecord::load(Arc::clone(&self.store), &self.destination.name, now);
        let (record, circuit) = loading.await;
        *self.circuit.lock() = circuit;
        self.pause.load().await;
        let (sender, finished) = mpsc::channel(self.destination.concurrency.max(1));
        let settler = Settler {
            store: Arc::clone(&self.store),
            observer: self.observer,
            finished,
            circuit: self.circuit.clone(),
            record,
            stop: self.stop.clone(),
            hard: self.hard.clone(),
        };
        self.tracker.spawn(settler.run());
        let worker = Worker {
            destination: self.destination,
            courier: self.courier,
            signers: self.signers,
            clock: self.clock,
            circuit: self.circuit,
            pause: self.pause,
            finished: sender,
            hard: self.hard,
        };
        Lane { store: self.store, worker: Arc::new(worker), tracker: self.tracker, stop: self.stop }
            .run()
            .await;
    }
}

/// The longest attempt: what is longer is for ever, and for ever does not fit into the clocks.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
