//! What waits for the writer.
//!
//! Four bounded lines: events (full: [`StoreError::Overloaded`], decided at once), other writes (the same), answers
//! (the same, and they count as events do) and refusals (full: the refusal is dropped and counted). Nobody's caller
//! waits for the last two: they join a commit that happens anyway, or make one when they have waited long enough. The writer takes everything that waits as one batch. It
//! yields its processor once before it takes it, so that appenders that are about to queue get in; that makes the
//! batches grow with the load by themselves, where a timer would make everybody wait.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::delivery::{DeliveryId, Settled, Settlement};
use hookhouse_core::store::{CancelOutcome, Receipt, RetryOutcome, Revision, Subscription};
use hookhouse_core::{Answer, DestinationName, Edit, Event, EventId, Refusal, StoreError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::answers;
use crate::dedupe::DedupeWrite;
use crate::row::DedupeKeys;

/// Where an answer goes. The asker may have gone away; what was asked happens all the same.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// An event that waits to become durable.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) event: Event,
    pub(crate) keys: Option<DedupeKeys>,
    pub(crate) reply: Reply<Receipt>,
}

/// Any other write.
#[derive(Debug)]
pub(crate) enum Op {
    Subscribe(Vec<Subscription>, Reply<()>),
    Settle(Vec<Settlement>, Reply<Vec<Settled>>),
    Redeliver(EventId, DestinationName, Option<Box<Edit>>, Reply<Option<DeliveryId>>),
    Retry(DeliveryId, Reply<RetryOutcome>),
    Cancel(DeliveryId, Reply<CancelOutcome>),
    PutState {
        key: String,
        value: Bytes,
        expected: Option<Revision>,
        reply: Reply<Revision>,
    },
    KeepAnswer(Box<Answer>, Reply<()>),
    /// Keeps how far a destination has come, though nothing was settled. Nobody waits for it.
    KeepPosition(i64),
    Dedupe(DedupeWrite),
    /// Runs in the writer's transaction: lets tests hold it up and make it fail.
    #[cfg(test)]
    Test(TestOp),
}

impl Op {
    /// About how many bytes of a payload it brings along; `None` where it brings none.
    pub(crate) fn weight(&self) -> Option<usize> {
        match self {
            Self::KeepAnswer(answer, _) => Some(answers::weight(answer)),
            Self::Redeliver(_, _, Some(edit), _) => Some(edit.weight()),
            _ => None,
        }
    }
}

/// Something a test does in the writer's place.
#[cfg(test)]
type TestWork = Box<dyn FnOnce(&rusqlite::Connection) -> rusqlite::Result<()> + Send>;

/// A [`TestWork`] that runs once.
#[cfg(test)]
pub(crate) struct TestOp(Mutex<Option<TestWork>>);

#[cfg(test)]
impl TestOp {
    pub(crate) fn new(
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> Self {
        Self(Mutex::new(Some(Box::new(work))))
    }

    pub(crate) fn run(&self, conn: &rusqlite::Connection) -> rusqlite::Result<()> {
        self.0.lock().unwrap().take().map_or(Ok(()), |work| work(conn))
    }
}

#[cfg(test)]
impl std::fmt::Debug for TestOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestOp")
    }
}

/// What the writer took.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) appends: Vec<Append>,
    pub(crate) ops: Vec<Op>,
    pub(crate) refusals: Vec<Refusal>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.appends.is_empty() && self.ops.is_empty() && self.refusals.is_empty()
    }
}

/// The lines, and whether more may join them.
#[derive(Debug)]
pub(crate) struct Queue {
    lines: Mutex<Lines>,
    arrived: Condvar,
    limits: Limits,
}

/// How long the lines may get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) appends: usize,
    pub(crate) append_bytes: usize,
    /// How long answers and refusals wait for a commit that happens anyway.
    pub(crate) patience: Duration,
}

/// Writes other than events that may wait. They are few: a worker waits for its settlement before it leases again.
const MAX_OPS: usize = 8192;

/// Refusals that may wait.
const MAX_REFUSALS: usize = 1024;

/// Refusals that join a commit that somebody waits for.
const REFUSALS_PER_BATCH: usize = 256;

