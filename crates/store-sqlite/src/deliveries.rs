//! Pages of deliveries, and how far behind destinations are.
//!
//! Most deliveries have no row: that one is due follows from where its destination stands, and that one was made
//! from its attempt. So a page is put together event by event, newest first. What is under way is asked of memory
//! first and of the file afterwards: a delivery that is settled in between shows its new state rather than none.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookhouse_core::store::{Backlog, Cursor, DeliveryQuery, Page};
use hookhouse_core::{Attempt, DeadReason, Delivery, DeliveryId, DeliveryState, EventId};
use rusqlite::{Connection, OptionalExtension};

use crate::consumer::Consumer;
use crate::edits;
use crate::progress::Key;
use crate::query::{self, ATTEMPT};
use crate::shared::Shared;
use crate::time::from_nanos;

/// Deliveries in a page, at most.
const MAX_PAGE: usize = 1000;

/// Rows that are looked at for a page, at most: a page may be short and still have a next one.
const MAX_SCAN: usize = 4000;

/// Events that are counted one by one before a backlog becomes an upper bound.
const MAX_COUNT: u64 = 1000;

/// Bits of a cursor that tell an event's deliveries apart; the rest is the event's sequence.
const TAG_BITS: u32 = 20;

/// Replays come after the first deliveries, which are told apart by their destinations. Half a million of either
/// can be told apart; of more, a page that ends between them would leave some out.
const REPLAY: u64 = 1 << (TAG_BITS - 1);

/// Which delivery of its event: destination and round.
type Which = (i64, u64);

/// A page of deliveries, newest first.
pub(crate) fn page(
    conn: &Connection,
    shared: &Shared,
    query: &DeliveryQuery,
) -> rusqlite::Result<Page<Delivery>> {
    let limit = query.limit.clamp(1, MAX_PAGE);
    let cursor = query.cursor.map_or(u64::MAX, |cursor| cursor.0);
    let consumers = shared.consumers.all();
    let mut items = Vec::new();
    let mut candidates = Candidates::new(conn, &consumers, query, cursor >> TAG_BITS)?;
    while let Some(candidate) = candidates.next(conn)? {
        let Some(sequence) = candidate else {
            // Looked long enough.
            let next = Cursor(candidates.before << TAG_BITS);
            return Ok(Page { items, next: Some(next) });
        };
        let Some((id, source)) = event_at(conn, sequence)? else { continue };
        if query.event.is_some_and(|wanted| wanted != id) {
            continue;
        }
        for (tag, delivery) in of_event(conn, shared, &consumers, id, source)?.into_iter().rev() {
            let place = (sequence << TAG_BITS) | tag;
            let passes = place < cursor
                && query.state.is_none_or(|state| state == delivery.state)
                && query.destination.as_ref().is_none_or(|name| *name == delivery.id.destination);
            if passes {
                if items.len() == limit {
                    return Ok(Page { items, next: Some(Cursor(place + 1)) });
                }
                items.push(delivery);
            }
        }
    }
    Ok(Page { items, next: None })
}

/// The events whose deliveries may pass, newest first.
struct Candidates {
    /// The next stretch is older than this.
    before: u64,
    /// None is older than this.
    floor: u64,
    from: &'static str,
    state: Option<DeliveryState>,
    scanned: usize,
    queue: std::vec::IntoIter<u64>,
    end: bool,
}

impl Candidates {
    fn new(
        conn: &Connection,
        consumers: &[Arc<Consumer>],
        query: &DeliveryQuery,
        newest: u64,
    ) -> rusqlite::Result<Self> {
        use DeliveryState as S;
        let has_row = matches!(query.state, Some(S::Waiting | S::Dead | S::Cancelled));
        let mut this = Self {
            before: newest.saturating_add(1).min(i64::MAX.cast_unsigned()),
            floor: 0,
            from: if has_row { "exceptions" } else { "events" },
            state: query.state.filter(|_| has_row),
            scanned: 0,
            queue: Vec::new().into_iter(),
            end: false,
        };
        if let Some(event) = query.event {
            this.before = this.before.min(event.position().saturating_add(1));
            this.floor = event.position();
        } else if matches!(query.state, Some(S::Pending | S::Leased)) {
            let row: Option<i64> =
                conn.query_row("SELECT min(sequence) FROM exceptions WHERE due IS NOT NULL", [], |row| {
                    row.get(0)
                })?;
            let open = consumers.iter().filter_map(|consumer| consumer.lock().oldest_open());
            this.floor = open.chain(row.map(i64::cast_unsigned)).min().unwrap_or(u64::MAX);
        }
        Ok(this)
    }

