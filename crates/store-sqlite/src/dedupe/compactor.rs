//! Makes sorted runs, merges them, and drops them: on a thread of its own, in small pieces that the writer commits
//! together with whatever else it commits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use hookhouse_core::{Clock, StoreError};
use rusqlite::Connection;

use super::filter::Filter;
use super::run::{Entry, Run, bits_for, block_of, entries, row_id};
use super::{Keys, LongestWindow};
use crate::queue::{Op, Queue};
use crate::time::to_nanos;

/// Keys that wait to become a run.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) keys: Keys,
    /// The newest event among them.
    pub(crate) through: u64,
}

/// One piece of work for the writer.
#[derive(Debug)]
pub(crate) struct DedupeWrite {
    pub(crate) step: Arc<Step>,
    done: SyncSender<Result<(), StoreError>>,
}

impl DedupeWrite {
    /// Tells the compactor what became of it. The writer does so itself: a store that is dropped waits for the
    /// compactor, perhaps on the very thread whose runtime would carry the answer.
    pub(crate) fn answer(self, outcome: Result<(), StoreError>) {
        // There is room for one answer, and this is it; the compactor may be gone.
        let _ = self.done.try_send(outcome);
    }
}

/// What to commit.
#[derive(Debug)]
pub(crate) enum Step {
    /// A run is begun: should the process end now, what there is of it is erased at the next start.
    Begin { run: i64 },
    /// Some of its blocks.
    Blocks(Vec<(i64, Vec<u8>)>),
    /// Some of its filter.
    Filter(Vec<(i64, Vec<u8>)>),
    /// It is complete and counts from now on; those that it was made of do not any more.
    Publish { run: Arc<Run>, replaces: Vec<i64> },
    /// These count no more.
    Drop(Vec<i64>),
    /// Rows of a run that does not count any more.
    Erase { first: i64, last: i64 },
    /// Nothing is left of this run.
    Erased(i64),
}

/// Bytes that join somebody's commit.
const PIECE: usize = 32 << 10;

/// Blocks that are read or erased at once.
const BLOCKS: i64 = 64;

/// Runs that are merged at once, at least.
const MERGE: usize = 4;

/// The compactor's side.
#[derive(Debug)]
pub(crate) struct Compactor {
    /// Newest first.
    runs: Vec<Arc<Run>>,
    /// To be erased.
    dead: Vec<i64>,
    next_run: i64,
    conn: Connection,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    longest: LongestWindow,
}

/// The store was closed, or it failed.
struct Ended;

impl Compactor {
    pub(crate) fn new(
        runs: Vec<Arc<Run>>,
        dead: Vec<i64>,
        conn: Connection,
        queue: Arc<Queue>,
        clock: Arc<dyn Clock>,
        longest: LongestWindow,
    ) -> Self {
        let next_run = runs.iter().map(|run| run.id).chain(dead.iter().copied()).max().unwrap_or(0) + 1;
        Self { runs, dead, next_run, conn, queue, clock, longest }
    }

    /// Works until the writer is gone.
    pub(crate) fn run(mut self, tasks: &Receiver<Arc<Frozen>>) {
        // An error means that the writer is gone; what is half done is erased at the next start.
        let _ = self.work(tasks);
    }

    fn work(&mut self, tasks: &Receiver<Arc<Frozen>>) -> Result<(), Ended> {
        self.drop_expired()?;
        self.erase_dead()?;
        while let Ok(frozen) = tasks.recv() {
            self.freeze(&frozen)?;
            self.drop_expired()?;
            if let Some(count) = self.mergeable() {
                self.merge(count, tasks)?;
            }
            self.erase_dead()?;
        }
        Ok(())
    }

    /// Makes a run of frozen keys.
    fn freeze(&mut self, frozen: &Frozen) -> Result<(), Ended> {
        let entries = frozen.sorted();
        let mut run = RunWriter::begin(self, entries.len() as u64)?;
        for entry in entries {
            run.push(self, &entry)?;
        }
        run.finish(self, frozen.through, Vec::new())
    }

