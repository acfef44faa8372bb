//! What is under way for one destination: the window, the leases, and what is due when.
//!
//! Plain state behind the lock of a [`Consumer`](crate::consumer::Consumer); nothing here waits or reads.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::delivery::{Lease, Next, Settlement};
use hookhouse_core::{
    AttemptNumber, DeliveryId, DeliveryState, DestinationName, EventId, LeaseToken, StoredEvent,
};
use tokio::time::Instant;

use crate::counts::Counts;
use crate::owed::{read_owed, write_owed};
use crate::time::to_nanos;

/// Which delivery of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) sequence: u64,
    pub(crate) round: u64,
}

impl Key {
    pub(crate) fn of(delivery: &DeliveryId) -> Self {
        Self { sequence: delivery.event.position(), round: delivery.round }
    }
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
    /// Events after the position that have a row already: they are not handed out as fresh ones.
    rows_ahead: BTreeSet<u64>,
    /// Events after the position that get one with the transaction that is being written.
    cancelling_ahead: BTreeSet<u64>,
    /// Exceptions that changed while a lease reads them from the file.
    touched: Option<HashSet<Key>>,
    /// No exception is due before this; `None`: none is due at all.
    next_due: Option<i64>,
    pub(crate) counts: Counts,
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

impl Progress {
    pub(crate) fn new() -> Self {
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
            rows_ahead: BTreeSet::new(),
            cancelling_ahead: BTreeSet::new(),
            touched: None,
            next_due: None,
            counts: Counts::default(),
        }
    }

    /// What the file says: it was subscribed, it has come so far, and it owes these.
    pub(crate) fn stored(active: bool, position: Option<u64>, owed: &[u8]) -> Self {
        let window = read_owed(owed);
        let kept = position.unwrap_or(0);
        Self { active, position, kept, ready: window.clone(), window, ..Self::new() }
    }

    /// An event after the position has a row.
    pub(crate) fn has_row_ahead(&mut self, sequence: u64) {
        self.rows_ahead.insert(sequence);
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
            if self.rows_ahead.contains(&sequence) {
                return None;
            }
            self.window.insert(sequence);
            // Somebody is calling it off. Should that fail, it is ready.
            let free = !self.cancelling_ahead.contains(&sequence);
            free.then(|| self.hold(Key { sequence, round: 0 }, None, 1, event, terms))
        };
        let leases = events.iter().filter_map(take).collect();
        if let Some(position) = self.position
            && self.rows_ahead.first().is_some_and(|first| *first <= position)
        {
            self.rows_ahead = self.rows_ahead.split_off(&position.saturating_add(1));
        }
        leases
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
        let key = Key::of(&settlement.delivery);
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
        self.touch(key);
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

    /// An operator wanted it made now, and that is committed.
    pub(crate) fn retried(&mut self, key: Key, before: DeliveryState) {
        self.touch(key);
        self.counts.remove(before);
        self.replayed();
    }

    /// A new delivery is due now, and that is committed.
    pub(crate) fn replayed(&mut self) {
        self.counts.add(DeliveryState::Pending);
        self.due_at(i64::MIN);
    }

    /// An exception is not what a read that goes on may have seen.
    fn touch(&mut self, key: Key) {
        if let Some(touched) = &mut self.touched {
            touched.insert(key);
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

    // ── calling off, in the writer's transaction ───────────────────────────────────────────────────────────────────

    /// Keeps a delivery from being handed out until the transaction ends. `false` where somebody has it.
    pub(crate) fn hold_back(&mut self, delivery: &DeliveryId, now: Instant) -> bool {
        let key = Key::of(delivery);
        if self.leases.contains_key(&key) {
            return false;
        }
        // Nobody settles this lease, and it does not run out.
        let (token, event) = (LeaseToken(0), delivery.event);
        let held = Held { token, event, attempt: 0, expires: now, row: None, settling: true };
        self.leases.insert(key, held);
        if key.round == 0 {
            self.ready.remove(&key.sequence);
            self.leaving.insert(key.sequence);
            let ahead = self.position.is_some_and(|position| key.sequence > position);
            if ahead && !self.rows_ahead.contains(&key.sequence) {
                self.cancelling_ahead.insert(key.sequence);
            }
        }
        true
    }

    /// The delivery was called off, and that is committed. `before` is the state of its row; `None` where it had none.
    pub(crate) fn cancelled(&mut self, key: Key, before: Option<DeliveryState>) {
        self.leases.remove(&key);
        self.touch(key);
        if key.round == 0 {
            self.leaving.remove(&key.sequence);
            self.window.remove(&key.sequence);
            let ahead = self.position.is_some_and(|position| key.sequence > position);
            if self.cancelling_ahead.remove(&key.sequence) && ahead {
                self.rows_ahead.insert(key.sequence);
            }
        }
        if let Some(before) = before {
            self.counts.remove(before);
        }
    }

    /// The delivery was not called off: it is handed out as before.
    pub(crate) fn not_cancelled(&mut self, key: Key) {
        self.leases.remove(&key);
        if key.round == 0 {
            self.leaving.remove(&key.sequence);
            self.cancelling_ahead.remove(&key.sequence);
            if self.window.contains(&key.sequence) {
                self.ready.insert(key.sequence);
            }
        }
        // It may have been passed over while it was held.
        self.due_at(i64::MIN);
    }

    /// The position is in the file.
    pub(crate) fn kept(&mut self, position: u64) {
        self.kept = self.kept.max(position);
    }

    // ── what others ask ────────────────────────────────────────────────────────────────────────────────────────────

    /// Whether the consumer still waits for an event that has no row: for retention.
    pub(crate) fn needs(&self, sequence: u64, source: i64) -> bool {
        let wants = || self.sources.as_ref().is_none_or(|sources| sources.contains(&source));
        let is_ahead = || self.position.is_some_and(|position| sequence > position);
        self.active
            && (self.window.contains(&sequence)
                || (is_ahead() && wants() && !self.rows_ahead.contains(&sequence)))
    }

    /// The state of an event that has no row; `None` where the consumer is done with it or never wanted it.
    pub(crate) fn fresh_state(&self, sequence: u64, source: i64) -> Option<DeliveryState> {
        if self.is_held(Key { sequence, round: 0 }) {
            Some(DeliveryState::Leased)
        } else {
            self.is_fresh(sequence, source).then_some(DeliveryState::Pending)
        }
    }

    /// Whether an event that has no row is yet to be delivered.
    pub(crate) fn is_fresh(&self, sequence: u64, source: i64) -> bool {
        let wants = || self.sources.as_ref().is_some_and(|sources| sources.contains(&source));
        let is_ahead = || self.position.is_some_and(|position| sequence > position);
        self.window.contains(&sequence) || (self.active && is_ahead() && wants())
    }

    /// The events after the position that have a row.
    pub(crate) fn rows_ahead(&self) -> &BTreeSet<u64> {
        &self.rows_ahead
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
