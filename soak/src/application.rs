//! The destination: an application that notes what it was given, and is not always well.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ledger::Ledger;

/// A running application. It ends with this value.
#[derive(Debug)]
pub struct Application {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    /// Answers 503, to anything.
    ill: AtomicBool,
    requests: AtomicU64,
    taken: Mutex<Taken>,
}

/// What it was given.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// Events that it took.
    pub events: BTreeSet<u64>,
    /// Events that it refused once.
    refused: BTreeSet<u64>,
    /// Bodies that nobody sent.
    pub foreign: usize,
}

impl Application {
    /// Listens on a free port. Every eighth event is refused the first time, so that retries are part of every run.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start(ledger: &Arc<Ledger>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let (of_thread, ledger) = (Arc::clone(&shared), Arc::clone(ledger));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if of_thread.over.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, ledger) = (Arc::clone(&of_thread), Arc::clone(&ledger));
                std::thread::spawn(move || serve(&stream, &shared, &ledger));
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes it refuse everything, or take everything again.
    pub fn be_ill(&self, ill: bool) {
        self.shared.ill.store(ill, Ordering::SeqCst);
    }

    /// How many requests it saw.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// What it was given so far.
    #[must_use]
    pub fn taken(&self) -> Taken {
        self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // The listener wakes up, and sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

/// Serves a connection until it breaks.
fn serve(stream: &TcpStream, shared: &Shared, ledger: &Ledger) {
    let mut reader = BufReader::new(stream);
    while let Ok(Some(body)) = read(&mut reader) {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        let takes = !shared.ill.load(Ordering::SeqCst) && take(&body, shared, ledger);
        let status = if takes { "200 OK" } else { "503 Service Unavailable" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        if (&*stream).write_all(answer.as_bytes()).is_err() || shared.over.load(Ordering::SeqCst) {
            return;
        }
    }
}

fn take(body: &[u8], shared: &Shared, ledger: &Ledger) -> bool {
    let number = ledger.number(body);
    let mut taken = shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(number) = number else {
        taken.foreign += 1;
        return true;
    };
    if number % 8 == 7 && taken.refused.insert(number) {
        return false;
    }
    taken.events.insert(number);
    true
}

/// The body of the next request; `None` at the end of the connection.
fn read(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut length = 0_usize;
    let mut first = true;
    loop {
        let mut line = String::new();
        if reader.by_ref().take(64 * 1024).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() && !first {
            break;
        }
        first = false;
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length.min(2 << 20)];
    reader.read_exact(&mut body)?;
    Ok(Some(body))
}
