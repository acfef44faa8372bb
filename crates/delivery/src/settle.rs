//! The settler of a lane: tells the store what became of its leases.
//!
//! Outcomes are taken as they come, as many as are there, and settled in one call; while the store is busy with that,
//! the next batch forms by itself. The channel has room for as many outcomes as attempts may run: when the store is
//! slow, finished attempts wait with their permits in hand, and so nothing more is leased.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::delivery::{Next, Settled, Settlement};
use hookhouse_core::store::Revision;
use hookhouse_core::{Attempt, Clock, DestinationName, EventStore, Notice, Observer, SourceName, StoreError};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::circuit::{Change, Circuit, Moment, Saved};
use crate::lane::SharedCircuit;

/// A lease that is to be settled, and who is to hear of it.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) settlement: Settlement,
    pub(crate) source: SourceName,
    /// What was tried; also where the try does not count, and the settlement does not mention it.
    pub(crate) attempt: Option<Attempt>,
    /// What it did to the circuit.
    pub(crate) change: Option<Change>,
    /// When the lease ends; a settlement after that is void.
    pub(crate) lease_ends: Instant,
}

#[derive(Debug)]
pub(crate) struct Settler {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) finished: mpsc::Receiver<Finished>,
    pub(crate) circuit: SharedCircuit,
    pub(crate) record: CircuitRecord,
    /// Ends the lane when the store has failed for good.
    pub(crate) stop: CancellationToken,
    pub(crate) hard: CancellationToken,
}

impl Settler {
    /// Settles until the lane and all of its attempts have ended.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let received = tokio::select! {
                biased;
                received = self.finished.recv_many(&mut batch, MOST_AT_ONCE) => received,
                () = self.record.changed_elsewhere() => {
                    self.take_over().await;
                    continue;
                }
            };
            if received == 0 {
                return;
            }
            self.settle(&batch).await;
            let changed = batch.iter().any(|finished| finished.change.is_some());
            for finished in batch.drain(..) {
                self.tell(finished);
            }
            if changed {
                let saved = self.circuit.lock().saved();
                self.record.save(&saved).await;
            }
        }
    }

    /// Goes on with the circuit as another process has left it.
    async fn take_over(&mut self) {
        let now = Moment { wall: self.clock.now(), tick: Instant::now() };
        match self.record.read().await {
            Ok(Some(saved)) => {
                tracing::info!(key = self.record.key, open_until = ?saved.open_until, "another gateway knows of the destination");
                self.circuit.replace(Circuit::restored(saved, now));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(key = self.record.key, %error, "the circuit could not be read");
                tokio::time::sleep(FIRST_PAUSE).await;
            }
        }
    }

    /// Tells the store, again and again while there is a lease to settle: what it does not record will be repeated.
    async fn settle(&self, batch: &[Finished]) {
        let mut pauses = Pauses::new(FIRST_PAUSE);
        loop {
            let now = Instant::now();
            let held: Vec<_> = batch.iter().filter(|finished| finished.lease_ends > now).collect();
            if held.is_empty() {
                tracing::warn!(
                    leases = batch.len(),
                    "the leases ran out before the store recorded their outcome"
                );
                return;
            }
            let settlements: Vec<_> = held.iter().map(|finished| finished.settlement.clone()).collect();
            match self.store.settle(settlements).await {
                Ok(settled) => return note_losses(&held, &settled),
                Err(error @ (StoreError::Closed | StoreError::Failed(_))) => {
                    tracing::error!(%error, leases = held.len(), "outcomes could not be recorded: they will repeat");
                    self.stop.cancel();
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, leases = held.len(), "outcomes could not be recorded yet");
                    if self.hard.is_cancelled() {
                        return;
                    }
                }
            }
            // A hard stop cuts the pause short; there is one more try after it.
            self.hard.run_until_cancelled(tokio::time::sleep(pauses.next())).await;
        }
    }

    fn tell(&self, finished: Finished) {
        let Finished { settlement, source, attempt, change, .. } = finished;
        if let Next::GiveUp(reason) = settlement.next {
            tracing::error!(code = "delivery.dead", delivery = %settlement.delivery, reason = reason.as_str(),
                "a delivery was given up");
        }
        let destination = settlement.delivery.destination;
        if let Some(attempt) = attempt {
            self.observer.notice(Notice::Attempted { source, attempt, next: settlement.next });
        }
        if let Some(Change { open_until, cause }) = change {
            match &cause {
                Some(cause) => tracing::warn!(code = "delivery.circuit_open", %destination, cause,
                    "nothing but a probe is sent for a while"),
                None => tracing::info!(code = "delivery.circuit_closed", %destination, "deliveries go on"),
            }
            self.observer.notice(Notice::Circuit { destination, open_until, cause });
        }
    }
}

