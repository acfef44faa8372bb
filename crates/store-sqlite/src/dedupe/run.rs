//! A sorted run: keys and their originals in the file, in blocks that a key's first bits choose.

use std::sync::Arc;

use hookhouse_core::EventId;
use rusqlite::{Connection, OptionalExtension};

use super::Original;
use super::filter::Filter;

/// Keys in a block, about: it fits into a page, and the first bits of random keys spread them evenly.
const KEYS_PER_BLOCK: u64 = 48;

/// Bytes of an entry: key, id, time.
const ENTRY: usize = 40;

/// Bytes of a filter in one row.
const FILTER_PART: usize = 32 << 10;

/// Blocks of a run at most: 2^24, so that run and block fit into one row number.
const MAX_BITS: u32 = 24;

/// A key and its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: u128,
    pub(crate) original: Original,
}

impl Entry {
    pub(super) fn write(&self, block: &mut Vec<u8>) {
        block.extend_from_slice(&self.key.to_be_bytes());
        block.extend_from_slice(self.original.id.as_bytes());
        block.extend_from_slice(&self.original.received.to_le_bytes());
    }

    fn read(bytes: &[u8; ENTRY]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk::<16>()?;
        let (id, received) = rest.split_first_chunk::<16>()?;
        Some(Self {
            key: u128::from_be_bytes(*key),
            original: Original {
                id: EventId::from_bytes(*id),
                received: i64::from_le_bytes(received.try_into().ok()?),
            },
        })
    }
}

/// A run that is complete. It does not change any more.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: i64,
    /// It has 2^bits blocks.
    pub(crate) bits: u32,
    pub(crate) keys: u64,
    /// When the newest event in it was received.
    pub(crate) newest: i64,
    /// It and older runs hold every key up to this event.
    pub(crate) through: u64,
    pub(super) filter: Filter,
}

impl Run {
    /// The live runs of the file, newest first, and the numbers of those that were not finished or not yet erased.
    pub(crate) fn load(conn: &Connection) -> rusqlite::Result<(Vec<Arc<Self>>, Vec<i64>)> {
        let (mut live, mut dead) = (Vec::new(), Vec::new());
        let mut all = conn
            .prepare("SELECT id, live, bits, keys, newest, through FROM dedupe_runs ORDER BY through DESC")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if row.get::<_, i64>(1)? == 0 {
                dead.push(id);
                continue;
            }
            let mut select = conn
                .prepare_cached("SELECT bits FROM dedupe_filters WHERE id BETWEEN ?1 AND ?2 ORDER BY id")?;
            let parts = select
                .query_map([row_id(id, 0), row_id(id, (1 << MAX_BITS) - 1)], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<Vec<u8>>>>()?;
            let Some(filter) = Filter::from_parts(&parts) else {
                // Repeats of these events will be taken for new ones: better than not starting.
                tracing::error!(run = id, "store.corrupt_record: a filter of duplicate keys is damaged");
                dead.push(id);
                continue;
            };
            live.push(Arc::new(Self {
                id,
                bits: row.get::<_, u32>(2)?.min(MAX_BITS),
                keys: row.get::<_, i64>(3)?.cast_unsigned(),
                newest: row.get(4)?,
                through: row.get::<_, i64>(5)?.cast_unsigned(),
                filter,
            }));
        }
        Ok((live, dead))
    }

    /// The original with a key.
    pub(crate) fn find(&self, conn: &Connection, key: u128) -> rusqlite::Result<Option<Original>> {
        if !self.filter.may_hold(key) {
            return Ok(None);
        }
        let mut select = conn.prepare_cached("SELECT entries FROM dedupe_blocks WHERE id = ?1")?;
        let block = select
            .query_row([row_id(self.id, block_of(key, self.bits))], |row| row.get::<_, Vec<u8>>(0))
            .optional()?;
        Ok(block.and_then(|block| entries(&block).find(|entry| entry.key == key)).map(|entry| entry.original))
    }

    /// The rows of its filter.
    pub(super) fn filter_rows(&self) -> impl Iterator<Item = (i64, Vec<u8>)> {
        self.filter.parts(FILTER_PART).zip(0..).map(|(part, number)| (row_id(self.id, number), part))
    }
}

/// The entries of a block.
pub(super) fn entries(block: &[u8]) -> impl Iterator<Item = Entry> {
    block.as_chunks::<ENTRY>().0.iter().filter_map(Entry::read)
}

/// How many bits choose a block in a run of so many keys.
pub(super) fn bits_for(keys: u64) -> u32 {
    (keys / KEYS_PER_BLOCK).next_power_of_two().trailing_zeros().min(MAX_BITS)
}

/// The block of a key: its first bits.
pub(super) fn block_of(key: u128, bits: u32) -> i64 {
    key.checked_shr(128 - bits).map_or(0, |block| block as i64)
}

/// The row of a run's block or of its filter's part.
pub(super) fn row_id(run: i64, number: i64) -> i64 {
    (run << MAX_BITS) | number
}
