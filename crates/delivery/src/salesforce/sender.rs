//! From deliveries to calls: the records of all of them, as few calls as hold them, and what became of each.
//!
//! A call of several records is refused as a whole where one of them cannot even be read, so such a call is halved until
//! the one is alone. What a call leaves to be tried at once (a race for the key, fields that only a new record takes)
//! goes out once more, and only once.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{Clock, DestinationName, Lease};
use tokio::time::Instant;

use super::batch::Batch;
use super::budget;
use super::call::{Call, MOST_RECORDS, Refused, Upserted};
use super::mapping::Record;
use super::refusal::{Class, Refusal};
use super::settings::Settings;
use super::token::{NoSession, Session, Tokens};
use crate::circuit::Health;
use crate::client::{Answer, Client};
use crate::destination::Destination;
use crate::guard::Guard;
use crate::response::{Pause, Tried};

/// Writes records to one org.
#[derive(Debug)]
pub(crate) struct Sender {
    name: DestinationName,
    settings: Arc<Settings>,
    timeout: Duration,
    client: Client,
    tokens: Tokens,
}

/// What became of a record in the end.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// It is there.
    Done(Upserted),
    /// Salesforce said no.
    Refused(Refusal),
    /// Nobody said anything.
    Failed(Tried),
}

/// Records that are to be tried, by their places in the batch.
struct Task {
    places: Vec<usize>,
    /// For the second time after a race.
    again: bool,
    /// Without the fields that only a new record takes.
    stripped: bool,
}

/// What a call came to.
struct Called {
    read: Result<Vec<Result<Upserted, Refusal>>, Refused>,
    pause: Option<Pause>,
}

impl Sender {
    pub(crate) fn new(
        destination: &Destination,
        settings: Arc<Settings>,
        client: Client,
        guard: Arc<Guard>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (login, loopback) = (destination.url.clone(), destination.allow_loopback);
        let tokens = Tokens::new(settings.grant.clone(), login, guard, loopback, clock);
        Self { name: destination.name.clone(), settings, timeout: destination.timeout, client, tokens }
    }

    /// Tries deliveries together, and says what came of each, in their order.
    pub(crate) async fn send_all(&self, leases: &[Lease]) -> Vec<Tried> {
        let deadline = Instant::now() + self.timeout;
        let batch = Batch::of(leases.iter().map(|lease| self.settings.mapping.apply(&lease.event)));
        let (fates, pause) = self.upsert(&batch.records(), deadline).await;
        batch.judge(&fates, pause)
    }

    /// Writes records, and says what became of each; the pause is what is left of the day's budget asking for one.
    async fn upsert(&self, records: &[&Record], deadline: Instant) -> (Vec<Fate>, Option<Pause>) {
        let unreached = Tried::failed("there was no time left for it", Health::Untold);
        let mut fates = vec![Fate::Failed(unreached); records.len()];
        let places: Vec<usize> = (0..records.len()).collect();
        let first = |places: &[usize]| Task { places: places.to_vec(), again: false, stripped: false };
        let mut tasks: Vec<Task> = places.chunks(MOST_RECORDS).rev().map(first).collect();
        let mut pause = None;
        while let Some(task) = tasks.pop() {
            let call = Call {
                settings: &self.settings,
                records: task.places.iter().filter_map(|place| records.get(*place).copied()).collect(),
                stripped: task.stripped,
            };
            match self.call(&call, deadline).await {
                Ok(called) => {
                    pause = called.pause.or(pause);
                    match called.read {
                        Ok(results) => self.note(&task, results, &mut fates, &mut tasks),
                        Err(Refused::Whole(refusal)) => {
                            if !whole(task, &refusal, &mut fates, &mut tasks) {
                                break;
                            }
                        }
                        Err(Refused::Unread(words)) => {
                            let failed = Fate::Failed(Tried::failed(words, Health::Failing));
                            set(&task, &failed, &mut fates);
                        }
                    }
                }
                // Whatever keeps this call from being made keeps the others from it too.
                Err(stop) => {
                    set(&task, &stop, &mut fates);
                    tasks.iter().for_each(|task| set(task, &stop, &mut fates));
                    break;
                }
            }
        }
        (fates, pause)
    }

