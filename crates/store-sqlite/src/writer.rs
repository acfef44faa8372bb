//! The one thread that writes.
//!
//! It takes all that waits, writes it in one transaction, and answers everybody after the commit: one fsync for as
//! many events as came in while the last one was going on. What an error means is decided here:
//!
//! * no space: the batch is rolled back and answered [`StoreError::Full`]; the next one may succeed;
//! * anything else that goes wrong while writing is final. A second fsync after a failed one can report success for
//!   pages that were thrown away, so nothing is tried again; the process must end and read what the disk really has.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookhouse_core::store::Receipt;
use hookhouse_core::{
    Event, EventId, Provenance, Refusal, Repeats, Sequence, SourceName, StoreError, StoredEvent, Timestamp,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::consumer::Consumer;
use crate::dedupe::{Judged, Original, Seen, Step};
use crate::fault::{Fault, begin, roll_back};
use crate::names::Known;
use crate::ops::{self, Answer, Done, Place};
use crate::queue::{Append, Batch, Op, Reply};
use crate::recent::Recent;
use crate::refusals;
use crate::retention::Retention;
use crate::room::Room;
use crate::row::{DedupeKey, DedupeKeys, Inserter, NameIds};
use crate::schema::PAGE_BYTES;
use crate::shared::Shared;
use crate::time::{length_nanos, to_nanos};
use crate::timepiece::Timepiece;

/// What a store says whose writer panicked.
pub(crate) const STOPPED: &str = "the writer stopped unexpectedly";

/// The writer's own.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) seen: Seen,
    pub(crate) retention: Retention,
    pub(crate) room: Room,
    pub(crate) timepiece: Timepiece,
    ids: Ids,
    /// The newest event in the file.
    pub(crate) head: u64,
    /// When retention may go on.
    pub(crate) next_slice: Instant,
    refusals_kept: i64,
    runtime: Option<Handle>,
    sources: Known<SourceName>,
    provenances: Known<Provenance>,
}

/// What the writer begins with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) conn: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) seen: Seen,
    pub(crate) retention: Retention,
    pub(crate) room: Room,
    pub(crate) seed: u64,
    pub(crate) head: u64,
    pub(crate) last_id_ms: i64,
    pub(crate) last_received: i64,
    pub(crate) refusals_kept: i64,
    pub(crate) runtime: Option<Handle>,
}

/// A transaction as it goes.
#[derive(Debug, Default)]
struct Work {
    receipts: Vec<(Reply<Receipt>, Result<Receipt, StoreError>)>,
    appended: Vec<Recent>,
    remembered: Vec<DedupeKey>,
    done: Vec<Done>,
    /// Consumers with settlements, by number.
    touched: BTreeMap<i64, Arc<Consumer>>,
    kept: Vec<(Arc<Consumer>, u64)>,
    bytes: u64,
}

impl Work {
    fn answer(&mut self, place: usize, receipt: Receipt) {
        if let Some((_, answer)) = self.receipts.get_mut(place) {
            *answer = Ok(receipt);
        }
    }
}

/// An event whose names have numbers.
struct Named {
    /// Its place among the receipts.
    place: usize,
    names: NameIds,
    event: Event,
    keys: Option<DedupeKeys>,
}

/// Makes the names of events.
#[derive(Debug)]
struct Ids {
    rng: StdRng,
    /// The time in the newest one: ids stay in order when the clock is set back.
    last_ms: i64,
}

impl Ids {
    fn next(&mut self, sequence: Sequence, now: Timestamp) -> EventId {
        self.last_ms = self.last_ms.max(now.as_millisecond());
        let at = Timestamp::from_millisecond(self.last_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        EventId::with_position(at, sequence.0, self.rng.random())
    }
}

impl Writer {
    pub(crate) fn new(start: Start) -> Self {
        let wall = to_nanos(start.shared.clock.now());
        Self {
            timepiece: Timepiece::new(wall, start.last_received),
            conn: start.conn,
            shared: start.shared,
            seen: start.seen,
            retention: start.retention,
            room: start.room,
            ids: Ids { rng: StdRng::seed_from_u64(start.seed), last_ms: start.last_id_ms },
            head: start.head,
            next_slice: Instant::now(),
            refusals_kept: start.refusals_kept,
            runtime: start.runtime,
            sources: Known::default(),
            provenances: Known::default(),
        }
    }

