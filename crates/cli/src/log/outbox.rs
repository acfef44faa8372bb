//! Lines on their way out: gathered in memory, written by a thread of their own.
//!
//! Whoever logs stands between a request and its answer, so it neither writes nor waits: not for a terminal that is
//! paused, not for a pipe that nobody reads. What finds no room is counted, and the count is written where the lines
//! would have been.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// Bytes that may wait: the lines of a few thousand events.
const ROOM: usize = 2 << 20;

/// How long the thread lets lines gather after it wrote some. Waking it for each line costs more than the line does.
const PAUSE: Duration = Duration::from_millis(10);

/// How long the end of the process waits for what is still to be written.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where lines are put.
#[derive(Debug, Clone)]
pub(super) struct Outbox(Arc<Shared>);

/// Has everything written out when it is dropped.
#[derive(Debug)]
#[must_use = "what was logged is written out when this is dropped"]
pub(crate) struct Rest(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    held: Mutex<Held>,
    /// Something came, or the end did.
    arrived: Condvar,
    /// The thread ended.
    left: Condvar,
}

#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    dropped: u64,
    asleep: bool,
    ending: bool,
    ended: bool,
}

impl Outbox {
    /// Begins to write what it is given to `out`.
    pub(super) fn open(out: impl Write + Send + 'static) -> io::Result<(Self, Rest)> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || of_thread.write_to(out))?;
        Ok((Self(Arc::clone(&shared)), Rest(shared)))
    }

    fn put(&self, line: &[u8]) {
        let mut held = self.0.lock();
        if held.bytes.len() + line.len() > ROOM {
            held.dropped += 1;
            return;
        }
        held.bytes.extend_from_slice(line);
        let asleep = mem::take(&mut held.asleep);
        drop(held);
        if asleep {
            self.0.arrived.notify_one();
        }
    }
}

impl Shared {
    fn write_to(&self, mut out: impl Write) {
        let mut bytes = Vec::new();
        loop {
            let mut held = self.lock();
            while held.bytes.is_empty() && held.dropped == 0 && !held.ending {
                held.asleep = true;
                held = self.arrived.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
            held.asleep = false;
            mem::swap(&mut bytes, &mut held.bytes);
            let dropped = mem::take(&mut held.dropped);
            let ending = held.ending;
            drop(held);
            if dropped > 0 {
                bytes.extend_from_slice(missing(dropped).as_bytes());
            }
            // There is nowhere to say that it cannot be said.
            let _ = out.write_all(&bytes).and_then(|()| out.flush());
            bytes.clear();
            let held = self.lock();
            if ending && held.bytes.is_empty() && held.dropped == 0 {
                break;
            }
            // Only the end wakes it: `asleep` is not set.
            let ends = self.arrived.wait_timeout_while(held, PAUSE, |held| !held.ending);
            drop(ends.unwrap_or_else(PoisonError::into_inner));
        }
        self.lock().ended = true;
        self.left.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let mut held = self.0.lock();
        held.ending = true;
        self.0.arrived.notify_one();
        let left = self.0.left.wait_timeout_while(held, PATIENCE, |held| !held.ended);
        drop(left.unwrap_or_else(PoisonError::into_inner));
    }
}

/// The line that stands for those that found no room.
fn missing(lines: u64) -> String {
    let mut time = String::new();
    // A time that cannot be told is left out; the count is what matters.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    format!(
        "{{\"timestamp\":\"{time}\",\"level\":\"WARN\",\"message\":\"the log is read more slowly than it is written\",\
         \"event\":\"log.dropped\",\"lines\":{lines}}}\n"
    )
}

impl io::Write for Outbox {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Outbox {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, SyncSender};

    use super::*;

    /// Writes into a channel, one piece whenever somebody takes one.
    struct Slow(SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Slow, Receiver<Vec<u8>>) {
        let (sender, receiver) = mpsc::sync_channel(0);
        (Slow(sender), receiver)
    }

    #[test]
    fn lines_come_out_whole_and_in_order_and_the_last_ones_too() {
        let (out, written) = slow();
        let reader = thread::spawn(move || written.iter().flatten().collect::<Vec<_>>());
        let (mut outbox, rest) = Outbox::open(out).unwrap();
        let lines: Vec<String> = (0..5_000).map(|n| format!("line {n}\n")).collect();
        for line in &lines {
            outbox.write_all(line.as_bytes()).unwrap();
        }
        drop(rest);
        assert_eq!(String::from_utf8(reader.join().unwrap()).unwrap(), lines.concat());
    }

    #[test]
    fn whoever_logs_is_not_held_up_by_who_does_not_read() {
        let (out, written) = slow();
        let (mut outbox, rest) = Outbox::open(out).unwrap();
        let line = [b'x'; 1 << 10];
        // Nothing is read yet: the thread has at most one room full in its hands, and another one waits.
        for _ in 0..5 * ROOM / line.len() {
            outbox.write_all(&line).unwrap();
        }
        let reader = thread::spawn(move || written.iter().flatten().collect::<Vec<_>>());
        drop(rest);
        let text = String::from_utf8(reader.join().unwrap()).unwrap();
        let counts = text.split("\"event\":\"log.dropped\",\"lines\":").skip(1);
        let missing: usize =
            counts.map(|rest| rest.split_once('}').unwrap().0.parse::<usize>().unwrap()).sum();
        let kept = text.bytes().filter(|byte| *byte == b'x').count() / line.len();
        assert!(missing >= 3 * ROOM / line.len());
        assert_eq!(kept + missing, 5 * ROOM / line.len());
    }
}
