//! Deliveries that operators want made: again, or now.

use std::sync::Arc;

use hookhouse_core::delivery::DeliveryMove;
use hookhouse_core::store::RetryOutcome;
use hookhouse_core::{DeliveryId, DeliveryState, DestinationName, Edit, EventId};
use rusqlite::{Connection, OptionalExtension};

use crate::consumer::Consumer;
use crate::edits;
use crate::fault::begin;
use crate::ops::{Done, Place};
use crate::progress::Key;
use crate::settle::{ExceptionRow, put_exception};
use crate::time::to_nanos;

/// Makes a new delivery of an event, with an edit if there is one. `None` where there is no such event.
pub(crate) fn redeliver(
    place: &Place<'_>,
    event: EventId,
    destination: &DestinationName,
    edit: Option<&Edit>,
) -> rusqlite::Result<Option<(Arc<Consumer>, DeliveryId)>> {
    let sequence = event.position();
    let Some(consumer) = place.shared.consumers.named(destination) else { return Ok(None) };
    if id_at(place.conn, sequence)? != Some(event) {
        return Ok(None);
    }
    // Rounds are counted for each event, whichever the destination: so they also put its replays in order.
    let round: i64 = place
        .conn
        .prepare_cached("SELECT coalesce(max(round), 0) + 1 FROM exceptions WHERE sequence = ?1")?
        .query_row([sequence.cast_signed()], |row| row.get(0))?;
    let key = Key { sequence, round: round.cast_unsigned() };
    let due = Some(to_nanos(place.shared.clock.now()));
    begin(place.conn)?;
    let row = ExceptionRow { key, state: DeliveryState::Pending, attempts: 0, due, reason: None };
    put_exception(place.conn, consumer.id, &row)?;
    if let Some(edit) = edit {
        edits::keep(place.conn, key, edit, &place.shared.names.seals)?;
    }
    let delivery = DeliveryId { event, destination: destination.clone(), round: key.round };
    Ok(Some((consumer, delivery)))
}

pub(crate) fn id_at(conn: &Connection, sequence: u64) -> rusqlite::Result<Option<EventId>> {
    let id: Option<[u8; 16]> = conn
        .prepare_cached("SELECT id FROM events WHERE sequence = ?1")?
        .query_row([sequence.cast_signed()], |row| row.get(0))
        .optional()?;
    Ok(id.map(EventId::from_bytes))
}

/// Makes a delivery due now, if it can be.
pub(crate) fn retry(place: &Place<'_>, delivery: &DeliveryId) -> rusqlite::Result<Done> {
    let refused = |outcome| Ok(Done::Retried { outcome, moved: None });
    let key = Key::of(delivery);
    let Some(consumer) = place.shared.consumers.named(&delivery.destination) else {
        return refused(RetryOutcome::Unknown);
    };
    if id_at(place.conn, key.sequence)? != Some(delivery.event) {
        return refused(RetryOutcome::Unknown);
    }
    if consumer.lock().is_held(key) {
        return refused(RetryOutcome::Refused(DeliveryState::Leased));
    }
    let at = (key.sequence.cast_signed(), consumer.id, key.round.cast_signed());
    let row: Option<(String, u32)> = place
        .conn
        .prepare_cached(
            "SELECT state, attempts FROM exceptions WHERE sequence = ?1 AND destination = ?2 AND round = ?3",
        )?
        .query_row(at, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((state, attempts)) = row else { return refused(without_row(place, &consumer, delivery)?) };
    let Ok(state) = state.parse::<DeliveryState>() else { return refused(RetryOutcome::Unknown) };
    if state.after(DeliveryMove::Retry).is_none() {
        return refused(RetryOutcome::Refused(state));
    }
    begin(place.conn)?;
    let due = Some(to_nanos(place.shared.clock.now()));
    let row = ExceptionRow { key, state: DeliveryState::Pending, attempts, due, reason: None };
    put_exception(place.conn, consumer.id, &row)?;
    Ok(Done::Retried { outcome: RetryOutcome::Due, moved: Some((consumer, state)) })
}

/// The state of a delivery that is but a place in the log.
fn without_row(
    place: &Place<'_>,
    consumer: &Consumer,
    delivery: &DeliveryId,
) -> rusqlite::Result<RetryOutcome> {
    if delivery.round > 0 {
        return Ok(RetryOutcome::Unknown);
    }
    let sequence = delivery.event.position();
    let source: i64 = place
        .conn
        .prepare_cached("SELECT source FROM events WHERE sequence = ?1")?
        .query_row([sequence.cast_signed()], |row| row.get(0))?;
    if let Some(state) = consumer.lock().fresh_state(sequence, source) {
        return Ok(RetryOutcome::Refused(state));
    }
    let tried = place
        .conn
        .prepare_cached("SELECT 1 FROM attempts WHERE sequence = ?1 AND destination = ?2 AND round = 0")?
        .exists([sequence.cast_signed(), consumer.id])?;
    Ok(if tried { RetryOutcome::Refused(DeliveryState::Delivered) } else { RetryOutcome::Unknown })
}
