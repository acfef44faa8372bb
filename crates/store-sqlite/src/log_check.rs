//! A look at the write-ahead log before SQLite reads it.
//!
//! SQLite reads the log up to the first frame whose checksum is wrong, and takes what follows for something that was never
//! finished. After a crash that is right. After a flipped bit it leaves acknowledged events out without a word. The two can
//! be told apart: a crash leaves at most one transaction behind that is not whole, because the next one begins only after a
//! sync. So when two or more transactions end behind the bad frame, the disk changed what it had confirmed. That is said,
//! and the log is kept beside the store for whoever can read more of it.
//!
//! The format is that of <https://www.sqlite.org/fileformat2.html#walformat> (read 2026-11-22).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// What the log lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The first frame that is bad, counted from 1; 0 for the log's head.
    pub(crate) frame: u64,
    /// Transactions that end behind it.
    pub(crate) transactions: u64,
}

/// Looks at the log of a database that nobody has open. Says what is damaged, and keeps a copy.
pub(crate) fn report(database: &Path) {
    let log = beside(database, "-wal");
    match inspect(&log) {
        Ok(None) => {}
        Ok(Some(Lost { frame, transactions })) => {
            let kept = beside(database, "-wal.damaged");
            let kept_it = kept.exists() || std::fs::copy(&log, &kept).is_ok();
            tracing::error!(
                frame,
                transactions,
                copy = kept_it.then(|| kept.display().to_string()),
                "store.corrupt_record: the write-ahead log is damaged; the events in it from this frame on are lost"
            );
        }
        Err(error) => tracing::warn!(%error, "store.log_not_checked"),
    }
}

fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(end);
    PathBuf::from(name)
}

