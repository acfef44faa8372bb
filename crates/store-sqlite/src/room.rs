//! Whether there is room for more events.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use crate::space::Space;

/// How much there is, how much there may be, and how much the disk has left.
#[derive(Debug)]
pub(crate) struct Room {
    space: Arc<dyn Space>,
    folder: PathBuf,
    reserve: u64,
    size: Option<u64>,
    probe_every: Duration,
    probed: Option<Instant>,
    free: Option<u64>,
    used: u64,
    unused_pages: u64,
    /// Bytes that came since the file was measured.
    grown: u64,
}

impl Room {
    pub(crate) fn new(
        space: Arc<dyn Space>,
        folder: PathBuf,
        reserve: u64,
        size: Option<u64>,
        probe_every: Duration,
    ) -> Self {
        Self {
            space,
            folder,
            reserve,
            size,
            probe_every,
            probed: None,
            free: None,
            used: 0,
            unused_pages: 0,
            grown: 0,
        }
    }

    /// Asks the disk, unless it was asked a moment ago.
    pub(crate) fn probe(&mut self) {
        let now = Instant::now();
        if self.probed.is_some_and(|probed| now.duration_since(probed) < self.probe_every) {
            return;
        }
        self.probed = Some(now);
        match self.space.free(&self.folder) {
            Ok(free) => self.free = Some(free),
            Err(error) => {
                // A file system that cannot say how full it is does say when it is full.
                tracing::warn!(%error, "store.free_space_unknown");
                self.free = None;
            }
        }
    }

    /// Notes bytes that were appended.
    pub(crate) fn grow(&mut self, bytes: u64) {
        self.grown += bytes;
    }

    /// Measures the file if it changed enough since the last time.
    pub(crate) fn measure(&mut self, conn: &Connection, at_once: bool) -> rusqlite::Result<()> {
        let step = self.size.map_or(1 << 20, |size| (size / 32).min(1 << 20));
        if !at_once && self.grown < step {
            return Ok(());
        }
        let pages = |pragma| {
            conn.prepare_cached(pragma)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
        };
        self.unused_pages = pages("PRAGMA freelist_count")?;
        let used_pages = pages("PRAGMA page_count")?.saturating_sub(self.unused_pages);
        self.used = used_pages.saturating_mul(pages("PRAGMA page_size")?);
        self.grown = 0;
        Ok(())
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Free bytes on the disk, if it says.
    pub(crate) fn free(&self) -> Option<u64> {
        self.free
    }

    /// Whether there is more than retention lets be.
    pub(crate) fn is_over_size(&self) -> bool {
        self.size.is_some_and(|size| self.used > size)
    }

    /// Whether the file should give pages back that it does not use: the disk is nearly as short as it may be.
    pub(crate) fn should_shrink(&self) -> bool {
        self.unused_pages > 0 && self.free.is_some_and(|free| free < self.reserve.saturating_mul(2))
    }

    /// Why no event is taken, in words. `stuck`: retention found nothing that it may remove.
    pub(crate) fn problem(&self, stuck: bool) -> Option<String> {
        if let Some(free) = self.free.filter(|free| *free < self.reserve) {
            return Some(format!("{free} bytes are free on the disk; the reserve is {} bytes", self.reserve));
        }
        let size = self.size.filter(|size| self.used > *size)?;
        if stuck {
            return Some(format!(
                "the retention size of {size} bytes is full of events that destinations wait for"
            ));
        }
        // Retention is at work. It is faster than any sender, but the limit is one all the same.
        (self.used > size.saturating_add((size / 8).max(16 << 20)))
            .then(|| format!("the retention size of {size} bytes is exceeded; events are being removed"))
    }
}
