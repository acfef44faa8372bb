//! A copy of the store as it is at one moment, taken beside the server that writes it.
//!
//! A connection of its own reads a snapshot of the write-ahead log and copies it page by page. Readers never hold the
//! writer up: all that it notices is the disk's work, and a log that begins anew only when the copy is done. So the
//! copy does not go through the server, and works without one. It goes in small steps, with what it wrote brought to the disk
//! and a rest in between, so that no commit waits for long behind it.
//!
//! The copy is one file without a log beside it, for its owner alone. It has a temporary name until it is whole, was
//! read from end to end ([`audit`]) and is durable; what is interrupted leaves nothing under the name that was asked for.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tokio::time::Instant;

use crate::audit::{Audit, Told, audit, database};
use crate::encryption::Encryption;
use crate::folder;
use crate::options::OpenError;
use crate::schema;
use crate::space::{FileSystem, Space};

/// Pages that are copied in one go: a megabyte.
const STEP: i32 = 128;

/// Steps after which the copy is synced. A file system has a commit wait for what others wrote before it: the less of that
/// there is, the shorter the longest wait of an event.
const UNSYNCED: u32 = 8;

/// The longest rest after a step. Up to that it is as long as the step was, so that half of the disk's time is the server's.
const REST: Duration = Duration::from_millis(100);

/// How long to wait where the file is locked for a moment, as it is while a server starts.
const PAUSE: Duration = Duration::from_millis(20);

/// What is left free on the disk of the copy, which may be that of the store.
const SPARE: u64 = 64 << 20;

/// A backup that was made.
#[derive(Debug, Clone)]
pub struct BackedUp {
    /// Where it is.
    pub file: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// What reading it came to.
    pub audit: Audit,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The store, or its copy, cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The name is taken.
    #[error("{} is there already; give another name, a folder, or say that it may be replaced", .0.display())]
    Exists(PathBuf),
    /// There is less room than the copy needs.
    #[error("the copy has {needed} bytes, and of the {free} that are free beside {} some must stay so", path.display())]
    Room {
        /// Where it would be.
        path: PathBuf,
        /// Its bytes.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Copying broke off.
    #[error("copying the store failed")]
    Copy(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Copies the store of a folder into a file. `replace`: what has its name may go. `encryption`: for
/// reading the copy; what is encrypted is copied as it is.
///
/// # Errors
/// When there is no store, no room, or the file cannot be written. Nothing is left behind then.
pub fn backup(
    store: &Path,
    to: &Path,
    replace: bool,
    encryption: &Encryption,
    told: &mut dyn FnMut(Told),
) -> Result<BackedUp, BackupError> {
    let taken = |to: &Path| to.try_exists().unwrap_or(true) && (!replace || !to.is_file());
    if taken(to) {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let source = schema::open_reader(&database(store))?;
    let partial = Partial::create(to)?;
    told(Told::Stage("copy"));
    copy(&source, &partial, told)?;
    let bytes = partial.file.metadata().map_err(|error| partial.fail(error))?.len();
    told(Told::Stage("reading the copy"));
    let audit = audit(&partial.path, encryption, told)?;
    if taken(to) {
        return Err(BackupError::Exists(to.to_owned()));
    }
    partial.keep(to)?;
    Ok(BackedUp { file: to.to_owned(), bytes, audit })
}

fn copy(source: &Connection, partial: &Partial, told: &mut dyn FnMut(Told)) -> Result<(), BackupError> {
    let to = partial.path.as_path();
    let broken = |error: rusqlite::Error| BackupError::Copy(Box::new(error));
    // Held to the end: without it each step would look at the file anew, and begin again after every commit.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").map_err(broken)?;
    let number = |pragma| source.query_row(pragma, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    let pages = number("PRAGMA page_count").map_err(broken)?;
    let needed = pages.saturating_mul(number("PRAGMA page_size").map_err(broken)?);
    if let Ok(free) = FileSystem.free(&folder_of(to))
        && free < needed.saturating_add(SPARE)
    {
        return Err(BackupError::Room { path: to.to_owned(), needed, free });
    }
    let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(broken)?;
    // Alone with a file that nobody knows, which is synced as a whole at the end.
    copy.execute_batch("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
        .map_err(broken)?;
    let backup = Backup::new(source, &mut copy).map_err(broken)?;
    for number in 1_u32.. {
        let began = Instant::now();
        let step = backup.step(STEP).map_err(broken)?;
        if number.is_multiple_of(UNSYNCED) {
            partial.file.sync_data().map_err(|error| partial.fail(error))?;
        }
        let progress = backup.progress();
        let of = u64::try_from(progress.pagecount).unwrap_or(0);
        let left = u64::try_from(progress.remaining).unwrap_or(0);
        told(Told::Progress { done: of.saturating_sub(left), of });
        match step {
            StepResult::Done => break,
            StepResult::More => std::thread::sleep(began.elapsed().min(REST)),
            _ => std::thread::sleep(PAUSE),
        }
    }
    drop(backup);
    // One file that is whole by itself: a store makes itself a log when it opens it.
    copy.execute_batch("PRAGMA journal_mode=DELETE").map_err(broken)?;
    copy.close().map_err(|(_, error)| broken(error))
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new(".")).to_owned()
}

/// A file under a temporary name, which goes away unless it is kept.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    fn create(to: &Path) -> Result<Self, BackupError> {
        let mut name = std::ffi::OsString::from(".");
        name.push(to.file_name().unwrap_or_default());
        name.push(format!(".{}.partial", std::process::id()));
        let path = to.with_file_name(name);
        let opened = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        match opened {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(BackupError::Io { path, source }),
        }
    }

    fn fail(&self, source: io::Error) -> BackupError {
        BackupError::Io { path: self.path.clone(), source }
    }

    /// Makes it durable, and then gives it its name.
    fn keep(&self, to: &Path) -> Result<(), BackupError> {
        self.file.sync_all().map_err(|error| self.fail(error))?;
        std::fs::rename(&self.path, to).map_err(|error| self.fail(error))?;
        folder::sync(&folder_of(to)).map_err(|error| self.fail(error))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already where it was kept.
        let _ = std::fs::remove_file(&self.path);
    }
}
