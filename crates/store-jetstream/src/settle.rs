//! Settling: what became of leases, in steps that may each be the last one.
//!
//! First the attempt is written, then what follows from it, then the log's event is acknowledged. A process that ends
//! in between repeats something: an attempt that was written is seen before an event is handed out again, so the
//! delivery itself is repeated only where the attempt was not written either.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Request, Subject};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use hookhouse_core::delivery::{Next, Settled, Settlement};
use hookhouse_core::{Attempt, DeliveryState, DestinationName, StoreError};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::exceptions::Exception;
use crate::lane::Lane;
use crate::link::{Outgoing, Refused};
use crate::names::Key;
use crate::shared::Shared;

/// So many settlements are written at once.
const AT_ONCE: usize = 64;
/// How long the note that a delivery is gone stays, for those who follow.
const MARKER: Duration = Duration::from_secs(3600);

/// A try as its message tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tried {
    /// What was tried; nothing where a delivery ended without a try.
    pub(crate) attempt: Option<Attempt>,
    /// Whether the delivery was done with it.
    pub(crate) done: bool,
}

/// Records what became of leases.
pub(crate) async fn settle(
    shared: &Shared,
    settlements: Vec<Settlement>,
) -> Result<Vec<Settled>, StoreError> {
    shared.open()?;
    // Which of them hold a lease is decided in their order, before anything is written.
    let claimed: Vec<_> = settlements
        .into_iter()
        .map(|settlement| {
            let held = claim(shared, &settlement);
            (settlement, held)
        })
        .collect();
    let all = claimed.into_iter().map(|(settlement, held)| async move {
        match held {
            Some(held) => settle_one(shared, &settlement, held).await,
            None => Ok(Settled::LeaseLost),
        }
    });
    // In order, so that the answers are.
    let answers: Vec<_> = stream::iter(all).buffered(AT_ONCE).collect().await;
    shared.changed.notify_waiters();
    answers.into_iter().collect()
}

/// What a settlement is about.
enum Claimed {
    Fresh(Subject),
    Retry(u64),
}

fn key(settlement: &Settlement) -> Key {
    (settlement.delivery.event.position(), settlement.delivery.round)
}

/// Keeps a lease from running out while its outcome is written; `None` where it is not held.
fn claim(shared: &Shared, settlement: &Settlement) -> Option<Claimed> {
    let lane = shared.lane(&settlement.delivery.destination)?;
    let now = Instant::now();
    let mut state = lane.state();
    state.expire(now);
    let key = key(settlement);
    if let Some(retry) = state.retries.get_mut(&key) {
        let is_it = retry.lease.token == settlement.token
            && retry.event.id() == settlement.delivery.event
            && !retry.lease.settling;
        retry.lease.settling |= is_it;
        return is_it.then_some(Claimed::Retry(retry.revision));
    }
    let held = state.held.get_mut(&key.0).filter(|_| key.1 == 0)?;
    let is_it = held.event.id() == settlement.delivery.event;
    let lease =
        held.lease.as_mut().filter(|lease| is_it && lease.token == settlement.token && !lease.settling)?;
    lease.settling = true;
    Some(Claimed::Fresh(held.reply.clone()))
}

async fn settle_one(
    shared: &Shared,
    settlement: &Settlement,
    claimed: Claimed,
) -> Result<Settled, StoreError> {
    let Some(lane) = shared.lane(&settlement.delivery.destination) else { return Ok(Settled::LeaseLost) };
    let key = key(settlement);
    let result = write(shared, &lane, settlement, claimed).await;
    let mut state = lane.state();
    match &result {
        Ok(Settled::Recorded) if settlement.next == Next::Release && key.1 == 0 => {
            if let Some(held) = state.held.get_mut(&key.0) {
                held.lease = None;
            }
            state.retries.remove(&key);
        }
        Ok(_) => {
            state.held.retain(|sequence, _| *sequence != key.0 || key.1 != 0);
            state.retries.remove(&key);
        }
        // The lease is held as before: whoever settles asks again.
        Err(_) => {
            if let Some(retry) = state.retries.get_mut(&key) {
                retry.lease.settling = false;
            } else if let Some(lease) =
                state.held.get_mut(&key.0).filter(|_| key.1 == 0).and_then(|held| held.lease.as_mut())
            {
                lease.settling = false;
            }
        }
    }
    drop(state);
    lane.room.notify_one();
    result
}

async fn write(
    shared: &Shared,
    lane: &Lane,
    settlement: &Settlement,
    claimed: Claimed,
) -> Result<Settled, StoreError> {
    let key = key(settlement);
    // The same settlement, told again, is recognised by this.
    let nonce = format!("{}-s{}", shared.gateway, settlement.token.0);
    if settlement.next != Next::Release {
        write_attempt(shared, lane, settlement, key, &nonce).await?;
    }
    match claimed {
        Claimed::Fresh(reply) => {
            if settlement.next == Next::Release {
                return Ok(Settled::Recorded);
            }
            if settlement.next != Next::Done {
                let held = lane.state().held.get(&key.0).map(|held| Arc::clone(&held.event));
                let Some(event) = held else { return Ok(Settled::LeaseLost) };
                let before = Exception::of(&event, DeliveryState::Leased, shared.now());
                let after = after(shared, before, settlement);
                match shared.write(&lane.name, key, &after, 0, &nonce).await {
                    Ok(_) => {}
                    Err(Refused::Conflict) => return Ok(Settled::LeaseLost),
                    Err(Refused::Store(error)) => return Err(error),
                }
            }
            // The reply may have changed while we wrote.
            let reply = lane.state().held.get(&key.0).map_or(reply, |held| held.reply.clone());
            acknowledge(shared, &reply).await?;
            Ok(Settled::Recorded)
        }
        Claimed::Retry(revision) => {
            let Some((found, before)) = shared.look_again(&lane.name, key).await? else {
                return Ok(Settled::LeaseLost);
            };
            // Another revision with our name in it is our own, too: its event came out of the log meanwhile.
            let is_ours =
                before.state == DeliveryState::Leased && before.holder.as_ref() == Some(&shared.gateway);
            let expected = if is_ours { found } else { revision };
            let after = after(shared, before, settlement);
            match shared.write(&lane.name, key, &after, expected, &nonce).await {
                Ok(_) => Ok(Settled::Recorded),
                Err(Refused::Conflict) => Ok(Settled::LeaseLost),
                Err(Refused::Store(error)) => Err(error),
            }
        }
    }
}

