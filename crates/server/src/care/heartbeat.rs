//! Signs of life in the store, so that a later start knows how long nobody was there.
//!
//! A beat is written only while the store takes events, so a pause between two beats covers all the ways of being away:
//! the process was down, the machine slept, the disk was full. X does not say how long it retries, so whatever comes in
//! such a pause is asked for again; duplicates fall out by their keys.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{Clock, EventStore, Notice, Observer, SourceName, StoreError, Timestamp};
use hookhouse_x::heal::Condition;
use hookhouse_x::{Signal, Window};
use jiff::SignedDuration;
use tokio::time::Instant;

use super::{Care, CareParts, challenge};
use crate::metrics::Metrics;

const KEY: &str = "server/alive";

struct Heart {
    care: Arc<Care>,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    metrics: Arc<Metrics>,
    harmless: SignedDuration,
    /// The sources whose silence was told.
    silent: Vec<SourceName>,
}

/// Beats once, so that an outage is known before the first request, and then for as long as the server takes requests.
pub(super) async fn begin(care: &Arc<Care>, parts: &CareParts<'_>) {
    let mut heart = Heart {
        care: Arc::clone(care),
        store: Arc::clone(parts.store),
        clock: Arc::clone(parts.clock),
        observer: Arc::clone(parts.observer),
        metrics: Arc::clone(parts.metrics),
        harmless: parts.pace.harmless.try_into().unwrap_or(SignedDuration::MAX),
        silent: Vec::new(),
    };
    heart.beat().await;
    let (stop, every) = (care.stop.clone(), parts.pace.beat);
    care.keep(parts.lifecycle.tracker.spawn(async move {
        let mut next = Instant::now() + every;
        loop {
            let due = tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(next) => true,
                // The other gateways are told of a challenge soon, and of a flood of them once in a while.
                () = heart.care.challenged.notified(), if heart.store.is_shared() => false,
            };
            if due {
                heart.beat().await;
                next = Instant::now() + every;
            } else {
                heart.keep_challenges().await;
                stop.run_until_cancelled(tokio::time::sleep(TELLING)).await;
            }
        }
        // The last word: from here on nobody is there.
        heart.beat().await;
    }));
}

impl Heart {
    async fn beat(&mut self) {
        let now = self.clock.now();
        self.keep_challenges().await;
        self.tell_health(now);
        if !self.store.status().await.is_ok_and(|status| status.writable) {
            return;
        }
        let Ok(last) = self.note(now).await else { return };
        self.care.alive.send_replace(Some(now));
        // A clock that was set back makes no outage.
        let last = last.filter(|last| now.duration_since(*last) > self.harmless);
        if let Some(window) = last.and_then(|last| Window::new(last, now)) {
            self.tell_outage(window).await;
        }
    }

    /// Writes that somebody is there; answers when the last one was, whoever that is. Of gateways that come back at once
    /// one finds the time of before, so that an outage is told once.
    async fn note(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        for _ in 0..MOST_RACES {
            let entry = self.store.state(KEY).await?;
            let last = entry.as_ref().and_then(|entry| std::str::from_utf8(&entry.value).ok()?.parse().ok());
            // Another gateway's clock may be ahead of ours; a clock that was years ahead for a moment does not count.
            let ahead = last.filter(|last: &Timestamp| {
                self.store.is_shared() && *last > now && last.duration_since(now) < SKEW
            });
            let beat = Bytes::from(ahead.unwrap_or(now).to_string());
            match self.store.put_state(KEY, beat, entry.map(|entry| entry.revision)).await {
                Err(StoreError::Conflict) => {}
                other => return other.map(|_| last),
            }
        }
        Err(StoreError::Conflict)
    }

    async fn tell_outage(&self, window: Window) {
        for ward in self.care.wards.values() {
            if let Some(signals) = &ward.signals {
                // Waits, and a caretaker hears between any two calls; one that ended hears nothing, and nobody heals.
                let _ = tokio::time::timeout(PATIENCE, signals.send(Signal::Outage(window))).await;
            }
        }
        tracing::warn!(event = "server.was_away", from = %window.from, to = %window.to);
    }

    async fn keep_challenges(&self) {
        for (source, ward) in &self.care.wards {
            let changed = {
                let mut record = ward.record();
                std::mem::take(&mut record.changed).then(|| record.challenges.clone())
            };
            let Some(challenges) = changed else { continue };
            if challenge::save(&*self.store, source, &challenges).await.is_err() {
                ward.record().changed = true;
            }
        }
    }

    /// What metrics show, and silence, said once when it begins and once when it ends.
    fn tell_health(&mut self, now: Timestamp) {
        let care = Arc::clone(&self.care);
        for (source, ward) in &care.wards {
            let condition = ward.report.as_ref().map(|report| report.borrow().health.condition);
            match condition {
                Some(Condition::Valid) => self.metrics.set_webhook_valid(source, true),
                Some(Condition::Invalid { .. } | Condition::Missing { .. }) => {
                    self.metrics.set_webhook_valid(source, false);
                }
                Some(Condition::Unknown) | None => {}
            }
            let silence = ward.record().challenges.alert(now);
            let told = self.silent.iter().position(|silent| silent == source);
            let (deed, trouble) = match (silence, told) {
                (Some(alert), None) => {
                    self.silent.push(source.clone());
                    (alert.to_string(), true)
                }
                (None, Some(place)) => {
                    self.silent.swap_remove(place);
                    ("X challenges the webhook again".to_owned(), false)
                }
                _ => continue,
            };
            self.observer.notice(Notice::Webhook { source: source.clone(), at: now, deed, trouble });
        }
    }
}

/// How long an outage waits to be heard of.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long until another challenge is told to the other gateways.
const TELLING: Duration = Duration::from_secs(1);

/// How far the clocks of gateways may be apart.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

const MOST_RACES: usize = 8;
