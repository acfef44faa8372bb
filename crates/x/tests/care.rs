//! The caretaker over emulated days, against an X that keeps its own rules and refuses what breaks them.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hookhouse_core::{Clock, Timestamp};
use hookhouse_x::calls::webhooks::{ReplayJob, Webhook};
use hookhouse_x::heal::{Condition, MOST_CALLS_AN_HOUR, Policy};
use hookhouse_x::probe::{ProbeFault, Probed, Prober};
use hookhouse_x::{Caretaker, Deed, Error, Keeper, Minute, Platform, Report, Signal, WebhookId, Window};
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

const URL: &str = "https://hooks.example.com/x";

/// Wall-clock time that goes with the runtime's, which the tests pause.
#[derive(Debug)]
struct PausedClock {
    begun: Instant,
}

impl PausedClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { begun: Instant::now() })
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        start() + SignedDuration::try_from(self.begun.elapsed()).unwrap()
    }
}

fn start() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// X's side: one webhook, one event a minute.
#[derive(Debug)]
struct World {
    valid: bool,
    /// Whether the endpoint answers, and rightly.
    up: bool,
    right: bool,
    signals: Option<mpsc::Sender<Signal>>,
    /// The minutes whose event arrived, live or replayed.
    arrived: BTreeSet<Minute>,
    /// The minutes whose event X tried to send.
    attempted: BTreeSet<Minute>,
    /// A job, what is in it, and when it is done.
    job: Option<(u64, Minute, Minute, Timestamp)>,
    jobs: u64,
    calls: Vec<(Timestamp, &'static str)>,
    /// What of a replay broke a rule.
    refused: Vec<String>,
    last_crc: Timestamp,
}

#[derive(Debug)]
struct X {
    clock: Arc<PausedClock>,
    world: Mutex<World>,
}

impl X {
    fn new(clock: &Arc<PausedClock>) -> Arc<Self> {
        let world = World {
            valid: true,
            up: true,
            right: true,
            signals: None,
            arrived: BTreeSet::new(),
            attempted: BTreeSet::new(),
            job: None,
            jobs: 0,
            calls: Vec::new(),
            refused: Vec::new(),
            last_crc: start(),
        };
        Arc::new(Self { clock: Arc::clone(clock), world: Mutex::new(world) })
    }

    fn with<T>(&self, change: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        change(&mut self.world.lock().unwrap(), self.clock.now())
    }

    fn note(&self, call: &'static str) {
        self.with(|world, now| world.calls.push((now, call)));
    }

    /// What happens at X every minute.
    fn minute(&self) {
        self.with(|world, now| {
            let minute = Minute::of(now);
            if world.valid {
                world.attempted.insert(minute);
                if world.up {
                    world.arrived.insert(minute);
                }
            }
            if now.duration_since(world.last_crc) >= SignedDuration::from_hours(24) {
                world.challenge(now);
            }
            if world.valid && now.duration_since(world.last_crc) >= SignedDuration::from_hours(28) {
                world.valid = false;
            }
            if let Some((number, from, to, done)) = world.job
                && done <= now
            {
                world.job = None;
                let inside: Vec<_> = world.attempted.range(from..to).copied().collect();
                // Nothing is retried inside a replay.
                if world.up {
                    world.arrived.extend(inside);
                    world.send(Signal::ReplayEnded { job: number.to_string(), complete: true });
                }
            }
        });
    }
}

impl World {
    /// A wrong answer invalidates at once, silence after a while.
    fn challenge(&mut self, now: Timestamp) {
        if self.up && self.right {
            (self.valid, self.last_crc) = (true, now);
            self.send(Signal::Challenged(now));
        } else if self.up {
            self.valid = false;
        }
    }

    fn send(&self, signal: Signal) {
        if let Some(signals) = &self.signals {
            signals.try_send(signal).expect("the queue is long enough");
        }
    }

    /// The most calls in any hour.
    fn rush(&self) -> usize {
        let within = |from: Timestamp| {
            self.calls
                .iter()
                .filter(|(at, _)| *at >= from && *at < from + SignedDuration::from_hours(1))
                .count()
        };
        self.calls.iter().map(|(at, _)| within(*at)).max().unwrap_or(0)
    }
}

#[async_trait]
impl Platform for X {
    async fn webhooks(&self) -> Result<Vec<Webhook>, Error> {
        self.note("GET");
        let valid = self.with(|world, _| world.valid);
        Ok(vec![Webhook { id: "123".parse().unwrap(), url: URL.to_owned(), valid, created_at: None }])
    }

    async fn create(&self, _: &str) -> Result<Webhook, Error> {
        unreachable!("it is registered")
    }

    async fn validate(&self, _: &WebhookId) -> Result<(), Error> {
        self.note("PUT");
        self.with(|world, now| world.challenge(now));
        Ok(())
    }

