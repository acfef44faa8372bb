//! The engine: a lane for every destination.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hookhouse_core::{Clock, DestinationName, EventStore, Observer, SourceName, StoreError, Timestamp};
use hookhouse_verify::sign::Signer;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::circuit::{Circuit, Moment, Phase, Saved};
use crate::client::{Client, Spawner, Transport};
use crate::courier::Courier;
use crate::destination::Destination;
use crate::guard::Guard;
use crate::lane::{Carrier, Lane, SharedCircuit, Signers, Succession, Worker};
use crate::pause::Pause;
use crate::settle::{CircuitRecord, Finished, Settler};

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
    ground: Ground,
    /// Looked at by operators and changed by a reload, for a few lines each; lanes do without it.
    lanes: RwLock<BTreeMap<DestinationName, Running>>,
}

/// What every lane stands on.
#[derive(Debug)]
struct Ground {
    store: Arc<dyn EventStore>,
    signers: Signers,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    guard: Arc<Guard>,
    tracker: TaskTracker,
    soft: CancellationToken,
    hard: CancellationToken,
}

/// A lane that runs.
#[derive(Debug)]
struct Running {
    circuit: SharedCircuit,
    pause: Pause,
    url: http::Uri,
    succession: Arc<Succession>,
    stop: CancellationToken,
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
        let ground = Ground {
            store: parts.store,
            signers: Signers::new(parts.signers),
            clock: parts.clock,
            observer: parts.observer,
            guard: parts.guard,
            tracker: parts.tracker,
            soft: parts.soft,
            hard: parts.hard,
        };
        let start =
            |destination: Destination| (destination.name.clone(), ground.start(destination, transport));
        let lanes = parts.destinations.into_iter().map(start).collect();
        Self { ground, lanes: RwLock::new(lanes) }
    }

    /// Goes on with other destinations. Those that are new begin; those that are gone lease nothing more; those that are
    /// said to be `changed` go on as they are described now. The others go on as they were. Whatever is under way ends
    /// as it began, and is settled.
    ///
    /// As at the start, the subscriptions are the caller's business, and come before.
    pub fn change(
        &self,
        destinations: Vec<Destination>,
        changed: &BTreeSet<DestinationName>,
        signers: HashMap<SourceName, Signer>,
        transport: &Transport,
    ) {
        self.ground.signers.replace(signers);
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|name, lane| {
            let stays = destinations.iter().any(|destination| destination.name == *name);
            if !stays {
                lane.stop.cancel();
            }
            stays
        });
        for destination in destinations {
            match lanes.get_mut(&destination.name) {
                None => {
                    lanes.insert(destination.name.clone(), self.ground.start(destination, transport));
                }
                Some(lane) if changed.contains(&destination.name) => {
                    self.ground.hand_over(lane, destination, transport);
                }
                Some(_) => {}
            }
        }
    }

    /// How each destination stands.
    #[must_use]
    pub fn standings(&self) -> BTreeMap<DestinationName, Standing> {
        let standing = |lane: &Running| {
            let circuit = lane.circuit.lock();
            let Saved { open_until, cause, .. } = circuit.saved();
            Standing { phase: circuit.phase(), open_until, cause, paused: lane.pause.is_held() }
        };
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.iter().map(|(name, lane)| (name.clone(), standing(lane))).collect()
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
        let pause = {
            let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
            lanes.get(destination).map(|lane| lane.pause.clone())
        };
        match pause {
            Some(pause) => pause.set(paused).await.map(Some),
            None => Ok(None),
        }
    }
}

impl Ground {
    /// Starts a lane.
    fn start(&self, destination: Destination, transport: &Transport) -> Running {
        let stop = self.soft.child_token();
        let circuit = SharedCircuit::new();
        let pause = Pause::new(Arc::clone(&self.store), &destination.name);
        let (sender, finished) = mpsc::channel(destination.concurrency.max(1));
        let name = destination.name.clone();
        let url = destination.url.clone();
        let carrier = Arc::new(self.carrier(destination, transport));
        let worker = Worker {
            carrier,
            signers: self.signers.clone(),
            clock: Arc::clone(&self.clock),
            circuit: circuit.clone(),
            pause: pause.clone(),
            finished: sender,
            hard: self.hard.clone(),
        };
        let succession = Arc::<Succession>::default();
        let lane = Lane {
            store: Arc::clone(&self.store),
            worker: Arc::new(worker),
            succession: Arc::clone(&succession),
            tracker: self.tracker.clone(),
            stop: stop.clone(),
        };
        let starting = Starting {
            name,
            clock: Arc::clone(&self.clock),
            observer: Arc::clone(&self.observer),
            hard: self.hard.clone(),
            circuit: circuit.clone(),
            pause: pause.clone(),
            finished,
            lane,
        };
        self.tracker.spawn(starting.run());
        Running { circuit, pause, url, succession, stop }
    }

    /// Has a lane go on to the destination as it is now. What the circuit knows of another URL is forgotten, so that an
    /// address that was mended is tried at once.
    fn hand_over(&self, lane: &mut Running, destination: Destination, transport: &Transport) {
        if lane.url != destination.url {
            lane.url = destination.url.clone();
            *lane.circuit.lock() = Circuit::closed();
        }
        lane.succession.name(self.carrier(destination, transport));
    }

    fn carrier(&self, mut destination: Destination, transport: &Transport) -> Carrier {
        destination.timeout = destination.timeout.min(LONGEST_TIMEOUT);
        let spawner = Spawner { tracker: self.tracker.clone(), hard: self.hard.clone() };
        let (guard, clock) = (Arc::clone(&self.guard), Arc::clone(&self.clock));
        let client = Client::new(&destination, Arc::clone(&guard), transport, Arc::clone(&clock), spawner);
        Carrier { courier: Courier::new(&destination, client, guard, clock), destination }
    }
}

/// A lane before it knows its circuit.
struct Starting {
    name: DestinationName,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    hard: CancellationToken,
    circuit: SharedCircuit,
    pause: Pause,
    finished: mpsc::Receiver<Finished>,
    lane: Lane,
}

impl Starting {
    async fn run(self) {
        let Self { name, clock, observer, hard, circuit, pause, finished, lane } = self;
        let now = Moment { wall: clock.now(), tick: Instant::now() };
        let (record, known) = CircuitRecord::load(Arc::clone(&lane.store), &name, now).await;
        *circuit.lock() = known;
        pause.load().await;
        let (store, stop) = (Arc::clone(&lane.store), lane.stop.clone());
        if store.is_shared() {
            let (stop, pause) = (stop.clone(), pause.clone());
            lane.tracker.spawn(async move {
                stop.run_until_cancelled(pause.follow()).await;
            });
        }
        let settler = Settler { store, observer, clock, finished, circuit, record, stop, hard };
        lane.tracker.spawn(settler.run());
        lane.run().await;
    }
}

/// The longest attempt: what is longer is for ever, and for ever does not fit into the clocks.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
