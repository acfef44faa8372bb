//! Handing out work: retries that are due, then events in order; first from memory, then from the file.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::delivery::Lease;
use hookhouse_core::store::LeaseRequest;
use hookhouse_core::{DeliveryState, StoreError, StoredEvent};
use rusqlite::Connection;
use tokio::time::Instant;

use crate::consumer::Consumer;
use crate::edits::{self, Sent};
use crate::names::Names;
use crate::progress::{DueRow, Key, Progress, Terms};
use crate::query;
use crate::queue::Op;
use crate::recent::Look;
use crate::row::{self, COLUMNS};
use crate::shared::Shared;
use crate::time::to_nanos;

/// How long a wait goes on without a look at the clock: it may be set.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

/// Longer than any process runs.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Rows that are looked at in one read.
const STRETCH: usize = 4096;

/// Bytes of bodies that are read at once, about.
const STRETCH_BYTES: usize = 4 << 20;

/// How far a destination's position may run ahead of the file without anything being settled: so much of the log is
/// looked at again after a crash.
const KEEP_EVERY: u64 = 4096;

/// Waits for work and takes it.
pub(crate) async fn lease(shared: &Arc<Shared>, request: &LeaseRequest) -> Result<Vec<Lease>, StoreError> {
    let deadline = after(request.wait);
    loop {
        // Before the look, so that what happens after it is noticed.
        let mut changed = shared.changed();
        if let Some(end) = shared.queue.ended() {
            return Err(end);
        }
        let consumer = shared.consumers.named(&request.destination);
        let mut moment = deadline;
        let mut woken = None;
        if let Some(consumer) = &consumer {
            woken = Some(consumer.woken());
            let leases = take(shared, consumer, request).await?;
            if !leases.is_empty() || request.max == 0 {
                return Ok(leases);
            }
            let now = Instant::now();
            if let Some(next) = consumer.lock().next_moment(to_nanos(shared.clock.now()), now) {
                moment = moment.min(next.min(now + CLOCK_LOOK));
            }
        }
        if Instant::now() >= deadline {
            return Ok(Vec::new());
        }
        let wake = async {
            match &mut woken {
                // The sender is in the consumer, which is held here.
                Some(woken) => woken.changed().await.unwrap_or(()),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wake => {}
            _ = changed.changed() => {}
            () = tokio::time::sleep_until(moment) => {}
        }
    }
}

/// Takes what is there.
async fn take(
    shared: &Arc<Shared>,
    consumer: &Arc<Consumer>,
    request: &LeaseRequest,
) -> Result<Vec<Lease>, StoreError> {
    let _lane = consumer.lane.lock().await;
    let wall = to_nanos(shared.clock.now());
    let plan = consumer.lock().plan(request.max, shared.window, wall, Instant::now());
    if plan.room == 0 {
        return Ok(Vec::new());
    }
    let mut taker = Taker { shared, consumer, request, leases: Vec::new(), room: plan.room };
    if let Some(held) = plan.due_but {
        taker.due(held, wall).await?;
    }
    taker.ready().await?;
    taker.fresh().await?;
    let leases = std::mem::take(&mut taker.leases);
    if consumer.lock().is_far_ahead(KEEP_EVERY) {
        // A hint for the next start; if there is no place for it now, there will be later.
        let _ = shared.queue.push(Op::KeepPosition(consumer.id));
    }
    Ok(leases)
}

/// A moment so long from now, or the end of time.
fn after(length: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(length).unwrap_or(now + FOR_EVER)
}

/// Fills a lease request. Whoever asked may go away in the middle: what was taken for him is then free again.
struct Taker<'a> {
    shared: &'a Arc<Shared>,
    consumer: &'a Arc<Consumer>,
    request: &'a LeaseRequest,
    leases: Vec<Lease>,
    room: usize,
}

impl Drop for Taker<'_> {
    fn drop(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        let mut progress = self.consumer.lock();
        for Lease { delivery, .. } in self.leases.drain(..) {
            progress.release(Key::of(&delivery));
        }
        drop(progress);
        self.consumer.wake();
    }
}

/// Exceptions are being read. However that ends, they can be read again.
struct Reading<'a> {
    consumer: &'a Consumer,
    /// When the first exception that was not read is due.
    next: Option<i64>,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.consumer.lock().end_reading(self.next);
    }
}