#[derive(Debug, Default)]
struct Lines {
    appends: Vec<Append>,
    append_bytes: usize,
    ops: Vec<Op>,
    answers: Vec<Op>,
    refusals: Vec<Refusal>,
    /// When the patience of the first answer or refusal ends.
    due: Option<Instant>,
    refusals_dropped: u64,
    asleep: bool,
    end: Option<StoreError>,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { lines: Mutex::default(), arrived: Condvar::new(), limits }
    }

    /// Queues an event.
    pub(crate) fn append(&self, append: Append) -> Result<(), StoreError> {
        let bytes = weight(&append.event);
        let mut lines = self.lock();
        if let Some(end) = &lines.end {
            return Err(end.clone());
        }
        // A single event that is larger than the limit still gets its turn.
        let heavy =
            lines.append_bytes > 0 && lines.append_bytes.saturating_add(bytes) > self.limits.append_bytes;
        if heavy || lines.appends.len() >= self.limits.appends {
            return Err(StoreError::Overloaded);
        }
        lines.append_bytes += bytes;
        lines.appends.push(append);
        self.wake(lines);
        Ok(())
    }

    /// Queues another write.
    pub(crate) fn push(&self, op: Op) -> Result<(), StoreError> {
        let mut lines = self.lock();
        if let Some(end) = &lines.end {
            return Err(end.clone());
        }
        if lines.ops.len() >= MAX_OPS {
            return Err(StoreError::Overloaded);
        }
        if let Some(bytes) = op.weight() {
            if lines.append_bytes > 0 && lines.append_bytes.saturating_add(bytes) > self.limits.append_bytes {
                return Err(StoreError::Overloaded);
            }
            lines.append_bytes += bytes;
        }
        if matches!(op, Op::KeepAnswer(..)) {
            lines.answers.push(op);
            self.wake_later(lines);
            return Ok(());
        }
        lines.ops.push(op);
        self.wake(lines);
        Ok(())
    }

    /// Queues a refusal, or counts it.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        let mut lines = self.lock();
        if lines.end.is_some() || lines.refusals.len() >= MAX_REFUSALS {
            lines.refusals_dropped += 1;
            return;
        }
        lines.refusals.push(refusal);
        self.wake_later(lines);
    }

    /// How many refusals found no place.
    pub(crate) fn refusals_dropped(&self) -> u64 {
        self.lock().refusals_dropped
    }

    /// Counts refusals that could not be written.
    pub(crate) fn drop_refusals(&self, count: usize) {
        self.lock().refusals_dropped += count as u64;
    }

    /// Lets nobody else in. What waits is still taken, unless the end is a failure.
    pub(crate) fn end(&self, why: StoreError) {
        let mut lines = self.lock();
        // The first reason stays: a failed store that is then closed has still failed.
        lines.end.get_or_insert(why);
        self.wake(lines);
    }

    /// Why nobody is let in; `None` while the queue is open.
    pub(crate) fn ended(&self) -> Option<StoreError> {
        self.lock().end.clone()
    }

    /// Waits for work until `until` and takes all of it. Refusals come along when somebody waits for the commit
    /// anyway, and when they have waited long enough.
    pub(crate) fn take(&self, batch: &mut Batch, until: Instant) {
        let mut lines = self.lock();
        while lines.appends.is_empty() && lines.ops.is_empty() && lines.end.is_none() {
            let until = lines.due.map_or(until, |due| due.min(until));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            lines.asleep = true;
            lines = self.arrived.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
            lines.asleep = false;
        }
        if !lines.appends.is_empty() {
            drop(lines);
            std::thread::yield_now();
            lines = self.lock();
        }
        mem::swap(&mut batch.appends, &mut lines.appends);
        mem::swap(&mut batch.ops, &mut lines.ops);
        let commits_anyway = !batch.appends.is_empty() || !batch.ops.is_empty();
        let ended = lines.end.is_some();
        if ended || commits_anyway || lines.due.is_some_and(|due| due <= Instant::now()) {
            lines.append_bytes = 0;
            batch.ops.append(&mut lines.answers);
            let most = if ended { usize::MAX } else { REFUSALS_PER_BATCH };
            let count = lines.refusals.len().min(most);
            batch.refusals.extend(lines.refusals.drain(..count));
        }
        if lines.answers.is_empty() && lines.refusals.is_empty() {
            lines.due = None;
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        let lines = self.lock();
        lines.appends.is_empty()
            && lines.ops.is_empty()
            && lines.answers.is_empty()
            && lines.refusals.is_empty()
    }

    /// How many events wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.lock().appends.len()
    }

    /// Tells the writer until when it may sleep, if it does not know yet.
    fn wake_later(&self, mut lines: MutexGuard<'_, Lines>) {
        if lines.due.is_none() {
            lines.due = Some(Instant::now() + self.limits.patience);
            self.wake(lines);
        }
    }

    fn wake(&self, mut lines: MutexGuard<'_, Lines>) {
        let asleep = mem::take(&mut lines.asleep);
        drop(lines);
        if asleep {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        // The lines are whole between any two statements above, so a panic elsewhere does not spoil them.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About what an event holds in memory.
fn weight(event: &Event) -> usize {
    let request = &event.record().request;
    request.body.len() + request.headers.as_bytes().len() + request.target.len() + 256
}