    async fn replay(&self, _: &WebhookId, from: Minute, to: Minute) -> Result<ReplayJob, Error> {
        self.note("replay");
        self.with(|world, now| {
            let age = |minute: Minute| now.duration_since(minute.begin());
            let mut refuse = |why: &str| world.refused.push(format!("{why}: {from} to {to} at {now}"));
            if to <= from {
                refuse("reversed");
            } else if age(from) > SignedDuration::from_hours(24) {
                refuse("too old");
            } else if age(from) < SignedDuration::from_mins(31) || age(to) < SignedDuration::from_mins(10) {
                refuse("too young");
            }
            if world.job.is_some() {
                return Err(Error::ReplayConflict { detail: "a job runs".to_owned() });
            }
            world.challenge(now);
            if !(world.up && world.right) {
                return Err(Error::CrcFailed { detail: "Invalid response_token".to_owned() });
            }
            world.jobs += 1;
            world.job = Some((world.jobs, from, to, now + SignedDuration::from_mins(3)));
            Ok(ReplayJob { job_id: world.jobs.to_string().parse().unwrap(), created_at: None })
        })
    }
}

/// Our own challenge finds what X's would.
#[async_trait]
impl Prober for X {
    async fn probe(&self, _: &str) -> Result<Probed, ProbeFault> {
        self.with(|world, _| match (world.up, world.right) {
            (true, true) => Ok(Probed { took: Duration::ZERO }),
            (true, false) => Err(ProbeFault::WrongToken),
            (false, _) => Err(ProbeFault::Status { status: 502 }),
        })
    }
}

/// A store that outlives the caretaker.
#[derive(Debug, Default)]
struct Store {
    state: Mutex<Option<Vec<u8>>>,
    deeds: Mutex<Vec<Deed>>,
}

#[async_trait]
impl Keeper for Store {
    async fn load(&self) -> Option<Vec<u8>> {
        self.state.lock().unwrap().clone()
    }

    async fn save(&self, state: Vec<u8>) {
        *self.state.lock().unwrap() = Some(state);
    }

