//! What the writer does besides appending: each write in three steps, so that memory and file never disagree.
//!
//! 1. [`prepare`] holds in memory what the write is about;
//! 2. [`write`] writes it, in the batch's transaction;
//! 3. [`take`] makes it so in memory after the commit, or [`Done::undo`] lets go of it again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::delivery::{Next, Settled, Settlement};
use hookhouse_core::store::{CancelOutcome, RetryOutcome, Revision, Subscription};
use hookhouse_core::{DeliveryId, DeliveryState, DestinationName, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::cancel::HeldCancel;
use crate::consumer::Consumer;
use crate::fault::begin;
use crate::names::Names;
use crate::progress::{Key, Prepared};
use crate::queue::Op;
use crate::shared::Shared;
use crate::{answers, cancel, dedupe, replay, settle};

/// Sends somebody an answer.
pub(crate) type Answer = Box<dyn FnOnce() + Send>;

/// A write on its way.
#[derive(Debug)]
pub(crate) enum Done {
    /// Nothing is held in memory.
    Nothing,
    Subscribed(Vec<(Arc<Consumer>, HashSet<i64>)>),
    Settled {
        held: Vec<HeldSettlement>,
        answers: Vec<Settled>,
    },
    Redelivered(Option<(Arc<Consumer>, DeliveryId)>),
    Retried {
        outcome: RetryOutcome,
        /// The consumer, and the state in which the delivery was.
        moved: Option<(Arc<Consumer>, DeliveryState)>,
    },
    Cancelled {
        outcome: CancelOutcome,
        /// Kept from being handed out while it is called off; `None` where it is not.
        held: Option<HeldCancel>,
    },
    State(Option<Revision>),
}

/// A settlement whose lease is current.
#[derive(Debug)]
pub(crate) struct HeldSettlement {
    /// Its place among the settlements.
    pub(crate) index: usize,
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) prepared: Prepared,
}

impl Done {
    /// The transaction was not committed.
    pub(crate) fn undo(&self) {
        match self {
            Self::Settled { held, .. } => {
                for settlement in held {
                    settlement.consumer.lock().not_settled(&settlement.prepared);
                    settlement.consumer.wake();
                }
            }
            Self::Cancelled { held: Some(held), .. } => held.let_go(),
            _ => {}
        }
    }

    /// The events that a destination is done with, once this is committed.
    pub(crate) fn freed(&self) -> impl Iterator<Item = u64> {
        let (held, cancelled) = match self {
            Self::Settled { held, .. } => (held.as_slice(), None),
            Self::Cancelled { held, .. } => (&[][..], held.as_ref().map(HeldCancel::sequence)),
            _ => (&[][..], None),
        };
        held.iter()
            .filter(|settlement| matches!(settlement.prepared.next, Next::Done | Next::GiveUp(_)))
            .map(|settlement| settlement.prepared.key.sequence)
            .chain(cancelled)
    }
}

/// Gives numbers to the names in a write, before the transaction.
pub(crate) fn intern(conn: &Connection, shared: &Shared, op: &Op) -> rusqlite::Result<()> {
    let names: &Names = &shared.names;
    let make = |destination: &DestinationName| {
        let id = names.destinations.intern(conn, destination)?;
        shared.consumers.make(destination, id);
        Ok(())
    };
    match op {
        Op::Subscribe(subscriptions, _) => {
            for subscription in subscriptions {
                make(&subscription.destination)?;
                for source in &subscription.sources {
                    names.sources.intern(conn, source)?;
                }
            }
            Ok(())
        }
        Op::Redeliver(_, destination, ..) => make(destination),
        _ => Ok(()),
    }
}

/// Holds in memory what a write is about.
pub(crate) fn prepare(shared: &Shared, op: &Op) -> Done {
    match op {
        Op::Settle(settlements, _) => hold(shared, settlements),
        Op::Subscribe(subscriptions, _) => Done::Subscribed(wishes(shared, subscriptions)),
        Op::Cancel(delivery, _) => cancel::hold(shared, delivery),
        _ => Done::Nothing,
    }
}

