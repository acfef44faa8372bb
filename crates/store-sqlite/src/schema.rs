//! The file: its tables, its format version, and the connections to it.
//!
//! * **WAL with `synchronous=FULL`**: a commit is one sequential write and one fsync, and it is durable when it
//!   returns. Nothing weaker is: `NORMAL` loses acknowledged events when the power goes.
//! * **No automatic checkpoints**: they would run in front of somebody's acknowledgement. [`crate::checkpoint`] does
//!   them.
//! * **No checkpoint on close**: a connection that ends because the disk failed must not touch the file again.
//! * **Small caches**: appending touches the right edge of a few trees, and the kernel caches the rest.
//! * **No memory-mapped reads**: a mapped file turns a read error into a signal.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::options::OpenError;

/// The format that this program reads and writes: `user_version` of the file. Changing a table means a new number,
/// a step that brings the old one forward, and a kept file of the old one.
pub(crate) const FORMAT: i64 = 4;

/// `application_id` of the file: "HkHs".
const APPLICATION: i64 = 0x486b_4873;

/// Pages of a new file. Four webhooks of the usual size lie in one: smaller pages waste more of their ends, larger ones
/// make a commit of one event write more (every commit writes the page that it appends to).
pub(crate) const PAGE_BYTES: u64 = 8192;

const TABLES: &str = include_str!("schema.sql");

/// What format 2 has and format 1 had not.
const ANSWERS: &str = include_str!("answers.sql");

/// What format 3 has and format 2 had not.
const EDITS: &str = include_str!("edits.sql");

/// What format 4 has and format 3 had not: keys, and a column that names one.
const SEALS: &str = include_str!("seals.sql");

/// The tables with that column, and the formats since when they are there.
const SEALED: [(&str, i64); 4] = [("events", 1), ("attempts", 1), ("answers", 2), ("edits", 3)];

/// Everything that a file of this format has.
pub(crate) fn tables() -> String {
    TABLES.to_owned() + &lacks(1)
}

/// What a file of an older format lacks.
fn lacks(format: i64) -> String {
    [(2, ANSWERS), (3, EDITS), (4, SEALS)]
        .into_iter()
        .filter(|(since, _)| *since > format)
        .map(|(_, tables)| tables)
        .collect()
}

/// What makes a file of an older format read as one of this, in memory alone: what it lacks is empty, and nothing in it
/// is sealed.
fn stands_in(format: i64) -> String {
    let mut made = String::new();
    for (since, tables) in [(2, ANSWERS), (3, EDITS)] {
        if since > format {
            made += &tables.replace("CREATE TABLE", "CREATE TEMP TABLE");
        }
    }
    for (table, since) in SEALED {
        made += &if since > format {
            format!("ALTER TABLE temp.{table} ADD COLUMN sealed INTEGER;")
        } else {
            format!("CREATE TEMP VIEW {table} AS SELECT *, NULL AS sealed FROM main.{table};")
        };
    }
    made + "CREATE TEMP TABLE seals (id, fingerprint, first, through);"
}

/// A connection that writes; makes the tables in a new file.
pub(crate) fn open_writer(file: &Path) -> Result<Connection, OpenError> {
    let conn = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let named = |error| named(file, error);
    let found = format(&conn, file)?;
    if found.is_none() {
        // Both hold only before the first page is written. Incremental: the file can give space back in small steps
        // when the disk is short of it.
        conn.pragma_update(None, "page_size", PAGE_BYTES.cast_signed()).map_err(named)?;
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(named)?;
        conn.pragma_update(None, "journal_mode", "WAL").map_err(named)?;
        let make = format!(
            "BEGIN IMMEDIATE; {} PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT;",
            tables(),
        );
        conn.execute_batch(&make).map_err(named)?;
    }
    conn.pragma_update(None, "journal_mode", "WAL").map_err(named)?;
    if let Some(old) = found.filter(|found| *found < FORMAT) {
        let step = format!("BEGIN IMMEDIATE; {} PRAGMA user_version={FORMAT}; COMMIT;", lacks(old));
        conn.execute_batch(&step).map_err(named)?;
    }
    Ok(conn)
}

/// A connection that only reads, and needs a file that is there.
pub(crate) fn open_reader(file: &Path) -> Result<Connection, OpenError> {
    let conn = connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match format(&conn, file)? {
        None => return Err(OpenError::Missing { path: file.to_owned() }),
        // An old file may be read without being written to.
        Some(old) if old < FORMAT => {
            conn.execute_batch(&stands_in(old)).map_err(|error| named(file, error))?;
        }
        Some(_) => {}
    }
    Ok(conn)
}

fn connect(file: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
    let named = |error| named(file, error);
    let conn = Connection::open_with_flags(file, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(named)?;
    conn.busy_timeout(std::time::Duration::from_secs(5)).map_err(named)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(named)?;
    conn.set_prepared_statement_cache_capacity(64);
    for (pragma, value) in [
        ("synchronous", "FULL"),
        ("wal_autocheckpoint", "0"),
        ("mmap_size", "0"),
        ("cache_size", "-2048"),
        ("temp_store", "MEMORY"),
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
    ] {
        conn.pragma_update(None, pragma, value).map_err(named)?;
    }
    Ok(conn)
}

/// The format of the file; `None` while it is empty, an error if it is something else than a store of a known format.
fn format(conn: &Connection, file: &Path) -> Result<Option<i64>, OpenError> {
    let number =
        |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|e| named(file, e));
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, found @ 1..=FORMAT) => Ok(Some(found)),
        (APPLICATION, found) => Err(OpenError::WrongFormat { found, supported: FORMAT }),
        (0, 0) if number("page_count")? == 0 || number("schema_version")? == 0 => Ok(None),
        _ => Err(OpenError::Foreign { path: file.to_owned() }),
    }
}

/// What an error of SQLite means for opening a store.
pub(crate) fn named(file: &Path, error: rusqlite::Error) -> OpenError {
    let path = file.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Corrupt { path, detail: error.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path },
        _ => OpenError::Sqlite { path, source: Box::new(error) },
    }
}