    /// Writes until the queue ends, and then what is left in it. Gives the connection back, unless the store failed:
    /// then it ends without touching the file again.
    pub(crate) fn run(mut self) -> Option<Connection> {
        let mut batch = Batch::default();
        let mut outcome = self.look_around(true);
        loop {
            let ended = self.shared.queue.ended();
            if let Some(StoreError::Failed(why)) = &ended {
                outcome = Err(Fault::Fatal(why.clone()));
            }
            if let Err(fault) = outcome {
                self.fail(fault, &mut batch);
                return None;
            }
            if ended.is_some() && self.shared.queue.is_empty() {
                self.leave();
                return Some(self.conn);
            }
            self.shared.queue.take(&mut batch, self.sleep_until());
            outcome = self.write(&mut batch).and_then(|()| self.keep_house());
        }
    }

    /// Writes a batch and answers everybody in it.
    fn write(&mut self, batch: &mut Batch) -> Result<(), Fault> {
        if batch.is_empty() {
            return Ok(());
        }
        self.room.probe();
        self.tell();
        let mut work = Work::default();
        let mut events = Vec::with_capacity(batch.appends.len());
        let problem = self.room.problem(self.retention.is_stuck());
        for Append { event, keys, reply } in batch.appends.drain(..) {
            // Every reply is in the list from the start: whatever happens, it gets an answer.
            let answer = match &problem {
                Some(problem) => Err(StoreError::Full(problem.clone())),
                None => {
                    events.push((work.receipts.len(), event, keys));
                    Err(StoreError::Closed)
                }
            };
            work.receipts.push((reply, answer));
        }
        match self.transact(events, &batch.ops, &batch.refusals, &mut work) {
            Ok(()) => {
                self.take(work, batch);
                Ok(())
            }
            Err(fault) => self.undo(fault, work, batch),
        }
    }

