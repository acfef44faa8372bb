//! One webhook's healing and back-filling, run.
//!
//! [`Caretaker::run`] is one task per source. It knows the platform and the URL's prober by their traits, the store by
//! [`Keeper`], and what happens to the server by [`Signal`]s.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hookhouse_core::{Clock, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::backfill::{self, Backfill, Progress};
use crate::deed::Deed;
use crate::heal::{self, Effects, Healer, Health, Policy};
use crate::platform::Platform;
use crate::probe::Prober;
use crate::window::Window;

/// What happens to the server that the caretaker must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// X challenged the endpoint, and was answered. Our own challenges ([`PROBE_AGENT`](crate::probe::PROBE_AGENT)) are
    /// none of X's.
    Challenged(Timestamp),
    /// The endpoint was out of reach, or could not store what came.
    Outage(Window),
    /// X posted a `replay_job_status`.
    ReplayEnded {
        /// The job.
        job: String,
        /// Whether it is `Complete`.
        complete: bool,
    },
    /// Somebody wants the webhook to be looked at and challenged now.
    Look,
}

/// Keeps what must outlive the process, and hears what is done.
#[async_trait]
pub trait Keeper: fmt::Debug + Send + Sync + 'static {
    /// What was kept, if anything was.
    async fn load(&self) -> Option<Vec<u8>>;

    /// Keeps this instead. A failure is the keeper's to report: the caretaker goes on from memory.
    async fn save(&self, state: Vec<u8>);

    /// What a signal said was taken in, and has been given to [`save`](Self::save): it need not be said again.
    async fn heard(&self, signal: &Signal) {
        let _ = signal;
    }

    /// Something was done.
    fn done(&self, deed: Deed);
}

/// How a source is, as X sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The webhook.
    pub health: Health,
    /// What was missed.
    pub backfill: Progress,
}

/// Takes care of one webhook.
#[derive(Debug)]
pub struct Caretaker {
    platform: Arc<dyn Platform>,
    prober: Arc<dyn Prober>,
    keeper: Arc<dyn Keeper>,
    clock: Arc<dyn Clock>,
    url: String,
    healer: Healer,
    backfill: Backfill,
    rng: StdRng,
    longest_sleep: Duration,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    healer: String,
    backfill: String,
}

/// What a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Something was done: there may be more.
    Done,
    /// Nothing is to be done before then.
    Rest(Option<Timestamp>),
}

impl Caretaker {
    /// A caretaker that goes on where the last one for this URL stopped.
    pub async fn resume(
        platform: Arc<dyn Platform>,
        prober: Arc<dyn Prober>,
        keeper: Arc<dyn Keeper>,
        clock: Arc<dyn Clock>,
        url: String,
        policy: Policy,
    ) -> Self {
        let now = clock.now();
        let saved = keeper.load().await.and_then(|saved| serde_json::from_slice::<Saved>(&saved).ok());
        let (healer, backfill) = match saved {
            Some(saved) => (
                Healer::resume(policy, url.clone(), saved.healer.as_bytes(), now),
                Backfill::resume(saved.backfill.as_bytes()),
            ),
            None => (Healer::new(policy, url.clone(), now), Backfill::default()),
        };
        let (rng, longest_sleep) = (StdRng::from_os_rng(), LONGEST_SLEEP);
        Self { platform, prober, keeper, clock, url, healer, backfill, rng, longest_sleep }
    }

    /// Looks at the clock at least this often: for a clock that is turned.
    #[must_use]
    pub fn napping(self, longest_sleep: Duration) -> Self {
        Self { longest_sleep, ..self }
    }

    /// How the webhook is.
    #[must_use]
    pub fn report(&self) -> Report {
        Report { health: self.healer.health(self.clock.now()), backfill: self.backfill.progress() }
    }

