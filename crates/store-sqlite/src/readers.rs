//! Connections that read, each in its own short transaction, on the runtime's blocking threads.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hookhouse_core::StoreError;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::options::OpenError;
use crate::schema;

/// A few connections, opened when they are first needed.
#[derive(Debug)]
pub(crate) struct Readers {
    file: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Semaphore,
    count: u32,
}

impl Readers {
    /// Opens the first connection, so that a file that cannot be read is found out now.
    pub(crate) fn open(file: PathBuf, count: usize) -> Result<Self, OpenError> {
        let first = schema::open_reader(&file)?;
        let count = u32::try_from(count.clamp(1, 64)).unwrap_or(1);
        let permits = Semaphore::new(count as usize);
        Ok(Self { file, idle: Arc::new(Mutex::new(vec![first])), permits, count })
    }

    /// Reads. What `read` selects is as of one moment only if it is one statement or makes a transaction.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _permit = self.permits.acquire().await.map_err(|_| StoreError::Closed)?;
        let (file, idle) = (self.file.clone(), Arc::clone(&self.idle));
        let work = move || {
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let conn = match kept {
                Some(conn) => conn,
                None => schema::open_reader(&file).map_err(|error| StoreError::Read(error.to_string()))?,
            };
            let outcome = read(&conn).map_err(|error| StoreError::Read(error.to_string()))?;
            // A connection whose last read failed is not used again.
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            Ok(outcome)
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Read(error.to_string()))?
    }

    /// Lets nobody read any more, and lets go of the files once those who do are done.
    pub(crate) async fn close(&self) {
        // An error means that somebody else closed it already.
        let _all = self.permits.acquire_many(self.count).await;
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
