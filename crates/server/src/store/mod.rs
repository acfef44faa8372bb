//! Opening the store that a configuration names.

mod awaited;
#[cfg(feature = "jetstream")]
mod cluster;
#[cfg(feature = "jetstream")]
mod copy;
#[cfg(feature = "jetstream")]
mod durability;

use std::path::Path;
use std::sync::Arc;

use hookhouse_core::{Clock, EventStore};
use hookhouse_store_sqlite::{Options, SqliteStore};

pub use self::awaited::Awaited;
#[cfg(feature = "jetstream")]
pub use self::copy::{Copied, CopyError, copy};
use crate::config::StoreConfig;

pub use hookhouse_store_sqlite::{
    Audit, BackedUp, BackupError, Damage, Encryption, KEY_BYTES, OpenError, Told, audit, backup, database,
};

/// Why the store of a configuration could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unopened {
    /// The embedded one.
    #[error(transparent)]
    Embedded(#[from] OpenError),
    /// The one on a cluster.
    #[cfg(feature = "jetstream")]
    #[error(transparent)]
    Cluster(#[from] hookhouse_store_jetstream::OpenError),
    /// The cluster does not promise what is asked of it, or the folder beside it cannot be made.
    #[error("{0}")]
    Refused(String),
    /// This binary has no store for it.
    #[error("this binary was built without the store on a cluster (the feature `jetstream`)")]
    NotBuilt,
}

/// Opens the store for serving: an embedded one is this process's alone. `largest` is the longest body that is taken.
///
/// # Errors
/// When another process has it, its files are not what they should be, or the cluster does not let us in or does not
/// promise what the configuration asks of it.
pub async fn open(
    config: &StoreConfig,
    largest: u64,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn EventStore>, Unopened> {
    if config.cluster.is_some() {
        return open_cluster(config, largest, clock).await;
    }
    let mut options = Options::new(&config.path);
    options.reserve = config.reserve;
    options.retention_age = config.retention_age;
    options.retention_size = config.retention_size;
    options.encryption.clone_from(&config.encryption);
    Ok(Arc::new(SqliteStore::open(options, clock)?))
}

#[cfg(feature = "jetstream")]
async fn open_cluster(
    config: &StoreConfig,
    largest: u64,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn EventStore>, Unopened> {
    cluster::open(config, largest, clock).await
}

#[cfg(not(feature = "jetstream"))]
async fn open_cluster(_: &StoreConfig, _: u64, _: Arc<dyn Clock>) -> Result<Arc<dyn EventStore>, Unopened> {
    Err(Unopened::NotBuilt)
}

/// Opens the embedded store of a server that does not run, for reading.
///
/// # Errors
/// When there is none, a server has it, its files are not what they should be, or a key is missing.
pub fn open_read_only(folder: &Path, encryption: &Encryption) -> Result<Arc<dyn EventStore>, OpenError> {
    Ok(Arc::new(SqliteStore::open_read_only_with(folder, encryption)?))
}
