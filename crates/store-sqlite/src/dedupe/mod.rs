//! How repeats of events are recognised.
//!
//! A key is 16 bytes of a digest, so keys are random, and a B-tree of random keys costs half of the rate at which
//! events are appended. Instead:
//!
//! * the keys of the newest events are a table in memory ([`Seen`]), rebuilt from the log when the store opens;
//! * when there are enough of them they become a sorted [run](run::Run) in the file, behind a
//!   [filter](filter::Filter) in memory that says "certainly not" to nearly every key that is not in it;
//! * runs are merged so that there are few of them, and dropped when nothing in them can match any more.
//!
//! [`Seen`] belongs to the writer: it looks keys up between others' appends, so a repeat that arrives in the same
//! batch as its original is one too. Everything slow happens in the [compactor](compactor), on a thread of its own,
//! which hands the writer small pieces to commit.

pub(crate) mod compactor;
mod filter;
pub(crate) mod run;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::SyncSender;

use aws_lc_rs::digest;
use hookhouse_core::{Event, EventId, Identity, SourceName};
use rusqlite::{Connection, OptionalExtension, params};

use crate::row::{DedupeKey, DedupeKeys};
use run::{Entry, Run};

pub(crate) use compactor::{DedupeWrite, Frozen, Step};

/// The key of an identity within its source.
fn key(source: &SourceName, identity: &Identity) -> DedupeKey {
    let name = source.as_str().as_bytes();
    // A name has at most 63 bytes; with its length in front no name and digest read like another pair.
    let mut message = [0; 1 + 63 + 32];
    let parts = [&[name.len() as u8], name, &identity.0];
    let length = parts.iter().fold(0, |at, part| {
        if let Some(place) = message.get_mut(at..at + part.len()) {
            place.copy_from_slice(part);
        }
        at + part.len()
    });
    let mut key = [0; 16];
    let message = message.get(..length).expect("a name has at most 63 bytes");
    key.copy_from_slice(&digest::digest(&digest::SHA256, message).as_ref()[..16]);
    key
}

/// The keys of an event, if a repeat of it is to be recognised.
pub(crate) fn keys(event: &Event) -> Option<DedupeKeys> {
    let (source, dedupe) = (&event.record().source, event.dedupe()?);
    let elements = dedupe.elements.iter().map(|identity| key(source, identity)).collect();
    Some(DedupeKeys { request: key(source, &dedupe.identity), elements })
}

/// What the keys of an event say.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// The event that it repeats.
    pub(crate) repeat_of: Option<EventId>,
    /// The keys that nothing had before it.
    pub(crate) fresh: Vec<DedupeKey>,
}

/// The first event with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Original {
    pub(crate) id: EventId,
    pub(crate) received: i64,
}

/// Keys with their originals. A key is a digest already, so half of it is hash enough.
pub(crate) type Keys = HashMap<u128, Original, BuildHasherDefault<Digested>>;

/// Takes a digest for its own hash.
#[derive(Debug, Default)]
pub(crate) struct Digested(u64);

impl Hasher for Digested {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The longest time for which any event asked to be recognised: nothing older needs to be kept. Shared with the
/// compactor and with retention.
pub(crate) type LongestWindow = Arc<AtomicI64>;

/// The keys that the writer knows.
#[derive(Debug)]
pub(crate) struct Seen {
    recent: Keys,
    /// The oldest event that they are of.
    first: u64,
    /// Up to here, by the file's word, a start need not look for keys.
    floor: u64,
    frozen: Option<Arc<Frozen>>,
    /// Newest first: where a key is in several, the newest one counts.
    runs: Vec<Arc<Run>>,
    run_keys: usize,
    longest: LongestWindow,
    compactor: SyncSender<Arc<Frozen>>,
}

impl Seen {
    /// What the file knows: its runs, and the keys of the events after them.
    pub(crate) fn load(
        conn: &Connection,
        runs: Vec<Arc<Run>>,
        longest: LongestWindow,
        run_keys: usize,
        compactor: SyncSender<Arc<Frozen>>,
    ) -> rusqlite::Result<Self> {
        let floor: Option<i64> = conn
            .query_row("SELECT value FROM meta WHERE key = 'dedupe_floor'", [], |row| row.get(0))
            .optional()?;
        let through = runs.iter().map(|run| run.through).max().unwrap_or(0).cast_signed();
        let through = through.max(floor.unwrap_or(0));
        let mut recent = Keys::default();
        let mut first = u64::MAX;
        for table in ["dedupe_tail", "events"] {
            let mut select = conn.prepare(&format!(
                "SELECT id, received, dedupe FROM {table} WHERE sequence > ?1 AND dedupe IS NOT NULL ORDER BY sequence"
            ))?;
            let mut rows = select.query([through])?;
            while let Some(row) = rows.next()? {
                let original = Original { id: EventId::from_bytes(row.get(0)?), received: row.get(1)? };
                first = first.min(original.id.position());
                let keys = row.get_ref(2)?.as_blob().unwrap_or_default().as_chunks::<16>().0;
                recent.extend(keys.iter().map(|key| (u128::from_be_bytes(*key), original)));
            }
        }
        let floor = through.cast_unsigned();
        Ok(Self { recent, first, floor, frozen: None, runs, run_keys, longest, compactor })
    }

