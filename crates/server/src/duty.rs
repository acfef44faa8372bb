//! What one gateway does for all of those that share a store: a lease in the shared state.
//!
//! ```text
//! take ── the value is nobody's, or has not changed for a term ──▶ put, on condition of its revision ──▶ work
//!   ▲                                                                                                    │
//!   └── the revision is another one, or could not be renewed for a term ◀── put every second, on condition ┘
//! ```
//!
//! No clock is compared with another machine's: whoever waits measures for how long a revision stays what it is, and
//! whoever holds the lease stops working before others can have waited long enough. A process that is stopped in the
//! middle and goes on later may still do one more thing before it notices. So whatever is done under a lease must be
//! harmless when it is done twice, and what it writes is written on condition of the revision that it has seen.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::store::Revision;
use hookhouse_core::{Clock, EventStore, StoreError, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a lease holds that is not renewed.
const TERM: Duration = Duration::from_secs(3);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(1);
/// How much longer others wait: writes take their time.
const GRACE: Duration = Duration::from_secs(1);
/// The pause before a store that does not answer is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// Something that one gateway at a time does.
#[derive(Debug)]
pub(crate) struct Duty {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    key: String,
    /// This process, as others see it.
    me: String,
}

/// Who has it.
#[derive(Debug, Serialize, Deserialize)]
struct Lease {
    /// Nobody, where it was given back.
    holder: Option<String>,
    /// For people who look into the bucket.
    at: Timestamp,
}

impl Duty {
    pub(crate) fn new(store: &Arc<dyn EventStore>, clock: &Arc<dyn Clock>, what: &str) -> Self {
        let me = format!("{:016x}", rand::random::<u64>());
        Self { store: Arc::clone(store), clock: Arc::clone(clock), key: format!("duty/{what}"), me }
    }

    /// Does the work whenever it is this gateway's turn, until the stop; then somebody else may at once. Work that ends
    /// by itself is begun again after a while, here or elsewhere. Where the store is nobody else's, it is always our turn.
    pub(crate) async fn run<F: Future<Output = ()>>(
        self,
        stop: CancellationToken,
        mut work: impl FnMut() -> F,
    ) {
        if !self.store.is_shared() {
            stop.run_until_cancelled(work()).await;
            return;
        }
        loop {
            let Some(mut revision) = stop.run_until_cancelled(self.take()).await else { return };
            tracing::info!(event = "duty.taken", duty = self.key, "this gateway does it from now on");
            let stopped = tokio::select! {
                biased;
                () = stop.cancelled() => true,
                () = self.renew(&mut revision) => {
                    tracing::warn!(event = "duty.lost", duty = self.key, "another gateway does it from now on");
                    continue;
                }
                () = work() => false,
            };
            // Whoever finds it given back need not wait.
            let given_back = self.put(None, Some(revision));
            drop(tokio::time::timeout(TERM, given_back).await);
            if stopped || stop.run_until_cancelled(tokio::time::sleep(TERM)).await.is_none() {
                return;
            }
        }
    }

    /// Waits until it is ours.
    async fn take(&self) -> Revision {
        loop {
            let Ok((free, revision)) = self.look().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            if !free {
                let changed = self.store.state_changed(&self.key, revision);
                if tokio::time::timeout(TERM + GRACE, changed).await.is_ok() {
                    continue;
                }
            }
            match self.put(Some(&self.me), revision).await {
                Ok(revision) => return revision,
                Err(StoreError::Conflict) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Whether nobody has it, and since when that is so. What cannot be read is nobody's.
    async fn look(&self) -> Result<(bool, Option<Revision>), StoreError> {
        let Some(entry) = self.store.state(&self.key).await? else { return Ok((true, None)) };
        let lease = serde_json::from_slice::<Lease>(&entry.value);
        Ok((!lease.is_ok_and(|lease| lease.holder.is_some()), Some(entry.revision)))
    }

    async fn put(&self, holder: Option<&str>, expected: Option<Revision>) -> Result<Revision, StoreError> {
        let lease = Lease { holder: holder.map(ToOwned::to_owned), at: self.clock.now() };
        let value = serde_json::to_vec(&lease).map_err(|error| StoreError::Read(error.to_string()))?;
        self.store.put_state(&self.key, Bytes::from(value), expected).await
    }

    /// Keeps it for as long as that works.
    async fn renew(&self, revision: &mut Revision) {
        let mut ends = Instant::now() + TERM;
        loop {
            tokio::time::sleep(RENEWAL).await;
            let asked = Instant::now();
            match tokio::time::timeout_at(ends, self.put(Some(&self.me), Some(*revision))).await {
                Ok(Ok(renewed)) => (*revision, ends) = (renewed, asked + TERM),
                Ok(Err(StoreError::Conflict)) | Err(_) => return,
                Ok(Err(_)) if Instant::now() >= ends => return,
                Ok(Err(_)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hookhouse_testkit::clock::FakeClock;
    use hookhouse_testkit::memory::MemoryStore;
    use tokio_util::task::TaskTracker;

    use super::*;

    struct World {
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
        /// How many work now, how many began, and the most at once.
        working: Arc<AtomicUsize>,
        begun: Arc<AtomicUsize>,
    }

    impl World {
        fn new() -> Self {
            let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
            let store = Arc::new(MemoryStore::shared(Arc::clone(&clock)));
            let (working, begun) = (Arc::default(), Arc::default());
            Self { store, clock, tracker: TaskTracker::new(), working, begun }
        }

        fn gateway(&self) -> (CancellationToken, tokio::task::AbortHandle) {
            let (duty, stop) = (Duty::new(&self.store, &self.clock, "test"), CancellationToken::new());
            let (working, begun) = (Arc::clone(&self.working), Arc::clone(&self.begun));
            let work = move || {
                let working = Arc::clone(&working);
                begun.fetch_add(1, Ordering::Relaxed);
                async move {
                    struct Leaving(Arc<AtomicUsize>);
                    impl Drop for Leaving {
                        fn drop(&mut self) {
                            self.0.fetch_sub(1, Ordering::Relaxed);
                        }
                    }
                    assert_eq!(working.fetch_add(1, Ordering::Relaxed), 0, "one at a time");
                    let _leaving = Leaving(working);
                    std::future::pending::<()>().await;
                }
            };
            let task = self.tracker.spawn(duty.run(stop.clone(), work));
            (stop, task.abort_handle())
        }

        async fn until_begun(&self, count: usize) -> Duration {
            let from = Instant::now();
            while self.begun.load(Ordering::Relaxed) < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            from.elapsed()
        }

        async fn write(&self, value: &'static [u8]) {
            let revision = self.store.state("duty/test").await.unwrap().map(|entry| entry.revision);
            self.store.put_state("duty/test", value.into(), revision).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_works_and_the_next_one_follows_at_once_when_it_stops() {
        let world = World::new();
        let first = world.gateway();
        world.until_begun(1).await;
        let _second = world.gateway();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(world.begun.load(Ordering::Relaxed), 1, "whoever has it keeps it");
        first.0.cancel();
        assert!(world.until_begun(2).await < RENEWAL, "given back is given on");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_dies_is_followed_within_seconds() {
        let world = World::new();
        let first = world.gateway();
        world.until_begun(1).await;
        let _second = world.gateway();
        tokio::time::sleep(Duration::from_secs(10)).await;
        first.1.abort();
        let took = world.until_begun(2).await;
        assert!(took <= TERM + GRACE + RENEWAL, "{took:?}");
        assert_eq!(world.working.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_overruled_stops_working_and_comes_back_in_its_turn() {
        let world = World::new();
        let _only = world.gateway();
        world.until_begun(1).await;
        world.write(br#"{"holder":"somebody","at":"2026-11-22T10:00:00Z"}"#).await;
        tokio::time::sleep(RENEWAL * 2).await;
        assert_eq!(world.working.load(Ordering::Relaxed), 0, "the revision is another one's");
        world.until_begun(2).await;
        world.write(b"not a lease").await;
        world.until_begun(3).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_cannot_renew_stops_before_another_may_begin() {
        let world = World::new();
        let _only = world.gateway();
        world.until_begun(1).await;
        world.store.close().await;
        tokio::time::sleep(TERM + RENEWAL).await;
        assert_eq!(world.working.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn alone_it_is_always_our_turn() {
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new(Arc::clone(&clock)));
        let stop = CancellationToken::new();
        let done = AtomicUsize::new(0);
        let duty = Duty::new(&store, &clock, "test");
        let work = || async {
            done.fetch_add(1, Ordering::Relaxed);
        };
        duty.run(stop, work).await;
        assert_eq!(done.load(Ordering::Relaxed), 1);
        assert!(store.state("duty/test").await.unwrap().is_none(), "nothing is written");
    }
}
