//! Senders: each sends its next event when the last one was answered, and writes down what it was told.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{anyhow, ensure};
use tokio::time::Instant;

use crate::http::{Connection, signed};
use crate::ledger::{Ledger, Told};
use crate::server::PATIENCE;

/// Senders at once, unless it is said otherwise: more than the store commits one by one.
pub const SENDERS: usize = 8;

/// Load that goes on until it is told to end, or until the server is gone.
#[derive(Debug)]
pub struct Load {
    ledger: Arc<Ledger>,
    over: Arc<AtomicBool>,
    senders: Vec<JoinHandle<io::Result<()>>>,
}

impl Load {
    /// Begins to send.
    #[must_use]
    pub fn start(ingress: SocketAddr, ledger: &Arc<Ledger>, senders: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let senders = (0..senders)
            .map(|_| {
                let (ledger, over) = (Arc::clone(ledger), Arc::clone(&over));
                std::thread::spawn(move || send(ingress, &ledger, &over))
            })
            .collect();
        Self { ledger: Arc::clone(ledger), over, senders }
    }

    /// Waits until so many events more are acknowledged, or until nobody sends any more.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn wait_for(&self, acknowledged: usize) -> anyhow::Result<()> {
        let enough = self.ledger.acknowledged() + acknowledged;
        let until = Instant::now() + PATIENCE;
        while self.ledger.acknowledged() < enough && !self.senders.iter().all(JoinHandle::is_finished) {
            ensure!(Instant::now() < until, "no acknowledgement within {PATIENCE:?}");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(())
    }

    /// Ends. What arrived up to now counts; what is still to come does not.
    ///
    /// # Errors
    /// When the book could not be written.
    pub fn end(self) -> anyhow::Result<()> {
        self.over.store(true, Ordering::SeqCst);
        for sender in self.senders {
            sender.join().map_err(|_| anyhow!("a sender panicked"))??;
        }
        Ok(self.ledger.sync()?)
    }
}

fn send(ingress: SocketAddr, ledger: &Ledger, over: &AtomicBool) -> io::Result<()> {
    let Ok(mut connection) = Connection::open(ingress) else { return Ok(()) };
    while !over.load(Ordering::SeqCst) {
        let (number, body) = ledger.next();
        // A connection that breaks is the cut.
        let Ok(answer) = connection.exchange_unless(&signed(&body), over) else { return Ok(()) };
        let told = if (200..300).contains(&answer.status) { Told::Acknowledged } else { Told::Refused };
        ledger.note(number, told, &body)?;
        if !matches!(answer.status, 200 | 503) {
            return Err(io::Error::other(format!("an event was answered with {}", answer.status)));
        }
        if answer.head.contains("connection: close") {
            match Connection::open(ingress) {
                Ok(anew) => connection = anew,
                Err(_) => return Ok(()),
            }
        }
    }
    Ok(())
}
