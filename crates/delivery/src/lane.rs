//! A lane: the one task that leases the deliveries of one destination.
//!
//! A permit stands for one running attempt. The lane takes permits first and leases no more than it has permits, so
//! what is leased can start at once; an attempt gives its permit back only when its outcome is in the settler's hands.
//! Nothing is shared with other lanes but the store, so a destination that hangs fills its own permits and nobody
//! else's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hookhouse_core::delivery::{Next, Settlement};
use hookhouse_core::store::LeaseRequest;
use hookhouse_core::{Attempt, AttemptOutcome, Clock, EventStore, Lease, SourceName, StoreError, Timestamp};
use hookhouse_verify::sign::Signer;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::circuit::{Circuit, Gate, Health, Moment, Report, Role};
use crate::client::Client;
use crate::courier::Courier;
use crate::destination::Destination;
use crate::pause::Pause;
use crate::response::{self, Tried};
use crate::settle::{FIRST_PAUSE, Finished, Pauses};
use crate::{request, schedule};

/// A lane's circuit, for the lane, its attempts, its settler, and whoever looks.
#[derive(Debug, Clone)]
pub(crate) struct SharedCircuit {
    circuit: Arc<Mutex<Circuit>>,
    replaced: Arc<Notify>,
}

impl SharedCircuit {
    pub(crate) fn new() -> Self {
        Self { circuit: Arc::new(Mutex::new(Circuit::closed())), replaced: Arc::default() }
    }

    /// Goes on with another one; a lane that waits for the end of a pause looks again.
    pub(crate) fn replace(&self, circuit: Circuit) {
        *self.lock() = circuit;
        self.replaced.notify_one();
    }

    /// Waits for the end of a pause, or until the circuit is another one.
    async fn reopened(&self, until: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = self.replaced.notified() => {}
        }
    }

    /// Nothing under this lock can panic half-way, so a poisoned one is as good as another.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the deliveries of a lane go, and by whom.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) destination: Destination,
    pub(crate) courier: Courier,
}

/// Who takes over from the carrier of a lane, when the configuration changes. It is kept nowhere else: a lane that ended
/// must leave no connection open.
#[derive(Debug, Default)]
pub(crate) struct Succession {
    next: Mutex<Option<Carrier>>,
    named: Notify,
}

impl Succession {
    /// Names the one who takes over; whoever was named before and did not take over yet never does.
    pub(crate) fn name(&self, carrier: Carrier) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(carrier);
        self.named.notify_one();
    }

    fn take(&self) -> Option<Carrier> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) worker: Arc<Worker>,
    pub(crate) succession: Arc<Succession>,
    pub(crate) tracker: TaskTracker,
    /// Ends the leasing: the soft stop, or a store that failed for good.
    pub(crate) stop: CancellationToken,
}

impl Lane {
    /// Leases and starts attempts until it is stopped.
    pub(crate) async fn run(mut self) {
        let permits = Arc::new(Semaphore::new(self.worker.concurrency()));
        let mut pauses = Pauses::new(FIRST_PAUSE);
        loop {
            self.take_over(&permits).await;
            let Some(permit) = self.undisturbed(Arc::clone(&permits).acquire_owned()).await else {
                if self.stop.is_cancelled() {
                    return;
                }
                continue;
            };
            let Ok(permit) = permit else { return };
            // Attempts that end together give back their permits together: one lease for all of them.
            tokio::task::yield_now().await;
            if self.worker.pause.is_held() {
                drop(permit);
                self.undisturbed(self.worker.pause.ended()).await;
                continue;
            }
            let gate = self.worker.gate();
            if let Gate::Shut(until) = gate {
                drop(permit);
                self.undisturbed(self.worker.circuit.reopened(until)).await;
                continue;
            }
            let mut permits = if gate == Gate::Free { more(&permits) } else { Vec::new() };
            permits.push(permit);
            match self.lease(permits.len()).await {
                None => {}
                Some(Ok(leases)) => {
                    pauses = Pauses::new(FIRST_PAUSE);
                    self.start(leases, permits, gate).await;
                }
                Some(Err(error @ (StoreError::Closed | StoreError::Failed(_)))) => {
                    tracing::error!(destination = %self.worker.carrier.destination.name, %error, "deliveries end");
                    return;
                }
                Some(Err(error)) => {
                    tracing::warn!(destination = %self.worker.carrier.destination.name, %error, "nothing could be leased");
                    drop(permits);
                    self.undisturbed(tokio::time::sleep(pauses.next())).await;
                }
            }
        }
    }

