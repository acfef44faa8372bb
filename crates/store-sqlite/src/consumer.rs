//! A destination as a consumer of the log: how far it has come, and what is under way.
//!
//! In the file a consumer is one row: everything up to `position` is done with, but for the events that `owed` lists.
//! In memory that list is the *window* of its [`Progress`]: events that were looked at, are of the destination's
//! sources, and are neither delivered nor written down as an exception. Looking at further events moves the position;
//! settling one takes it out of the window. So one slow delivery holds nothing up, and the row stays small: the
//! window is bounded.
//!
//! Leases live in memory alone. A process that ends forgets them, and what was leased is handed out again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use hookhouse_core::DestinationName;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::progress::Progress;

/// All consumers, subscribed or not.
#[derive(Debug, Default)]
pub(crate) struct Consumers(RwLock<HashMap<DestinationName, Arc<Consumer>>>);

/// One consumer.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) id: i64,
    pub(crate) name: DestinationName,
    /// One lease looks for work at a time; the others wait for it, and it never waits for work itself.
    pub(crate) lane: tokio::sync::Mutex<()>,
    wake: watch::Sender<()>,
    progress: Mutex<Progress>,
}

impl Consumers {
    /// The consumers of the file.
    pub(crate) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let mut consumers = HashMap::new();
        let mut select = conn.prepare("SELECT id, name, active, position, owed FROM destinations")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let Ok(name) = row.get::<_, String>(1)?.parse::<DestinationName>() else { continue };
            let position = row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned);
            let progress = Progress::stored(row.get(2)?, position, row.get_ref(4)?.as_blob()?);
            consumers.insert(name.clone(), Arc::new(Consumer::new(row.get(0)?, name, progress)));
        }
        let this = Self(RwLock::new(consumers));
        this.load_counts(conn)?;
        this.load_rows_ahead(conn)?;
        Ok(this)
    }

    fn load_counts(&self, conn: &Connection) -> rusqlite::Result<()> {
        let consumers = self.all();
        let mut select = conn.prepare(
            "SELECT destination, state, count(*), min(due) FROM exceptions GROUP BY destination, state",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let Some(consumer) = consumers.iter().find(|consumer| consumer.id == id) else { continue };
            let mut progress = consumer.lock();
            let state = row.get_ref(1)?.as_str().ok().and_then(|state| state.parse().ok());
            if let Some(count) = state.and_then(|state| progress.counts.of(state)) {
                *count = row.get::<_, i64>(2)?.cast_unsigned();
            }
            if let Some(due) = row.get(3)? {
                progress.due_at(due);
            }
        }
        Ok(())
    }

    /// What was called off before its destination came to it.
    fn load_rows_ahead(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut select = conn.prepare(
            "SELECT sequence FROM exceptions WHERE sequence > ?1 AND destination = ?2 AND round = 0",
        )?;
        for consumer in self.all() {
            let mut progress = consumer.lock();
            let Some(position) = progress.position else { continue };
            let mut rows = select.query([position.cast_signed(), consumer.id])?;
            while let Some(row) = rows.next()? {
                progress.has_row_ahead(row.get::<_, i64>(0)?.cast_unsigned());
            }
        }
        Ok(())
    }

    pub(crate) fn named(&self, name: &DestinationName) -> Option<Arc<Consumer>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn with_id(&self, id: i64) -> Option<Arc<Consumer>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .find(|consumer| consumer.id == id)
            .cloned()
    }

    /// The consumer of a destination, new if there is none yet.
    pub(crate) fn make(&self, name: &DestinationName, id: i64) -> Arc<Consumer> {
        let mut consumers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Consumer::new(id, name.clone(), Progress::new()));
        Arc::clone(consumers.entry(name.clone()).or_insert_with(made))
    }

    /// All of them, by number.
    pub(crate) fn all(&self) -> Vec<Arc<Consumer>> {
        let mut all: Vec<_> =
            self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_unstable_by_key(|consumer| consumer.id);
        all
    }

    /// Events of these sources are in the log, the newest of them at `head`; before, `former` was the newest. Tells
    /// those who wait for them. Who had come to the end and wants none of them is at the new end without a look, so
    /// that a destination with a rare source does not read what everybody else gets.
    pub(crate) fn appended(&self, sources: &[i64], former: u64, head: u64) {
        for consumer in self.0.read().unwrap_or_else(PoisonError::into_inner).values() {
            let mut progress = consumer.lock();
            let Some(wanted) = progress.sources.as_ref().filter(|_| progress.active) else { continue };
            let wakes = sources.iter().any(|source| wanted.contains(source));
            if !wakes && progress.position == Some(former) {
                progress.position = Some(head);
            }
            drop(progress);
            if wakes {
                consumer.wake();
            }
        }
    }
}

impl Consumer {
    fn new(id: i64, name: DestinationName, progress: Progress) -> Self {
        Self {
            id,
            name,
            lane: tokio::sync::Mutex::new(()),
            wake: watch::Sender::new(()),
            progress: Mutex::new(progress),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait for work that there may be some.
    pub(crate) fn wake(&self) {
        self.wake.send_replace(());
    }

    /// Becomes ready at every [`Consumer::wake`] from now on.
    pub(crate) fn woken(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }
}
