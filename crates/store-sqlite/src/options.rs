//! How a store is opened, and why it could not be.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::encryption::Encryption;
use crate::space::{FileSystem, Space};

/// Where a store lies and what it may take.
///
/// Begin with [`Options::new`] and change what differs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder. Made, with mode 0700, if it is missing; its files get 0600.
    pub path: PathBuf,
    /// Below so many free bytes on the file system events are refused.
    pub reserve: u64,
    /// How long events are kept once every destination is done with them; `None` for ever.
    pub retention_age: Option<Duration>,
    /// How many bytes the store may use: beyond that the oldest events with which every destination is done go, and
    /// where there are none, events are refused. `None` for no limit.
    pub retention_size: Option<u64>,
    /// How many events may wait to be written; one more is refused as overload.
    pub queue: usize,
    /// How many bytes they may hold together.
    pub queue_bytes: usize,
    /// How many connections read at once.
    pub readers: usize,
    /// Tells the free space; the file system's own word unless a test says otherwise.
    pub space: Arc<dyn Space>,
    /// The keys of its payloads; none, and they lie there as they came.
    pub encryption: Encryption,
    /// Where the random part of event ids and lease tokens begins.
    pub seed: u64,
    pub(crate) tuning: Tuning,
}

impl Options {
    /// A store in a folder, with a reserve of 32 MB and no retention.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            reserve: 32_000_000,
            retention_age: None,
            retention_size: None,
            queue: 4096,
            queue_bytes: 64 << 20,
            readers: 4,
            space: Arc::new(FileSystem),
            encryption: Encryption::default(),
            seed: rand::random(),
            tuning: Tuning::default(),
        }
    }
}

/// What only tests change: the sizes at which background work begins.
#[derive(Debug, Clone)]
pub(crate) struct Tuning {
    /// How stale the free space may be: asking costs a system call.
    pub(crate) probe_every: Duration,
    /// Recent events that are kept in memory, so that a destination that keeps up never reads the disk.
    pub(crate) recent_events: usize,
    /// Their bytes.
    pub(crate) recent_bytes: usize,
    /// Deliveries of one destination that may be under way at once.
    pub(crate) window: usize,
    /// Duplicate keys that are held in memory before they become a sorted run.
    pub(crate) run_keys: usize,
    /// Pages in the write-ahead log from which on it is made to start again from its beginning.
    pub(crate) restart_pages: i64,
    /// Refusals that are kept.
    pub(crate) refusals: i64,
    /// How long answers and refusals wait for a commit that happens anyway.
    pub(crate) patience: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            probe_every: Duration::from_millis(250),
            recent_events: 2048,
            recent_bytes: 8 << 20,
            window: 1024,
            run_keys: 32_768,
            restart_pages: 4096,
            refusals: 10_000,
            patience: Duration::from_millis(100),
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Somebody else has it.
    #[error(
        "another hookhouse process has {} open; stop that one, or give this one a folder of its own",
        path.display()
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to read.
    #[error("there is no store in {}; check the path", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// Another program's database lies where the store should be.
    #[error("{} is not a hookhouse store; choose another folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The store was written by a newer program.
    #[error(
        "the store has format {found} and this program reads format {supported}; use the program that wrote it, or a newer one"
    )]
    WrongFormat {
        /// The format of the file.
        found: i64,
        /// The format of this program.
        supported: i64,
    },
    /// Rows are encrypted with a key that was not given.
    #[error(
        "{} has rows that are encrypted with key {fingerprint}, which is not given; name it under `[store] encrypt`, \
         as `key` or in `previous`",
        path.display()
    )]
    KeyMissing {
        /// The file.
        path: PathBuf,
        /// What tells the key from others.
        fingerprint: String,
    },
    /// The file is damaged.
    #[error("{} is damaged ({detail}); restore a backup, or salvage what is left with `sqlite3 … .recover`", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The folder or a file in it cannot be used.
    #[error("cannot use {}; check that it exists and belongs to the user that runs hookhouse", path.display())]
    Io {
        /// What could not be used.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refuses.
    #[error("cannot open {}; check its permissions and the free space", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why. Boxed so that no foreign type shows.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
