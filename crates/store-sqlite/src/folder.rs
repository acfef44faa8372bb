//! The folder of a store: its modes, and the lock that keeps a second process out.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::options::OpenError;

/// The database's name in its folder.
pub(crate) const DATABASE: &str = "hookhouse.db";

/// The name of its write-ahead log, which SQLite gives it.
pub(crate) const LOG: &str = "hookhouse.db-wal";

/// The lock's name in its folder. The file is empty; the lock is the kernel's, so it ends with the process.
const LOCK: &str = "lock";

/// A folder that this process holds.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is missing and takes it for this process alone.
    pub(crate) fn hold(path: &Path) -> Result<Self, OpenError> {
        let fail = |source| OpenError::Io { path: path.to_owned(), source };
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fail)?;
            // A power cut must not take the folder away with what was acknowledged in it.
            match path.parent() {
                Some(parent) if parent != Path::new("") => sync(parent).map_err(fail)?,
                _ => sync(Path::new(".")).map_err(fail)?,
            }
        }
        let lock = private(&path.join(LOCK)).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        // SQLite gives the log and its index the mode of the database, so the database is made here.
        private(&path.join(DATABASE)).map_err(fail)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Takes the folder together with other readers, and without a writer.
    pub(crate) fn hold_for_reading(path: &Path) -> Result<Self, OpenError> {
        if !path.join(DATABASE).is_file() {
            return Err(OpenError::Missing { path: path.to_owned() });
        }
        let fail = |source| OpenError::Io { path: path.to_owned(), source };
        let lock = match File::open(path.join(LOCK)) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => private(&path.join(LOCK)),
            opened => opened,
        }
        .map_err(fail)?;
        match lock.try_lock_shared() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

/// A file for its owner alone, made if it is missing.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Makes the names in a folder durable.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
