//! Removes what is old, or more than may be, once every destination is done with it.
//!
//! The writer calls it between batches, a slice of a few milliseconds at a time. It walks the log from its oldest
//! event; what some destination still waits for stays behind its cursor, and is looked at again when that changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::DeliveryState;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::time::Instant;

use crate::consumer::Consumer;

/// How long one slice may hold acknowledgements up.
const SLICE: Duration = Duration::from_millis(2);

/// Events that were waited for and are not any more, and lie behind the cursor, at most. Beyond that the walk begins
/// anew.
const MAX_FREED: usize = 65_536;

/// How far removal has come.
#[derive(Debug)]
pub(crate) struct Retention {
    age: Option<i64>,
    by_size: bool,
    /// Everything up to here was looked at, and what is left of it is waited for.
    cursor: u64,
    freed: BTreeSet<u64>,
    /// When the event after the cursor will be old enough; `None` where that is not known.
    next_due: Option<i64>,
    stuck: bool,
}

/// What a slice needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall: i64,
    /// The newest event, to be kept in the file before events vanish.
    pub(crate) head: u64,
    /// Whether there is more than may be.
    pub(crate) over: bool,
    /// Up to which event duplicate keys are in a run.
    pub(crate) deduped_through: u64,
    /// What was received before this has no repeat any more.
    pub(crate) dedupe_since: i64,
}

/// What a slice did.
#[derive(Debug, Default)]
pub(crate) struct Removed {
    pub(crate) events: Vec<u64>,
    /// Their exceptions: destination and state.
    pub(crate) exceptions: Vec<(i64, DeliveryState)>,
    /// Whether there is more to do at once.
    pub(crate) more: bool,
}

enum Verdict {
    /// There is no such event.
    Gone,
    /// Neither its age nor the size asks for it.
    Young {
        received: i64,
    },
    /// Some destination waits for it.
    Needed,
    Removed,
}

impl Retention {
    pub(crate) fn new(age: Option<i64>, by_size: bool) -> Self {
        Self { age, by_size, cursor: 0, freed: BTreeSet::new(), next_due: None, stuck: false }
    }

    /// Whether there is something to do now.
    pub(crate) fn is_due(&self, wall: i64, over: bool) -> bool {
        if over && self.by_size {
            return !self.stuck || !self.freed.is_empty();
        }
        self.age.is_some() && (!self.freed.is_empty() || self.next_due.is_none_or(|due| due <= wall))
    }

    /// Whether everything that is left is waited for.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// An event was settled.
    pub(crate) fn freed(&mut self, sequence: u64) {
        if sequence <= self.cursor && (self.by_size || self.age.is_some()) {
            self.freed.insert(sequence);
            if self.freed.len() > MAX_FREED {
                self.begin_anew();
            }
        }
    }

    /// Other destinations are waiting now.
    pub(crate) fn begin_anew(&mut self) {
        self.cursor = 0;
        self.freed.clear();
        self.next_due = None;
        self.stuck = false;
    }