/// Walks the log. `None`: it is whole, or ends in what a crash leaves.
fn inspect(log: &Path) -> io::Result<Option<Lost>> {
    let file = match File::open(log) {
        Ok(file) => file,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut head = [0; HEAD];
    if !fill(&mut reader, &mut head)? {
        return Ok(None);
    }
    let Some(mut walk) = Walk::begin(&head) else { return Ok(Some(Lost { frame: 0, transactions: 0 })) };
    let mut frame = vec![0; FRAME + walk.page];
    let (mut number, mut bad, mut transactions) = (0, None, 0);
    while fill(&mut reader, &mut frame)? {
        number += 1;
        let (of_this_log, ends, whole) = walk.step(&frame, bad.is_none());
        if bad.is_none() && !whole {
            bad = Some(number);
        } else if bad.is_some() && of_this_log && ends {
            transactions += 1;
        }
    }
    Ok(bad.filter(|_| transactions > 1).map(|frame| Lost { frame, transactions }))
}

/// Reads a piece whole; `false` at the end, and for a piece that is cut off.
fn fill(reader: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(into) {
        Ok(()) => Ok(true),
        Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is known of the log while it is read.
#[derive(Debug)]
struct Walk {
    page: usize,
    big_endian: bool,
    salt: [u8; 8],
    sum: (u32, u32),
}

impl Walk {
    /// Begins with the log's head, if that is whole.
    fn begin(head: &[u8; HEAD]) -> Option<Self> {
        let (magic, page) = (word(head, 0), word(head, 8));
        let mut walk = Self {
            page: usize::try_from(page)
                .ok()
                .filter(|page| page.is_power_of_two() && (512..=65_536).contains(page))?,
            big_endian: match magic {
                0x377f_0682 => false,
                0x377f_0683 => true,
                _ => return None,
            },
            salt: head.get(16..24)?.try_into().ok()?,
            sum: (0, 0),
        };
        walk.add(head.get(..24)?);
        (walk.sum == (word(head, 24), word(head, 28))).then_some(walk)
    }

    /// The next frame: whether it belongs to this log and not to what the file held before, whether a transaction ends with
    /// it, and whether it is whole.
    fn step(&mut self, frame: &[u8], adds: bool) -> (bool, bool, bool) {
        let of_this_log = frame.get(8..16) == Some(&self.salt);
        let ends = word(frame, 4) != 0;
        if adds {
            self.add(frame.get(..8).unwrap_or_default());
            self.add(frame.get(FRAME..).unwrap_or_default());
        }
        (of_this_log, ends, of_this_log && self.sum == (word(frame, 16), word(frame, 20)))
    }

    fn add(&mut self, bytes: &[u8]) {
        let read = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        for [a, b, c, d, e, f, g, h] in bytes.as_chunks::<8>().0 {
            self.sum.0 = self.sum.0.wrapping_add(read([*a, *b, *c, *d])).wrapping_add(self.sum.1);
            self.sum.1 = self.sum.1.wrapping_add(read([*e, *f, *g, *h])).wrapping_add(self.sum.0);
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes)
}

const HEAD: usize = 32;

/// The head of a frame; a page follows it.
const FRAME: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with twenty transactions in it, as a crash leaves it.
    fn log() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("original");
        let conn = crate::schema::open_writer(&private(&database)).unwrap();
        for number in 0..20 {
            conn.execute("INSERT INTO meta VALUES (?1, 0)", [format!("{number}")]).unwrap();
        }
        let copy = folder.path().join("copy-wal");
        std::fs::copy(beside(&database, "-wal"), &copy).unwrap();
        (folder, copy)
    }

    fn private(file: &Path) -> PathBuf {
        std::fs::write(file, "").unwrap();
        file.to_owned()
    }

    fn flip(log: &Path, at: usize) {
        let mut bytes = std::fs::read(log).unwrap();
        bytes[at] ^= 1;
        std::fs::write(log, bytes).unwrap();
    }

    const STEP: usize = FRAME + crate::schema::PAGE_BYTES as usize;

    #[test]
    fn a_whole_log_and_a_torn_end_are_as_they_should_be() {
        let (_folder, log) = log();
        assert_eq!(inspect(&log).unwrap(), None);
        let length = std::fs::metadata(&log).unwrap().len() as usize;
        // The last frame, and one before it: a crash can leave that.
        for at in [length - 10, length - STEP - 10] {
            flip(&log, at);
            assert_eq!(inspect(&log).unwrap(), None);
        }
        File::options().write(true).open(&log).unwrap().set_len(length as u64 / 2).unwrap();
        assert_eq!(inspect(&log).unwrap(), None);
        assert_eq!(inspect(Path::new("/nowhere")).unwrap(), None);
    }

    #[test]
    fn a_flipped_bit_in_front_of_other_transactions_is_damage() {
        let (_folder, log) = log();
        let frames = (std::fs::metadata(&log).unwrap().len() as usize - HEAD) / STEP;
        for (frame, within) in [(frames - 5, 0), (frames - 6, 9), (frames - 7, 20), (frames - 8, 4_000)] {
            flip(&log, HEAD + (frame - 1) * STEP + within);
            let lost = inspect(&log).unwrap().unwrap();
            assert_eq!(lost.frame, frame as u64);
            assert!(lost.transactions > 1, "{lost:?}");
        }
    }

    #[test]
    fn a_damaged_head_is_damage() {
        let (_folder, log) = log();
        flip(&log, 20);
        assert_eq!(inspect(&log).unwrap(), Some(Lost { frame: 0, transactions: 0 }));
    }

    #[test]
    fn what_the_file_held_before_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let database = private(&folder.path().join("db"));
        let conn = crate::schema::open_writer(&database).unwrap();
        for number in 0..20 {
            conn.execute("INSERT INTO meta VALUES (?1, 0)", [format!("{number}")]).unwrap();
        }
        crate::checkpoint::checkpoint(&conn).unwrap();
        conn.execute("INSERT INTO meta VALUES ('anew', 0)", []).unwrap();
        assert!(
            std::fs::metadata(beside(&database, "-wal")).unwrap().len() > 10 * STEP as u64,
            "old frames are behind"
        );
        assert_eq!(inspect(&beside(&database, "-wal")).unwrap(), None);
    }
}