    /// Merges the newest `count` runs. Keys that were frozen in the meantime come first, so that they do not pile up
    /// in memory while a long merge goes on.
    fn merge(&mut self, count: usize, tasks: &Receiver<Arc<Frozen>>) -> Result<(), Ended> {
        let inputs: Vec<_> = self.runs.iter().take(count).cloned().collect();
        let replaces: Vec<_> = inputs.iter().map(|run| run.id).collect();
        let through = inputs.iter().map(|run| run.through).max().unwrap_or(0);
        let oldest = self.oldest_that_counts();
        let mut merged = RunWriter::begin(self, inputs.iter().map(|run| run.keys).sum())?;
        let mut readers: Vec<_> = inputs.into_iter().map(RunReader::new).collect();
        loop {
            let entry = match least(&mut readers, &self.conn) {
                Ok(Some(entry)) => entry,
                Ok(None) => return merged.finish(self, through, replaces),
                Err(error) => {
                    // Repeats of these events will be taken for new ones, which is better than not merging any more.
                    tracing::error!(%error, "store.corrupt_record: duplicate keys cannot be read and are dropped");
                    self.dead.push(merged.run.id);
                    return self.drop_runs(replaces);
                }
            };
            if entry.original.received >= oldest {
                merged.push(self, &entry)?;
            }
            if merged.pending.is_empty()
                && let Ok(frozen) = tasks.try_recv()
            {
                self.freeze(&frozen)?;
            }
        }
    }

    /// How many of the newest runs to merge: as long as the next one is not much larger than all before it, so that
    /// a key is rewritten a few times in its life and the number of runs grows with the logarithm of their size.
    fn mergeable(&self) -> Option<usize> {
        let mut sum = 0;
        let count = self
            .runs
            .iter()
            .take_while(|run| {
                let fits = sum == 0 || run.keys <= 2 * sum;
                sum += run.keys;
                fits
            })
            .count();
        (count >= MERGE).then_some(count)
    }

    fn drop_expired(&mut self) -> Result<(), Ended> {
        let oldest = self.oldest_that_counts();
        let expired: Vec<i64> =
            self.runs.iter().filter(|run| run.newest < oldest).map(|run| run.id).collect();
        if expired.is_empty() { Ok(()) } else { self.drop_runs(expired) }
    }

    fn drop_runs(&mut self, ids: Vec<i64>) -> Result<(), Ended> {
        self.submit(Step::Drop(ids.clone()))?;
        self.runs.retain(|run| !ids.contains(&run.id));
        self.dead.extend(ids);
        Ok(())
    }

    /// What was received before this has no repeat any more.
    fn oldest_that_counts(&self) -> i64 {
        to_nanos(self.clock.now()).saturating_sub(self.longest.load(Ordering::Relaxed))
    }

    fn erase_dead(&mut self) -> Result<(), Ended> {
        while let Some(run) = self.dead.pop() {
            let last: rusqlite::Result<Option<i64>> = self.conn.query_row(
                "SELECT max(id) FROM (SELECT max(id) AS id FROM dedupe_blocks WHERE id BETWEEN ?1 AND ?2 \
                 UNION ALL SELECT max(id) FROM dedupe_filters WHERE id BETWEEN ?1 AND ?2)",
                [row_id(run, 0), row_id(run + 1, 0) - 1],
                |row| row.get(0),
            );
            // What cannot be read stays where it is, and takes room.
            let Ok(last) = last else { continue };
            let mut first = row_id(run, 0);
            while last.is_some_and(|last| first <= last) {
                self.submit(Step::Erase { first, last: first + BLOCKS - 1 })?;
                first += BLOCKS;
            }
            self.submit(Step::Erased(run))?;
        }
        Ok(())
    }

    /// Has a step committed.
    fn submit(&self, step: Step) -> Result<(), Ended> {
        let step = Arc::new(step);
        loop {
            let (done, committed) = mpsc::sync_channel(1);
            let pushed = self.queue.push(Op::Dedupe(DedupeWrite { step: Arc::clone(&step), done }));
            let outcome = pushed.and_then(|()| committed.recv().unwrap_or(Err(StoreError::Closed)));
            match outcome {
                Ok(()) => return Ok(()),
                // Every step can be done twice. There is no hurry: the keys are in memory meanwhile.
                Err(StoreError::Overloaded | StoreError::Full(_)) => {
                    std::thread::sleep(Duration::from_millis(50))
                }
                Err(_) => return Err(Ended),
            }
        }
    }
}

/// Writes a run from entries in key order.
struct RunWriter {
    run: Run,
    block: i64,
    bytes: Vec<u8>,
    pending: Vec<(i64, Vec<u8>)>,
    pending_bytes: usize,
}

