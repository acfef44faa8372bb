//! Hears of challenges and of replays that end.

use std::sync::{Arc, PoisonError, RwLock};

use hookhouse_core::{Notice, Observer, SourceName, StoredEvent, Timestamp};
use hookhouse_x::Signal;
use serde::Deserialize;
use tokio::sync::watch;

use super::challenge::Challenge;
use super::{Care, CareParts, DeedView, Rounds, WebhookView};

/// Tells care what it must know, and everything to the next observer.
#[derive(Debug)]
pub(crate) struct Watching {
    /// Care begins after whoever it tells, and anew when its sources change. Held for a few lines.
    care: RwLock<Option<Arc<Care>>>,
    next: Arc<dyn Observer>,
}

impl Watching {
    pub(crate) fn new(next: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self { care: RwLock::default(), next })
    }

    /// Hears for the sources of X from now on.
    pub(crate) async fn prepare(&self, parts: &CareParts<'_>) -> Rounds {
        let (care, rounds) = Care::prepare(parts, None).await;
        self.set(care);
        rounds
    }

    /// Begins to look after them.
    pub(crate) async fn begin(&self, rounds: Rounds, parts: &CareParts<'_>) {
        if let Some(care) = self.care() {
            care.begin(rounds, parts).await;
        }
    }

    /// Looks after these sources from now on. What was heard so far stays known.
    pub(crate) async fn change(&self, parts: &CareParts<'_>) {
        let former = self.care();
        if let Some(former) = &former {
            former.end().await;
        }
        let (care, rounds) = Care::prepare(parts, former.as_deref()).await;
        self.set(Arc::clone(&care));
        care.begin(rounds, parts).await;
    }

    fn care(&self) -> Option<Arc<Care>> {
        self.care.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, care: Arc<Care>) {
        *self.care.write().unwrap_or_else(PoisonError::into_inner) = Some(care);
    }

    /// How the webhook of a source is; `None` where X does not call it.
    pub(crate) fn view(&self, source: &SourceName) -> Option<WebhookView> {
        self.care()?.view(source)
    }

    /// When the server last noted in the store that it is alive, as it goes on; `None` where nobody looks after webhooks.
    pub(crate) fn alive(&self) -> Option<watch::Receiver<Option<Timestamp>>> {
        self.care().map(|care| care.alive.subscribe())
    }

    /// Has the webhook of a source looked at now. Answers whether somebody does.
    pub(crate) async fn look(&self, source: &SourceName) -> bool {
        match self.care() {
            Some(care) => care.look(source).await,
            None => false,
        }
    }
}

impl Observer for Watching {
    fn notice(&self, notice: Notice) {
        if let Some(care) = &*self.care.read().unwrap_or_else(PoisonError::into_inner) {
            care.hear(&notice);
        }
        self.next.notice(notice);
    }
}

impl Care {
    fn hear(&self, notice: &Notice) {
        match notice {
            Notice::Handshake { source, at, key, signed, sent_at, notes, answered, .. } => {
                let Some(ward) = self.wards.get(source) else { return };
                // Our own are none of X's.
                if notes.contains(&PROBE) {
                    return;
                }
                let age_ms = sent_at.map(|sent| at.as_millisecond().saturating_sub(sent.as_millisecond()));
                let took_us = u64::try_from(answered.elapsed.as_micros()).unwrap_or(u64::MAX);
                let challenge = Challenge { at: *at, signed: *signed, key: key.clone(), age_ms, took_us };
                let mut record = ward.record();
                record.challenges.add(challenge);
                record.changed = true;
                drop(record);
                self.challenged.notify_one();
                if let Some(signals) = &ward.signals {
                    // A caretaker with this much to hear will hear of the next one.
                    let _ = signals.try_send(Signal::Challenged(*at));
                }
            }
            Notice::Accepted { event, .. } => self.hear_event(event),
            Notice::Webhook { source, at, deed, trouble } => {
                self.note(source, DeedView { at: *at, deed: deed.clone(), trouble: *trouble });
            }
            _ => {}
        }
    }

    fn hear_event(&self, event: &StoredEvent) {
        let record = event.record();
        if record.event_type.as_deref() != Some("replay_job_status") {
            return;
        }
        let Some(signals) = self.wards.get(&record.source).and_then(|ward| ward.signals.as_ref()) else {
            return;
        };
        let Ok(Control { replay_job_status: ended }) = serde_json::from_slice(event.body()) else { return };
        let complete = ended.job_state == "Complete";
        if signals.try_send(Signal::ReplayEnded { job: ended.job_id, complete }).is_err() {
            tracing::warn!(event = "x.signal_lost", source = %record.source, "the caretaker will ask again");
        }
    }
}

#[derive(Deserialize)]
struct Control {
    replay_job_status: Ended,
}

#[derive(Deserialize)]
struct Ended {
    job_id: String,
    job_state: String,
}

/// What is noted of a challenge that we sent ourselves.
pub(crate) const PROBE: &str = "probe";
