//! What the store holds, counted.

use std::path::Path;

use hookhouse_core::StoreStats;
use rusqlite::Connection;

use crate::folder;
use crate::names::Names;
use crate::time::from_nanos;

/// Events that are counted in one read, so that no snapshot keeps the write-ahead log from beginning anew.
const STEP: u64 = 20_000;

/// Adds the events after a place; the place where it stopped, until there is none.
///
/// Lengths lie in front of a row, so that no body is read.
pub(crate) fn events(
    conn: &Connection,
    names: &Names,
    after: u64,
    stats: &mut StoreStats,
) -> rusqlite::Result<Option<u64>> {
    let mut select = conn.prepare_cached(
        "SELECT sequence, source, received, octet_length(target) + octet_length(headers) + octet_length(body) \
         FROM events WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
    )?;
    let mut rows = select.query([after.cast_signed(), STEP.cast_signed()])?;
    let (mut last, mut seen) = (after, 0);
    while let Some(row) = rows.next()? {
        seen += 1;
        last = row.get::<_, i64>(0)?.cast_unsigned();
        // A name that does not parse was reported when the store was opened.
        if let Some(source) = names.sources.value(row.get(1)?) {
            stats.add(&source, from_nanos(row.get(2)?), row.get::<_, i64>(3)?.cast_unsigned());
        }
    }
    Ok((seen == STEP).then_some(last))
}

/// Adds everything but the events.
pub(crate) fn rest(conn: &Connection, folder: &Path, stats: &mut StoreStats) -> rusqlite::Result<()> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    stats.kind = "sqlite".to_owned();
    stats.format = u32::try_from(number("PRAGMA user_version")?).ok();
    stats.refusals = number("SELECT count(*) FROM refusals")?;
    let mut states = conn.prepare("SELECT state, count(*) FROM exceptions GROUP BY state")?;
    let mut rows = states.query([])?;
    while let Some(row) = rows.next()? {
        stats.exceptions.insert(row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned());
    }
    let page = number("PRAGMA page_size")?;
    for (name, value) in [
        ("answers", number("SELECT count(*) FROM answers")?),
        ("attempts", number("SELECT count(*) FROM attempts")?),
        ("dedupe_runs", number("SELECT count(*) FROM dedupe_runs WHERE live <> 0")?),
        ("dedupe_keys", number("SELECT coalesce(sum(keys), 0) FROM dedupe_runs WHERE live <> 0")?),
        ("free_bytes_inside", number("PRAGMA freelist_count")?.saturating_mul(page)),
        ("database_bytes", size(&folder.join(folder::DATABASE))),
        ("log_bytes", size(&folder.join(folder::LOG))),
    ] {
        stats.details.insert(name.to_owned(), value);
    }
    Ok(())
}

/// How long a file is; 0 where there is none.
fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len())
}
