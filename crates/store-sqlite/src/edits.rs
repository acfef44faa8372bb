//! What operators sent in the place of what was received.

use std::collections::BTreeMap;

use bytes::Bytes;
use hookhouse_core::{Edit, Edited, Headers};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::progress::Key;
use crate::seals::Seals;
use crate::time::{from_nanos, to_nanos};

/// Keeps the edit of a replay, in the transaction that makes the replay.
pub(crate) fn keep(conn: &Connection, key: Key, edit: &Edit, seals: &Seals) -> rusqlite::Result<()> {
    let (headers, body) = (&edit.headers.as_bytes()[..], &edit.body[..]);
    let sealed = seals.edit(key, headers, body)?;
    let (headers, body) = match &sealed {
        None => (headers, body),
        Some(sealed) => (&b""[..], &sealed.bytes[..]),
    };
    conn.prepare_cached(
        "INSERT INTO edits (sequence, round, editor, edited, checksum, headers, body, sealed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        key.sequence.cast_signed(),
        key.round.cast_signed(),
        edit.mark.by,
        to_nanos(edit.mark.at),
        checksum(key, &edit.mark, headers, body),
        headers,
        body,
        sealed.as_ref().map(|sealed| sealed.key),
    ])?;
    Ok(())
}

/// What a replay sends.
#[derive(Debug)]
pub(crate) enum Sent {
    /// The stored bytes.
    Stored,
    /// Others.
    Edited(Edit),
    /// Others, which can no longer be read. The stored bytes are none in their place.
    Damaged,
}

/// What a delivery sends.
pub(crate) fn find(conn: &Connection, key: Key, seals: &Seals) -> rusqlite::Result<Sent> {
    if key.round == 0 {
        return Ok(Sent::Stored);
    }
    let found = conn
        .prepare_cached(
            "SELECT editor, edited, checksum, headers, body, sealed FROM edits WHERE sequence = ?1 AND round = ?2",
        )?
        .query_row([key.sequence.cast_signed(), key.round.cast_signed()], |row| read(row, key, seals))
        .optional()?;
    Ok(match found {
        None => Sent::Stored,
        Some(Some(edit)) => Sent::Edited(edit),
        Some(None) => {
            let Key { sequence, round } = key;
            tracing::error!(
                sequence,
                round,
                "store.corrupt_record: an edit is damaged; it will not be served"
            );
            Sent::Damaged
        }
    })
}

/// `None` where it is not what was written.
fn read(row: &Row<'_>, key: Key, seals: &Seals) -> rusqlite::Result<Option<Edit>> {
    let mark = Edited { by: row.get(0)?, at: from_nanos(row.get(1)?) };
    let (headers, body) = (row.get::<_, Vec<u8>>(3)?, row.get::<_, Vec<u8>>(4)?);
    if row.get::<_, i64>(2)? != checksum(key, &mark, &headers, &body) {
        return Ok(None);
    }
    let (headers, body) = match row.get::<_, Option<i64>>(5)? {
        None => (Bytes::from(headers), Bytes::from(body)),
        Some(number) => match seals.open_edit(number, key, &body) {
            Ok(payload) => (payload.headers, payload.body),
            Err(_) => return Ok(None),
        },
    };
    Ok(Headers::parse(headers).ok().map(|headers| Edit { mark, headers, body }))
}

/// Who edited which rounds of an event's deliveries, and when.
pub(crate) fn marks(conn: &Connection, sequence: u64) -> rusqlite::Result<BTreeMap<u64, Edited>> {
    let mut select = conn.prepare_cached("SELECT round, editor, edited FROM edits WHERE sequence = ?1")?;
    let rows = select.query_map([sequence.cast_signed()], |row| {
        let mark = Edited { by: row.get(1)?, at: from_nanos(row.get(2)?) };
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), mark))
    })?;
    rows.collect()
}

/// CRC-32 over the lengths of the parts and the parts, as they lie in the file.
fn checksum(key: Key, mark: &Edited, headers: &[u8], body: &[u8]) -> i64 {
    let (sequence, round) = (key.sequence.to_le_bytes(), key.round.to_le_bytes());
    let edited = to_nanos(mark.at).to_le_bytes();
    let parts: [&[u8]; 6] = [&sequence, &round, mark.by.as_bytes(), &edited, headers, body];
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(&(part.len() as u64).to_le_bytes()));
    parts.iter().for_each(|part| hasher.update(part));
    i64::from(hasher.finalize())
}
