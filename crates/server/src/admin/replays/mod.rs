//! Replays as jobs: many events, delivered again, at a rate that the destination can bear.
//!
//! A job is a document in the store's small state, one of [`KEPT`] that are used in turn, and it notes how far it has
//! come after every page: a server that is started again goes on there. What it did since the last note it does again,
//! so after a crash a page of events may be delivered twice, and none is left out.

mod job;
mod runner;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use hookhouse_core::{Clock, DestinationName, EventStore, SourceName, StoreError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::kept::Kept;
use super::view::{EventCount, NewReplay, ReplayFilter, ReplayState, ReplayView};
use job::Job;

/// Jobs that are kept, those that have ended included.
const KEPT: u64 = 64;

/// Jobs that run at once.
const RUNNING: usize = 2;

/// Every job, and what is needed to do one.
pub(crate) struct Replays {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    /// Where each source delivers.
    routes: RwLock<HashMap<SourceName, Vec<DestinationName>>>,
    jobs: Mutex<BTreeMap<u64, Entry>>,
    places: Arc<Semaphore>,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    cancel: CancellationToken,
}

/// What became of the wish to call a replay off.
#[derive(Debug)]
pub(crate) enum Cancelled {
    /// It was called off.
    Yes(Box<ReplayView>),
    /// It had ended already.
    Ended,
    /// There is none.
    Unknown,
}

impl Replays {
    /// The jobs that the store keeps. Those that have not ended go on once [`Replays::resume`] says so.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn load(
        store: &Arc<dyn EventStore>,
        clock: &Arc<dyn Clock>,
        routes: HashMap<SourceName, Vec<DestinationName>>,
        tracker: TaskTracker,
        stopping: CancellationToken,
    ) -> Result<Arc<Self>, StoreError> {
        let mut jobs = BTreeMap::new();
        for slot in 0..KEPT {
            if let Some(Some(job)) = document(store, slot).read().await? {
                jobs.insert(job.number, Entry { job, cancel: CancellationToken::new() });
            }
        }
        Ok(Arc::new(Self {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            routes: RwLock::new(routes),
            jobs: Mutex::new(jobs),
            places: Arc::new(Semaphore::new(RUNNING)),
            tracker,
            stopping,
        }))
    }

    /// Sources deliver there from now on.
    pub(crate) fn route(&self, routes: HashMap<SourceName, Vec<DestinationName>>) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// Where a source delivers.
    fn routes_of(&self, source: &SourceName) -> Vec<DestinationName> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(source).cloned().unwrap_or_default()
    }

    /// Goes on with what had not ended.
    pub(crate) fn resume(self: &Arc<Self>) {
        let open: Vec<_> = self
            .lock()
            .values()
            .filter(|entry| !entry.job.state.is_final())
            .map(|entry| entry.job.number)
            .collect();
        for number in open {
            tracing::info!(event = "replay.resumed", replay = job::name(number));
            self.begin(number);
        }
    }

    /// Orders a replay. `None` where as many are under way as are kept.
    ///
    /// # Errors
    /// When the store does not keep it.
    pub(crate) async fn order(
        self: &Arc<Self>,
        wanted: NewReplay,
        created_by: &str,
    ) -> Result<Option<ReplayView>, StoreError> {
        let until = self.store.status().await?.head;
        let job = {
            let mut jobs = self.lock();
            let number = jobs.last_key_value().map_or(1, |(last, _)| last + 1);
            let former = number.checked_sub(KEPT).filter(|former| *former > 0);
            if former.and_then(|former| jobs.get(&former)).is_some_and(|entry| !entry.job.state.is_final()) {
                return Ok(None);
            }
            former.map(|former| jobs.remove(&former));
            let job = Job {
                number,
                state: ReplayState::Queued,
                filter: wanted.filter,
                destination: wanted.destination,
                rate: wanted.rate,
                created_by: created_by.to_owned(),
                created_at: self.clock.now(),
                finished_at: None,
                until,
                total: None,
                position: 0,
                processed: 0,
                deliveries: 0,
                skipped: 0,
                error: None,
            };
            jobs.insert(number, Entry { job: job.clone(), cancel: CancellationToken::new() });
            job
        };
        if let Err(error) = self.keep(&job).await {
            self.lock().remove(&job.number);
            return Err(error);
        }
        self.begin(job.number);
        Ok(Some(job.view()))
    }

    /// Calls a replay off. The deliveries that were made stay.
    ///
    /// # Errors
    /// When the store does not keep that.
    pub(crate) async fn cancel(&self, name: &str) -> Result<Cancelled, StoreError> {
        let now = self.clock.now();
        let job = {
            let mut jobs = self.lock();
            let Some(entry) = job::number(name).and_then(|number| jobs.get_mut(&number)) else {
                return Ok(Cancelled::Unknown);
            };
            if entry.job.state.is_final() {
                return Ok(Cancelled::Ended);
            }
            entry.cancel.cancel();
            entry.job.finish(ReplayState::Cancelled, now);
            entry.job.clone()
        };
        self.keep(&job).await?;
        Ok(Cancelled::Yes(Box::new(job.view())))
    }

    /// One replay.
    pub(crate) fn find(&self, name: &str) -> Option<ReplayView> {
        let number = job::number(name)?;
        self.lock().get(&number).map(|entry| entry.job.view())
    }

    /// All that are kept, the newest first.
    pub(crate) fn list(&self) -> Vec<ReplayView> {
        self.lock().values().rev().map(|entry| entry.job.view()).collect()
    }

    /// Counts what a filter means, as far as that is cheap.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn count(&self, filter: &ReplayFilter) -> Result<EventCount, StoreError> {
        runner::count(&*self.store, filter, None, Some(runner::PAGES)).await
    }

    fn begin(self: &Arc<Self>, number: u64) {
        let this = Arc::clone(self);
        self.tracker.spawn(async move { runner::run(&this, number).await });
    }

    /// The job, as it is now, with what stops it.
    fn get(&self, number: u64) -> Option<(Job, CancellationToken)> {
        self.lock().get(&number).map(|entry| (entry.job.clone(), entry.cancel.clone()))
    }

    /// Notes how far a job has come, unless an operator has ended it meanwhile.
    fn note(&self, job: &Job) -> bool {
        let mut jobs = self.lock();
        let Some(entry) = jobs.get_mut(&job.number).filter(|entry| !entry.job.state.is_final()) else {
            return false;
        };
        entry.job = job.clone();
        true
    }

    async fn keep(&self, job: &Job) -> Result<(), StoreError> {
        document(&self.store, job.number % KEPT)
            .change(|kept| {
                // Two notes may overtake each other; an end is the last word.
                let ended =
                    kept.as_ref().is_some_and(|kept| kept.number == job.number && kept.state.is_final());
                if !ended {
                    *kept = Some(job.clone());
                }
            })
            .await
    }

    /// A few lines at a time.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn document(store: &Arc<dyn EventStore>, slot: u64) -> Kept<Option<Job>> {
    Kept::new(store, format!("admin/replay/{slot}"))
}

impl fmt::Debug for Replays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replays").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
