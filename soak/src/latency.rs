//! A good client, which measures how long it waits.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::anyhow;
use tokio::time::Instant;

use crate::http::{Connection, challenge, signed};

/// What it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// The answer to a challenge.
    Challenges,
    /// That an event is stored.
    Events,
}

/// A client that asks again and again until it is told to end.
#[derive(Debug)]
pub struct Client {
    over: Arc<AtomicBool>,
    asking: JoinHandle<Waits>,
}

/// How long it waited for each answer.
#[derive(Debug, Clone, Default)]
pub struct Waits {
    sorted: Vec<Duration>,
    /// Questions that were answered otherwise than with 200, or not at all.
    pub refused: usize,
}

/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(4);

/// Questions on one connection: new ones are to be had, too.
const PER_CONNECTION: u64 = 20;

impl Client {
    /// Begins to ask.
    #[must_use]
    pub fn start(ingress: SocketAddr, asks: Asks) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        Self { over, asking: std::thread::spawn(move || ask(ingress, asks, &until)) }
    }

    /// Ends, and says how it was.
    ///
    /// # Errors
    /// When the client panicked.
    pub fn end(self) -> anyhow::Result<Waits> {
        self.over.store(true, Ordering::SeqCst);
        self.asking.join().map_err(|_| anyhow!("the good client panicked"))
    }

    /// Asks for so long.
    ///
    /// # Errors
    /// When the client panicked.
    pub fn run(ingress: SocketAddr, asks: Asks, length: Duration) -> anyhow::Result<Waits> {
        let client = Self::start(ingress, asks);
        std::thread::sleep(length);
        client.end()
    }
}

fn ask(ingress: SocketAddr, asks: Asks, over: &AtomicBool) -> Waits {
    let mut waits = Waits::default();
    let mut connection = None;
    let mut number = 0;
    let run: u64 = rand::random();
    while !over.load(Ordering::SeqCst) {
        number += 1;
        let request = match asks {
            Asks::Challenges => challenge(number),
            Asks::Events => signed(format!(r#"{{"run":{run},"good":{number}}}"#).as_bytes()),
        };
        // From the moment that it wants something: a new connection is a part of the wait.
        let began = Instant::now();
        let kept = connection.take().filter(|_| number % PER_CONNECTION != 0);
        let asked = kept.map_or_else(|| Connection::open(ingress), Ok);
        match asked.and_then(|mut open| open.exchange(&request).map(|answer| (open, answer.status))) {
            Ok((open, 200)) => {
                waits.sorted.push(began.elapsed());
                connection = Some(open);
            }
            _ => waits.refused += 1,
        }
        std::thread::sleep(PAUSE);
    }
    waits.sorted.sort_unstable();
    waits
}

impl Waits {
    /// How many were answered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The wait that so many in a hundred did not exceed, in milliseconds.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> f64 {
        let at = self.sorted.get(self.sorted.len() * percent / 100).or(self.sorted.last());
        at.map_or(f64::INFINITY, |wait| wait.as_secs_f64() * 1e3)
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let refused = self.refused + other.refused;
        Self { refused, ..Self::of([self.sorted, other.sorted].concat()) }
    }

    /// The longest, in milliseconds.
    #[must_use]
    pub fn longest(&self) -> f64 {
        self.sorted.last().map_or(0.0, |wait| wait.as_secs_f64() * 1e3)
    }

    /// From waits that were measured elsewhere.
    #[must_use]
    pub fn of(mut waits: Vec<Duration>) -> Self {
        waits.sort_unstable();
        Self { sorted: waits, refused: 0 }
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.1} ms, p99 {:.1} ms", self.percentile(50), self.percentile(99))?;
        if self.refused > 0 { write!(f, ", {} refused", self.refused) } else { Ok(()) }
    }
}
