//! Moving a log in from another store, once, before any gateway runs.
//!
//! Events come in their order and keep what their ids are made of but their place, so that an event that is there already
//! is known again: a copy that broke off goes on where it stopped. Each stretch of events is one batch, on condition of
//! the place where the last one ended; where anybody else writes, the copy ends and says so. What a delivery is, is
//! written under a subject of its own, and a second time changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hookhouse_core::store::{Revision, StateEntry};
use hookhouse_core::{
    Answer, Attempt, AttemptOutcome, Delivery, DeliveryId, DeliveryState, DestinationName, Edit, EventId,
    EventStore as _, StoreError, StoredEvent,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::exceptions::{EditName, Exception};
use crate::link::{Outgoing, Refused};
use crate::record::{Mark, read_event, write_answer, write_edit, write_event};
use crate::settle::Tried;
use crate::shared::Shared;
use crate::store::JetStreamStore;
use crate::{gateways, streams, subscribe};

/// Where the progress is.
const KEY: &str = "copy";
/// What so many events have beside themselves is written at once.
const AT_ONCE: usize = 32;
/// The place that the stream's last message must have.
const EXPECTED: &str = "Nats-Expected-Last-Sequence";

/// How far a copy has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The first event of the log that is copied.
    pub from: Option<EventId>,
    /// Every event up to this place of that log is copied, with its deliveries.
    pub done: u64,
    /// The place of the last one here.
    pub last: u64,
    /// Where each destination goes on, as far as that is known.
    pub starts: BTreeMap<DestinationName, u64>,
    /// How many events were copied.
    pub events: u64,
    /// How many deliveries that are not done with, in each state.
    pub deliveries: BTreeMap<String, u64>,
    /// How many tries.
    pub attempts: u64,
    /// How many answers to senders.
    pub answers: u64,
    /// Whether that is all.
    pub finished: bool,
}

/// Why a log cannot be moved in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is not empty.
    #[error(
        "the cluster has events that are not of this copy: it must be empty, or have what an earlier copy of the same \
         store left; another `prefix` makes room for another log"
    )]
    NotEmpty,
    /// An earlier copy was of something else.
    #[error("an earlier copy was of another store, whose first event is {0}")]
    OtherLog(EventId),
    /// Somebody works with it.
    #[error("a gateway runs on the cluster: events are copied before the first one is started")]
    InUse,
    /// The cluster does not do what it must.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A log that is moved in.
#[derive(Debug)]
pub struct Import {
    shared: Arc<Shared>,
    progress: Progress,
    revision: Option<Revision>,
    /// There may be events after the last one: an earlier copy broke off before it wrote down how far it was.
    look: bool,
    /// Up to this place an earlier copy has brought events, and perhaps what they have beside themselves.
    recognised: u64,
}

impl JetStreamStore {
    /// Begins to move in the log whose first event is this one, or goes on with it.
    ///
    /// # Errors
    /// When something else is there.
    pub async fn import(&self, from: Option<EventId>) -> Result<Import, ImportError> {
        let shared = Arc::clone(self.shared());
        let is_alone = || shared.alive().gateways.iter().all(|gateway| *gateway == shared.gateway);
        let patience = Instant::now() + shared.options.takeover * 2;
        while !is_alone() {
            // A copy that was killed a moment ago seems to be there for as long as a gateway would.
            if Instant::now() >= patience {
                return Err(ImportError::InUse);
            }
            tokio::time::sleep(gateways::tick(&shared)).await;
            gateways::look(&shared).await?;
        }
        let kept = self.state(KEY).await?;
        let (progress, revision) = match kept {
            Some(StateEntry { value, revision }) => {
                let progress: Progress = serde_json::from_slice(&value).map_err(|error| {
                    StoreError::Read(format!("`{KEY}` is no progress of a copy: {error}"))
                })?;
                if let Some(other) = progress.from.filter(|other| Some(*other) != from) {
                    return Err(ImportError::OtherLog(other));
                }
                (progress, Some(revision))
            }
            None => {
                let last = shared.link.last(&shared.names.events, &shared.names.all_events()).await?;
                if last.is_some() {
                    return Err(ImportError::NotEmpty);
                }
                let last = streams::info(&shared.link, &shared.names.events, None).await?.state.last_seq;
                let progress = Progress {
                    from,
                    done: 0,
                    last,
                    starts: BTreeMap::new(),
                    events: 0,
                    deliveries: BTreeMap::new(),
                    attempts: 0,
                    answers: 0,
                    finished: false,
                };
                (progress, None)
            }
        };
        let mut import = Import { shared, progress, revision, look: true, recognised: 0 };
        if import.revision.is_none() {
            // From here on what is there is this copy's.
            import.keep().await?;
        }
        Ok(import)
    }
}