fn hold(shared: &Shared, settlements: &[Settlement]) -> Done {
    let mut held = Vec::with_capacity(settlements.len());
    let mut answers = Vec::with_capacity(settlements.len());
    for (index, settlement) in settlements.iter().enumerate() {
        let consumer = shared.consumers.named(&settlement.delivery.destination);
        let prepared = consumer.and_then(|consumer| {
            let prepared = consumer.lock().prepare(settlement)?;
            Some(HeldSettlement { index, consumer, prepared })
        });
        answers.push(if prepared.is_some() { Settled::Recorded } else { Settled::LeaseLost });
        held.extend(prepared);
    }
    Done::Settled { held, answers }
}

fn wishes(shared: &Shared, subscriptions: &[Subscription]) -> Vec<(Arc<Consumer>, HashSet<i64>)> {
    let wish = |subscription: &Subscription| {
        let consumer = shared.consumers.named(&subscription.destination)?;
        let sources =
            subscription.sources.iter().filter_map(|source| shared.names.sources.id(source)).collect();
        Some((consumer, sources))
    };
    subscriptions.iter().filter_map(wish).collect()
}

/// Where a transaction stands.
pub(crate) struct Place<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) shared: &'a Shared,
    /// The newest event, those of this transaction included.
    pub(crate) head: u64,
    /// Consumers whose row has to be written.
    pub(crate) touched: &'a mut BTreeMap<i64, Arc<Consumer>>,
}

/// Writes in the batch's transaction.
pub(crate) fn write(place: &mut Place<'_>, op: &Op, done: &mut Done) -> rusqlite::Result<()> {
    let conn = place.conn;
    match (op, &mut *done) {
        (Op::Settle(settlements, _), Done::Settled { held, .. }) => settle::settle(place, settlements, held),
        (Op::Subscribe(..), Done::Subscribed(wishes)) => subscribe(place, wishes),
        (Op::Redeliver(event, destination, edit, _), _) => {
            *done = Done::Redelivered(replay::redeliver(place, *event, destination, edit.as_deref())?);
            Ok(())
        }
        (Op::Retry(delivery, _), _) => {
            *done = replay::retry(place, delivery)?;
            Ok(())
        }
        (Op::Cancel(delivery, _), Done::Cancelled { outcome, held }) => {
            cancel::write(place, delivery, outcome, held)
        }
        (Op::PutState { key, value, expected, .. }, _) => {
            *done = Done::State(put_state(conn, key, value, *expected)?);
            Ok(())
        }
        (Op::KeepAnswer(answer, _), _) => answers::keep(conn, answer, &place.shared.names.seals),
        (Op::KeepPosition(id), _) => {
            if let Some(consumer) = place.shared.consumers.with_id(*id) {
                place.touched.insert(*id, consumer);
            }
            Ok(())
        }
        (Op::Dedupe(write), _) => {
            begin(conn)?;
            dedupe::write(conn, &write.step)
        }
        #[cfg(test)]
        (Op::Test(test), _) => test.run(conn),
        (Op::Settle(..) | Op::Subscribe(..) | Op::Cancel(..), _) => Ok(()),
    }
}

fn subscribe(place: &mut Place<'_>, wishes: &[(Arc<Consumer>, HashSet<i64>)]) -> rusqlite::Result<()> {
    if are_there(place, wishes) {
        // Nothing to write, so that a server starts on a full disk, too.
        return Ok(());
    }
    begin(place.conn)?;
    place.conn.prepare_cached("UPDATE destinations SET active = 0 WHERE active <> 0")?.execute([])?;
    let mut name = place.conn.prepare_cached(
        "UPDATE destinations SET active = 1, position = coalesce(position, ?2) WHERE id = ?1",
    )?;
    for (consumer, _) in wishes {
        name.execute([consumer.id, place.head.cast_signed()])?;
    }
    Ok(())
}

/// Whether the file says already what is wished for.
fn are_there(place: &Place<'_>, wishes: &[(Arc<Consumer>, HashSet<i64>)]) -> bool {
    let is_wished = |id| wishes.iter().any(|(consumer, _)| consumer.id == id);
    place.shared.consumers.all().iter().all(|consumer| {
        let progress = consumer.lock();
        progress.active == is_wished(consumer.id) && (progress.position.is_some() || !progress.active)
    })
}

/// Writes the row of a consumer.
pub(crate) fn keep_position(
    conn: &Connection,
    destination: i64,
    position: u64,
    owed: &[u8],
) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE destinations SET position = ?2, owed = ?3 WHERE id = ?1")?
        .execute(params![destination, position.cast_signed(), owed])?;
    Ok(())
}

