//! Putting a store together from what the file holds, and taking it apart again.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use hookhouse_core::{Clock, EventId, StoreError, SystemClock};
use rusqlite::{Connection, OptionalExtension};
use tokio::runtime::Handle;

use crate::checkpoint::{self, Checkpoints};
use crate::consumer::Consumers;
use crate::dedupe::compactor::Compactor;
use crate::dedupe::run::Run;
use crate::dedupe::{self, Frozen, Seen};
use crate::encryption::Encryption;
use crate::folder::Folder;
use crate::log_check;
use crate::names::Names;
use crate::options::{OpenError, Options, Tuning};
use crate::queue::{Limits, Queue};
use crate::readers::Readers;
use crate::recent::Ring;
use crate::retention::Retention;
use crate::room::Room;
use crate::schema;
use crate::seals::{Missing, Seals};
use crate::shared::Shared;
use crate::time::length_nanos;
use crate::writer::{Start, Watch, Writer};

/// A store that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
    pub(crate) running: Running,
}

/// What is to be ended when a store is closed.
#[derive(Debug)]
pub(crate) struct Running {
    threads: Option<Threads>,
    /// Closed after SQLite has closed the same file: closing any descriptor of it ends the locks of them all.
    _database: Option<Arc<File>>,
    /// Let go of last: then another process may come.
    _folder: Folder,
}

#[derive(Debug)]
struct Threads {
    shared: Arc<Shared>,
    writer: JoinHandle<Option<Connection>>,
    compactor: JoinHandle<()>,
    checkpointer: JoinHandle<()>,
}

/// Opens a store that is written to.
pub(crate) fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Opened, OpenError> {
    let folder = Folder::hold(&options.path)?;
    let file = folder.database();
    let sqlite = |error: rusqlite::Error| schema::named(&file, error);
    log_check::report(&file);
    let conn = schema::open_writer(&file)?;
    let end = LogEnd::read(&conn).map_err(sqlite)?;
    let seals =
        Seals::begin(&conn, &options.encryption, end.head).map_err(|missing| closed(&file, missing))?;

    let queue = Arc::new(Queue::new(Limits {
        appends: options.queue.max(1),
        append_bytes: options.queue_bytes,
        patience: options.tuning.patience,
    }));
    let mut shared = Shared::new(
        Arc::clone(&queue),
        Names::load(&conn, seals).map_err(sqlite)?,
        Consumers::load(&conn).map_err(sqlite)?,
        Ring::new(end.head, options.tuning.recent_events, options.tuning.recent_bytes),
        Readers::open(file.clone(), options.readers)?,
        Checkpoints::new(options.tuning.restart_pages),
        Arc::clone(&clock),
    );
    shared.window = options.tuning.window;
    shared.folder.clone_from(&options.path);
    shared.begin_tokens_at(options.seed);
    shared.gauges().removed = end.removed;
    let shared = Arc::new(shared);

    let longest = dedupe::longest_window(&conn).map_err(sqlite)?;
    let (runs, dead) = Run::load(&conn).map_err(sqlite)?;
    let (to_compactor, frozen) = mpsc::sync_channel(1);
    let run_keys = options.tuning.run_keys;
    let seen =
        Seen::load(&conn, runs.clone(), Arc::clone(&longest), run_keys, to_compactor).map_err(sqlite)?;
    let compactor = Compactor::new(runs, dead, schema::open_reader(&file)?, queue, clock, longest);
    let checkpointer = schema::open_writer(&file)?;
    let writer = Writer::new(Start {
        conn,
        shared: Arc::clone(&shared),
        seen,
        retention: Retention::new(options.retention_age.map(length_nanos), options.retention_size.is_some()),
        room: Room::new(
            options.space,
            options.path.clone(),
            options.reserve,
            options.retention_size,
            options.tuning.probe_every,
        ),
        seed: options.seed,
        head: end.head,
        last_id_ms: end.last_id_ms,
        last_received: end.last_received,
        refusals_kept: options.tuning.refusals,
        runtime: Handle::try_current().ok(),
    });
    let io = |source| OpenError::Io { path: options.path.clone(), source };
    let database = Arc::new(File::open(&file).map_err(io)?);
    let checkpointer = (checkpointer, Arc::clone(&database));
    let threads = Threads::start(&shared, writer, compactor, frozen, checkpointer).map_err(io)?;
    let sealing = shared.names.seals.is_on();
    tracing::info!(file = %file.display(), events = end.head - end.removed, encrypted = sealing, "store.recovered");
    Ok(Opened {
        shared,
        running: Running { threads: Some(threads), _database: Some(database), _folder: folder },
    })
}

