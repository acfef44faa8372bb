//! Looks after the webhooks that X calls: who challenged them and when, whether this server was away, and, where a
//! source heals, a [`Caretaker`] that has X validate and replay.
//!
//! ```text
//! notices ──▶ Watching ──▶ Ward (one per X source) ──signals──▶ Caretaker ──▶ X
//! heartbeat ──▶ outages ──────────┘      └──▶ health: API, metrics, log
//! ```
//!
//! Where several gateways share the store, one of them heals a source at a time (`shared`), and all of them show the same.
//!
//! Nothing here stands between a request and its answer: a notice costs a lock that is held for a few assignments.

mod challenge;
mod heartbeat;
mod keeper;
mod mailbox;
mod shared;
mod watching;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookhouse_core::{Clock, EventStore, Observer, SourceName, Timestamp};
use hookhouse_verify::sign::Signer;
use hookhouse_x::heal::Policy;
use hookhouse_x::probe::{CrcProber, ProbeKey};
use hookhouse_x::{Caretaker, Client, Platform, Report, Signal};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Source;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;

use keeper::StoreKeeper;
use shared::{SharedRound, follow_challenges};

pub use challenge::{Challenge, Challenges};
pub(crate) use watching::{PROBE, Watching};

/// How often things are looked at. Tests that turn a clock look more often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Between two signs of life of the server.
    pub beat: Duration,
    /// A silence that X's own retries outlast: they come at once, after 3 s and after 27 s more.
    pub harmless: Duration,
    /// The longest that a caretaker sleeps at once.
    pub nap: Duration,
    /// How often, and how much, X is asked.
    pub policy: Policy,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(30),
            harmless: Duration::from_mins(2),
            nap: Duration::from_mins(1),
            policy: Policy::default(),
        }
    }
}

/// How a webhook is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebhookView {
    /// What X calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The challenges that were answered.
    pub challenges: Challenges,
    /// When X calls the webhook invalid unless a challenge is answered before, as far as the last one tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidated_at: Option<Timestamp>,
    /// What somebody should look at.
    pub alerts: Vec<String>,
    /// What the caretaker knows, where the source heals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// What was done last, the newest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub deeds: VecDeque<DeedView>,
}

/// Something that was done for a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeedView {
    /// When.
    pub at: Timestamp,
    /// What, in a line.
    pub deed: String,
    /// Whether somebody should look.
    pub trouble: bool,
}

/// Everything that is looked after.
#[derive(Debug)]
pub(crate) struct Care {
    wards: HashMap<SourceName, Ward>,
    clock: Arc<dyn Clock>,
    /// The last sign of life.
    alive: Arc<watch::Sender<Option<Timestamp>>>,
    /// A challenge was answered: others may want to know.
    challenged: Notify,
    /// Ends it, when the process stops or another care begins.
    stop: CancellationToken,
    /// What runs, to be waited for.
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Caretakers that have not begun, with what they hear and to whom they tell.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Vec<Round>);

#[derive(Debug)]
struct Round {
    caretaker: Caretaker,
    making: Making,
    heard: mpsc::Receiver<Signal>,
    told: watch::Sender<Report>,
}

/// What a caretaker is made of, as often as one is.
#[derive(Debug)]
struct Making {
    source: SourceName,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    platform: Arc<dyn Platform>,
    prober: Arc<CrcProber>,
    url: String,
    pace: Pace,
}

/// One source of X.
#[derive(Debug)]
struct Ward {
    url: Option<String>,
    /// Shared with whoever looked after the source before.
    record: Arc<Mutex<Record>>,
    signals: Option<mpsc::Sender<Signal>>,
    report: Option<watch::Receiver<Report>>,
}

/// What is known of a source beside what its caretaker knows.
#[derive(Debug)]
struct Record {
    challenges: Challenges,
    /// Whether there is something to keep.
    changed: bool,
    deeds: VecDeque<DeedView>,
}

impl Ward {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What care is made of.
pub(crate) struct CareParts<'a> {
    pub(crate) sources: &'a [Arc<Source>],
    pub(crate) store: &'a Arc<dyn EventStore>,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) observer: &'a Arc<dyn Observer>,
    pub(crate) metrics: &'a Arc<Metrics>,
    pub(crate) lifecycle: &'a Lifecycle,
    pub(crate) pace: Pace,
}

impl Care {
    /// Gets ready to look after the sources of X, where there are any. What was known before is known again, and from
    /// here on nothing is missed.
    pub(crate) async fn prepare(parts: &CareParts<'_>, former: Option<&Self>) -> (Arc<Self>, Rounds) {
        let mut wards = HashMap::new();
        let mut caretakers = Vec::new();
        for source in parts.sources.iter().filter(|source| source.provider == "x") {
            let url = source.public_url.as_ref().map(|url| format!("{url}{}", source.path));
            let record = match former.and_then(|former| former.wards.get(&source.name)) {
                Some(ward) => Arc::clone(&ward.record),
                None => {
                    let challenges = challenge::load(&**parts.store, &source.name, parts.clock.now()).await;
                    Arc::new(Mutex::new(Record { challenges, changed: false, deeds: VecDeque::new() }))
                }
            };
            let last = record.lock().unwrap_or_else(PoisonError::into_inner).challenges.last.clone();
            if let Some(last) = last {
                parts.metrics.challenge_seen(&source.name, last.at);
            }
            let mut ward = Ward { url, record, signals: None, report: None };
            if let Some(making) = Making::of(parts, source, ward.url.as_deref()) {
                let caretaker = making.caretaker(Arc::new(making.keeper())).await;
                let (signals, heard) = mpsc::channel(SIGNALS);
                let (told, report) = watch::channel(caretaker.report());
                (ward.signals, ward.report) = (Some(signals), Some(report));
                caretakers.push(Round { caretaker, making, heard, told });
            }
            wards.insert(source.name.clone(), ward);
        }
        let care = Arc::new(Self {
            wards,
            clock: Arc::clone(parts.clock),
            alive: former.map_or_else(Arc::default, |former| Arc::clone(&former.alive)),
            challenged: Notify::new(),
            stop: parts.lifecycle.soft.child_token(),
            tasks: Mutex::default(),
        });
        (care, Rounds(caretakers))
    }

