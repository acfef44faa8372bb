//! What a failed write means, and how it is undone.

use hookhouse_core::StoreError;
use rusqlite::{Connection, ErrorCode, ffi};

/// What a failed write means.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There is no space; the next write may find some.
    Full(String),
    /// Another program writes to the file: somebody has it open in a shell.
    Busy,
    /// The disk did not confirm what was written. It is final.
    Sync(String),
    /// Anything else. It is final, too.
    Fatal(String),
}

impl Fault {
    /// What those are told whose write it was.
    pub(crate) fn answer(&self) -> StoreError {
        match self {
            Self::Full(why) => StoreError::Full(why.clone()),
            Self::Busy => StoreError::Overloaded,
            Self::Sync(why) | Self::Fatal(why) => StoreError::Failed(why.clone()),
        }
    }

    /// Lets a fault pass that does not end the store.
    pub(crate) fn unless_fatal(self) -> Result<(), Self> {
        match self {
            Self::Full(_) | Self::Busy => Ok(()),
            fatal @ (Self::Sync(_) | Self::Fatal(_)) => Err(fatal),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(error.to_string()),
            Some(ErrorCode::DatabaseBusy) => Self::Busy,
            _ if is_sync(&error) => Self::Sync(error.to_string()),
            _ => Self::Fatal(error.to_string()),
        }
    }
}

/// Whether it was a sync that failed.
pub(crate) fn is_sync(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(error, _) = error else { return false };
    matches!(error.extended_code, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
}

/// Begins the transaction, if this is the first write in it: a batch of repeats needs none.
pub(crate) fn begin(conn: &Connection) -> rusqlite::Result<()> {
    if conn.is_autocommit() {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    }
    Ok(())
}

/// Ends the transaction without a trace. A fault that cannot be undone is fatal.
pub(crate) fn roll_back(conn: &Connection, fault: Fault) -> Fault {
    // SQLite may have done so itself.
    if conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok() {
        return fault;
    }
    Fault::Fatal("a failed transaction could not be undone".to_owned())
}