/// Opens a store to read what a process left that is not running any more.
pub(crate) fn open_read_only(path: &Path, encryption: &Encryption) -> Result<Opened, OpenError> {
    let folder = Folder::hold_for_reading(path)?;
    let file = folder.database();
    let sqlite = |error: rusqlite::Error| schema::named(&file, error);
    let conn = schema::open_reader(&file)?;
    let end = LogEnd::read(&conn).map_err(sqlite)?;
    let seals = Seals::load(&conn, encryption).map_err(|missing| closed(&file, missing))?;
    let tuning = Tuning::default();
    let limits = Limits { appends: 1, append_bytes: 0, patience: tuning.patience };
    let mut shared = Shared::new(
        Arc::new(Queue::new(limits)),
        Names::load(&conn, seals).map_err(sqlite)?,
        Consumers::load(&conn).map_err(sqlite)?,
        Ring::new(end.head, 0, 0),
        Readers::open(file.clone(), 2)?,
        Checkpoints::new(tuning.restart_pages),
        Arc::new(SystemClock),
    );
    shared.gauges().removed = end.removed;
    path.clone_into(&mut shared.folder);
    shared.gauges().problem = Some("the store is open for reading only".to_owned());
    shared.queue.end(StoreError::Closed);
    Ok(Opened {
        shared: Arc::new(shared),
        running: Running { threads: None, _database: None, _folder: folder },
    })
}

/// Why sealed rows cannot be read, as a reason not to open.
fn closed(file: &Path, missing: Missing) -> OpenError {
    match missing {
        Missing::Key(fingerprint) => OpenError::KeyMissing { path: file.to_owned(), fingerprint },
        Missing::Sqlite(error) => schema::named(file, error),
    }
}

impl Running {
    /// Waits until everything that was accepted is written. `emptied`: the write-ahead log is moved into the database,
    /// for a store that is closed rather than let go of.
    pub(crate) fn end(self, emptied: bool) {
        let Some(threads) = self.threads else { return };
        threads.shared.queue.end(StoreError::Closed);
        threads.shared.checkpoints.end();
        // A thread that panicked has nothing to give back. Its message was printed when it did.
        let conn = threads.writer.join().ok().flatten();
        let _ = threads.compactor.join();
        let _ = threads.checkpointer.join();
        if let Some(conn) = conn.filter(|_| emptied)
            && let Err(error) = checkpoint::empty(&conn)
        {
            tracing::warn!(%error, "store.log_not_emptied: the next start reads it");
        }
    }
}

impl Threads {
    fn start(
        shared: &Arc<Shared>,
        writer: Writer,
        compactor: Compactor,
        frozen: Receiver<Arc<Frozen>>,
        (checkpointer, database): (Connection, Arc<File>),
    ) -> io::Result<Self> {
        let named = |name: &str| thread::Builder::new().name(format!("store-{name}"));
        let for_checkpoints = Arc::clone(shared);
        let checkpoints = move || {
            if let Err(error) = for_checkpoints.checkpoints.run(&checkpointer, &database) {
                if error.is_sync() {
                    tracing::error!(%error, "store.fsync_failed: what was written is not durable");
                }
                for_checkpoints.fail(&error.to_string());
            }
        };
        let watch = Watch(Arc::clone(shared));
        let write = move || {
            let _watch = watch;
            writer.run()
        };
        Ok(Self {
            shared: Arc::clone(shared),
            checkpointer: named("checkpoint").spawn(checkpoints)?,
            compactor: named("compact").spawn(move || compactor.run(&frozen))?,
            writer: named("write").spawn(write)?,
        })
    }
}

/// Where the log ends.
struct LogEnd {
    head: u64,
    removed: u64,
    last_id_ms: i64,
    last_received: i64,
}

impl LogEnd {
    fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let last: Option<((i64, i64), [u8; 16])> = conn
            .query_row(
                "SELECT sequence, received, id FROM events ORDER BY sequence DESC LIMIT 1",
                [],
                |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)),
            )
            .optional()?;
        let meta = |key: &str| {
            conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get::<_, i64>(0))
                .optional()
        };
        let (place, id) = last.unzip();
        let (sequence, received) = place.unzip();
        Ok(Self {
            head: sequence.max(meta("head")?).unwrap_or(0).cast_unsigned(),
            removed: meta("removed")?.unwrap_or(0).cast_unsigned(),
            last_id_ms: id.map_or(0, |id| EventId::from_bytes(id).made_at().as_millisecond()),
            last_received: received.unwrap_or(i64::MIN),
        })
    }
}
