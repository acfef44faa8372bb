//! Senders that go on while something happens to the server, and count what they are answered.
//!
//! Each keeps its connection for as long as the server does, and opens the next one when an answer says `close`, as
//! providers do. Whatever else happens to a connection is a failure, in words.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Connection, eventually};

/// Makes the request of a number.
type Make = dyn Fn(u64) -> Vec<u8> + Send + Sync;

/// Senders at work.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    next: AtomicU64,
    stop: AtomicBool,
    tally: Mutex<Tally>,
}

/// What came back.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// How many answers of each status there were.
    pub answers: BTreeMap<u16, u64>,
    /// The numbers that were answered with 200.
    pub acknowledged: Vec<u64>,
    /// What went wrong otherwise: refused, reset, broken off.
    pub failures: Vec<String>,
    /// The longest that an answer took.
    pub slowest: Duration,
}

impl Traffic {
    /// Begins to send from so many connections at once, with a pause between two requests of each.
    pub fn begin(
        address: SocketAddr,
        senders: usize,
        pause: Duration,
        make: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let (shared, make): (_, Arc<Make>) = (Arc::<Shared>::default(), Arc::new(make));
        let senders = (0..senders)
            .map(|_| {
                let (shared, make) = (Arc::clone(&shared), Arc::clone(&make));
                std::thread::spawn(move || shared.send(address, pause, &*make))
            })
            .collect();
        Self { shared, senders }
    }

    /// Waits until so many more requests were answered.
    pub fn answered(&self, more: u64) {
        let count = || self.shared.tally().answers.values().sum::<u64>();
        let enough = count() + more;
        eventually("answers", || {
            (count() >= enough || !self.shared.tally().failures.is_empty()).then_some(())
        });
    }

    /// Ends, each sender after the answer that it waits for.
    pub fn end(self) -> Tally {
        self.shared.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.join().expect("a sender does not panic");
        }
        let tally = self.shared.tally();
        tally.clone()
    }
}

impl Tally {
    /// How many were answered with 200.
    #[must_use]
    pub fn good(&self) -> u64 {
        self.answers.get(&200).copied().unwrap_or_default()
    }

    /// Every request was answered, and with 200.
    pub fn assert_all_good(&self) {
        assert!(self.failures.is_empty(), "{:#?}", self.failures);
        assert_eq!(self.answers.keys().collect::<Vec<_>>(), [&200], "{:?}", self.answers);
    }
}

impl Shared {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().expect("nobody panics with it")
    }

    #[expect(clippy::disallowed_methods, reason = "a sender measures real time")]
    fn send(&self, address: SocketAddr, pause: Duration, make: &Make) {
        let mut connection = None;
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let began = Instant::now();
            let open = match connection.take() {
                Some(open) => Ok(open),
                None => Connection::open(address),
            };
            let outcome = open.and_then(|mut open| {
                let answer = open.exchange(&make(number))?;
                Ok((open, answer))
            });
            let mut tally = self.tally();
            tally.slowest = tally.slowest.max(began.elapsed());
            match outcome {
                Ok((open, answer)) => {
                    *tally.answers.entry(answer.status).or_default() += 1;
                    if answer.status == 200 {
                        tally.acknowledged.push(number);
                    }
                    let closes =
                        answer.header("connection").is_some_and(|said| said.eq_ignore_ascii_case("close"));
                    connection = (!closes).then_some(open);
                }
                Err(error) => tally.failures.push(format!("request {number}: {error}")),
            }
            drop(tally);
            std::thread::sleep(pause);
        }
    }
}
