//! Requests that were turned away: the newest few thousand of them.

use hookhouse_core::store::{Cursor, Order, Page, RefusalQuery};
use hookhouse_core::{Refusal, Sequence, StoredRefusal};
use rusqlite::{Connection, Row, params};

use crate::time::{from_nanos, to_nanos};

/// Refusals in a page, at most.
const MAX_PAGE: usize = 1000;

/// Rows that are looked at for a page, at most: a page may be short and still have a next one.
const MAX_SCAN: usize = 10_000;

/// Writes refusals and removes the oldest ones beyond `keep`.
pub(crate) fn insert(conn: &Connection, refusals: &[Refusal], keep: i64) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO refusals (at, source, request_id, peer, method, path, status, code, reason, body_bytes) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for refusal in refusals {
        insert.execute(params![
            to_nanos(refusal.at),
            refusal.source.as_ref().map(|source| source.as_str()),
            refusal.request_id,
            refusal.peer.map(|peer| peer.to_string()),
            refusal.method,
            refusal.path,
            refusal.status,
            refusal.code,
            refusal.reason,
            i64::try_from(refusal.body_bytes).unwrap_or(i64::MAX),
        ])?;
    }
    // The newest row is never among those removed, so numbers are not used again.
    conn.prepare_cached("DELETE FROM refusals WHERE sequence <= ?1")?
        .execute([conn.last_insert_rowid() - keep.max(1)])?;
    Ok(())
}

/// A page of refusals.
pub(crate) fn page(conn: &Connection, query: &RefusalQuery) -> rusqlite::Result<Page<StoredRefusal>> {
    let limit = query.limit.clamp(1, MAX_PAGE);
    let place = query.cursor.map(|cursor| i64::try_from(cursor.0).unwrap_or(i64::MAX));
    let (sql, start) = match query.order {
        Order::NewestFirst => ("sequence < ?1 ORDER BY sequence DESC", place.unwrap_or(i64::MAX)),
        Order::OldestFirst => ("sequence > ?1 ORDER BY sequence", place.unwrap_or(0)),
    };
    let mut select = conn.prepare_cached(&format!(
        "SELECT sequence, at, source, request_id, peer, method, path, status, code, reason, body_bytes \
         FROM refusals WHERE {sql}"
    ))?;
    let mut rows = select.query([start])?;
    let mut items = Vec::new();
    let mut scanned = 0;
    let mut last = start;
    while let Some(row) = rows.next()? {
        if items.len() == limit || scanned == MAX_SCAN {
            return Ok(Page { items, next: Some(Cursor(last.cast_unsigned())) });
        }
        scanned += 1;
        last = row.get(0)?;
        let source = row.get_ref(2)?.as_str_or_null().ok().flatten();
        if query.source.as_ref().is_none_or(|wanted| source == Some(wanted.as_str())) {
            items.push(read(row)?);
        }
    }
    Ok(Page { items, next: None })
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredRefusal> {
    Ok(StoredRefusal {
        sequence: Sequence(row.get::<_, i64>(0)?.cast_unsigned()),
        refusal: Refusal {
            at: from_nanos(row.get(1)?),
            source: row.get::<_, Option<String>>(2)?.and_then(|source| source.parse().ok()),
            request_id: row.get(3)?,
            peer: row.get::<_, Option<String>>(4)?.and_then(|peer| peer.parse().ok()),
            method: row.get(5)?,
            path: row.get(6)?,
            status: row.get(7)?,
            code: row.get(8)?,
            reason: row.get(9)?,
            body_bytes: row.get::<_, i64>(10)?.cast_unsigned(),
        },
    })
}
