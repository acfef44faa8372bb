//! Does what falls due: one task that owns the order of things.
//!
//! While the clock runs, whatever is due begins at once, up to a number of things at a time. When the clock is turned,
//! everything between then and now is done first, moment by moment: the tasks of one moment run side by side, and what
//! comes of them is written down in their order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::agenda::Task;
use super::client::Fault;
use super::clock::later;
use super::crc::{Challenge, CrcReason};
use super::delivery::{Attempted, Outgoing};
use super::ids::WebhookId;
use super::state::World;

/// Turn the clock by this much, and say when it is done.
pub(super) type Turn = (Duration, oneshot::Sender<()>);

/// The task.
#[derive(Debug)]
pub(super) struct Driver {
    world: Arc<World>,
    turns: mpsc::Receiver<Turn>,
    under_way: JoinSet<(u64, Done)>,
    /// Numbers the tasks that begin.
    begun: u64,
}

/// Something to send, and what it is for.
#[derive(Debug)]
enum Work {
    Challenge { webhook: WebhookId, url: String, reason: CrcReason, challenge: Challenge },
    Attempt(Outgoing),
    Replay { webhook: WebhookId, next: Vec<Outgoing> },
}

/// What came of it.
#[derive(Debug)]
enum Done {
    Challenge {
        webhook: WebhookId,
        url: String,
        reason: CrcReason,
        signed: bool,
        expected: String,
        answer: Result<Response<Bytes>, Fault>,
    },
    Attempt(Attempted),
    Replay {
        webhook: WebhookId,
        attempts: Vec<Attempted>,
    },
}

impl Driver {
    pub(super) fn new(world: Arc<World>, turns: mpsc::Receiver<Turn>) -> Self {
        Self { world, turns, under_way: JoinSet::new(), begun: 0 }
    }

    /// Works until it is stopped; what is under way then is given up.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.work()).await;
    }

    async fn work(&mut self) {
        loop {
            let pause = self.begin_what_is_due();
            let world = Arc::clone(&self.world);
            tokio::select! {
                turn = self.turns.recv() => {
                    let Some((by, done)) = turn else { return };
                    self.turn(by).await;
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
                Some(finished) = self.under_way.join_next() => {
                    if let Ok((_, done)) = finished {
                        self.apply(done);
                    }
                }
                () = world.changed.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// With a clock that runs: begins everything that is due, and tells how long nothing else will be.
    fn begin_what_is_due(&mut self) -> Duration {
        if !self.world.clock.runs() {
            return LONG;
        }
        let most = self.world.options.delivery.connections.max(1);
        while self.under_way.len() < most {
            let room = most - self.under_way.len();
            let Some((_, tasks)) = self.take(self.world.now(), room) else { break };
            tasks.into_iter().for_each(|task| self.begin(task));
        }
        if self.under_way.len() >= most {
            // Something has to finish first, and that wakes us.
            return LONG;
        }
        let next = self.world.lock().agenda.next_due();
        let until =
            next.map(|due| Duration::try_from(due.duration_since(self.world.now())).unwrap_or_default());
        until.unwrap_or(LONG).min(LONG)
    }

    /// Does everything until that time, and turns the clock as it goes.
    async fn turn(&mut self, by: Duration) {
        while let Some(finished) = self.under_way.join_next().await {
            if let Ok((_, done)) = finished {
                self.apply(done);
            }
        }
        let target = later(self.world.now(), by);
        let most = self.world.options.delivery.connections.max(1);
        while let Some((moment, tasks)) = self.take(target, most) {
            self.world.clock.turn_to(moment);
            tasks.into_iter().for_each(|task| self.begin(task));
            let mut finished = Vec::new();
            while let Some(done) = self.under_way.join_next().await {
                finished.extend(done);
            }
            finished.sort_unstable_by_key(|(number, _)| *number);
            finished.into_iter().for_each(|(_, done)| self.apply(done));
        }
        self.world.clock.turn_to(target);
    }

    fn take(&self, until: Timestamp, most: usize) -> Option<(Timestamp, Vec<Task>)> {
        self.world.lock().agenda.take(until, most)
    }

    /// Begins a task, unless there is nothing to send for it.
    fn begin(&mut self, task: Task) {
        let Some(work) = prepare(&self.world, task) else { return };
        let world = Arc::clone(&self.world);
        let number = self.begun;
        self.begun += 1;
        self.under_way.spawn(async move { (number, perform(&world, work).await) });
    }

    fn apply(&self, done: Done) {
        let now = self.world.now();
        let mut state = self.world.lock();
        match done {
            Done::Challenge { webhook, url, reason, signed, expected, answer } => {
                let verdict = Challenge::judge(&expected, &answer);
                state.challenged(Some(webhook), url, reason, signed, &verdict, now);
            }
            Done::Attempt(attempt) => {
                state.attempted(&attempt, now);
            }
            Done::Replay { webhook, attempts } => state.replayed(webhook, &attempts, now),
        }
    }
}

fn prepare(world: &World, task: Task) -> Option<Work> {
    let now = world.now();
    let mut guard = world.lock();
    let state = &mut *guard;
    match task {
        Task::Expire { webhook, epoch } => {
            if state.webhooks.get(&webhook).is_some_and(|webhook| webhook.epoch == epoch) {
                state.turn(webhook, false, "no challenge was answered for more than 28 hours", now);
            }
            None
        }
        Task::Challenge { webhook: id, epoch, reason } => {
            let webhook = state.webhooks.get(&id)?;
            // A check that was asked for stands, whatever was planned since.
            if webhook.epoch != epoch && !reason.is_manual() {
                return None;
            }
            let url = webhook.url.clone();
            let sign = if reason.is_manual() {
                world.options.crc.sign_manual
            } else {
                world.options.crc.sign_periodic
            };
            let challenge = state.challenge(&url, sign, now)?;
            Some(Work::Challenge { webhook: id, url, reason, challenge })
        }
        Task::Attempt { delivery } => state.outgoing(delivery, false).map(Work::Attempt),
        Task::Replay { webhook } => {
            let next = state.replay_next(webhook, world.options.delivery.connections.max(1));
            Some(Work::Replay { webhook, next })
        }
    }
}

async fn perform(world: &World, work: Work) -> Done {
    match work {
        Work::Challenge { webhook, url, reason, challenge } => {
            let signed = challenge.signed;
            let (request, expected) = challenge.into_parts();
            let answer = world.client.send(request, world.options.crc.timeout).await;
            Done::Challenge { webhook, url, reason, signed, expected, answer }
        }
        Work::Attempt(outgoing) => Done::Attempt(attempt(world, outgoing).await),
        Work::Replay { webhook, next } => {
            let attempts = next.into_iter().map(|outgoing| attempt(world, outgoing));
            Done::Replay { webhook, attempts: futures_util::future::join_all(attempts).await }
        }
    }
}

async fn attempt(world: &World, outgoing: Outgoing) -> Attempted {
    let Outgoing { number, attempt, purpose, request } = outgoing;
    Attempted { number, attempt, purpose, answer: send(world, request).await }
}

async fn send(world: &World, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
    world.client.send(request, world.options.delivery.timeout).await
}

/// Nothing is due for a while; whatever is put on the agenda wakes the driver.
const LONG: Duration = Duration::from_secs(3600);

/// How many turns may wait; whoever asks for more waits too.
pub(super) const TURNS: usize = 16;
