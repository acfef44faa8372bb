//! Care where several gateways share a store: one of them has the caretaker of a source, the others see what it sees.
//!
//! ```text
//! every gateway: signals ──▶ mailbox        challenges, reports and deeds ◀── what is published
//! the one whose turn it is:  mailbox ──▶ Caretaker ──▶ X        └──▶ state (fenced), report, deeds
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{EventStore, SourceName};
use hookhouse_x::{Report, Signal};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::keeper::{self, Fence};
use super::mailbox::Mailbox;
use super::{Care, DeedView, MOST_DEEDS, Making, SIGNALS, challenge};
use crate::duty::Duty;
use crate::metrics::Metrics;

/// The pause before a store that does not answer is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// What a caretaker has its gateway tell the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Published {
    report: Report,
    #[serde(default)]
    deeds: VecDeque<DeedView>,
}

/// A source that heals, as each gateway looks after it.
#[derive(Debug)]
pub(super) struct SharedRound {
    pub(super) care: Arc<Care>,
    pub(super) making: Making,
    pub(super) told: Arc<watch::Sender<Report>>,
}

impl SharedRound {
    /// Looks after it until the stop.
    pub(super) async fn run(self, heard: mpsc::Receiver<Signal>, stop: CancellationToken) {
        let Making { source, store, clock, .. } = &self.making;
        let mailbox = Mailbox::new(store, source);
        let duty = Duty::new(store, clock, &format!("x/{source}"));
        tokio::select! {
            // Gives the lease back before it ends.
            () = duty.run(stop, || self.turn(&mailbox)) => {}
            () = mailbox.post_all(heard) => std::future::pending().await,
            () = self.follow() => {}
        }
    }

    fn key(&self) -> String {
        format!("x/report/{}", self.making.source)
    }

    /// Has the caretaker, until somebody else has written what it keeps.
    async fn turn(&self, mailbox: &Arc<Mailbox>) {
        let lost = CancellationToken::new();
        let keeper = self.making.keeper().fenced(Fence::new(mailbox, &lost));
        let caretaker = self.making.caretaker(Arc::new(keeper)).await;
        let (signals, heard) = mpsc::channel(SIGNALS);
        let (telling, told) = watch::channel(caretaker.report());
        tokio::select! {
            () = caretaker.run(heard, telling) => {}
            () = mailbox.hand_on(signals) => {}
            () = self.publish(told) => {}
            () = lost.cancelled() => {
                tracing::warn!(event = "x.care_lost", source = %self.making.source, "another gateway wrote what the caretaker keeps");
            }
        }
    }

    /// Tells the others what the caretaker reports.
    async fn publish(&self, mut reports: watch::Receiver<Report>) {
        let key = self.key();
        loop {
            let report = reports.borrow_and_update().clone();
            let published = Published { report, deeds: self.care.deeds(&self.making.source) };
            self.told.send_replace(published.report.clone());
            if let Ok(value) = serde_json::to_vec(&published)
                && let Err(error) = keeper::put(&*self.making.store, &key, Bytes::from(value)).await
            {
                tracing::debug!(%error, "the others hear of it with the next report");
            }
            if reports.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Hears what the others are told, which is what we told them where the caretaker is here.
    async fn follow(&self) {
        let (store, key) = (&self.making.store, self.key());
        let mut known = None;
        loop {
            store.state_changed(&key, known).await;
            match store.state(&key).await {
                Ok(Some(entry)) => {
                    known = Some(entry.revision);
                    // What another version wrote may not be readable here.
                    if let Ok(published) = serde_json::from_slice::<Published>(&entry.value) {
                        self.told.send_replace(published.report);
                        self.care.learn(&self.making.source, published.deeds);
                    }
                }
                Ok(None) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// Hears of the challenges that other gateways answered.
pub(super) async fn follow_challenges(
    care: Arc<Care>,
    source: SourceName,
    store: Arc<dyn EventStore>,
    metrics: Arc<Metrics>,
) {
    let key = challenge::key(&source);
    let mut known = None;
    loop {
        store.state_changed(&key, known).await;
        let Ok(Some(entry)) = store.state(&key).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        known = Some(entry.revision);
        let (Some(ward), Ok(others)) = (care.wards.get(&source), serde_json::from_slice(&entry.value)) else {
            continue;
        };
        let last = {
            let mut record = ward.record();
            record.challenges.merge(&others);
            record.challenges.last.as_ref().map(|last| last.at)
        };
        if let Some(at) = last {
            metrics.challenge_seen(&source, at);
        }
    }
}

impl Care {
    fn deeds(&self, source: &SourceName) -> VecDeque<DeedView> {
        self.wards.get(source).map(|ward| ward.record().deeds.clone()).unwrap_or_default()
    }

    /// Notes what was done elsewhere.
    fn learn(&self, source: &SourceName, deeds: VecDeque<DeedView>) {
        let Some(ward) = self.wards.get(source) else { return };
        let mut record = ward.record();
        for deed in deeds {
            if !record.deeds.contains(&deed) {
                record.deeds.push_back(deed);
            }
        }
        record.deeds.make_contiguous().sort_by_key(|deed| std::cmp::Reverse(deed.at));
        record.deeds.truncate(MOST_DEEDS);
    }
}