    fn done(&self, deed: Deed) {
        self.deeds.lock().unwrap().push(deed);
    }
}

impl Store {
    fn lines(&self) -> Vec<String> {
        self.deeds.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

struct House {
    clock: Arc<PausedClock>,
    x: Arc<X>,
    store: Arc<Store>,
    running: JoinSet<()>,
    reports: Option<watch::Receiver<Report>>,
}

impl House {
    async fn open() -> Self {
        let clock = PausedClock::new();
        let x = X::new(&clock);
        let mut house = Self { clock, x, store: Arc::default(), running: JoinSet::new(), reports: None };
        house.start().await;
        house
    }

    /// Starts a caretaker where the last one stopped.
    async fn start(&mut self) {
        let (sender, signals) = mpsc::channel(64);
        self.x.with(|world, _| (world.signals, world.up) = (Some(sender), true));
        let caretaker = Caretaker::resume(
            Arc::clone(&self.x) as Arc<dyn Platform>,
            Arc::clone(&self.x) as Arc<dyn Prober>,
            Arc::clone(&self.store) as Arc<dyn Keeper>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            URL.to_owned(),
            Policy::default(),
        )
        .await;
        let (reports, seen) = watch::channel(caretaker.report());
        self.reports = Some(seen);
        self.running.spawn(caretaker.run(signals, reports));
    }

    /// The process is killed.
    fn kill(&mut self) {
        self.running.abort_all();
        self.x.with(|world, _| (world.signals, world.up) = (None, false));
    }

    /// Back again; the server knows from its store when it was last there.
    async fn revive(&mut self, since: Timestamp) {
        self.start().await;
        self.x.with(|world, now| world.send(Signal::Outage(Window::new(since, now).unwrap())));
    }

    async fn pass(&self, minutes: i64) {
        for _ in 0..minutes {
            tokio::time::sleep(Duration::from_secs(60)).await;
            self.x.minute();
        }
    }

    fn report(&self) -> Report {
        self.reports.as_ref().unwrap().borrow().clone()
    }

    /// Nothing that X tried to send is missing, but what is too young to be asked for.
    fn is_whole(&self) {
        self.x.with(|world, now| {
            let old = Minute::of(now).plus(-60);
            let missing: Vec<_> =
                world.attempted.iter().filter(|m| **m < old && !world.arrived.contains(m)).collect();
            assert!(missing.is_empty(), "{missing:?}");
            assert!(world.refused.is_empty(), "{:?}", world.refused);
            assert!(world.rush() <= MOST_CALLS_AN_HOUR, "{}", world.rush());
        });
    }
}

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

#[tokio::test(start_paused = true)]
async fn an_outage_of_hours_is_healed_and_filled() {
    let mut house = House::open().await;
    house.pass(2 * HOUR).await;
    let since = house.clock.now();
    house.kill();
    house.pass(5 * HOUR).await;
    house.revive(since).await;
    house.pass(3 * HOUR).await;
    house.is_whole();
    let lines = house.store.lines();
    assert!(lines[0].starts_with("had X challenge webhook 123: after an outage of our own"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("X replayed ")).count(), 3, "{lines:?}");
    assert_eq!(house.report().backfill.pending, []);
}

#[tokio::test(start_paused = true)]
async fn a_kill_in_the_middle_of_a_replay_loses_nothing() {
    let mut house = House::open().await;
    house.pass(2 * HOUR).await;
    let since = house.clock.now();
    house.kill();
    house.pass(5 * HOUR).await;
    house.revive(since).await;
    house.pass(2).await;
    assert!(house.report().backfill.running.is_some());
    let again = house.clock.now();
    house.kill();
    house.pass(20).await;
    house.revive(again).await;
    house.pass(4 * HOUR).await;
    house.is_whole();
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_explained_while_it_lasts_and_healed_after() {
    let house = House::open().await;
    house.pass(HOUR).await;
    // X challenges while the secret is wrong, and gives the webhook up at once.
    house.x.with(|world, now| {
        world.right = false;
        world.challenge(now);
    });
    house.pass(130).await;
    assert!(matches!(house.report().health.condition, Condition::Invalid { .. }));
    let error = house.report().health.last_error.unwrap();
    assert!(error.contains("a token of another secret"), "{error}");
    house.x.with(|world, _| world.right = true);
    house.pass(2 * HOUR).await;
    assert_eq!(house.report().health.condition, Condition::Valid);
    let lines = house.store.lines();
    assert!(lines.iter().any(|line| line.starts_with("re-validated webhook 123 after 2h")), "{lines:?}");
    // X sent nothing meanwhile, and the window was asked for all the same.
    assert!(lines.iter().any(|line| line.starts_with("X replayed ")), "{lines:?}");
    house.is_whole();
}

#[tokio::test(start_paused = true)]
async fn more_than_a_day_away_is_reported_with_its_window() {
    let mut house = House::open().await;
    house.pass(2 * HOUR).await;
    let since = house.clock.now();
    house.kill();
    house.pass(26 * HOUR).await;
    house.revive(since).await;
    house.pass(4 * HOUR).await;
    let lines = house.store.lines();
    let lost: Vec<_> = lines.iter().filter(|line| line.starts_with("what was missed")).collect();
    assert_eq!(lost.len(), 1, "{lines:?}");
    // X was last seen to be well some minutes before the kill: a quarter of an hour and its jitter at most.
    let [window] = house.report().backfill.lost[..] else { panic!("{lost:?}") };
    let before = since.duration_since(window.from);
    assert!((0..=18).contains(&before.as_mins()), "{window}");
    assert!(
        (0..=10).contains(&(window.to - SignedDuration::from_hours(2)).duration_since(since).as_mins()),
        "{window}"
    );
    house.x.with(|world, _| {
        assert!(world.refused.is_empty(), "{:?}", world.refused);
        let kept = world.attempted.iter().filter(|minute| !world.arrived.contains(minute)).count();
        assert!((120..=170).contains(&kept), "the first hours alone are lost: {kept}");
    });
}

/// Thirty days: challenges on schedule, three outages, an hour of a wrong secret.
#[tokio::test(start_paused = true)]
async fn thirty_days_lose_nothing_and_cost_few_calls() {
    let mut house = House::open().await;
    for (day, hours) in [(4, 3), (11, 9), (20, 1)] {
        let until = day * DAY - Minute::of(start()).until(Minute::of(house.clock.now()));
        house.pass(until).await;
        let since = house.clock.now();
        house.kill();
        house.pass(hours * HOUR).await;
        house.revive(since).await;
    }
    house.pass(2 * DAY).await;
    house.x.with(|world, now| {
        world.right = false;
        world.challenge(now);
    });
    house.pass(HOUR).await;
    house.x.with(|world, _| world.right = true);
    let rest = 30 * DAY - Minute::of(start()).until(Minute::of(house.clock.now()));
    house.pass(rest).await;
    house.is_whole();
    assert_eq!(house.report().health.condition, Condition::Valid);
    assert_eq!(house.report().health.alerts, []);
    house.x.with(|world, _| {
        let count = |call: &str| world.calls.iter().filter(|(_, called)| *called == call).count();
        assert!(count("GET") <= 30 * 110, "{}", count("GET"));
        assert!(count("PUT") <= 30 * 3, "{}", count("PUT"));
        // Slices of two hours: those of the outages, and those since the challenge before the wrong secret, 18 hours at most.
        assert!(count("replay") <= 12 + 9, "{}", count("replay"));
    });
}

#[tokio::test(start_paused = true)]
async fn a_caretaker_ends_with_its_signals() {
    let mut house = House::open().await;
    house.pass(5).await;
    house.x.with(|world, _| world.signals = None);
    tokio::time::timeout(Duration::from_secs(120), house.running.join_next())
        .await
        .expect("it ends by itself");
}

#[tokio::test(start_paused = true)]
async fn somebody_may_ask_for_a_look() {
    let house = House::open().await;
    house.pass(1).await;
    house.x.with(|world, _| world.send(Signal::Look));
    house.pass(1).await;
    house.x.with(|world, _| {
        let calls: Vec<_> = world.calls.iter().map(|(_, call)| *call).collect();
        assert_eq!(calls, ["GET", "GET", "PUT", "GET"]);
    });
}