async fn write_attempt(
    shared: &Shared,
    lane: &Lane,
    settlement: &Settlement,
    key: Key,
    nonce: &str,
) -> Result<(), StoreError> {
    let tried = Tried { attempt: settlement.attempt.clone(), done: settlement.next == Next::Done };
    let payload = serde_json::to_vec(&tried).map_err(|error| StoreError::Read(error.to_string()))?;
    let message = Outgoing::new(shared.names.attempt(&lane.name, key), payload).with_id(nonce);
    shared.link.publish(&message).await?;
    Ok(())
}

/// An exception after a settlement.
fn after(shared: &Shared, before: Exception, settlement: &Settlement) -> Exception {
    let attempts = settlement.attempt.as_ref().map_or(before.attempts, |attempt| attempt.number.0);
    let last = settlement.attempt.clone().or(before.last);
    let (state, due, reason) = match settlement.next {
        Next::Done => (DeliveryState::Delivered, before.due, None),
        Next::RetryAt(due) => (DeliveryState::Waiting, due, None),
        Next::GiveUp(reason) => (DeliveryState::Dead, before.due, Some(reason)),
        Next::Release => (DeliveryState::Pending, shared.now(), before.reason),
    };
    Exception { state, due, reason, attempts, last, holder: None, ..before }
}

/// Whether a delivery's last try was its end.
pub(crate) async fn is_done(shared: &Shared, subject: &str) -> Result<bool, StoreError> {
    let raw = shared.link.last(&shared.names.attempts, subject).await?;
    let tried = raw.and_then(|raw| serde_json::from_slice::<Tried>(&raw.payload).ok());
    Ok(tried.is_some_and(|tried| tried.done))
}

/// Tells the cluster that a destination is done with an event, and waits until it knows.
pub(crate) async fn acknowledge(shared: &Shared, reply: &Subject) -> Result<(), StoreError> {
    confirm(shared, reply, "+ACK").await
}

async fn confirm(shared: &Shared, reply: &Subject, what: &'static str) -> Result<(), StoreError> {
    let request = Request::new().payload(what.into()).timeout(Some(shared.options.patience));
    match shared.link.client.send_request(reply.clone(), request).await {
        Ok(_) => {
            shared.note_write();
            Ok(())
        }
        Err(error) => {
            tracing::debug!(%error, "the cluster did not confirm an acknowledgement");
            Err(StoreError::Overloaded)
        }
    }
}

/// Gives back the events that were pulled and that nobody has.
pub(crate) async fn give_back(shared: &Shared, lane: &Lane) {
    let replies: Vec<_> = {
        let mut state = lane.state();
        let free = state.held.iter().filter(|(_, held)| held.lease.is_none());
        let free: Vec<_> = free.map(|(sequence, _)| *sequence).collect();
        free.iter().filter_map(|sequence| state.held.remove(sequence)).map(|held| held.reply).collect()
    };
    // Whatever is not told is handed out again when the cluster's patience ends.
    drop(join_all(replies.iter().map(|reply| confirm(shared, reply, "-NAK"))).await);
}

/// Hands back everything: the process ends in good order.
pub(crate) async fn hand_back(shared: &Shared) {
    for lane in shared.lanes() {
        let retries: Vec<_> = {
            let mut state = lane.state();
            state.active = false;
            state.held.values_mut().for_each(|held| held.lease = None);
            state.retries.drain().map(|(key, retry)| (key, retry.revision)).collect()
        };
        give_back(shared, &lane).await;
        for (key, revision) in retries {
            let Ok(Some((found, before))) = shared.look_again(&lane.name, key).await else { continue };
            let after = Exception { state: DeliveryState::Pending, holder: None, ..before };
            if found == revision {
                // A lease that is not handed back is taken over.
                drop(shared.write(&lane.name, key, &after, revision, &shared.nonce()).await);
            }
        }
    }
}

/// The event of an exception came out of the log, and was passed over.
pub(crate) async fn passed_over(shared: &Shared, destination: &DestinationName, key: Key, revision: u64) {
    if let Ok(Some((found, before))) = shared.look_again(destination, key).await
        && found == revision
    {
        let after = Exception { ahead: false, ..before };
        // It is only the count of what is pending that would be wrong.
        drop(shared.write(destination, key, &after, revision, &shared.nonce()).await);
    }
}

/// Notes that there is no such delivery any more, because its event is gone.
pub(crate) async fn forget(
    shared: &Shared,
    destination: &DestinationName,
    key: Key,
    revision: u64,
) -> Result<(), StoreError> {
    let marker = Outgoing::new(shared.names.delivery(destination, key), Vec::new());
    let marker = marker.into_marker().for_a_while(MARKER);
    match shared.link.replace(&shared.names.deliveries, marker, revision, &shared.nonce()).await {
        Ok(sequence) => {
            shared.index().remove(destination, key, sequence);
            Ok(())
        }
        Err(Refused::Conflict) => shared.look_again(destination, key).await.map(drop),
        Err(Refused::Store(error)) => Err(error),
    }
}
