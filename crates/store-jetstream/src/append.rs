//! Appending: an event and the keys by which its repeats are recognised, in one atomic batch.
//!
//! A key is a message of its own, under a subject made of the source and the key's digest, and says where in the same
//! batch its event lies. It is published on condition that the subject has no other message yet, so that of two
//! gateways that get a repeat at once one stores it and the other one is refused, and finds out whose repeat it is.
//! There is no moment at which a key is there and its event is not, or the other way round. The servers drop a key
//! when its window is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use hookhouse_core::event::Dedupe;
use hookhouse_core::store::Receipt;
use hookhouse_core::{
    Event, EventId, Identity, Repeats, Sequence, SourceName, StoreError, StoredEvent, Timestamp,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::link::{Ack, Outgoing, Refused};
use crate::record::{Mark, write_event};
use crate::retention;
use crate::shared::Shared;

/// What a key's message says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeyRecord {
    /// How many places after the key its event lies.
    offset: u64,
    /// What makes the event's id.
    mark: Mark,
    /// When the event was received: its window begins then.
    received_at: Timestamp,
    /// Who appended it.
    nonce: String,
}

/// A key that somebody has published.
#[derive(Debug, Clone)]
struct Known {
    /// The place of its message.
    sequence: u64,
    record: KeyRecord,
}

impl Known {
    fn event(&self) -> Option<EventId> {
        self.record.mark.id(self.sequence.checked_add(self.record.offset)?)
    }
}

/// A body of more elements than this is judged as a whole: a batch has a thousand messages at most.
const MOST_ELEMENTS: usize = 500;
/// How often room is made for one event.
const ROOM_TRIES: usize = 10;
/// The pause before we look again at what somebody else is writing.
const PAUSE: Duration = Duration::from_millis(5);
/// How much longer than its window a key is kept: clocks differ.
const SLACK: Duration = Duration::from_secs(300);

/// Makes an event durable, or says what it repeats.
pub(crate) async fn append(shared: &Shared, event: Event) -> Result<Receipt, StoreError> {
    shared.open()?;
    let Ok(_permit) = shared.appends.try_acquire() else { return Err(StoreError::Overloaded) };
    let dedupe = event.dedupe().cloned();
    let appending = Appending {
        shared,
        mark: shared.mark(),
        nonce: shared.nonce(),
        source: event.record().source.clone(),
        received_at: event.record().received_at,
    };
    let payload = write_event(event.record(), appending.mark);
    let message = Outgoing::new(shared.names.event(&appending.source), payload);
    let (sequence, repeat_of) = match dedupe {
        None => (appending.publish_alone(&message).await?, None),
        Some(dedupe) => match appending.publish_new(&message, &dedupe).await? {
            Outcome::Stored { sequence, repeat_of } => (sequence, repeat_of),
            Outcome::Repeat(of) => return Ok(Receipt::Duplicate { of }),
        },
    };
    shared.note_write();
    let id = appending.mark.id(sequence);
    let id = id.ok_or_else(|| StoreError::Failed("the log has no places left".to_owned()))?;
    let stored = StoredEvent::from_store(id, Sequence(sequence), event.into_record());
    Ok(Receipt::Stored { event: Arc::new(stored), repeat_of })
}

struct Appending<'a> {
    shared: &'a Shared,
    mark: Mark,
    nonce: String,
    source: SourceName,
    received_at: Timestamp,
}

enum Outcome {
    Stored { sequence: u64, repeat_of: Option<EventId> },
    Repeat(EventId),
}

