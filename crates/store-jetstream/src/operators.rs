//! What operators want of deliveries: again, now, not at all.

use std::time::Duration;

use hookhouse_core::store::{CancelOutcome, RetryOutcome};
use hookhouse_core::{DeliveryId, DeliveryState, DestinationName, Edit, EventId, StoreError};

use crate::exceptions::{EditName, Exception};
use crate::lane::Lane;
use crate::link::{Outgoing, Refused};
use crate::names::Key;
use crate::record::{read_edit, write_edit};
use crate::shared::Shared;
use crate::{settle, subscribe};

/// How often somebody else may be faster before we give up.
const TRIES: usize = 32;
/// The pause before we look again at what somebody else is writing.
const PAUSE: Duration = Duration::from_millis(10);

fn key_of(delivery: &DeliveryId) -> Key {
    (delivery.event.position(), delivery.round)
}

/// Makes a new delivery of an event.
pub(crate) async fn redeliver(
    shared: &Shared,
    event: EventId,
    destination: &DestinationName,
    edit: Option<&Edit>,
) -> Result<Option<DeliveryId>, StoreError> {
    shared.open()?;
    let Some(found) = shared.event(event).await? else { return Ok(None) };
    let sequence = found.sequence().0;
    // The edit comes first: a delivery that names it is never without it. One that no delivery names goes with the event.
    let edit = match edit {
        Some(edit) => {
            let name = shared.nonce();
            let message = Outgoing::new(shared.names.edit(sequence, &name), write_edit(edit));
            shared.link.publish(&message).await?;
            Some(EditName { name, mark: edit.mark.clone() })
        }
        None => None,
    };
    for _ in 0..TRIES {
        // Of all destinations, so that the deliveries of an event have an order.
        let rounds = shared.index().of_event(sequence).into_iter().map(|(_, key, _)| key.1);
        let round = rounds.max().unwrap_or(0) + 1;
        let pending = Exception::of(&found, DeliveryState::Pending, shared.now());
        let exception = Exception { edit: edit.clone(), ..pending };
        match shared.write(destination, (sequence, round), &exception, 0, &shared.nonce()).await {
            Ok(_) => return Ok(Some(DeliveryId { event, destination: destination.clone(), round })),
            // The round is taken, which the index knows now.
            Err(Refused::Conflict) => tokio::time::sleep(PAUSE).await,
            Err(Refused::Store(error)) => return Err(error),
        }
    }
    Err(StoreError::Overloaded)
}

/// What a delivery sends in the place of its event's own bytes.
pub(crate) async fn edit(shared: &Shared, delivery: &DeliveryId) -> Result<Option<Edit>, StoreError> {
    shared.open()?;
    let key = key_of(delivery);
    let found = shared.look_again(&delivery.destination, key).await?;
    let exception = found.map(|(_, exception)| exception).filter(|found| found.event == delivery.event);
    let Some(name) = exception.and_then(|exception| exception.edit) else { return Ok(None) };
    read(shared, key.0, &name).await
}

/// The edit of a name; `None` where it went with its event.
pub(crate) async fn read(
    shared: &Shared,
    sequence: u64,
    name: &EditName,
) -> Result<Option<Edit>, StoreError> {
    let raw = shared.link.last(&shared.names.answers, &shared.names.edit(sequence, &name.name)).await?;
    Ok(raw.and_then(|raw| read_edit(&raw.payload)))
}

/// What a delivery is, exactly: as its message says, or as the log has it.
enum Known {
    Exception(u64, Box<Exception>),
    Fresh(DeliveryState),
    Unknown,
}

async fn look(shared: &Shared, delivery: &DeliveryId) -> Result<Known, StoreError> {
    let key = key_of(delivery);
    if let Some((revision, exception)) = shared.look_again(&delivery.destination, key).await? {
        let is_it = exception.event == delivery.event;
        return Ok(if is_it { Known::Exception(revision, Box::new(exception)) } else { Known::Unknown });
    }
    let Some(lane) = shared.lane(&delivery.destination).filter(|_| delivery.round == 0) else {
        return Ok(Known::Unknown);
    };
    let Some(event) = shared.event(delivery.event).await? else { return Ok(Known::Unknown) };
    let info = subscribe::consumer(shared, &lane.name).await?;
    let floor = info.map_or(0, |info| info.ack_floor.stream_seq);
    let state = fresh_state(shared, &lane, key.0, &event.record().source, floor).await?;
    Ok(state.map_or(Known::Unknown, Known::Fresh))
}

