//! What the sender knows, and nobody can argue with: every event that it made, and what it was told about it.
//!
//! A body follows from the seed and its number alone, so that a copy of it that comes back from the store or arrives at
//! the destination is held against what was sent, byte for byte.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nothing yet, or nothing ever: the connection broke. It may have been stored.
    Nothing,
    /// 2xx: it is durable.
    Acknowledged,
    /// Another status: the sender keeps it, and would try again.
    Refused,
}

/// The sender's book. It is kept in memory and in a file, which is synced before every cut.
#[derive(Debug)]
pub struct Ledger {
    seed: u64,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    told: Vec<Told>,
    acknowledged: usize,
    file: BufWriter<File>,
}

impl Ledger {
    /// An empty book.
    ///
    /// # Errors
    /// When its file cannot be made.
    pub fn new(seed: u64, file: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(file)?);
        Ok(Self { seed, book: Mutex::new(Book { told: Vec::new(), acknowledged: 0, file }) })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next event: its number and its body.
    #[must_use]
    pub fn next(&self) -> (u64, Vec<u8>) {
        let number = {
            let mut book = self.book();
            book.told.push(Told::Nothing);
            book.told.len() as u64 - 1
        };
        (number, self.body(number))
    }

    /// Notes what was said about an event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note(&self, number: u64, told: Told, body: &[u8]) -> io::Result<()> {
        let mut book = self.book();
        book.acknowledged += usize::from(told == Told::Acknowledged);
        writeln!(book.file, "{number} {:08x} {told:?}", crc32fast::hash(body))?;
        if let Some(entry) = usize::try_from(number).ok().and_then(|number| book.told.get_mut(number)) {
            *entry = told;
        }
        Ok(())
    }

    /// Makes the book itself durable.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn sync(&self) -> io::Result<()> {
        let mut book = self.book();
        book.file.flush()?;
        book.file.get_ref().sync_data()
    }

    /// How many events were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.book().acknowledged
    }

    /// What was said about each event, by number.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.book().told.clone()
    }

    /// The body of an event: mostly short, sometimes longer than a page of the store.
    #[must_use]
    pub fn body(&self, number: u64) -> Vec<u8> {
        let mut rng = StdRng::seed_from_u64(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let length =
            if rng.random_ratio(1, 20) { rng.random_range(5_000..30_000) } else { rng.random_range(1..900) };
        // All at once: every audit makes each body again.
        let mut padding = vec![0; length];
        rng.fill(padding.as_mut_slice());
        padding.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
        let mut body = format!(r#"{{"run":{},"number":{number},"padding":""#, self.seed).into_bytes();
        body.append(&mut padding);
        body.extend_from_slice(b"\"}");
        body
    }

    /// Which event a body is: `None` for one that this sender did not make, or that is not what it was.
    #[must_use]
    pub fn number(&self, body: &[u8]) -> Option<u64> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let number = value["number"].as_u64()?;
        (number < self.book().told.len() as u64 && self.body(number) == body).then_some(number)
    }
}