    /// Begins to do something. What is asked of X, X asks of us, so the listeners must take requests by now.
    pub(crate) async fn begin(self: &Arc<Self>, rounds: Rounds, parts: &CareParts<'_>) {
        let is_shared = parts.store.is_shared();
        for Round { caretaker, making, heard, told } in rounds.0 {
            let stop = self.stop.clone();
            self.keep(if is_shared {
                let round = SharedRound { care: Arc::clone(self), making, told: Arc::new(told) };
                parts.lifecycle.tracker.spawn(round.run(heard, stop))
            } else {
                let running = caretaker.run(heard, told);
                parts.lifecycle.tracker.spawn(async move {
                    stop.run_until_cancelled_owned(running).await;
                })
            });
        }
        for source in self.wards.keys().filter(|_| is_shared) {
            let (stop, care) = (self.stop.clone(), Arc::clone(self));
            let (store, metrics) = (Arc::clone(parts.store), Arc::clone(parts.metrics));
            let following = follow_challenges(care, source.clone(), store, metrics);
            self.keep(parts.lifecycle.tracker.spawn(async move {
                stop.run_until_cancelled_owned(following).await;
            }));
        }
        if !self.wards.is_empty() {
            heartbeat::begin(self, parts).await;
        }
    }

    /// Ends it, before another care begins: of two caretakers of one webhook, each would undo what the other does.
    pub(crate) async fn end(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // One that panicked has ended too.
            let _ = task.await;
        }
    }

    fn keep(&self, task: JoinHandle<()>) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// How the webhook of a source is; `None` where X does not call it.
    pub(crate) fn view(&self, source: &SourceName) -> Option<WebhookView> {
        let ward = self.wards.get(source)?;
        let report = ward.report.as_ref().map(|report| report.borrow().clone());
        let record = ward.record();
        let challenges = record.challenges.clone();
        Some(WebhookView {
            url: ward.url.clone(),
            invalidated_at: challenges.invalidated_at(),
            alerts: alerts(&challenges, report.as_ref(), self.clock.now()),
            challenges,
            report,
            deeds: record.deeds.clone(),
        })
    }

    /// Has the caretaker of a source look at its webhook now. Answers whether there is one.
    pub(crate) async fn look(&self, source: &SourceName) -> bool {
        match self.wards.get(source).and_then(|ward| ward.signals.as_ref()) {
            Some(signals) => signals.send(Signal::Look).await.is_ok(),
            None => false,
        }
    }

    fn note(&self, source: &SourceName, deed: DeedView) {
        let Some(ward) = self.wards.get(source) else { return };
        let mut record = ward.record();
        record.deeds.push_front(deed);
        record.deeds.truncate(MOST_DEEDS);
    }
}

impl Making {
    /// Of a source that heals.
    fn of(parts: &CareParts<'_>, source: &Arc<Source>, url: Option<&str>) -> Option<Self> {
        let (api, url) = (source.api.as_ref().filter(|_| source.heal)?, url?);
        let signing = source.signer.as_ref()?;
        let transport = hookhouse_x::Transport::system();
        let clock = parts.clock;
        let client =
            Client::new(api.base.clone(), api.credentials.clone(), transport.clone(), Arc::clone(clock));
        let key =
            ProbeKey { secret: signing.secret.clone(), oauth2: matches!(signing.signer, Signer::XOauth2) };
        Some(Self {
            source: source.name.clone(),
            store: Arc::clone(parts.store),
            clock: Arc::clone(clock),
            observer: Arc::clone(parts.observer),
            platform: Arc::new(client),
            prober: Arc::new(CrcProber::new(transport, key, Arc::clone(clock))),
            url: url.to_owned(),
            pace: parts.pace,
        })
    }

    fn keeper(&self) -> StoreKeeper {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        StoreKeeper::new(self.source.clone(), store, clock, Arc::clone(&self.observer))
    }

    /// One that goes on where the last one stopped.
    async fn caretaker(&self, keeper: Arc<StoreKeeper>) -> Caretaker {
        let (platform, prober) = (Arc::clone(&self.platform), Arc::clone(&self.prober));
        let (clock, url, policy) = (Arc::clone(&self.clock), self.url.clone(), self.pace.policy);
        Caretaker::resume(platform, prober, keeper, clock, url, policy).await.napping(self.pace.nap)
    }
}

/// What somebody should look at, in words.
fn alerts(challenges: &Challenges, report: Option<&Report>, now: Timestamp) -> Vec<String> {
    let known = report.map(|report| report.health.alerts.as_slice()).unwrap_or_default();
    let mut alerts: Vec<_> = known.iter().map(ToString::to_string).collect();
    if report.is_none() {
        alerts.extend(challenges.alert(now).map(|alert| alert.to_string()));
    }
    alerts
}

/// Signals that may wait for a caretaker that is in the middle of a call. Challenges beyond that are dropped, since
/// X sends more of them; outages and the ends of replays wait.
const SIGNALS: usize = 64;

/// Deeds that are shown.
const MOST_DEEDS: usize = 20;