    /// Heals and fills until nobody can signal any more. Every change is told to `reports`.
    ///
    /// A full queue of signals is the sender's to judge: challenges come again, outages and ends of replays do not.
    /// Cancelling is safe at any point: what is kept is whole, and a job that was not noted is asked for again.
    pub async fn run(mut self, mut signals: mpsc::Receiver<Signal>, reports: watch::Sender<Report>) {
        reports.send_replace(self.report());
        loop {
            let rest = match self.turn().await {
                Turn::Done => {
                    self.keep().await;
                    reports.send_replace(self.report());
                    // Signals are heard between any two calls.
                    match signals.try_recv() {
                        Ok(signal) => self.take_in(signal, &reports).await,
                        Err(mpsc::error::TryRecvError::Empty) => {}
                        Err(mpsc::error::TryRecvError::Disconnected) => return,
                    }
                    continue;
                }
                Turn::Rest(until) => self.pause(until),
            };
            tokio::select! {
                signal = signals.recv() => {
                    let Some(signal) = signal else { return };
                    self.take_in(signal, &reports).await;
                }
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    async fn take_in(&mut self, signal: Signal, reports: &watch::Sender<Report>) {
        self.hear(signal.clone());
        self.keep().await;
        self.keeper.heard(&signal).await;
        reports.send_replace(self.report());
    }

    /// How long to sleep: never for long at once, because the clock may be set and the machine may sleep.
    fn pause(&self, until: Option<Timestamp>) -> Duration {
        let left = until.map(|until| until.duration_since(self.clock.now()));
        left.map_or(self.longest_sleep, |left| {
            if left.is_positive() { left.unsigned_abs().min(self.longest_sleep) } else { SHORTEST_SLEEP }
        })
    }

    fn hear(&mut self, signal: Signal) {
        let now = self.clock.now();
        match signal {
            Signal::Challenged(at) => self.healer.challenged(at),
            Signal::Outage(window) => {
                self.backfill.interrupted();
                self.backfill.missed(window, now);
                self.healer.interrupted(now);
            }
            Signal::ReplayEnded { job, complete } => {
                let deeds = self.backfill.ended(&job, complete, now);
                self.tell(deeds);
            }
            Signal::Look => self.healer.interrupted(now),
        }
    }

    /// At most one call.
    async fn turn(&mut self) -> Turn {
        let now = self.clock.now();
        let rest = match self.healer.next(now) {
            heal::Step::Wait(until) => until,
            step => {
                self.heal(step).await;
                return Turn::Done;
            }
        };
        // Until X calls the webhook valid nothing can be sent again, and how much was missed is not known. The healer
        // has its own pace.
        if !self.healer.is_settled() {
            return Turn::Rest(Some(rest));
        }
        let (step, deeds) = self.backfill.next(now);
        let changed = !deeds.is_empty();
        self.tell(deeds);
        match step {
            backfill::Step::Idle if changed => Turn::Done,
            backfill::Step::Idle => Turn::Rest(Some(rest)),
            backfill::Step::Wait(_) if changed => Turn::Done,
            backfill::Step::Wait(until) => Turn::Rest(Some(rest.min(until))),
            backfill::Step::Heal => {
                self.backfill.healed();
                Turn::Done
            }
            backfill::Step::Replay(slice) => {
                let Some(webhook) = self.healer.webhook().cloned() else { return Turn::Rest(Some(rest)) };
                let answer = self.platform.replay(&webhook, slice.from, slice.to).await;
                let now = self.clock.now();
                let deeds = self.backfill.asked(slice, answer.as_ref(), now, &mut self.rng);
                if self.backfill.needs_healing() {
                    self.healer.doubted(now);
                }
                self.tell(deeds);
                Turn::Done
            }
        }
    }

    async fn heal(&mut self, step: heal::Step) {
        let effects = match step {
            heal::Step::Wait(_) => Effects::default(),
            heal::Step::Look => {
                let found = self.platform.webhooks().await;
                self.healer.looked(found.as_deref(), self.clock.now(), &mut self.rng)
            }
            heal::Step::Probe => {
                let probed = self.prober.probe(&self.url).await;
                self.healer.probed(probed.as_ref().map(|_| ()), self.clock.now(), &mut self.rng)
            }
            heal::Step::Validate(webhook) => {
                let asked = self.platform.validate(&webhook).await;
                self.healer.validated(asked.as_ref().copied(), self.clock.now(), &mut self.rng)
            }
            heal::Step::Register => {
                let asked = self.platform.create(&self.url).await;
                self.healer.registered(asked.as_ref(), self.clock.now(), &mut self.rng)
            }
        };
        if let Some(gap) = effects.gap {
            self.backfill.missed(gap, self.clock.now());
        }
        self.tell(effects.deeds);
    }

    fn tell(&self, deeds: Vec<Deed>) {
        for deed in deeds {
            self.keeper.done(deed);
        }
    }

    async fn keep(&self) {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_default();
        let saved = Saved { healer: text(self.healer.saved()), backfill: text(self.backfill.saved()) };
        if let Ok(bytes) = serde_json::to_vec(&saved) {
            self.keeper.save(bytes).await;
        }
    }
}

/// The machine may sleep, and its clock may be set, without telling a timer.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// A moment that has come already.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