    /// Whether an event received at `received` is a repeat of one that is not older than `window`: its request is
    /// known, or it has elements and every one of them is.
    pub(crate) fn judge(
        &self,
        conn: &Connection,
        keys: &DedupeKeys,
        received: i64,
        window: i64,
    ) -> rusqlite::Result<Judged> {
        let mut judged = Judged::default();
        if let Some(of) = self.find(conn, &keys.request, received, window)? {
            judged.repeat_of = Some(of);
            return Ok(judged);
        }
        for key in &keys.elements {
            match self.find(conn, key, received, window)? {
                Some(of) => judged.repeat_of = judged.repeat_of.or(Some(of)),
                None => judged.fresh.push(*key),
            }
        }
        if !judged.fresh.is_empty() {
            judged.repeat_of = None;
        }
        judged.fresh.push(keys.request);
        Ok(judged)
    }

    /// The original of a key in an event received at `received`, unless it is older than `window`.
    pub(crate) fn find(
        &self,
        conn: &Connection,
        key: &DedupeKey,
        received: i64,
        window: i64,
    ) -> rusqlite::Result<Option<EventId>> {
        let key = u128::from_be_bytes(*key);
        let mut original = self.recent.get(&key).copied();
        if original.is_none() {
            original = self.frozen.as_ref().and_then(|frozen| frozen.keys.get(&key).copied());
        }
        for run in &self.runs {
            if original.is_some() {
                break;
            }
            original = run.find(conn, key)?;
        }
        // A clock that was set back makes an original younger than its repeat: still a repeat.
        Ok(original.filter(|first| received.saturating_sub(first.received) < window).map(|first| first.id))
    }

    /// Notes a new event. It counts from now on, committed or not: whoever repeats it is answered after its commit.
    pub(crate) fn remember(&mut self, key: &DedupeKey, original: Original) {
        if self.recent.is_empty() {
            self.first = original.id.position();
        }
        self.recent.insert(u128::from_be_bytes(*key), original);
    }

    /// Keeps, now and then, up to where the next start need not look for keys: what came before is in runs, or has none. Part
    /// of a transaction before which `head` was the newest event; should it fail, the next start looks at a little more.
    pub(crate) fn keep_floor(&mut self, conn: &Connection, head: u64) -> rusqlite::Result<()> {
        let floor = if self.recent.is_empty() { head } else { self.first.saturating_sub(1) };
        if self.frozen.is_some() || floor < self.floor.saturating_add(self.run_keys as u64 / 8) {
            return Ok(());
        }
        self.floor = floor;
        conn.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('dedupe_floor', ?1)")?
            .execute([floor.cast_signed()])?;
        Ok(())
    }

    /// Takes back what a batch noted that was not committed.
    pub(crate) fn forget<'a>(&mut self, keys: impl Iterator<Item = &'a DedupeKey>) {
        for key in keys {
            self.recent.remove(&u128::from_be_bytes(*key));
        }
    }