    /// Notes what became of each record of a call, and what is to be tried again at once.
    fn note(
        &self,
        task: &Task,
        results: Vec<Result<Upserted, Refusal>>,
        fates: &mut [Fate],
        tasks: &mut Vec<Task>,
    ) {
        let (mut again, mut strip) = (Vec::new(), Vec::new());
        for (place, result) in task.places.iter().copied().zip(results) {
            let fate = match result {
                Ok(done) => {
                    if task.stripped && done.created {
                        tracing::warn!(code = "salesforce.fields_left_out", destination = %self.name,
                            "a record was made without fields that this user may not write");
                    }
                    Fate::Done(done)
                }
                Err(refusal) => {
                    match refusal.class() {
                        Class::Again if !task.again => again.push(place),
                        Class::Strip if !task.stripped => strip.push(place),
                        _ => {}
                    }
                    Fate::Refused(refusal)
                }
            };
            if let Some(kept) = fates.get_mut(place) {
                *kept = fate;
            }
        }
        for (places, again, stripped) in [(again, true, task.stripped), (strip, task.again, true)] {
            if !places.is_empty() {
                tasks.push(Task { places, again, stripped });
            }
        }
    }

    /// Makes a call; with a new token, where the old one is refused.
    async fn call(&self, call: &Call<'_>, deadline: Instant) -> Result<Called, Fate> {
        let session = self.session(None, deadline).await?;
        let called = self.call_as(&session, call, deadline).await?;
        if !is_stale(&called) {
            return Ok(called);
        }
        let renewed = self.session(Some(&session), deadline).await?;
        let called = self.call_as(&renewed, call, deadline).await?;
        if is_stale(&called) {
            self.tokens.forget(&renewed);
        }
        Ok(called)
    }

    async fn call_as(&self, session: &Session, call: &Call<'_>, deadline: Instant) -> Result<Called, Fate> {
        let unfit = || Fate::Failed(Tried::failed("the call cannot be put into a request", Health::Untold));
        let request = call.request(session).ok_or_else(unfit)?;
        let answer: Answer =
            self.client.exchange(request, MOST_ANSWER, deadline).await.map_err(Fate::Failed)?;
        let pause = budget::pause(&answer.headers, self.settings.api_reserve);
        Ok(Called { read: call.read(&answer), pause })
    }

    async fn session(&self, stale: Option<&Arc<Session>>, deadline: Instant) -> Result<Arc<Session>, Fate> {
        self.tokens.session(&self.client, stale, deadline).await.map_err(|why| match why {
            NoSession::Failed(tried) => Fate::Failed(tried),
            NoSession::Refused(refusal) => Fate::Refused(refusal),
        })
    }
}

/// Notes that a call was refused as a whole. Answers whether the other tasks have any hope.
fn whole(task: Task, refusal: &Refusal, fates: &mut [Fate], tasks: &mut Vec<Task>) -> bool {
    set(&task, &Fate::Refused(refusal.clone()), fates);
    match refusal.class() {
        Class::Again if !task.again => tasks.push(Task { again: true, ..task }),
        Class::Strip if !task.stripped => tasks.push(Task { stripped: true, ..task }),
        Class::Reject if task.places.len() > 1 => {
            let (left, right) = task.places.split_at(task.places.len() / 2);
            for places in [right, left] {
                tasks.push(Task { places: places.to_vec(), ..task });
            }
        }
        Class::Pause(_) => {
            tasks.iter().for_each(|other| set(other, &Fate::Refused(refusal.clone()), fates));
            return false;
        }
        _ => {}
    }
    true
}

fn set(task: &Task, fate: &Fate, fates: &mut [Fate]) {
    for place in &task.places {
        if let Some(kept) = fates.get_mut(*place) {
            *kept = fate.clone();
        }
    }
}

fn is_stale(called: &Called) -> bool {
    matches!(&called.read, Err(Refused::Whole(refusal)) if refusal.is_stale_session())
}

/// The longest answer: 200 records, each with an error of some length.
const MOST_ANSWER: usize = 1024 * 1024;
