//! A destination as a consumer of the log: how far it has come, and what is under way.
//!
//! In the file a consumer is one row: everything up to `position` is done with, but for the events that `owed` lists.
//! Here, that list is the *window*: events that were looked at, are of the destination's sources, and are neither
//! delivered nor written down as an exception. Looking at further events moves the position; settling one takes it
//! out of the window. So one slow delivery holds nothing up, and the row stays small: the window is bounded.
//!
//! Leases live in memory alone. A process that ends forgets them, and what was leased is handed out again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hookhouse_core::delivery::{Lease, Next, Settlement};
use hookhouse_core::{
    AttemptNumber, DeliveryId, DeliveryState, DestinationName, EventId, LeaseToken, StoredEvent,
};
use rusqlite::Connection;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::time::to_nanos;

/// All consumers, subscribed or not.
#[derive(Debug, Default)]
pub(crate) struct Consumers(RwLock<HashMap<DestinationName, Arc<Consumer>>>);

/// One consumer.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) id: i64,
    pub(crate) name: DestinationName,
    /// One lease looks for work at a time; the others wait for it, and it never waits for work itself.
    pub(crate) lane: tokio::sync::Mutex<()>,
    wake: watch::Sender<()>,
    progress: Mutex<Progress>,
}

/// Which delivery of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) sequence: u64,
    pub(crate) round: u64,
}

/// What a consumer did and does.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) active: bool,
    /// What it wants; `None` until this process was told.
    pub(crate) sources: Option<HashSet<i64>>,
    /// Everything up to here was looked at; `None` before the first subscription.
    pub(crate) position: Option<u64>,
    /// The position in the file.
    kept: u64,
    window: BTreeSet<u64>,
    /// The part of the window that nobody holds.
    ready: BTreeSet<u64>,
    leases: HashMap<Key, Held>,
    expiries: BTreeSet<(Instant, Key)>,
    /// The part of the window that leaves it with the transaction that is being written.
    leaving: BTreeSet<u64>,
    /// Exceptions that changed while a lease reads them from the file.
    touched: Option<HashSet<Key>>,
    /// No exception is due before this; `None`: none is due at all.
    next_due: Option<i64>,
    pub(crate) counts: Counts,
}

/// How many exceptions there are in the file, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) pending: u64,
    pub(crate) waiting: u64,
    pub(crate) dead: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, state: DeliveryState) {
        if let Some(count) = self.of(state) {
            *count += 1;
        }
    }

    pub(crate) fn remove(&mut self, state: DeliveryState) {
        if let Some(count) = self.of(state) {
            *count = count.saturating_sub(1);
        }
    }

    fn of(&mut self, state: DeliveryState) -> Option<&mut u64> {
        match state {
            DeliveryState::Pending => Some(&mut self.pending),
            DeliveryState::Waiting => Some(&mut self.waiting),
            DeliveryState::Dead => Some(&mut self.dead),
            DeliveryState::Leased | DeliveryState::Delivered | DeliveryState::Cancelled => None,
        }
    }
}

/// A lease that is held.
#[derive(Debug)]
struct Held {
    token: LeaseToken,
    event: EventId,
    attempt: u32,
    expires: Instant,
    /// The state of its row; `None` for an event that has none.
    row: Option<DeliveryState>,
    /// Its settlement is being written.
    settling: bool,
}

/// An exception that is due, as the file has it.
#[derive(Debug)]
pub(crate) struct DueRow {
    pub(crate) key: Key,
    pub(crate) state: DeliveryState,
    pub(crate) attempts: u32,
}

/// A settlement whose lease is the current one.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) key: Key,
    pub(crate) attempt: u32,
    /// The state of its row; `None` for an event that has none.
    pub(crate) row: Option<DeliveryState>,
    pub(crate) next: Next,
}

impl Prepared {
    /// The state of its row from now on; `None` where a row is neither there nor needed.
    pub(crate) fn becomes(&self) -> Option<DeliveryState> {
        match self.next {
            Next::Done => self.row.map(|_| DeliveryState::Delivered),
            Next::RetryAt(_) => Some(DeliveryState::Waiting),
            Next::GiveUp(_) => Some(DeliveryState::Dead),
            Next::Release => self.row,
        }
    }
}

/// What a lease may take.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Deliveries at most.
    pub(crate) room: usize,
    /// The exceptions that are held, and still look due in the file; `None` where no exception is due.
    pub(crate) due_but: Option<HashSet<Key>>,
}