    /// Keeps the length of a window if it is the longest so far. To be called in a transaction.
    pub(crate) fn widen(&self, conn: &Connection, window: i64) -> rusqlite::Result<()> {
        if window > self.longest.load(Ordering::Relaxed) {
            conn.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('longest_window', ?1)")?
                .execute([window])?;
            // Should the transaction fail, keys are kept a little longer than they need to be until the next start.
            self.longest.store(window, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Hands the recent keys to the compactor when there are enough of them. `head` is the newest committed event.
    pub(crate) fn freeze_when_full(&mut self, head: u64) {
        // Few keys among many events without any: a start would have to read them all to find those.
        let is_sparse =
            !self.recent.is_empty() && head.saturating_sub(self.first) >= 2 * self.run_keys as u64;
        if (self.recent.len() < self.run_keys && !is_sparse) || self.frozen.is_some() {
            return;
        }
        let frozen = Arc::new(Frozen { keys: std::mem::take(&mut self.recent), through: head });
        // A compactor that gave up costs memory, not correctness: the keys stay here.
        let _ = self.compactor.try_send(Arc::clone(&frozen));
        self.frozen = Some(frozen);
    }

    /// Takes a finished run over, in place of those that it was made of.
    pub(crate) fn publish(&mut self, run: Arc<Run>, replaces: &[i64]) {
        if replaces.is_empty() {
            self.frozen = None;
        }
        self.drop_runs(replaces);
        self.runs.push(run);
        self.runs.sort_by_key(|run| std::cmp::Reverse(run.through));
    }

    /// Lets runs go.
    pub(crate) fn drop_runs(&mut self, ids: &[i64]) {
        self.runs.retain(|run| !ids.contains(&run.id));
    }

    /// Up to which event every key is in a run, so that the log is not needed to rebuild them.
    pub(crate) fn through(&self) -> u64 {
        self.runs.first().map_or(0, |run| run.through)
    }

    pub(crate) fn longest(&self) -> i64 {
        self.longest.load(Ordering::Relaxed)
    }
}

/// Executes one piece of the compactor's work in the writer's transaction.
pub(crate) fn write(conn: &Connection, step: &Step) -> rusqlite::Result<()> {
    match step {
        Step::Begin { run } => {
            conn.prepare_cached(
                "INSERT OR REPLACE INTO dedupe_runs (id, live, bits, keys, newest, through) VALUES (?1, 0, 0, 0, 0, 0)",
            )?
            .execute([run])?;
        }
        Step::Blocks(blocks) => {
            let mut insert =
                conn.prepare_cached("INSERT OR REPLACE INTO dedupe_blocks (id, entries) VALUES (?1, ?2)")?;
            for (id, entries) in blocks {
                insert.execute(params![id, entries])?;
            }
        }
        Step::Filter(parts) => {
            let mut insert =
                conn.prepare_cached("INSERT OR REPLACE INTO dedupe_filters (id, bits) VALUES (?1, ?2)")?;
            for (id, bits) in parts {
                insert.execute(params![id, bits])?;
            }
        }
        Step::Publish { run, replaces } => {
            retire(conn, replaces)?;
            conn.prepare_cached(
                "UPDATE dedupe_runs SET live = 1, bits = ?2, keys = ?3, newest = ?4, through = ?5 WHERE id = ?1",
            )?
            .execute(params![run.id, run.bits, run.keys.cast_signed(), run.newest, run.through.cast_signed()])?;
            conn.prepare_cached("DELETE FROM dedupe_tail WHERE sequence <= ?1")?
                .execute([run.through.cast_signed()])?;
        }
        Step::Drop(runs) => retire(conn, runs)?,
        Step::Erase { first, last } => {
            conn.prepare_cached("DELETE FROM dedupe_blocks WHERE id BETWEEN ?1 AND ?2")?
                .execute([first, last])?;
            conn.prepare_cached("DELETE FROM dedupe_filters WHERE id BETWEEN ?1 AND ?2")?
                .execute([first, last])?;
        }
        Step::Erased(run) => {
            conn.prepare_cached("DELETE FROM dedupe_runs WHERE id = ?1")?.execute([run])?;
        }
    }
    Ok(())
}

fn retire(conn: &Connection, runs: &[i64]) -> rusqlite::Result<()> {
    for run in runs {
        conn.prepare_cached("UPDATE dedupe_runs SET live = 0 WHERE id = ?1")?.execute([run])?;
    }
    Ok(())
}

/// The longest window that the file knows.
pub(crate) fn longest_window(conn: &Connection) -> rusqlite::Result<LongestWindow> {
    let longest: Option<i64> = conn
        .query_row("SELECT value FROM meta WHERE key = 'longest_window'", [], |row| row.get(0))
        .optional()?;
    Ok(Arc::new(AtomicI64::new(longest.unwrap_or(0))))
}

impl Frozen {
    /// The entries in key order.
    fn sorted(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> =
            self.keys.iter().map(|(key, original)| Entry { key: *key, original: *original }).collect();
        entries.sort_unstable_by_key(|entry| entry.key);
        entries
    }
}