impl Taker<'_> {
    fn left(&self) -> usize {
        self.room.saturating_sub(self.leases.len())
    }

    /// Exceptions that are due, but for those that somebody holds.
    async fn due(&mut self, held: HashSet<Key>, wall: i64) -> Result<(), StoreError> {
        let mut reading = Reading { consumer: self.consumer, next: Some(i64::MIN) };
        let (id, names, limit) = (self.consumer.id, Arc::clone(&self.shared.names), self.left());
        let due = self.shared.readers.run(move |conn| due_rows(conn, &names, id, wall, limit, &held)).await?;
        self.with_terms(|progress, terms| {
            due.rows.iter().filter_map(|(row, event)| progress.take_due(row, event, terms)).collect()
        });
        reading.next = due.next;
        Ok(())
    }

    /// Events that were handed out before: their lease ran out, or the process ended.
    async fn ready(&mut self) -> Result<(), StoreError> {
        let sequences = self.consumer.lock().ready(self.left());
        let mut events = Vec::with_capacity(sequences.len());
        let mut on_disk = Vec::new();
        for sequence in sequences {
            match self.shared.ring.event(sequence) {
                Some(event) => events.push(event),
                None => on_disk.push(sequence),
            }
        }
        if !on_disk.is_empty() {
            let names = Arc::clone(&self.shared.names);
            let read = move |conn: &Connection| {
                let read = |sequence| Ok((sequence, query::at(conn, &names, sequence)?));
                on_disk.into_iter().map(read).collect::<rusqlite::Result<Vec<_>>>()
            };
            for (sequence, event) in self.shared.readers.run(read).await? {
                match event {
                    Some(event) => events.push(event),
                    // Retention did not wait for a destination that was not named then, or the row is damaged.
                    None => self.consumer.lock().forget(sequence),
                }
            }
            events.sort_unstable_by_key(|event| event.sequence());
        }
        self.with_terms(|progress, terms| {
            events.iter().filter_map(|event| progress.take_ready(event, terms)).collect()
        });
        Ok(())
    }

    /// Events that nobody has looked at yet.
    async fn fresh(&mut self) -> Result<(), StoreError> {
        while self.left() > 0 {
            let (position, sources) = {
                let progress = self.consumer.lock();
                let (Some(position), Some(sources)) = (progress.position, progress.sources.clone()) else {
                    return Ok(());
                };
                (position, sources)
            };
            let (events, scanned, more) =
                match self.shared.ring.after(position, self.left(), |source| sources.contains(&source)) {
                    Look::Here { events, scanned } => {
                        (events.into_iter().map(|recent| recent.event).collect(), scanned, false)
                    }
                    Look::OnDisk { until } => {
                        let (names, max) = (Arc::clone(&self.shared.names), self.left());
                        let wanted = move |source: i64| sources.contains(&source);
                        let read =
                            move |conn: &Connection| stretch(conn, &names, position, until, max, wanted);
                        let (events, scanned) = self.shared.readers.run(read).await?;
                        (events, scanned, true)
                    }
                };
            let left = self.left();
            self.with_terms(|progress, terms| progress.take_fresh(&events, scanned, terms));
            // What was called off is passed over; others may follow it.
            let passed_over = left - self.left() < events.len();
            if !more && !passed_over {
                break;
            }
        }
        Ok(())
    }

    fn with_terms(&mut self, take: impl FnOnce(&mut Progress, &mut Terms<'_>) -> Vec<Lease>) {
        let mut terms = Terms {
            destination: &self.consumer.name,
            expires: after(self.request.hold),
            token: &mut || self.shared.next_token(),
        };
        let taken = take(&mut self.consumer.lock(), &mut terms);
        self.leases.extend(taken);
    }
}

struct Due {
    rows: Vec<(DueRow, Arc<StoredEvent>)>,
    /// When the first exception that was not read is due.
    next: Option<i64>,
}

/// Exceptions that are due, the one that waits longest first.
fn due_rows(
    conn: &Connection,
    names: &Names,
    destination: i64,
    wall: i64,
    limit: usize,
    held: &HashSet<Key>,
) -> rusqlite::Result<Due> {
    let mut select = conn.prepare_cached(
        "SELECT sequence, round, state, attempts, due FROM exceptions \
         WHERE destination = ?1 AND due IS NOT NULL ORDER BY due",
    )?;
    let mut rows = select.query([destination])?;
    let mut due = Due { rows: Vec::new(), next: None };
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(4)?;
        if at > wall || due.rows.len() == limit || bytes >= STRETCH_BYTES {
            due.next = Some(at);
            break;
        }
        let key = Key {
            sequence: row.get::<_, i64>(0)?.cast_unsigned(),
            round: row.get::<_, i64>(1)?.cast_unsigned(),
        };
        if held.contains(&key) {
            continue;
        }
        let state = row.get_ref(2)?.as_str().unwrap_or_default().parse().unwrap_or(DeliveryState::Waiting);
        // A damaged event stays where it is: it is reported, and never served.
        if let Some(stored) = query::at(conn, names, key.sequence)? {
            let event = match edits::find(conn, key, &names.seals)? {
                Sent::Stored => stored,
                Sent::Edited(edit) => Arc::new(edit.of(&stored)),
                Sent::Damaged => continue,
            };
            bytes += event.body().len();
            due.rows.push((DueRow { key, state, attempts: row.get(3)? }, event));
        }
    }
    Ok(due)
}

/// Up to `max` wanted events after `position` and up to `until`, and how far the look went.
fn stretch(
    conn: &Connection,
    names: &Names,
    position: u64,
    until: u64,
    max: usize,
    wanted: impl Fn(i64) -> bool,
) -> rusqlite::Result<(Vec<Arc<StoredEvent>>, u64)> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM events WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence"
    ))?;
    let mut rows = select.query([position.cast_signed(), until.cast_signed()])?;
    let mut events = Vec::new();
    let (mut scanned, mut looked, mut bytes) = (position, 0, 0);
    while let Some(row) = rows.next()? {
        if events.len() == max || looked == STRETCH || bytes >= STRETCH_BYTES {
            return Ok((events, scanned));
        }
        looked += 1;
        scanned = row.get::<_, i64>(0)?.cast_unsigned();
        // What is damaged is looked at: reading it says so.
        if row.get(3).map_or(true, &wanted)
            && let Some(event) = row::read(row, names)?.whole()
        {
            bytes += event.body().len();
            events.push(event);
        }
    }
    Ok((events, until))
}