/// `None` where the revision is another.
fn put_state(
    conn: &Connection,
    key: &str,
    value: &Bytes,
    expected: Option<Revision>,
) -> rusqlite::Result<Option<Revision>> {
    let revision: Option<i64> = conn
        .prepare_cached("SELECT revision FROM state WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    if revision.map(|revision| Revision(revision.cast_unsigned())) != expected {
        return Ok(None);
    }
    let next = revision.unwrap_or(0) + 1;
    begin(conn)?;
    conn.prepare_cached("INSERT OR REPLACE INTO state (key, value, revision) VALUES (?1, ?2, ?3)")?
        .execute(params![key, &value[..], next])?;
    Ok(Some(Revision(next.cast_unsigned())))
}

/// Makes a committed write so in memory, and gives back the answer to it.
pub(crate) fn take(shared: &Shared, op: Op, done: Done, head: u64) -> Option<Answer> {
    match (op, done) {
        (Op::Settle(_, reply), Done::Settled { held, answers }) => {
            for HeldSettlement { consumer, prepared, .. } in held {
                consumer.lock().settled(&prepared);
                // There is room in the window now, and perhaps a retry to wait for.
                consumer.wake();
            }
            Some(Box::new(move || drop(reply.send(Ok(answers)))))
        }
        (Op::Subscribe(_, reply), Done::Subscribed(wishes)) => {
            take_subscriptions(shared, wishes, head);
            Some(Box::new(move || drop(reply.send(Ok(())))))
        }
        (Op::Redeliver(.., reply), Done::Redelivered(made)) => {
            let delivery = made.map(|(consumer, delivery)| {
                consumer.lock().replayed();
                consumer.wake();
                delivery
            });
            Some(Box::new(move || drop(reply.send(Ok(delivery)))))
        }
        (Op::Retry(delivery, reply), Done::Retried { outcome, moved }) => {
            if let Some((consumer, before)) = moved {
                consumer.lock().retried(Key::of(&delivery), before);
                consumer.wake();
            }
            Some(Box::new(move || drop(reply.send(Ok(outcome)))))
        }
        (Op::Cancel(_, reply), Done::Cancelled { outcome, held }) => {
            if let Some(held) = held {
                held.take();
            }
            Some(Box::new(move || drop(reply.send(Ok(outcome)))))
        }
        (Op::PutState { reply, .. }, Done::State(revision)) => {
            Some(Box::new(move || drop(reply.send(revision.ok_or(StoreError::Conflict)))))
        }
        (Op::KeepAnswer(_, reply), _) => Some(Box::new(move || drop(reply.send(Ok(()))))),
        (Op::Dedupe(write), _) => {
            write.answer(Ok(()));
            None
        }
        _ => None,
    }
}

fn take_subscriptions(shared: &Shared, wishes: Vec<(Arc<Consumer>, HashSet<i64>)>, head: u64) {
    for consumer in shared.consumers.all() {
        consumer.lock().active = false;
    }
    for (consumer, sources) in wishes {
        let mut progress = consumer.lock();
        progress.active = true;
        progress.sources = Some(sources);
        progress.position.get_or_insert(head);
    }
    for consumer in shared.consumers.all() {
        consumer.wake();
    }
    shared.change();
}

impl Op {
    /// The answer to a write that was not made.
    pub(crate) fn fail(self, error: StoreError) -> Option<Answer> {
        Some(match self {
            Self::Subscribe(_, reply) => Box::new(move || drop(reply.send(Err(error)))),
            Self::Settle(_, reply) => Box::new(move || drop(reply.send(Err(error)))),
            Self::Redeliver(.., reply) => Box::new(move || drop(reply.send(Err(error)))),
            Self::Retry(_, reply) => Box::new(move || drop(reply.send(Err(error)))),
            Self::Cancel(_, reply) => Box::new(move || drop(reply.send(Err(error)))),
            Self::KeepAnswer(_, reply) => Box::new(move || drop(reply.send(Err(error)))),
            Self::PutState { reply, .. } => Box::new(move || drop(reply.send(Err(error)))),
            Self::Dedupe(write) => {
                write.answer(Err(error));
                return None;
            }
            Self::KeepPosition(_) => return None,
            #[cfg(test)]
            Self::Test(_) => return None,
        })
    }
}
