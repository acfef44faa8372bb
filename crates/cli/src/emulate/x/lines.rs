//! A line for each thing that happens, from a thread of its own: a terminal that stands still does not hold up the
//! platform.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use hookhouse_emulator::x::{Entry, Watch};
use serde_json::{Value, json};

use crate::output::{Format, line};
use crate::terminal::inline;

/// The printer.
#[derive(Debug)]
pub(super) struct Lines {
    lines: SyncSender<String>,
    skipped: Arc<AtomicU64>,
    format: Format,
    thread: JoinHandle<()>,
}

impl Lines {
    pub(super) fn start(format: Format) -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        let skipped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&skipped);
        let thread = std::thread::Builder::new()
            .name("lines".to_owned())
            .spawn(move || print_all(&waiting, &count, format))?;
        Ok(Self { lines, skipped, format, thread })
    }

    /// What the platform tells.
    pub(super) fn watch(&self) -> Watch {
        let (lines, skipped, format) = (self.lines.clone(), Arc::clone(&self.skipped), self.format);
        Watch::new(move |entry| {
            let text = match format {
                Format::Jsonl => object(entry).to_string(),
                Format::Human | Format::Json => {
                    // The platform's time, which may be turned by days.
                    format!("{}  {}", entry.at().strftime("%m-%d %H:%M:%S"), inline(&entry.to_string()))
                }
            };
            if lines.try_send(text).is_err() {
                skipped.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    /// Prints what still waits. The platform, which has the other sender, has to be gone.
    pub(super) fn finish(self) {
        drop(self.lines);
        // A printer that panicked has said so itself.
        drop(self.thread.join());
    }
}

fn print_all(waiting: &Receiver<String>, skipped: &AtomicU64, format: Format) {
    for text in waiting {
        let missing = skipped.swap(0, Ordering::Relaxed);
        if missing > 0 {
            anstream::eprintln!("… {missing} lines were not shown");
        }
        if format == Format::Jsonl {
            // Whoever reads them went away, and the program with them.
            drop(line(&text));
        } else {
            anstream::eprintln!("{text}");
        }
    }
}

/// An entry for programs.
fn object(entry: Entry<'_>) -> Value {
    match entry {
        Entry::Event(record) => json!({ "event": record }),
        Entry::Attempt(record) => json!({ "attempt": record }),
        Entry::Crc(record) => json!({ "crc": record }),
        Entry::Validity(record) => json!({ "validity": record }),
        Entry::Call(record) => json!({ "call": record }),
        other => json!({ "note": other.to_string() }),
    }
}

/// How many lines may wait; more are counted, not kept.
const WAITING: usize = 4_096;