    /// `None` at the end; `Some(None)` where a page should end for now.
    fn next(&mut self, conn: &Connection) -> rusqlite::Result<Option<Option<u64>>> {
        loop {
            if let Some(sequence) = self.queue.next() {
                return Ok(Some(Some(sequence)));
            }
            if self.end {
                return Ok(None);
            }
            if self.scanned >= MAX_SCAN {
                return Ok(Some(None));
            }
            self.fill(conn)?;
        }
    }

    fn fill(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        const STRETCH: usize = 256;
        let state = if self.state.is_some() { "state" } else { "NULL" };
        let mut select = conn.prepare_cached(&format!(
            "SELECT sequence, {state} FROM {} WHERE sequence < ?1 AND sequence >= ?2 ORDER BY sequence DESC LIMIT ?3",
            self.from
        ))?;
        let floor = i64::try_from(self.floor).unwrap_or(i64::MAX);
        let mut rows = select.query([self.before.cast_signed(), floor, STRETCH as i64])?;
        let (mut found, mut last, mut count) = (Vec::new(), None, 0);
        while let Some(row) = rows.next()? {
            let sequence = row.get::<_, i64>(0)?.cast_unsigned();
            // An event with several rows may be cut by the end of the stretch: it is left for the next one, unless
            // the stretch holds nothing else.
            count += 1;
            if count == STRETCH && last.is_some_and(|last| last != sequence) {
                break;
            }
            let wanted = match self.state {
                None => true,
                Some(state) => row.get_ref(1)?.as_str().is_ok_and(|text| text == state.as_str()),
            };
            if wanted && found.last() != Some(&sequence) {
                found.push(sequence);
            }
            last = Some(sequence);
        }
        self.scanned += count;
        self.end = count < STRETCH;
        if let Some(last) = last {
            self.before = last;
        }
        self.queue = found.into_iter();
        Ok(())
    }
}

fn event_at(conn: &Connection, sequence: u64) -> rusqlite::Result<Option<(EventId, i64)>> {
    conn.prepare_cached("SELECT id, source FROM events WHERE sequence = ?1")?
        .query_row([sequence.cast_signed()], |row| Ok((EventId::from_bytes(row.get(0)?), row.get(1)?)))
        .optional()
}

/// The deliveries of one event, by tag: first ones by destination, then replays by round.
fn of_event(
    conn: &Connection,
    shared: &Shared,
    consumers: &[Arc<Consumer>],
    id: EventId,
    source: i64,
) -> rusqlite::Result<BTreeMap<u64, Delivery>> {
    let sequence = id.position();
    let fresh: BTreeMap<i64, DeliveryState> = consumers
        .iter()
        .filter_map(|consumer| Some((consumer.id, consumer.lock().fresh_state(sequence, source)?)))
        .collect();
    let held = |(destination, round): Which| {
        let key = Key { sequence, round };
        consumers.iter().any(|consumer| consumer.id == destination && consumer.lock().is_held(key))
    };
    let mut last_attempts: BTreeMap<Which, Attempt> = BTreeMap::new();
    let mut rows = exceptions(conn, sequence)?;
    for row in rows.values_mut() {
        if matches!(row.state, DeliveryState::Pending | DeliveryState::Waiting) && held(row.which) {
            row.state = DeliveryState::Leased;
        }
    }
    let mut select = conn.prepare_cached(&format!(
        "SELECT {ATTEMPT} FROM attempts WHERE sequence = ?1 ORDER BY destination, round, number"
    ))?;
    let mut attempts = select.query([sequence.cast_signed()])?;
    while let Some(row) = attempts.next()? {
        let destination = row.get(0)?;
        if let Some(name) = shared.names.destinations.value(destination) {
            let attempt = query::attempt(row, id, name, &shared.names.seals)?;
            last_attempts.insert((destination, attempt.delivery.round), attempt);
        }
    }
    for which in last_attempts.keys().filter(|(_, round)| *round == 0) {
        rows.entry(*which).or_insert_with(|| ExceptionRow::without(*which, DeliveryState::Delivered));
    }
    for (destination, state) in fresh {
        let which = (destination, 0);
        rows.entry(which).or_insert_with(|| ExceptionRow::without(which, state));
    }
    let source = shared.names.sources.value(source);
    let mut marks = edits::marks(conn, sequence)?;
    let mut deliveries = BTreeMap::new();
    for (which, row) in rows {
        let (Some(destination), Some(source)) = (shared.names.destinations.value(which.0), source.clone())
        else {
            continue;
        };
        let last_attempt = last_attempts.remove(&which);
        let attempts = last_attempt.as_ref().map_or(0, |attempt| attempt.number.0).max(row.attempts);
        let delivery = Delivery {
            id: DeliveryId { event: id, destination, round: which.1 },
            source,
            state: row.state,
            attempts,
            due_at: row.due.filter(|_| row.state == DeliveryState::Waiting).map(from_nanos),
            reason: row.reason.filter(|_| row.state == DeliveryState::Dead),
            last_attempt,
            edited: marks.remove(&which.1),
        };
        deliveries.insert(tag(which), delivery);
    }
    Ok(deliveries)
}