    fn transact(
        &mut self,
        events: Vec<(usize, Event, Option<DedupeKeys>)>,
        ops: &[Op],
        refused: &[Refusal],
        work: &mut Work,
    ) -> Result<(), Fault> {
        let mut named = Vec::with_capacity(events.len());
        for (place, event, keys) in events {
            let names = self.intern(&event)?;
            named.push(Named { place, names, event, keys });
        }
        for op in ops {
            ops::intern(&self.conn, &self.shared, op)?;
        }
        self.append(named, work)?;
        if !work.appended.is_empty() {
            self.seen.keep_floor(&self.conn, self.head)?;
        }
        let head = self.head + work.appended.len() as u64;
        for op in ops {
            // Noted before it is written: whatever it holds in memory is let go of again if the write fails.
            work.done.push(ops::prepare(&self.shared, op));
            if let Some(done) = work.done.last_mut() {
                let (conn, shared, touched) = (&self.conn, &*self.shared, &mut work.touched);
                ops::write(&mut Place { conn, shared, head, touched }, op, done)?;
            }
            work.bytes += op.weight().unwrap_or(0) as u64;
        }
        for consumer in work.touched.values() {
            let row = consumer.lock().row();
            if let Some((position, owed)) = row {
                begin(&self.conn)?;
                ops::keep_position(&self.conn, consumer.id, position, &owed)?;
                work.kept.push((Arc::clone(consumer), position));
            }
        }
        if !refused.is_empty() {
            begin(&self.conn)?;
            refusals::insert(&self.conn, refused, self.refusals_kept)?;
        }
        if !self.conn.is_autocommit() {
            self.conn.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }

    /// Gives numbers to the names in an event.
    fn intern(&mut self, event: &Event) -> rusqlite::Result<NameIds> {
        let (names, record) = (&self.shared.names, event.record());
        Ok(NameIds {
            source: self.sources.number(&record.source, |name| names.sources.intern(&self.conn, name))?,
            provenance: self
                .provenances
                .number(&record.provenance, |name| names.provenances.intern(&self.conn, name))?,
        })
    }

    /// Appends what is no repeat.
    fn append(&mut self, events: Vec<Named>, work: &mut Work) -> rusqlite::Result<()> {
        let Self { conn, shared, seen, ids, head, .. } = self;
        let now = shared.clock.now();
        let mut inserter = None;
        for Named { place, names, event, keys } in events {
            let received = to_nanos(event.record().received_at);
            let mut judged = Judged::default();
            if let (Some(keys), Some(dedupe)) = (&keys, event.dedupe()) {
                let window = length_nanos(dedupe.window);
                judged = seen.judge(conn, keys, received, window)?;
                if let (Some(of), Repeats::Acknowledge) = (judged.repeat_of, dedupe.repeats) {
                    work.answer(place, Receipt::Duplicate { of });
                    continue;
                }
                if window > seen.longest() {
                    begin(conn)?;
                    seen.widen(conn, window)?;
                }
            }
            let sequence = Sequence(*head + work.appended.len() as u64 + 1);
            let id = ids.next(sequence, now);
            let stored = Arc::new(StoredEvent::from_store(id, sequence, event.into_record()));
            if inserter.is_none() {
                begin(conn)?;
                inserter = Some(Inserter::new(conn, &shared.names.seals)?);
            }
            if let Some(inserter) = &mut inserter {
                inserter.insert(&stored, names, &judged.fresh)?;
            }
            for key in judged.fresh {
                seen.remember(&key, Original { id, received });
                work.remembered.push(key);
            }
            work.bytes += (stored.body().len() + stored.headers().as_bytes().len() + 256) as u64;
            work.appended.push(Recent { source: names.source, event: Arc::clone(&stored) });
            work.answer(place, Receipt::Stored { event: stored, repeat_of: judged.repeat_of });
        }
        Ok(())
    }

    /// Everything is durable: say so, to memory first and then to whoever waits.
    fn take(&mut self, work: Work, batch: &mut Batch) {
        let former = self.head;
        self.head += work.appended.len() as u64;
        self.room.grow(work.bytes);
        self.shared.checkpoints.committed((work.bytes / PAGE_BYTES).cast_signed() + 4);
        let mut past = Vec::new();
        if !work.appended.is_empty() {
            let mut sources = Vec::new();
            for recent in &work.appended {
                if !sources.contains(&recent.source) {
                    sources.push(recent.source);
                }
            }
            past = self.shared.ring.push(work.appended);
            self.shared.consumers.appended(&sources, former, self.head);
        }
        for (consumer, position) in work.kept {
            consumer.lock().kept(position);
        }
        let mut answers = Vec::with_capacity(batch.ops.len());
        for (op, done) in batch.ops.drain(..).zip(work.done) {
            done.freed().for_each(|sequence| self.retention.freed(sequence));
            match &op {
                Op::Subscribe(..) => self.retention.begin_anew(),
                Op::Dedupe(write) => match &*write.step {
                    Step::Publish { run, replaces } => self.seen.publish(Arc::clone(run), replaces),
                    Step::Drop(runs) => self.seen.drop_runs(runs),
                    _ => {}
                },
                _ => {}
            }
            answers.extend(ops::take(&self.shared, op, done, self.head));
        }
        batch.refusals.clear();
        self.seen.freeze_when_full(self.head);
        self.answer(work.receipts, answers, past);
    }

    /// Nothing is durable: undo it in memory and say so.
    fn undo(&mut self, fault: Fault, work: Work, batch: &mut Batch) -> Result<(), Fault> {
        let fault = roll_back(&self.conn, fault);
        let error = fault.answer();
        self.seen.forget(work.remembered.iter());
        for done in &work.done {
            done.undo();
        }
        let mut receipts = work.receipts;
        for (_, answer) in &mut receipts {
            // Even for a repeat: its original may be in this very batch.
            *answer = Err(error.clone());
        }
        let answers = batch.ops.drain(..).filter_map(|op| op.fail(error.clone())).collect();
        self.shared.queue.drop_refusals(batch.refusals.drain(..).len());
        self.answer(receipts, answers, Vec::new());
        fault.unless_fatal()
    }

    /// Answers a whole batch from one task: the wake-ups happen on the runtime, while the next batch is written. So does
    /// the freeing of what is past.
    fn answer(
        &self,
        receipts: Vec<(Reply<Receipt>, Result<Receipt, StoreError>)>,
        answers: Vec<Answer>,
        past: Vec<Recent>,
    ) {
        let answer_all = move || {
            for (reply, outcome) in receipts {
                // Whoever asked may have gone away.
                let _ = reply.send(outcome);
            }
            answers.into_iter().for_each(|answer| answer());
            drop(past);
        };
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn(async move { answer_all() })),
            None => answer_all(),
        }
    }

    /// Answers everybody that nothing is written any more. The connection ends without touching the file.
    fn fail(&self, fault: Fault, batch: &mut Batch) {
        let why = match fault {
            Fault::Fatal(why) => why,
            Fault::Sync(why) => {
                tracing::error!(error = why, "store.fsync_failed: what was written is not durable");
                why
            }
            // Those do not end a store.
            other => other.answer().to_string(),
        };
        self.shared.fail(&why);
        self.shared.queue.take(batch, Instant::now());
        let error = StoreError::Failed(why);
        let receipts = batch.appends.drain(..).map(|append| (append.reply, Err(error.clone()))).collect();
        let answers = batch.ops.drain(..).filter_map(|op| op.fail(error.clone())).collect();
        self.answer(receipts, answers, Vec::new());
    }
}

/// Tells everybody if the writer ends in a way that it should not.
#[derive(Debug)]
pub(crate) struct Watch(pub(crate) Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(STOPPED);
            // Whoever waits hears of it by the end of his line.
            let mut batch = Batch::default();
            self.0.queue.take(&mut batch, Instant::now());
        }
    }
}