/// The state of an event that has no exception; `None` where the destination never wanted it. `floor` is the place up
/// to which the cluster has every acknowledgement.
pub(crate) async fn fresh_state(
    shared: &Shared,
    lane: &Lane,
    sequence: u64,
    source: &hookhouse_core::SourceName,
    floor: u64,
) -> Result<Option<DeliveryState>, StoreError> {
    {
        let state = lane.state();
        if let Some(held) = state.held.get(&sequence) {
            let is_leased = held.lease.is_some();
            return Ok(Some(if is_leased { DeliveryState::Leased } else { DeliveryState::Pending }));
        }
        if !state.wants(source) || sequence < lane.start {
            return Ok(None);
        }
    }
    if sequence <= floor || settle::is_done(shared, &shared.names.attempt(&lane.name, (sequence, 0))).await? {
        return Ok(Some(DeliveryState::Delivered));
    }
    Ok(Some(DeliveryState::Pending))
}

/// Makes a delivery due now.
pub(crate) async fn retry(shared: &Shared, delivery: &DeliveryId) -> Result<RetryOutcome, StoreError> {
    shared.open()?;
    for _ in 0..TRIES {
        let (revision, before) = match look(shared, delivery).await? {
            Known::Exception(revision, exception) => (revision, *exception),
            Known::Fresh(state) => return Ok(RetryOutcome::Refused(state)),
            Known::Unknown => return Ok(RetryOutcome::Unknown),
        };
        if !matches!(before.state, DeliveryState::Waiting | DeliveryState::Dead | DeliveryState::Cancelled) {
            return Ok(RetryOutcome::Refused(before.state));
        }
        let after = Exception { state: DeliveryState::Pending, due: shared.now(), reason: None, ..before };
        let key = key_of(delivery);
        match shared.write(&delivery.destination, key, &after, revision, &shared.nonce()).await {
            Ok(_) => return Ok(RetryOutcome::Due),
            Err(Refused::Conflict) => tokio::time::sleep(PAUSE).await,
            Err(Refused::Store(error)) => return Err(error),
        }
    }
    Err(StoreError::Overloaded)
}

/// Calls a delivery off.
pub(crate) async fn cancel(shared: &Shared, delivery: &DeliveryId) -> Result<CancelOutcome, StoreError> {
    shared.open()?;
    for _ in 0..TRIES {
        let (revision, after) = match look(shared, delivery).await? {
            Known::Exception(revision, before) => {
                if !matches!(
                    before.state,
                    DeliveryState::Pending | DeliveryState::Waiting | DeliveryState::Dead
                ) {
                    return Ok(CancelOutcome::Refused(before.state));
                }
                let after = Exception { state: DeliveryState::Cancelled, reason: None, ..*before };
                (revision, after)
            }
            Known::Fresh(DeliveryState::Pending) => match shared.event(delivery.event).await? {
                Some(event) => {
                    let cancelled = Exception::of(&event, DeliveryState::Cancelled, shared.now());
                    (0, Exception { ahead: true, ..cancelled })
                }
                None => return Ok(CancelOutcome::Unknown),
            },
            Known::Fresh(state) => return Ok(CancelOutcome::Refused(state)),
            Known::Unknown => return Ok(CancelOutcome::Unknown),
        };
        let Some(lane) = shared.lane(&delivery.destination) else {
            return write_off(shared, delivery, &after, revision).await.map(|_| CancelOutcome::Cancelled);
        };
        // If the event is here, it is kept from being handed out, and needs no passing over later.
        let key = key_of(delivery);
        let here = match revision {
            0 => {
                let mut state = lane.state();
                match state.held.get(&key.0) {
                    Some(held) if held.lease.is_some() => continue,
                    _ => state.held.remove(&key.0),
                }
            }
            _ => None,
        };
        let after = Exception { ahead: after.ahead && here.is_none(), ..after };
        let written = write_off(shared, delivery, &after, revision).await;
        if let Some(held) = here {
            match &written {
                Ok(true) => settle::acknowledge(shared, &held.reply).await?,
                _ => drop(lane.state().held.insert(key.0, held)),
            }
        }
        if written? {
            return Ok(CancelOutcome::Cancelled);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(StoreError::Overloaded)
}

/// `false` where somebody else was faster.
async fn write_off(
    shared: &Shared,
    delivery: &DeliveryId,
    after: &Exception,
    revision: u64,
) -> Result<bool, StoreError> {
    let written =
        shared.write(&delivery.destination, key_of(delivery), after, revision, &shared.nonce()).await;
    match written {
        Ok(_) => Ok(true),
        Err(Refused::Conflict) => Ok(false),
        Err(Refused::Store(error)) => Err(error),
    }
}
