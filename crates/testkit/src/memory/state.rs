//! What the store in memory knows, and the rules by which it changes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::delivery::{Delivery, DeliveryMove, Next, Settled, Settlement};
use hookhouse_core::event::Record;
use hookhouse_core::store::{LeaseRequest, StateEntry};
use hookhouse_core::{
    Answer, Attempt, AttemptNumber, DeadReason, DeliveryId, DeliveryState, DestinationName, Edit, EventId,
    Identity, Lease, LeaseToken, Sequence, SourceName, StoredEvent, StoredRefusal, Timestamp,
};
use tokio::time::Instant;

use super::Retention;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) closed: bool,
    pub(super) events: Vec<Arc<StoredEvent>>,
    /// The last place that was given out, and the time in the last id.
    pub(super) head: Sequence,
    pub(super) last_id_at: Timestamp,
    /// The size of the last event that found no room.
    pub(super) no_room_for: Option<u64>,
    /// When each identity of a source was first seen, and as which event.
    pub(super) firsts: HashMap<(SourceName, Identity), (EventId, Timestamp)>,
    pub(super) refusals: Vec<StoredRefusal>,
    pub(super) refusals_dropped: u64,
    pub(super) consumers: BTreeMap<DestinationName, Consumer>,
    pub(super) deliveries: Vec<Row>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) answers: HashMap<EventId, Answer>,
    pub(super) edits: HashMap<DeliveryId, Edit>,
    pub(super) values: HashMap<String, StateEntry>,
    pub(super) claims: HashSet<String>,
    pub(super) last_token: u64,
    pub(super) last_revision: u64,
}

/// A destination's place in the log.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) sources: Vec<SourceName>,
    /// Whether the last subscription named it.
    pub(super) active: bool,
    /// Every event up to here has its delivery, or is not wanted.
    pub(super) cursor: Sequence,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: DeliveryId,
    /// Where it stands in lists: by its event, then by when it was made.
    pub(super) place: u64,
    pub(super) event: Arc<StoredEvent>,
    pub(super) state: DeliveryState,
    pub(super) attempts: u32,
    pub(super) due_at: Option<Timestamp>,
    pub(super) reason: Option<DeadReason>,
    pub(super) last_attempt: Option<Attempt>,
    /// The last lease that was given out, and when it ends.
    pub(super) lease: Option<(LeaseToken, Instant)>,
    /// Whether it is no longer what the log alone would have made of it.
    pub(super) exception: bool,
}

impl Row {
    /// `siblings` are the deliveries that the event has already.
    pub(super) fn new(
        event: Arc<StoredEvent>,
        destination: DestinationName,
        round: u64,
        siblings: usize,
    ) -> Self {
        Self {
            id: DeliveryId { event: event.id(), destination, round },
            place: (event.sequence().0 << 20) | siblings as u64,
            event,
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: None,
            reason: None,
            last_attempt: None,
            lease: None,
            exception: round > 0,
        }
    }

    pub(super) fn step(&mut self, step: DeliveryMove) -> bool {
        let next = self.state.after(step);
        self.state = next.unwrap_or(self.state);
        next.is_some()
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        match self.state {
            DeliveryState::Pending => true,
            DeliveryState::Waiting => self.due_at.is_none_or(|due| due <= now),
            _ => false,
        }
    }

    /// How long until it may become due by the passing of time alone.
    pub(super) fn ripens_in(&self, now: Timestamp) -> Option<Duration> {
        match self.state {
            DeliveryState::Waiting => {
                self.due_at.map(|due| Duration::try_from(due.duration_since(now)).unwrap_or_default())
            }
            DeliveryState::Leased => {
                self.lease.map(|(_, until)| until.saturating_duration_since(Instant::now()))
            }
            _ => None,
        }
    }

    /// Whether somebody may still want its event.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, DeliveryState::Pending | DeliveryState::Leased | DeliveryState::Waiting)
    }

    pub(super) fn shown(&self) -> Delivery {
        Delivery {
            id: self.id.clone(),
            source: self.event.record().source.clone(),
            state: self.state,
            attempts: self.attempts,
            due_at: self.due_at.filter(|_| self.state == DeliveryState::Waiting),
            reason: self.reason.filter(|_| self.state == DeliveryState::Dead),
            last_attempt: self.last_attempt.clone(),
            edited: self.event.record().provenance.edited.clone(),
        }
    }
}

