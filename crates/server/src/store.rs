//! Opening the store that a configuration names.

use std::path::Path;
use std::sync::Arc;

use hookhouse_core::{Clock, EventStore};
use hookhouse_store_sqlite::{OpenError, Options, SqliteStore};

use crate::config::StoreConfig;

/// Opens the store for serving: this process alone has it.
///
/// # Errors
/// When another process has it, or its files are not what they should be.
pub fn open(config: &StoreConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn EventStore>, OpenError> {
    let mut options = Options::new(&config.path);
    options.reserve = config.reserve;
    options.retention_age = config.retention_age;
    options.retention_size = config.retention_size;
    Ok(Arc::new(SqliteStore::open(options, clock)?))
}

/// Opens the store of a server that does not run, for reading.
///
/// # Errors
/// When there is none, a server has it, or its files are not what they should be.
pub fn open_read_only(folder: &Path) -> Result<Arc<dyn EventStore>, OpenError> {
    Ok(Arc::new(SqliteStore::open_read_only(folder)?))
}
