//! Moves pages from the write-ahead log into the database, off the acknowledging path.
//!
//! A thread of its own does it whenever the log has grown by some, without holding the writer up (`PASSIVE`). That
//! alone would let the log grow for ever: SQLite begins it anew only if a transaction starts while every page of it
//! is in the database, and a writer that never pauses never gives that moment. So the thread repeats its work until
//! only a few pages are left, and then asks the writer to move those itself between two batches, which makes the
//! moment. Beginning the log anew also means overwriting it, which a file system syncs faster than a growing file.
//!
//! SQLite syncs the database only when the last page is moved, which would be all at once and in front of somebody's
//! acknowledgement. So the thread syncs it too, after each of its rounds, through a file of its own.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::{Connection, ErrorCode, Row};

use crate::fault::is_sync;

/// Pages after which the thread goes to work: a megabyte. A sync of the database keeps the log's next one waiting, so
/// it should have little to do each time; of eight megabytes it made commits wait for 15 ms, of one for 3.
const BEGIN_PAGES: i64 = 128;

/// Pages that a changed row may touch, and its place in an index.
pub(crate) const ROW_PAGES: i64 = 2;

/// Pages that the writer may be asked to move by itself.
const REST_PAGES: i64 = 128;

/// Rounds in which the thread tries to come that far.
const ROUNDS: usize = 8;

/// A log of so many times the restart size means that the disk takes pages more slowly than the writer makes them:
/// then the writer has to wait for it.
const FAR_BEHIND: i64 = 4;

/// What went wrong beside the writer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("moving pages into the database failed: {0}")]
    Move(rusqlite::Error),
    #[error("syncing the database failed: {0}")]
    Sync(io::Error),
}

impl Failure {
    /// Whether it was a sync that failed.
    pub(crate) fn is_sync(&self) -> bool {
        match self {
            Self::Move(error) => is_sync(error),
            Self::Sync(_) => true,
        }
    }
}

/// What the writer and the thread tell each other.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    wish: Mutex<Wish>,
    wished: Condvar,
    /// The writer should make a moment in which the log can begin anew.
    restart: AtomicBool,
    restart_pages: i64,
}

#[derive(Debug, Default)]
struct Wish {
    pages: i64,
    end: bool,
}

impl Checkpoints {
    pub(crate) fn new(restart_pages: i64) -> Self {
        Self { restart_pages, ..Self::default() }
    }

    /// The writer committed about so many pages.
    pub(crate) fn committed(&self, pages: i64) {
        let mut wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        let before = wish.pages;
        wish.pages += pages;
        let wake = before < self.begin_pages() && wish.pages >= self.begin_pages();
        drop(wish);
        if wake {
            self.wished.notify_one();
        }
    }

    /// The thread shall end.
    pub(crate) fn end(&self) {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner).end = true;
        self.wished.notify_one();
    }

    /// Asks the writer to move the rest.
    pub(crate) fn ask(&self) {
        self.restart.store(true, Ordering::Relaxed);
    }

    /// Whether the writer should move the rest.
    pub(crate) fn wants_restart(&self) -> bool {
        self.restart.swap(false, Ordering::Relaxed)
    }

    /// The thread's work, until [`Checkpoints::end`].
    ///
    /// # Errors
    /// When the disk failed. That is as final as in a commit: pages that a failed fsync threw away must not pass for
    /// written because the next one succeeds.
    pub(crate) fn run(&self, conn: &Connection, database: &File) -> Result<(), Failure> {
        while self.wait() {
            match self.catch_up(conn, database) {
                // Without space in the database the pages stay in the log.
                Err(Failure::Move(error)) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }

    fn catch_up(&self, conn: &Connection, database: &File) -> Result<(), Failure> {
        let mut before = None;
        for _ in 0..ROUNDS {
            let (pages, moved) = checkpoint(conn).map_err(Failure::Move)?;
            database.sync_data().map_err(Failure::Sync)?;
            if pages < self.restart_pages {
                return Ok(());
            }
            // What a round moves was written during the one before it.
            let few_are_left = before.is_some_and(|before| moved - before <= REST_PAGES);
            let far_behind = pages > self.restart_pages.saturating_mul(FAR_BEHIND);
            if few_are_left || far_behind {
                self.ask();
                return Ok(());
            }
            before = Some(moved);
        }
        Ok(())
    }

    fn wait(&self) -> bool {
        let mut wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        while wish.pages < self.begin_pages() && !wish.end {
            wish = self.wished.wait(wish).unwrap_or_else(PoisonError::into_inner);
        }
        wish.pages = 0;
        !wish.end
    }

    fn begin_pages(&self) -> i64 {
        BEGIN_PAGES.min(self.restart_pages / 2)
    }
}

/// Moves what can be moved without waiting for anybody: pages in the log, and how many of them are in the database.
pub(crate) fn checkpoint(conn: &Connection) -> rusqlite::Result<(i64, i64)> {
    let row = |row: &Row<'_>| Ok((row.get(1)?, row.get(2)?));
    match conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], row) {
        // Somebody else is at it.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok((0, 0)),
        outcome => outcome,
    }
}

/// Moves everything and empties the log: for a store that closes. Nobody else may be using it.
pub(crate) fn empty(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