impl Consumers {
    /// The consumers of the file.
    pub(crate) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let mut consumers = HashMap::new();
        let mut select = conn.prepare("SELECT id, name, active, position, owed FROM destinations")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let Ok(name) = row.get::<_, String>(1)?.parse::<DestinationName>() else { continue };
            let mut progress = Progress::new();
            progress.active = row.get(2)?;
            progress.position = row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned);
            progress.kept = progress.position.unwrap_or(0);
            progress.window = read_owed(row.get_ref(4)?.as_blob()?);
            progress.ready.clone_from(&progress.window);
            consumers.insert(name.clone(), Arc::new(Consumer::new(row.get(0)?, name, progress)));
        }
        let this = Self(RwLock::new(consumers));
        this.load_counts(conn)?;
        Ok(this)
    }

    fn load_counts(&self, conn: &Connection) -> rusqlite::Result<()> {
        let consumers = self.all();
        let mut select = conn.prepare(
            "SELECT destination, state, count(*), min(due) FROM exceptions GROUP BY destination, state",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let Some(consumer) = consumers.iter().find(|consumer| consumer.id == id) else { continue };
            let mut progress = consumer.lock();
            let state = row.get_ref(1)?.as_str().ok().and_then(|state| state.parse().ok());
            if let Some(count) = state.and_then(|state| progress.counts.of(state)) {
                *count = row.get::<_, i64>(2)?.cast_unsigned();
            }
            if let Some(due) = row.get(3)? {
                progress.due_at(due);
            }
        }
        Ok(())
    }

    pub(crate) fn named(&self, name: &DestinationName) -> Option<Arc<Consumer>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn with_id(&self, id: i64) -> Option<Arc<Consumer>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .find(|consumer| consumer.id == id)
            .cloned()
    }

    /// The consumer of a destination, new if there is none yet.
    pub(crate) fn make(&self, name: &DestinationName, id: i64) -> Arc<Consumer> {
        let mut consumers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Consumer::new(id, name.clone(), Progress::new()));
        Arc::clone(consumers.entry(name.clone()).or_insert_with(made))
    }

    /// All of them, by number.
    pub(crate) fn all(&self) -> Vec<Arc<Consumer>> {
        let mut all: Vec<_> =
            self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_unstable_by_key(|consumer| consumer.id);
        all
    }

    /// Events of these sources are in the log, the newest of them at `head`; before, `former` was the newest. Tells
    /// those who wait for them. Who had come to the end and wants none of them is at the new end without a look, so
    /// that a destination with a rare source does not read what everybody else gets.
    pub(crate) fn appended(&self, sources: &HashSet<i64>, former: u64, head: u64) {
        for consumer in self.0.read().unwrap_or_else(PoisonError::into_inner).values() {
            let mut progress = consumer.lock();
            let Some(wanted) = progress.sources.as_ref().filter(|_| progress.active) else { continue };
            let wakes = !wanted.is_disjoint(sources);
            if !wakes && progress.position == Some(former) {
                progress.position = Some(head);
            }
            drop(progress);
            if wakes {
                consumer.wake();
            }
        }
    }
}