impl Appending<'_> {
    /// Without keys, the message's id lets the servers recognise what we publish twice.
    async fn publish_alone(&self, message: &Outgoing) -> Result<u64, StoreError> {
        let message = message.clone().with_id(&self.nonce);
        Ok(self.publish(&[], &message).await?.sequence)
    }

    async fn publish_new(&self, message: &Outgoing, dedupe: &Dedupe) -> Result<Outcome, StoreError> {
        let elements = if dedupe.elements.len() > MOST_ELEMENTS { &[][..] } else { &dedupe.elements };
        let mut keys = vec![dedupe.identity];
        for element in elements {
            if !keys.contains(element) {
                keys.push(*element);
            }
        }
        // Most events are new, so that is what is tried first.
        let mut known = HashMap::new();
        let deadline = Instant::now() + self.shared.options.patience;
        while Instant::now() < deadline {
            let first =
                |key: &Identity| known.get(key).filter(|known: &&Known| self.is_within(known, dedupe.window));
            let all: Option<Vec<_>> = elements.iter().map(first).collect();
            let repeat = first(&dedupe.identity).or(all.and_then(|all| all.first().copied()));
            let repeat_of = repeat.and_then(Known::event);
            if let (Some(of), Repeats::Acknowledge) = (repeat_of, dedupe.repeats) {
                return Ok(Outcome::Repeat(of));
            }
            let fresh: Vec<_> = keys.iter().filter(|key| first(key).is_none()).collect();
            if fresh.is_empty() {
                let sequence = self.publish_alone(message).await?;
                return Ok(Outcome::Stored { sequence, repeat_of });
            }
            let batch = self.key_messages(&fresh, &known, dedupe.window)?;
            match self.publish(&batch, message).await {
                Ok(ack) => return Ok(Outcome::Stored { sequence: ack.sequence, repeat_of }),
                Err(Refused::Conflict) => {}
                Err(Refused::Store(error)) => return Err(error),
            }
            known = self.look_up(&keys).await?;
            // An earlier try of ours may have been taken, and its acknowledgement lost.
            let own =
                fresh.iter().find_map(|key| known.get(*key).filter(|known| known.record.nonce == self.nonce));
            if let Some(own) = own {
                let sequence = own.sequence.saturating_add(own.record.offset);
                return Ok(Outcome::Stored { sequence, repeat_of });
            }
            // The leader refuses what somebody else's batch is about to write, before that can be read.
            if !fresh.iter().any(|key| known.contains_key(*key)) {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Err(StoreError::Overloaded)
    }

    fn is_within(&self, known: &Known, window: Duration) -> bool {
        let age = self.received_at.duration_since(known.record.received_at);
        age < SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX)
    }

    fn key_messages(
        &self,
        fresh: &[&Identity],
        known: &HashMap<Identity, Known>,
        window: Duration,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let message = |(n, key): (usize, &&Identity)| {
            let record = KeyRecord {
                offset: (fresh.len() - n) as u64,
                mark: self.mark,
                received_at: self.received_at,
                nonce: self.nonce.clone(),
            };
            let payload = serde_json::to_vec(&record).map_err(|error| StoreError::Read(error.to_string()))?;
            let expected = known.get(*key).map_or(0, |known| known.sequence);
            let subject = self.shared.names.key(&self.source, digest(key));
            let message = Outgoing::new(subject, payload).expecting(expected);
            Ok(message.for_a_while(window.saturating_add(SLACK)))
        };
        fresh.iter().enumerate().map(message).collect()
    }

    async fn look_up(&self, keys: &[Identity]) -> Result<HashMap<Identity, Known>, StoreError> {
        let Shared { link, names, .. } = self.shared;
        let look = async |key: &Identity| {
            let raw = link.last(&names.events, &names.key(&self.source, digest(key))).await?;
            let known = raw.and_then(|raw| {
                let record = serde_json::from_slice(&raw.payload).ok()?;
                Some((*key, Known { sequence: raw.sequence, record }))
            });
            Ok::<_, StoreError>(known)
        };
        Ok(try_join_all(keys.iter().map(look)).await?.into_iter().flatten().collect())
    }

    async fn publish(&self, first: &[Outgoing], last: &Outgoing) -> Result<Ack, Refused> {
        let shared = self.shared;
        let published = self.publish_once(first, last).await;
        let Err(Refused::Store(StoreError::Full(reason))) = published else {
            if published.is_ok() {
                shared.full().take();
            }
            return published;
        };
        // What nobody waits for makes room, if there is any of it. A replica that is behind may offer what is gone
        // already, so one try may not be enough.
        let coming = last.payload.len() as u64;
        let mut again = Err(Refused::Store(StoreError::Full(reason)));
        for _ in 0..ROOM_TRIES {
            if !retention::make_room(shared, coming).await.map_err(Refused::Store)? {
                break;
            }
            again = self.publish_once(first, last).await;
            if !matches!(again, Err(Refused::Store(StoreError::Full(_)))) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        *shared.full() = match &again {
            Err(Refused::Store(StoreError::Full(reason))) => Some(reason.clone()),
            _ => None,
        };
        again
    }

    async fn publish_once(&self, first: &[Outgoing], last: &Outgoing) -> Result<Ack, Refused> {
        let _permit = match first {
            [] => None,
            _ => {
                let permit = self.shared.batches.acquire();
                let permit = tokio::time::timeout(self.shared.options.patience, permit).await;
                Some(permit.map_err(|_| Refused::Store(StoreError::Overloaded))?)
            }
        };
        self.shared.link.publish_all(first, last).await
    }
}

/// As much of a key as makes two of them different.
fn digest(key: &Identity) -> &[u8] {
    &key.0[..16]
}
