//! Senders that keep to a rate whatever becomes of the server, and to whom every answer but 200 is a failure.
//!
//! Each keeps its connection for as long as the server does, and opens the next one when an answer says `close`, as
//! providers do. A wait begins when a request was due: one that cannot be sent because the last one hangs waits, too.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use tokio::time::Instant;

use crate::http::{Connection, signed_with};
use crate::latency::Waits;
use crate::ledger::{Ledger, Told};
use crate::server::PATIENCE;

/// Senders at work.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<io::Result<()>>>,
    began: Instant,
}

#[derive(Debug)]
struct Shared {
    ingress: SocketAddr,
    ledger: Arc<Ledger>,
    over: AtomicBool,
    secret: Mutex<Arc<str>>,
    /// Requests that each sender is done with.
    done: Vec<AtomicU64>,
    waits: Mutex<Vec<Duration>>,
    failures: Mutex<Vec<String>>,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How long each answer took that was 200.
    pub waits: Waits,
    /// Requests that were answered otherwise, or not at all, in words.
    pub failures: Vec<String>,
    /// For how long it went on, in seconds.
    pub seconds: f64,
}

/// Senders: so many wait at once at the most.
const SENDERS: u32 = 16;

impl Traffic {
    /// Begins to send so many events a second, signed with a secret.
    #[must_use]
    pub fn start(ingress: SocketAddr, ledger: &Arc<Ledger>, rate: u32, secret: &str) -> Self {
        let shared = Arc::new(Shared {
            ingress,
            ledger: Arc::clone(ledger),
            over: AtomicBool::new(false),
            secret: Mutex::new(secret.into()),
            done: (0..SENDERS).map(|_| AtomicU64::new(0)).collect(),
            waits: Mutex::default(),
            failures: Mutex::default(),
        });
        let (began, pause) = (Instant::now(), Duration::from_secs(1) * SENDERS / rate.max(1));
        let senders = (0..SENDERS)
            .map(|sender| {
                let shared = Arc::clone(&shared);
                let first = began + pause * sender / SENDERS;
                std::thread::spawn(move || shared.send(sender as usize, first, pause))
            })
            .collect();
        Self { shared, senders, began }
    }

    /// How many requests failed so far.
    #[must_use]
    pub fn failed(&self) -> usize {
        held(&self.shared.failures).len()
    }

    /// Waits until every sender is done with so many more requests, or one of them failed.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn go_on(&self, requests: u64) -> anyhow::Result<()> {
        let counts = || self.shared.done.iter().map(|done| done.load(Ordering::SeqCst));
        let enough: Vec<_> = counts().map(|count| count + requests).collect();
        let until = Instant::now() + PATIENCE;
        while self.failed() == 0 && counts().zip(&enough).any(|(count, enough)| count < *enough) {
            ensure!(Instant::now() < until, "a sender waits for longer than {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Has everybody sign with another secret, and waits until nobody's request bears the former one.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn sign_with(&self, secret: &str) -> anyhow::Result<()> {
        *held(&self.shared.secret) = secret.into();
        // The first of these may have been signed before.
        self.go_on(2)
    }

    /// Ends, each sender after the answer that it waits for.
    ///
    /// # Errors
    /// When the ledger could not be written.
    pub fn end(self) -> anyhow::Result<Tally> {
        self.shared.over.store(true, Ordering::SeqCst);
        for sender in self.senders {
            sender.join().map_err(|_| anyhow!("a sender panicked"))??;
        }
        self.shared.ledger.sync()?;
        Ok(Tally {
            waits: Waits::of(std::mem::take(&mut *held(&self.shared.waits))),
            failures: std::mem::take(&mut *held(&self.shared.failures)),
            seconds: self.began.elapsed().as_secs_f64(),
        })
    }
}

impl Tally {
    /// How many requests a second were answered.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.waits.count() as f64 / self.seconds.max(f64::EPSILON)
    }

    /// Both together, of senders that were at work at the same time.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        Self {
            waits: self.waits.and(other.waits),
            failures: [self.failures, other.failures].concat(),
            seconds: self.seconds.max(other.seconds),
        }
    }
}

impl Shared {
    fn send(&self, sender: usize, first: Instant, pause: Duration) -> io::Result<()> {
        let mut connection = None;
        let mut due = first;
        while !self.over.load(Ordering::SeqCst) {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let (number, body) = self.ledger.next();
            let request = signed_with(&held(&self.secret).clone(), &body);
            let kept = connection.take().map_or_else(|| Connection::open(self.ingress), Ok);
            match kept.and_then(|mut open| open.exchange(&request).map(|answer| (open, answer))) {
                Ok((open, answer)) if answer.status == 200 => {
                    held(&self.waits).push(due.elapsed());
                    self.ledger.note(number, Told::Acknowledged, &body)?;
                    connection = (!answer.head.contains("connection: close")).then_some(open);
                }
                Ok((_, answer)) => {
                    self.ledger.note(number, Told::Refused, &body)?;
                    self.fail(format!("event {number} was answered with {}", answer.status));
                }
                Err(error) => self.fail(format!("event {number} was not answered: {error}")),
            }
            if let Some(done) = self.done.get(sender) {
                done.fetch_add(1, Ordering::SeqCst);
            }
            due += pause;
        }
        Ok(())
    }

    fn fail(&self, why: String) {
        held(&self.failures).push(why);
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