impl Consumer {
    fn new(id: i64, name: DestinationName, progress: Progress) -> Self {
        Self {
            id,
            name,
            lane: tokio::sync::Mutex::new(()),
            wake: watch::Sender::new(()),
            progress: Mutex::new(progress),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait for work that there may be some.
    pub(crate) fn wake(&self) {
        self.wake.send_replace(());
    }

    /// Becomes ready at every [`Consumer::wake`] from now on.
    pub(crate) fn woken(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }
}

impl Progress {
    fn new() -> Self {
        Self {
            active: false,
            sources: None,
            position: None,
            kept: 0,
            window: BTreeSet::new(),
            ready: BTreeSet::new(),
            leases: HashMap::new(),
            expiries: BTreeSet::new(),
            leaving: BTreeSet::new(),
            touched: None,
            next_due: None,
            counts: Counts::default(),
        }
    }

    // ── leasing ────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Takes back what ran out, and says what may be handed out.
    pub(crate) fn plan(&mut self, max: usize, window: usize, wall: i64, now: Instant) -> Plan {
        while let Some((expires, key)) = self.expiries.first().copied()
            && expires <= now
        {
            self.release(key);
        }
        let room = if self.active && self.sources.is_some() {
            max.min(window.saturating_sub(self.leases.len()))
        } else {
            0
        };
        let is_due = room > 0 && self.next_due.is_some_and(|due| due <= wall);
        let held = || self.leases.iter().filter(|(_, held)| held.row.is_some()).map(|(key, _)| *key);
        let due_but = is_due.then(|| held().collect());
        if is_due {
            self.touched = Some(HashSet::new());
            self.next_due = None;
        }
        Plan { room, due_but }
    }

    /// Ends reading exceptions; `next` is when the first one that was not read is due.
    pub(crate) fn end_reading(&mut self, next: Option<i64>) {
        self.touched = None;
        if let Some(next) = next {
            self.due_at(next);
        }
    }

    /// Leases an exception, unless somebody has it or it changed since it was read.
    pub(crate) fn take_due(
        &mut self,
        row: &DueRow,
        event: &Arc<StoredEvent>,
        terms: &mut Terms<'_>,
    ) -> Option<Lease> {
        let changed = self.touched.as_ref().is_some_and(|touched| touched.contains(&row.key));
        if changed || self.leases.contains_key(&row.key) {
            return None;
        }
        Some(self.hold(row.key, Some(row.state), row.attempts.saturating_add(1), event, terms))
    }

    /// Events of the window that nobody holds, oldest first.
    pub(crate) fn ready(&self, max: usize) -> Vec<u64> {
        self.ready.iter().take(max).copied().collect()
    }

    /// Leases an event of the window.
    pub(crate) fn take_ready(&mut self, event: &Arc<StoredEvent>, terms: &mut Terms<'_>) -> Option<Lease> {
        let sequence = event.sequence().0;
        self.ready.remove(&sequence).then(|| self.hold(Key { sequence, round: 0 }, None, 1, event, terms))
    }

    /// Drops an event that is not in the log any more.
    pub(crate) fn forget(&mut self, sequence: u64) {
        self.ready.remove(&sequence);
        self.window.remove(&sequence);
    }

    /// Moves the position to `scanned` and leases the events that were found on the way.
    pub(crate) fn take_fresh(
        &mut self,
        events: &[Arc<StoredEvent>],
        scanned: u64,
        terms: &mut Terms<'_>,
    ) -> Vec<Lease> {
        self.position = self.position.map(|position| position.max(scanned));
        let take = |event: &Arc<StoredEvent>| {
            let sequence = event.sequence().0;
            self.window.insert(sequence);
            self.hold(Key { sequence, round: 0 }, None, 1, event, terms)
        };
        events.iter().map(take).collect()
    }

    fn hold(
        &mut self,
        key: Key,
        row: Option<DeliveryState>,
        attempt: u32,
        event: &Arc<StoredEvent>,
        terms: &mut Terms<'_>,
    ) -> Lease {
        let token = LeaseToken((terms.token)());
        let held = Held { token, event: event.id(), attempt, expires: terms.expires, row, settling: false };
        self.expiries.insert((held.expires, key));
        self.leases.insert(key, held);
        Lease {
            delivery: DeliveryId {
                event: event.id(),
                destination: terms.destination.clone(),
                round: key.round,
            },
            token,
            attempt: AttemptNumber(attempt),
            event: Arc::clone(event),
        }
    }

    /// Takes a lease back.
    pub(crate) fn release(&mut self, key: Key) {
        let Some(held) = self.leases.remove(&key) else { return };
        self.expiries.remove(&(held.expires, key));
        if held.row.is_none() {
            self.ready.insert(key.sequence);
        } else {
            // Its row is as it was: due.
            self.due_at(i64::MIN);
        }
    }

    /// Notes that an exception is due then.
    pub(crate) fn due_at(&mut self, due: i64) {
        self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
    }

    /// When there may be work without anybody saying so: the next lease runs out, or the next exception is due.
    pub(crate) fn next_moment(&self, wall: i64, now: Instant) -> Option<Instant> {
        let expiry = self.expiries.first().map(|(expires, _)| *expires);
        let due = self
            .next_due
            .map(|due| now + Duration::from_nanos(due.saturating_sub(wall).max(0).cast_unsigned()));
        match (expiry, due) {
            (Some(expiry), Some(due)) => Some(expiry.min(due)),
            (one, other) => one.or(other),
        }
    }

    /// Whether the position ran so far ahead of the file that it should be kept.
    pub(crate) fn is_far_ahead(&self, by: u64) -> bool {
        self.position.is_some_and(|position| position.saturating_sub(self.kept) >= by)
    }

    // ── settling, in the writer's transaction ──────────────────────────────────────────────────────────────────────

    /// Checks a settlement against its lease and holds the lease until the transaction ends.
    pub(crate) fn prepare(&mut self, settlement: &Settlement) -> Option<Prepared> {
        let key = Key { sequence: settlement.delivery.event.position(), round: settlement.delivery.round };
        let held = self.leases.get_mut(&key).filter(|held| {
            held.token == settlement.token && held.event == settlement.delivery.event && !held.settling
        })?;
        held.settling = true;
        self.expiries.remove(&(held.expires, key));
        if held.row.is_none() && settlement.next != Next::Release {
            self.leaving.insert(key.sequence);
        }
        Some(Prepared { key, attempt: held.attempt, row: held.row, next: settlement.next.clone() })
    }

    /// The row of the consumer, as the transaction leaves it.
    pub(crate) fn row(&self) -> Option<(u64, Vec<u8>)> {
        Some((self.position?, write_owed(self.window.difference(&self.leaving).copied())))
    }

    /// The transaction was committed.
    pub(crate) fn settled(&mut self, prepared: &Prepared) {
        let key = prepared.key;
        if prepared.next == Next::Release {
            self.release(key);
            return;
        }
        self.leases.remove(&key);
        self.leaving.remove(&key.sequence);
        if prepared.row.is_none() {
            self.window.remove(&key.sequence);
        }
        if let Some(touched) = &mut self.touched {
            touched.insert(key);
        }
        if let Some(before) = prepared.row {
            self.counts.remove(before);
        }
        if let Some(after) = prepared.becomes() {
            self.counts.add(after);
        }
        if let Next::RetryAt(at) = prepared.next {
            self.due_at(to_nanos(at));
        }
    }

    /// The transaction was not committed: the lease is held as before.
    pub(crate) fn not_settled(&mut self, prepared: &Prepared) {
        self.leaving.remove(&prepared.key.sequence);
        if let Some(held) = self.leases.get_mut(&prepared.key) {
            held.settling = false;
            self.expiries.insert((held.expires, prepared.key));
        }
    }

    /// The position is in the file.
    pub(crate) fn kept(&mut self, position: u64) {
        self.kept = self.kept.max(position);
    }

    // ── what others ask ────────────────────────────────────────────────────────────────────────────────────────────

    /// Whether the consumer still waits for an event that has no row: for retention.
    pub(crate) fn needs(&self, sequence: u64, source: i64) -> bool {
        let wants = || self.sources.as_ref().is_none_or(|sources| sources.contains(&source));
        self.active
            && (self.window.contains(&sequence)
                || (self.position.is_some_and(|position| sequence > position) && wants()))
    }

    /// The state of an event that has no row; `None` where the consumer is done with it or never wanted it.
    pub(crate) fn fresh_state(&self, sequence: u64, source: i64) -> Option<DeliveryState> {
        if self.is_held(Key { sequence, round: 0 }) {
            Some(DeliveryState::Leased)
        } else if self.window.contains(&sequence) {
            Some(DeliveryState::Pending)
        } else {
            let wants = self.sources.as_ref().is_some_and(|sources| sources.contains(&source));
            (self.active && wants && self.position.is_some_and(|position| sequence > position))
                .then_some(DeliveryState::Pending)
        }
    }

    pub(crate) fn is_held(&self, key: Key) -> bool {
        self.leases.contains_key(&key)
    }

    /// The oldest event without a row that the consumer may still wait for.
    pub(crate) fn oldest_open(&self) -> Option<u64> {
        let ahead = || self.position.filter(|_| self.active).map(|position| position + 1);
        self.window.first().copied().or_else(ahead)
    }

    /// How many events of the window are under way or ready, and how many exceptions are held of each state.
    pub(crate) fn open_counts(&self) -> (u64, Counts) {
        let mut held = Counts::default();
        for state in self.leases.values().filter_map(|held| held.row) {
            held.add(state);
        }
        (self.window.len() as u64, held)
    }
}

/// On what terms leases are given.
pub(crate) struct Terms<'a> {
    pub(crate) destination: &'a DestinationName,
    pub(crate) expires: Instant,
    pub(crate) token: &'a mut dyn FnMut() -> u64,
}

/// Sequences in order as LEB128 differences.
fn write_owed(sequences: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut last = 0;
    for sequence in sequences {
        let mut rest = sequence - last;
        last = sequence;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

fn read_owed(bytes: &[u8]) -> BTreeSet<u64> {
    let mut sequences = BTreeSet::new();
    let (mut last, mut value, mut shift) = (0_u64, 0_u64, 0);
    for byte in bytes {
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            last = last.saturating_add(value);
            sequences.insert(last);
            (value, shift) = (0, 0);
        } else {
            shift += 7;
        }
    }
    sequences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owed_events_read_back() {
        for sequences in [vec![], vec![1], vec![127, 128, 129, 16_384, 1 << 50, u64::MAX]] {
            let written = write_owed(sequences.iter().copied());
            assert_eq!(read_owed(&written).into_iter().collect::<Vec<_>>(), sequences);
        }
    }

    #[test]
    fn a_broken_list_does_not_panic() {
        for bytes in [&[0x80; 40][..], &[0xff; 11], &[0x80]] {
            let _ = read_owed(bytes);
        }
    }
}