impl State {
    /// Makes the deliveries of events that an active destination wants and has not got yet.
    pub(super) fn catch_up(&mut self) {
        for (name, consumer) in self.consumers.iter_mut().filter(|(_, consumer)| consumer.active) {
            for event in self.events.iter().filter(|event| event.sequence() > consumer.cursor) {
                if consumer.sources.contains(&event.record().source) {
                    let siblings = siblings(&self.deliveries, event.id());
                    self.deliveries.push(Row::new(Arc::clone(event), name.clone(), 0, siblings));
                }
            }
            consumer.cursor = self.head;
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.events.iter().map(|event| size(event.record())).sum()
    }

    /// Removes what is too old, and the oldest beyond the size with `coming` bytes more: as far as nobody waits for it.
    pub(super) fn retire(&mut self, retention: Retention, now: Timestamp, coming: u64) {
        let is_old = |event: &StoredEvent| {
            let age = now.duration_since(event.record().received_at);
            retention.age.is_some_and(|most| Duration::try_from(age).is_ok_and(|age| age > most))
        };
        let mut bytes = self.bytes() + coming;
        let mut removed = HashSet::new();
        for event in &self.events {
            let is_too_much = retention.size.is_some_and(|most| bytes > most);
            if (is_old(event) || is_too_much) && !self.is_waited_for(event.id()) {
                bytes -= size(event.record());
                removed.insert(event.id());
            }
        }
        self.events.retain(|event| !removed.contains(&event.id()));
        self.deliveries.retain(|row| !removed.contains(&row.id.event));
        self.attempts.retain(|attempt| !removed.contains(&attempt.delivery.event));
        self.answers.retain(|event, _| !removed.contains(event));
        self.edits.retain(|delivery, _| !removed.contains(&delivery.event));
    }

    pub(super) fn is_waited_for(&self, event: EventId) -> bool {
        self.deliveries
            .iter()
            .any(|row| row.id.event == event && row.is_open() && self.is_active(&row.id.destination))
    }

    pub(super) fn is_active(&self, destination: &DestinationName) -> bool {
        self.consumers.get(destination).is_some_and(|consumer| consumer.active)
    }

    pub(super) fn find(&self, id: EventId) -> Option<&Arc<StoredEvent>> {
        self.events.iter().find(|event| event.id() == id)
    }

    /// Makes a delivery of its own.
    pub(super) fn redeliver(
        &mut self,
        event: EventId,
        destination: &DestinationName,
        edit: Option<Edit>,
    ) -> Option<DeliveryId> {
        let event = self.find(event).cloned()?;
        let rounds = self
            .deliveries
            .iter()
            .filter(|row| row.id.event == event.id() && row.id.destination == *destination)
            .map(|row| row.id.round);
        let round = rounds.max().unwrap_or(0) + 1;
        let siblings = siblings(&self.deliveries, event.id());
        let sent = edit.as_ref().map_or_else(|| Arc::clone(&event), |edit| Arc::new(edit.of(&event)));
        let row = Row::new(sent, destination.clone(), round, siblings);
        let id = row.id.clone();
        if let Some(edit) = edit {
            self.edits.insert(id.clone(), edit);
        }
        self.deliveries.push(row);
        Some(id)
    }

    /// Takes due deliveries: exceptions by their due time, then fresh ones in log order.
    pub(super) fn take(&mut self, request: &LeaseRequest, now: Timestamp) -> Vec<Lease> {
        let tick = Instant::now();
        for row in &mut self.deliveries {
            if row.state == DeliveryState::Leased && row.lease.is_some_and(|(_, until)| until <= tick) {
                row.step(DeliveryMove::Release);
                row.exception = true;
            }
        }
        if !self.is_active(&request.destination) {
            return Vec::new();
        }
        let mut due: Vec<_> = (0..self.deliveries.len())
            .filter(|i| self.deliveries[*i].id.destination == request.destination)
            .filter(|i| self.deliveries[*i].is_due(now))
            .collect();
        due.sort_by_key(|i| {
            let row = &self.deliveries[*i];
            (!row.exception, row.due_at, row.event.sequence(), row.id.round)
        });
        due.into_iter()
            .take(request.max)
            .map(|i| {
                self.last_token += 1;
                let token = LeaseToken(self.last_token);
                let row = &mut self.deliveries[i];
                row.step(DeliveryMove::Lease);
                row.lease = Some((token, tick + request.hold));
                Lease {
                    delivery: row.id.clone(),
                    token,
                    attempt: AttemptNumber(row.attempts + 1),
                    event: Arc::clone(&row.event),
                }
            })
            .collect()
    }

    pub(super) fn settle(&mut self, settlement: Settlement, now: Instant) -> Settled {
        let held = self.deliveries.iter_mut().find(|row| {
            row.id == settlement.delivery
                && row.state == DeliveryState::Leased
                && row.lease.is_some_and(|(token, until)| token == settlement.token && now < until)
        });
        let Some(row) = held else { return Settled::LeaseLost };
        if let Some(attempt) = settlement.attempt {
            row.attempts = attempt.number.0;
            row.last_attempt = Some(attempt.clone());
            row.exception = true;
            self.attempts.push(attempt);
        }
        match settlement.next {
            Next::Done => row.step(DeliveryMove::Succeed),
            Next::Release => row.step(DeliveryMove::Release),
            Next::RetryAt(due) => {
                row.due_at = Some(due);
                row.step(DeliveryMove::Postpone)
            }
            Next::GiveUp(reason) => {
                row.reason = Some(reason);
                row.step(DeliveryMove::GiveUp)
            }
        };
        Settled::Recorded
    }

    /// How long until a delivery of this destination becomes due without anybody doing anything.
    pub(super) fn next_due(&self, destination: &DestinationName, now: Timestamp) -> Option<Duration> {
        let own = self.deliveries.iter().filter(|row| row.id.destination == *destination);
        own.filter_map(|row| row.ripens_in(now)).min()
    }
}

fn siblings(deliveries: &[Row], event: EventId) -> usize {
    deliveries.iter().filter(|row| row.id.event == event).count()
}

/// About what an event takes.
pub(super) fn size(record: &Record) -> u64 {
    let request = &record.request;
    (request.target.len() + request.headers.as_bytes().len() + request.body.len() + 256) as u64
}