impl RunWriter {
    fn begin(compactor: &mut Compactor, keys: u64) -> Result<Self, Ended> {
        let id = compactor.next_run;
        compactor.next_run += 1;
        compactor.submit(Step::Begin { run: id })?;
        let filter = Filter::new(usize::try_from(keys).unwrap_or(usize::MAX));
        let run = Run { id, bits: bits_for(keys), keys: 0, newest: i64::MIN, through: 0, filter };
        Ok(Self { run, block: 0, bytes: Vec::new(), pending: Vec::new(), pending_bytes: 0 })
    }

    fn push(&mut self, compactor: &Compactor, entry: &Entry) -> Result<(), Ended> {
        let block = block_of(entry.key, self.run.bits);
        if block != self.block {
            self.end_block();
            self.block = block;
            if self.pending_bytes >= PIECE {
                self.flush(compactor)?;
            }
        }
        entry.write(&mut self.bytes);
        self.run.filter.insert(entry.key);
        self.run.keys += 1;
        self.run.newest = self.run.newest.max(entry.original.received);
        Ok(())
    }

    fn end_block(&mut self) {
        if !self.bytes.is_empty() {
            self.pending_bytes += self.bytes.len();
            self.pending.push((row_id(self.run.id, self.block), std::mem::take(&mut self.bytes)));
        }
    }

    fn flush(&mut self, compactor: &Compactor) -> Result<(), Ended> {
        self.pending_bytes = 0;
        compactor.submit(Step::Blocks(std::mem::take(&mut self.pending)))
    }

    fn finish(mut self, compactor: &mut Compactor, through: u64, replaces: Vec<i64>) -> Result<(), Ended> {
        self.end_block();
        self.flush(compactor)?;
        self.run.through = through;
        for part in self.run.filter_rows() {
            compactor.submit(Step::Filter(vec![part]))?;
        }
        let run = Arc::new(self.run);
        compactor.submit(Step::Publish { run: Arc::clone(&run), replaces: replaces.clone() })?;
        compactor.runs.retain(|run| !replaces.contains(&run.id));
        compactor.runs.push(run);
        compactor.runs.sort_by_key(|run| std::cmp::Reverse(run.through));
        compactor.dead.extend(replaces);
        Ok(())
    }
}

/// The entry with the least key, past which every reader then is. Of equal keys the newest run's counts: its reader
/// comes first.
fn least(readers: &mut [RunReader], conn: &Connection) -> rusqlite::Result<Option<Entry>> {
    let mut least: Option<Entry> = None;
    for reader in &mut *readers {
        if let Some(entry) = reader.peek(conn)?
            && least.is_none_or(|least| entry.key < least.key)
        {
            least = Some(entry);
        }
    }
    if let Some(entry) = least {
        readers.iter_mut().for_each(|reader| reader.skip(entry.key));
    }
    Ok(least)
}

/// Reads a run in key order, a stretch of blocks at a time: no read transaction stays open, which would keep the
/// write-ahead log from starting again.
struct RunReader {
    run: Arc<Run>,
    next_block: i64,
    buffer: std::vec::IntoIter<Entry>,
    head: Option<Entry>,
}

impl RunReader {
    fn new(run: Arc<Run>) -> Self {
        Self { run, next_block: 0, buffer: Vec::new().into_iter(), head: None }
    }

    fn peek(&mut self, conn: &Connection) -> rusqlite::Result<Option<Entry>> {
        while self.head.is_none() {
            self.head = self.buffer.next();
            if self.head.is_none() {
                if self.next_block >= 1 << self.run.bits {
                    return Ok(None);
                }
                self.fill(conn)?;
            }
        }
        Ok(self.head)
    }

    fn skip(&mut self, key: u128) {
        if self.head.is_some_and(|head| head.key == key) {
            self.head = None;
        }
    }

    fn fill(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut select =
            conn.prepare_cached("SELECT entries FROM dedupe_blocks WHERE id BETWEEN ?1 AND ?2 ORDER BY id")?;
        let first = row_id(self.run.id, self.next_block);
        let mut stretch = Vec::new();
        let mut rows = select.query([first, first + BLOCKS - 1])?;
        while let Some(row) = rows.next()? {
            stretch.extend(entries(row.get_ref(0)?.as_blob()?));
        }
        self.buffer = stretch.into_iter();
        self.next_block += BLOCKS;
        Ok(())
    }
}