    /// Goes on with the carrier that took over, if one did. Attempts that are under way end with the one they began
    /// with; where fewer may run from now on, some of them must have ended first.
    async fn take_over(&mut self, permits: &Arc<Semaphore>) {
        let Some(carrier) = self.succession.take().map(Arc::new) else { return };
        let before = self.worker.concurrency();
        self.worker = Arc::new(Worker { carrier, ..Worker::clone(&self.worker) });
        let after = self.worker.concurrency();
        permits.add_permits(after.saturating_sub(before));
        let surplus = u32::try_from(before.saturating_sub(after)).unwrap_or(u32::MAX);
        if surplus > 0
            && let Some(Ok(surplus)) =
                self.stop.run_until_cancelled(Arc::clone(permits).acquire_many_owned(surplus)).await
        {
            surplus.forget();
        }
    }

    /// Runs attempts on what was leased; as a probe, to the end.
    async fn start(&self, leases: Vec<Lease>, permits: Vec<OwnedSemaphorePermit>, gate: Gate) {
        let lease_ends = Instant::now() + self.worker.hold();
        // The circuit may have opened, or an operator paused it, while the lane waited for these.
        if gate != self.worker.gate() || self.worker.pause.is_held() {
            for lease in leases {
                self.worker.hand_back(lease, lease_ends).await;
            }
            return;
        }
        let role = if gate == Gate::Probe { Role::Probe } else { Role::Ordinary };
        let started: Vec<_> = if leases.is_empty() {
            Vec::new()
        } else if self.worker.carrier.courier.is_shared() {
            vec![self.spawn(leases, permits, role, lease_ends)]
        } else {
            let each = leases.into_iter().zip(permits);
            each.map(|(lease, permit)| self.spawn(vec![lease], vec![permit], role, lease_ends)).collect()
        };
        if role == Role::Probe {
            for probe in started {
                // A probe that panicked told the circuit nothing; the next turn sends another one.
                drop(probe.await);
            }
        }
    }

    fn spawn(
        &self,
        leases: Vec<Lease>,
        mut permits: Vec<OwnedSemaphorePermit>,
        role: Role,
        lease_ends: Instant,
    ) -> JoinHandle<()> {
        let worker = Arc::clone(&self.worker);
        permits.truncate(leases.len());
        self.tracker.spawn(async move {
            worker.attempt(leases, role, lease_ends).await;
            drop(permits);
        })
    }

    /// `None` when the lane was stopped or changed meanwhile. A store may have granted leases that were left behind so:
    /// they run out, and their deliveries are handed out again.
    async fn lease(&self, max: usize) -> Option<Result<Vec<Lease>, StoreError>> {
        let request = LeaseRequest {
            destination: self.worker.carrier.destination.name.clone(),
            max,
            wait: LEASE_WAIT,
            hold: self.worker.hold(),
        };
        self.undisturbed(self.store.lease(&request)).await
    }

    /// `None` when the lane is to stop, or somebody takes over.
    async fn undisturbed<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = self.succession.named.notified() => None,
            done = future => Some(done),
        }
    }
}

/// The permits that are free besides the one that was waited for, as far as one lease goes.
fn more(permits: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    std::iter::from_fn(|| Arc::clone(permits).try_acquire_owned().ok()).take(MOST_LEASED - 1).collect()
}

/// How the sources sign, for every lane.
#[derive(Debug, Clone)]
pub(crate) struct Signers(Arc<RwLock<HashMap<SourceName, Signer>>>);

impl Signers {
    pub(crate) fn new(signers: HashMap<SourceName, Signer>) -> Self {
        Self(Arc::new(RwLock::new(signers)))
    }

    pub(crate) fn replace(&self, signers: HashMap<SourceName, Signer>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = signers;
    }

    fn of(&self, source: &SourceName) -> Option<Signer> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }
}

/// What an attempt needs.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) carrier: Arc<Carrier>,
    pub(crate) signers: Signers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) circuit: SharedCircuit,
    pub(crate) pause: Pause,
    pub(crate) finished: mpsc::Sender<Finished>,
    pub(crate) hard: CancellationToken,
}

impl Worker {
    fn now(&self) -> Moment {
        Moment { wall: self.clock.now(), tick: Instant::now() }
    }

    fn concurrency(&self) -> usize {
        self.carrier.destination.concurrency.clamp(1, Semaphore::MAX_PERMITS)
    }

    fn gate(&self) -> Gate {
        self.circuit.lock().gate(Instant::now())
    }

    /// How long a lease must hold: an attempt, and some time to have it recorded.
    fn hold(&self) -> Duration {
        self.carrier.destination.timeout + SETTLE_SLACK
    }