    /// Removes for a while, in the transaction that the caller began. The caller takes over what it says only once
    /// that is committed; the cursor does not mind if it is not, because it is a hint.
    pub(crate) fn slice(
        &mut self,
        conn: &Connection,
        consumers: &[Arc<Consumer>],
        now: Now,
    ) -> rusqlite::Result<Removed> {
        let end = Instant::now() + SLICE;
        let mut removed = Removed::default();
        while let Some(sequence) = self.freed.pop_first() {
            if let Verdict::Young { .. } = self.judge(conn, consumers, now, sequence, &mut removed)? {
                // The walk comes by again when it is old enough.
                self.cursor = self.cursor.min(sequence.saturating_sub(1));
                self.next_due = None;
            }
            if Instant::now() >= end {
                removed.more = true;
                return keep(conn, now, removed);
            }
        }
        loop {
            let next: Option<i64> = conn
                .prepare_cached("SELECT sequence FROM events WHERE sequence > ?1 ORDER BY sequence LIMIT 1")?
                .query_row([self.cursor.cast_signed()], |row| row.get(0))
                .optional()?;
            let Some(sequence) = next.map(i64::cast_unsigned) else {
                self.stuck = now.over && removed.events.is_empty();
                // Nothing comes of age before something is appended, and that takes its whole age.
                self.next_due = self.age.map(|age| now.wall.saturating_add(age));
                break;
            };
            match self.judge(conn, consumers, now, sequence, &mut removed)? {
                Verdict::Young { received } => {
                    self.stuck = false;
                    self.next_due = self.age.map(|age| received.saturating_add(age));
                    break;
                }
                Verdict::Gone | Verdict::Needed | Verdict::Removed => self.cursor = sequence,
            }
            if Instant::now() >= end {
                removed.more = true;
                break;
            }
        }
        keep(conn, now, removed)
    }

    fn judge(
        &self,
        conn: &Connection,
        consumers: &[Arc<Consumer>],
        now: Now,
        sequence: u64,
        removed: &mut Removed,
    ) -> rusqlite::Result<Verdict> {
        let key = sequence.cast_signed();
        let row: Option<(i64, i64)> = conn
            .prepare_cached("SELECT source, received FROM events WHERE sequence = ?1")?
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((source, received)) = row else { return Ok(Verdict::Gone) };
        let old = self.age.is_some_and(|age| received < now.wall.saturating_sub(age));
        let surplus = now.over && self.by_size;
        if !old && !surplus {
            return Ok(Verdict::Young { received });
        }
        if consumers.iter().any(|consumer| consumer.lock().needs(sequence, source)) {
            return Ok(Verdict::Needed);
        }
        let mut open = conn
            .prepare_cached("SELECT destination FROM exceptions WHERE sequence = ?1 AND due IS NOT NULL")?;
        let mut rows = open.query([key])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if consumers.iter().any(|consumer| consumer.id == id && consumer.lock().active) {
                return Ok(Verdict::Needed);
            }
        }
        if sequence > now.deduped_through && received >= now.dedupe_since {
            conn.prepare_cached(
                "INSERT OR REPLACE INTO dedupe_tail (sequence, received, dedupe, id) \
                 SELECT sequence, received, dedupe, id FROM events WHERE sequence = ?1 AND dedupe IS NOT NULL",
            )?
            .execute([key])?;
        }
        let mut delete =
            conn.prepare_cached("DELETE FROM exceptions WHERE sequence = ?1 RETURNING destination, state")?;
        let mut rows = delete.query([key])?;
        while let Some(row) = rows.next()? {
            if let Some(state) = row.get_ref(1)?.as_str().ok().and_then(|state| state.parse().ok()) {
                removed.exceptions.push((row.get(0)?, state));
            }
        }
        conn.prepare_cached("DELETE FROM attempts WHERE sequence = ?1")?.execute([key])?;
        conn.prepare_cached("DELETE FROM answers WHERE sequence = ?1")?.execute([key])?;
        conn.prepare_cached("DELETE FROM edits WHERE sequence = ?1")?.execute([key])?;
        conn.prepare_cached("DELETE FROM events WHERE sequence = ?1")?.execute([key])?;
        removed.events.push(sequence);
        Ok(Verdict::Removed)
    }
}

/// Notes what the rows that are gone would have told: how many there were, and that their numbers are used.
fn keep(conn: &Connection, now: Now, removed: Removed) -> rusqlite::Result<Removed> {
    if !removed.events.is_empty() {
        conn.prepare_cached(
            "INSERT INTO meta (key, value) VALUES ('removed', ?1) \
             ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
        )?
        .execute([removed.events.len() as i64])?;
        conn.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('head', ?1)")?
            .execute(params![now.head.cast_signed()])?;
    }
    Ok(removed)
}
