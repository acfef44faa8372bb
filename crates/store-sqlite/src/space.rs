//! How much room is left.

use std::fmt;
use std::io;
use std::path::Path;

/// Tells how much room is left where a store lies.
pub trait Space: fmt::Debug + Send + Sync + 'static {
    /// Bytes that this user may still write under `folder`.
    ///
    /// # Errors
    /// When the file system does not say.
    fn free(&self, folder: &Path) -> io::Result<u64>;
}

/// The file system's own word.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileSystem;

impl Space for FileSystem {
    fn free(&self, folder: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(folder)?;
        // `bavail`, not `bfree`: the blocks kept for root are not ours.
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