    /// Tries deliveries once, together, and passes the outcomes on; a hard stop hands them back untried.
    async fn attempt(&self, leases: Vec<Lease>, role: Role, lease_ends: Instant) {
        let began = self.now();
        let tried = tokio::select! {
            // An attempt that has ended counts, even if the stop came in the same moment.
            biased;
            tried = self.send(&leases, began.wall) => Some(tried),
            () = self.hard.cancelled() => None,
        };
        match tried {
            Some(tried) => {
                for (lease, tried) in leases.into_iter().zip(tried) {
                    self.conclude(lease, tried, role, began, lease_ends).await;
                }
            }
            None => {
                for lease in leases {
                    self.hand_back(lease, lease_ends).await;
                }
            }
        }
    }

    /// What an attempt means, for the circuit and for the delivery.
    async fn conclude(&self, lease: Lease, tried: Tried, role: Role, began: Moment, lease_ends: Instant) {
        let ended = self.now();
        let cause = match &tried.pause {
            Some(pause) => pause.cause.clone(),
            None => cause(&tried.outcome),
        };
        let report = Report {
            delivery: &lease.delivery,
            role,
            health: tried.health,
            retry_after: tried.retry_after,
            pause: tried.pause.as_ref().map(|pause| pause.length),
            cause: &cause,
        };
        let change = self.circuit.lock().record(&report, ended);
        let never_left = role == Role::Probe && tried.health == Health::Unreachable;
        let next = if !tried.is_settled() && (never_left || tried.pause.is_some()) {
            // The event is not to blame, and its try does not count.
            Next::Release
        } else {
            let retry = &self.carrier.destination.retry;
            schedule::next(&tried, lease.attempt, retry, ended.wall, &mut rand::rng())
        };
        let duration = ended.tick.saturating_duration_since(began.tick);
        let attempt = Attempt {
            delivery: lease.delivery.clone(),
            number: lease.attempt,
            started_at: began.wall,
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            outcome: tried.outcome,
        };
        let recorded = (next != Next::Release).then(|| attempt.clone());
        self.pass_on(Finished {
            source: lease.event.record().source.clone(),
            settlement: Settlement { delivery: lease.delivery, token: lease.token, attempt: recorded, next },
            attempt: Some(attempt),
            change,
            lease_ends,
        })
        .await;
    }

    async fn send(&self, leases: &[Lease], now: Timestamp) -> Vec<Tried> {
        match &self.carrier.courier {
            Courier::Http(client) => {
                let mut tried = Vec::with_capacity(leases.len());
                for lease in leases {
                    tried.push(self.post(client, lease, now).await);
                }
                tried
            }
            Courier::Salesforce(sender) => sender.send_all(leases).await,
        }
    }

    async fn post(&self, client: &Client, lease: &Lease, now: Timestamp) -> Tried {
        let record = lease.event.record();
        let configured = self.signers.of(&record.source);
        let signer = configured.or_else(|| Signer::for_provider(&record.provenance.provider));
        match request::build(&lease.event, &self.carrier.destination, lease.attempt, now, signer.as_ref()) {
            Ok(request) => client.send(request).await,
            Err(error) => Tried::failed(response::explain(&error), Health::Untold),
        }
    }

    async fn hand_back(&self, lease: Lease, lease_ends: Instant) {
        let (source, next) = (lease.event.record().source.clone(), Next::Release);
        let settlement = Settlement { delivery: lease.delivery, token: lease.token, attempt: None, next };
        self.pass_on(Finished { settlement, source, attempt: None, change: None, lease_ends }).await;
    }

    async fn pass_on(&self, finished: Finished) {
        // The settler outlives every sender, unless it panicked: then the leases run out and the deliveries repeat.
        drop(self.finished.send(finished).await);
    }
}

/// What went wrong, without the destination's own words.
fn cause(outcome: &AttemptOutcome) -> String {
    match outcome {
        AttemptOutcome::Delivered { status } | AttemptOutcome::Refused { status, .. } => {
            format!("answered {status}")
        }
        AttemptOutcome::Failed { error } => error.clone(),
        AttemptOutcome::Skipped { reason } => reason.clone(),
    }
}

/// The most deliveries in one lease: their events come into memory together.
const MOST_LEASED: usize = 64;

/// How long to wait for something to deliver before asking again.
const LEASE_WAIT: Duration = Duration::from_secs(20);

/// How long a lease outlives the attempt's own time: for building the request, and for a store that is busy.
const SETTLE_SLACK: Duration = Duration::from_secs(30);
