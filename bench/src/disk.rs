//! How long the disk takes to make something durable: whatever is acknowledged only then cannot be faster.

use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use tokio::time::Instant;

/// What is written at once.
const BLOCK: [u8; 4096] = [0x5a; 4096];

/// How often.
const TIMES: usize = 200;

/// The median and the 99th percentile of overwriting a block and flushing it, in the folder where stores are put.
pub(crate) fn flush() -> anyhow::Result<(Duration, Duration)> {
    let mut file = tempfile::tempfile()?;
    for _ in 0..TIMES {
        file.write_all(&BLOCK)?;
    }
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let started = Instant::now();
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let at = |percent: usize| took.get(TIMES * percent / 100).copied().unwrap_or_default();
    Ok((at(50), at(99)))
}