impl Import {
    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Appends the next events; answers with what they are called here.
    ///
    /// # Errors
    /// When they cannot be, or others are there.
    pub async fn events(&mut self, events: &[Arc<StoredEvent>]) -> Result<Vec<EventId>, ImportError> {
        let mut ids = Vec::new();
        loop {
            if std::mem::take(&mut self.look) {
                self.recognise(events.get(ids.len()..).unwrap_or_default(), &mut ids).await?;
            }
            let rest = events.get(ids.len()..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(ids);
            }
            match self.append(rest, &mut ids).await {
                // Somebody else wrote, or we did and were not told.
                Err(Refused::Conflict) => self.look = true,
                Err(Refused::Store(error)) => return Err(error.into()),
                Ok(()) => {}
            }
        }
    }

    async fn append(&mut self, events: &[Arc<StoredEvent>], ids: &mut Vec<EventId>) -> Result<(), Refused> {
        let Shared { link, names, .. } = &*self.shared;
        let message = |(n, event): (usize, &Arc<StoredEvent>)| {
            let subject = names.event(&event.record().source);
            let message = Outgoing::new(subject, write_event(event.record(), mark(event.id())));
            if n == 0 { message.with(EXPECTED, &self.progress.last.to_string()) } else { message }
        };
        let mut messages: Vec<_> = events.iter().enumerate().map(message).collect();
        let Some(last) = messages.pop() else { return Ok(()) };
        let ack = link.publish_all(&messages, &last).await?;
        let first = ack.sequence - messages.len() as u64;
        ids.extend((first..).zip(events).filter_map(|(place, event)| mark(event.id()).id(place)));
        self.progress.last = ack.sequence;
        Ok(())
    }

    /// Finds those of the next events that are here already.
    async fn recognise(
        &mut self,
        events: &[Arc<StoredEvent>],
        ids: &mut Vec<EventId>,
    ) -> Result<(), ImportError> {
        let Shared { link, names, .. } = &*self.shared;
        let mut events = events.iter();
        while let Some(raw) = link.next(&names.events, &names.all_events(), self.progress.last + 1).await? {
            let Some(next) = events.next() else {
                // More of an earlier copy, which took larger steps.
                self.look = true;
                return Ok(());
            };
            let (found, mark_here) = read_event(raw.sequence, &raw.payload).ok_or(ImportError::NotEmpty)?;
            if mark_here != mark(next.id()) || found.record() != next.record() {
                return Err(ImportError::NotEmpty);
            }
            ids.push(found.id());
            (self.progress.last, self.recognised) = (raw.sequence, raw.sequence);
        }
        // The next one comes after whatever was there and is gone.
        self.progress.last = streams::info(link, &names.events, None).await?.state.last_seq;
        Ok(())
    }