fn tag((destination, round): Which) -> u64 {
    match round {
        0 => destination.cast_unsigned().min(REPLAY - 1),
        round => REPLAY + round.min(REPLAY - 1),
    }
}

struct ExceptionRow {
    which: Which,
    state: DeliveryState,
    attempts: u32,
    due: Option<i64>,
    reason: Option<DeadReason>,
}

impl ExceptionRow {
    /// What a row would say, if the delivery had one.
    fn without(which: Which, state: DeliveryState) -> Self {
        Self { which, state, attempts: 0, due: None, reason: None }
    }
}

fn exceptions(conn: &Connection, sequence: u64) -> rusqlite::Result<BTreeMap<Which, ExceptionRow>> {
    let mut select = conn.prepare_cached(
        "SELECT destination, round, state, attempts, due, reason FROM exceptions WHERE sequence = ?1",
    )?;
    let mut rows = select.query([sequence.cast_signed()])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let which = (row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned());
        let Ok(state) = row.get_ref(2)?.as_str().unwrap_or_default().parse() else { continue };
        let reason = match row.get_ref(5)?.as_str_or_null().ok().flatten() {
            Some("gone") => Some(DeadReason::Gone),
            Some("rejected") => Some(DeadReason::Rejected),
            Some(_) => Some(DeadReason::Exhausted),
            None => None,
        };
        found.insert(which, ExceptionRow { which, state, attempts: row.get(3)?, due: row.get(4)?, reason });
    }
    Ok(found)
}

/// How far behind each subscribed destination is.
pub(crate) fn backlogs(conn: &Connection, shared: &Shared) -> rusqlite::Result<Vec<Backlog>> {
    let head = shared.ring.head();
    let mut backlogs = Vec::new();
    for consumer in shared.consumers.all() {
        let progress = consumer.lock();
        if !progress.active {
            continue;
        }
        let (window, held) = progress.open_counts();
        let (counts, position) = (progress.counts, progress.position.unwrap_or(head));
        let (sources, rows_ahead) = (progress.sources.clone(), progress.rows_ahead().clone());
        let in_window = progress.oldest_open().filter(|open| *open <= position);
        drop(progress);
        let wanted = |sequence, source: i64| {
            sources.as_ref().is_none_or(|sources| sources.contains(&source))
                && !rows_ahead.contains(&sequence)
        };
        let ahead = ahead(conn, position, head, wanted)?;
        let row: Option<i64> = conn
            .prepare_cached(
                // The plus keeps SQLite on the primary key, whose first match is the answer.
                "SELECT sequence FROM exceptions WHERE +destination = ?1 AND due IS NOT NULL ORDER BY sequence LIMIT 1",
            )?
            .query_row([consumer.id], |row| row.get(0))
            .optional()?;
        let oldest = in_window.or(ahead.first).into_iter().chain(row.map(i64::cast_unsigned)).min();
        backlogs.push(Backlog {
            destination: consumer.name.clone(),
            pending: window + ahead.count + counts.pending + held.waiting,
            waiting: counts.waiting.saturating_sub(held.waiting),
            dead: counts.dead,
            oldest: oldest.map(|sequence| received(conn, sequence)).transpose()?.flatten(),
        });
    }
    Ok(backlogs)
}

struct Ahead {
    count: u64,
    first: Option<u64>,
}

/// Events after a position: counted where they are few, bounded where they are many.
fn ahead(
    conn: &Connection,
    position: u64,
    head: u64,
    wanted: impl Fn(u64, i64) -> bool,
) -> rusqlite::Result<Ahead> {
    let mut select =
        conn.prepare_cached("SELECT sequence, source FROM events WHERE sequence > ?1 ORDER BY sequence")?;
    let mut rows = select.query([position.cast_signed()])?;
    let (mut count, mut first, mut looked) = (0, None, 0);
    while let Some(row) = rows.next()? {
        let sequence = row.get::<_, i64>(0)?.cast_unsigned();
        if looked == MAX_COUNT {
            count += head.saturating_sub(sequence) + 1;
            break;
        }
        looked += 1;
        if wanted(sequence, row.get(1)?) {
            count += 1;
            first.get_or_insert(sequence);
        }
    }
    Ok(Ahead { count, first })
}

fn received(conn: &Connection, sequence: u64) -> rusqlite::Result<Option<hookhouse_core::Timestamp>> {
    let received: Option<i64> = conn
        .prepare_cached("SELECT received FROM events WHERE sequence = ?1")?
        .query_row([sequence.cast_signed()], |row| row.get(0))
        .optional()?;
    Ok(received.map(from_nanos))
}