fn note_losses(held: &[&Finished], settled: &[Settled]) {
    for (finished, _) in held.iter().zip(settled).filter(|(_, settled)| **settled == Settled::LeaseLost) {
        tracing::warn!(delivery = %finished.settlement.delivery,
            "the lease had run out: the delivery may have been repeated");
    }
}

/// Where a destination's circuit is kept in the store.
#[derive(Debug)]
pub(crate) struct CircuitRecord {
    store: Arc<dyn EventStore>,
    key: String,
    revision: Option<Revision>,
}

impl CircuitRecord {
    /// Reads the circuit of a destination. One that cannot be read is taken for closed: it opens again soon enough.
    pub(crate) async fn load(
        store: Arc<dyn EventStore>,
        destination: &DestinationName,
        now: Moment,
    ) -> (Self, Circuit) {
        let key = format!("circuit/{destination}");
        let mut record = Self { store, key, revision: None };
        let circuit = match record.read().await {
            Ok(Some(saved)) => Circuit::restored(saved, now),
            Ok(None) => Circuit::closed(),
            Err(error) => {
                tracing::warn!(%destination, %error, "the circuit could not be read");
                Circuit::closed()
            }
        };
        (record, circuit)
    }

    /// Resolves when another process has written it. Cancelling this loses nothing.
    async fn changed_elsewhere(&self) {
        if !self.store.is_shared() {
            return std::future::pending().await;
        }
        self.store.state_changed(&self.key, self.revision).await;
    }

    async fn read(&mut self) -> Result<Option<Saved>, StoreError> {
        let Some(entry) = self.store.state(&self.key).await? else { return Ok(None) };
        self.revision = Some(entry.revision);
        serde_json::from_slice(&entry.value)
            .map(Some)
            .map_err(|error| StoreError::Read(format!("`{}` is not a circuit: {error}", self.key)))
    }

    /// Writes it; whoever else writes the same circuit is overruled, because this lane knows best what it sees. What
    /// cannot be written is made up for by the next change.
    async fn save(&mut self, saved: &Saved) {
        let mut written = self.write(saved).await;
        if written == Err(StoreError::Conflict) {
            self.revision = None;
            // Only the revision is wanted; the value is about to be replaced.
            drop(self.read().await);
            written = self.write(saved).await;
        }
        if let Err(error) = written {
            tracing::warn!(key = self.key, %error, "the circuit could not be saved");
        }
    }

    async fn write(&mut self, saved: &Saved) -> Result<(), StoreError> {
        let value = serde_json::to_vec(saved).map_err(|error| StoreError::Read(error.to_string()))?;
        self.revision = Some(self.store.put_state(&self.key, value.into(), self.revision).await?);
        Ok(())
    }
}

/// Pauses that double up to a bound.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(crate) fn new(first: Duration) -> Self {
        Self { next: first }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// The most outcomes in one call.
const MOST_AT_ONCE: usize = 256;

/// How long to wait after a store's first refusal.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How long to wait after a store's refusals at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