    /// Writes what events have beside themselves, by the names that they have here: deliveries that are not done with,
    /// tries, answers.
    ///
    /// # Errors
    /// When the cluster does not take it.
    pub async fn rest(&mut self, rests: Vec<(EventId, Rest)>) -> Result<(), ImportError> {
        for (_, rest) in &rests {
            self.progress.attempts += rest.attempts.len() as u64;
            self.progress.answers += u64::from(rest.answer.is_some());
            for (delivery, _) in &rest.deliveries {
                *self.progress.deliveries.entry(delivery.state.as_str().to_owned()).or_default() += 1;
            }
        }
        let (shared, recognised) = (&*self.shared, self.recognised);
        let writing = rests.into_iter().map(|(event, rest)| write_rest(shared, event, rest, recognised));
        stream::iter(writing).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Notes that everything up to a place of the other log is here, and where destinations go on.
    ///
    /// # Errors
    /// When the cluster does not take it.
    pub async fn commit(
        &mut self,
        done: u64,
        events: u64,
        starts: impl IntoIterator<Item = (DestinationName, u64)>,
    ) -> Result<(), ImportError> {
        self.progress.done = done;
        self.progress.events += events;
        for (destination, start) in starts {
            self.progress.starts.entry(destination).or_insert(start);
        }
        self.keep().await
    }

    /// Has each destination go on where it stopped: those of which that is not known, with the next event.
    ///
    /// # Errors
    /// When the cluster does not take it.
    pub async fn finish(&mut self, destinations: &[DestinationName]) -> Result<(), ImportError> {
        let next = self.progress.last + 1;
        for destination in destinations {
            let start = self.progress.starts.get(destination).copied().unwrap_or(next);
            subscribe::begin_at(&self.shared, destination, start).await?;
        }
        self.progress.finished = true;
        self.keep().await
    }

    /// Puts a value of the small shared state, if there is none.
    ///
    /// # Errors
    /// When the cluster does not take it.
    pub async fn state(&self, key: &str, value: bytes::Bytes) -> Result<(), ImportError> {
        let shared = &self.shared;
        let message = Outgoing::new(shared.names.value(key), value);
        match shared.link.replace(&shared.names.state, message, 0, &shared.nonce()).await {
            Ok(_) | Err(Refused::Conflict) => Ok(()),
            Err(Refused::Store(error)) => Err(error.into()),
        }
    }

    async fn keep(&mut self) -> Result<(), ImportError> {
        let shared = &self.shared;
        let message = Outgoing::new(shared.names.value(KEY), json(&self.progress)?);
        let expected = self.revision.map_or(0, |Revision(revision)| revision);
        match shared.link.replace(&shared.names.state, message, expected, &shared.nonce()).await {
            Ok(revision) => self.revision = Some(Revision(revision)),
            // Another copy runs.
            Err(Refused::Conflict) => return Err(ImportError::InUse),
            Err(Refused::Store(error)) => return Err(error.into()),
        }
        Ok(())
    }
}

/// What an event has beside itself.
#[derive(Debug, Default)]
pub struct Rest {
    /// Deliveries that are not done with, and what is sent in the place of the event's own bytes.
    pub deliveries: Vec<(Delivery, Option<Edit>)>,
    /// Every try.
    pub attempts: Vec<Attempt>,
    /// What its sender was answered.
    pub answer: Option<Answer>,
}

async fn write_rest(shared: &Shared, event: EventId, rest: Rest, recognised: u64) -> Result<(), ImportError> {
    let Rest { deliveries, attempts, answer } = rest;
    // What an earlier copy has written of them is not written again.
    let known = match attempts.is_empty() || event.position() > recognised {
        true => 0,
        false => crate::deliveries::attempts(shared, event).await?.len(),
    };
    for attempt in attempts.into_iter().skip(known) {
        let attempt = moved(attempt, event);
        let done =
            matches!(attempt.outcome, AttemptOutcome::Delivered { .. } | AttemptOutcome::Skipped { .. });
        let key = (event.position(), attempt.delivery.round);
        let subject = shared.names.attempt(&attempt.delivery.destination, key);
        let id = format!("copy-{}-{}", attempt.delivery, attempt.number);
        let payload = json(&Tried { attempt: Some(attempt), done })?;
        shared.link.publish(&Outgoing::new(subject, payload).with_id(&id)).await.map_err(StoreError::from)?;
    }
    for (delivery, edit) in deliveries {
        write_delivery(shared, event, delivery, edit).await?;
    }
    if let Some(answer) = answer {
        // What it repeats has another name here, which nobody knows any more.
        let answer = Answer { event, repeat_of: None, ..answer };
        let message = Outgoing::new(shared.names.answer(event.position()), write_answer(&answer));
        shared.link.publish(&message).await.map_err(StoreError::from)?;
    }
    Ok(())
}

fn moved(attempt: Attempt, event: EventId) -> Attempt {
    Attempt { delivery: DeliveryId { event, ..attempt.delivery }, ..attempt }
}

async fn write_delivery(
    shared: &Shared,
    event: EventId,
    delivery: Delivery,
    edit: Option<Edit>,
) -> Result<(), ImportError> {
    let key = (event.position(), delivery.id.round);
    let edit = match edit {
        Some(edit) => {
            let name = format!("copy-{}-{}", delivery.id.destination, delivery.id.round);
            let message = Outgoing::new(shared.names.edit(key.0, &name), write_edit(&edit));
            shared.link.publish(&message).await.map_err(StoreError::from)?;
            Some(EditName { name, mark: edit.mark })
        }
        None => None,
    };
    // Nobody has it: what was under way is due.
    let state = match delivery.state {
        DeliveryState::Leased => DeliveryState::Pending,
        state => state,
    };
    let exception = Exception {
        event,
        source: delivery.source,
        state,
        attempts: delivery.attempts,
        due: delivery.due_at.unwrap_or_else(|| shared.now()),
        reason: delivery.reason,
        ahead: false,
        holder: None,
        last: delivery.last_attempt.map(|attempt| moved(attempt, event)),
        edit,
    };
    match shared.write(&delivery.id.destination, key, &exception, 0, &shared.nonce()).await {
        // An earlier copy has written it.
        Ok(_) | Err(Refused::Conflict) => Ok(()),
        Err(Refused::Store(error)) => Err(error.into()),
    }
}

/// What makes an id, but for its place.
fn mark(id: EventId) -> Mark {
    let random = id.as_bytes().last_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes)) & 0x3f_ffff;
    Mark { ms: id.made_at().as_millisecond(), random }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::Read(error.to_string()))
}
