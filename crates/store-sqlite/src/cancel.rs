//! Calling deliveries off.
//!
//! A delivery without a row is a place in the log; called off, it gets a row that says so, and its destination passes
//! over the place. Until that is committed nobody is handed the delivery, so that what is answered as cancelled is not
//! under way.

use std::sync::Arc;

use hookhouse_core::delivery::DeliveryMove;
use hookhouse_core::store::CancelOutcome;
use hookhouse_core::{DeliveryId, DeliveryState};
use rusqlite::OptionalExtension;
use tokio::time::Instant;

use crate::consumer::Consumer;
use crate::fault::begin;
use crate::ops::{Done, Place};
use crate::progress::Key;
use crate::replay::id_at;
use crate::settle::{ExceptionRow, put_exception};
use crate::shared::Shared;

/// A delivery that nobody is handed while it is called off.
#[derive(Debug)]
pub(crate) struct HeldCancel {
    consumer: Arc<Consumer>,
    key: Key,
    /// The state of its row; `None` where it has none.
    before: Option<DeliveryState>,
}

impl HeldCancel {
    /// Its event.
    pub(crate) fn sequence(&self) -> u64 {
        self.key.sequence
    }

    /// It is not called off.
    pub(crate) fn let_go(&self) {
        self.consumer.lock().not_cancelled(self.key);
        self.consumer.wake();
    }

    /// It is called off.
    pub(crate) fn take(self) {
        self.consumer.lock().cancelled(self.key, self.before);
        // There may be room in the window now.
        self.consumer.wake();
    }
}

/// Keeps a delivery from being handed out.
pub(crate) fn hold(shared: &Shared, delivery: &DeliveryId) -> Done {
    let Some(consumer) = shared.consumers.named(&delivery.destination) else {
        return Done::Cancelled { outcome: CancelOutcome::Unknown, held: None };
    };
    if !consumer.lock().hold_back(delivery, Instant::now()) {
        return Done::Cancelled { outcome: CancelOutcome::Refused(DeliveryState::Leased), held: None };
    }
    let held = HeldCancel { consumer, key: Key::of(delivery), before: None };
    Done::Cancelled { outcome: CancelOutcome::Cancelled, held: Some(held) }
}

/// Writes that a delivery is called off, or says why it is not.
pub(crate) fn write(
    place: &mut Place<'_>,
    delivery: &DeliveryId,
    outcome: &mut CancelOutcome,
    held: &mut Option<HeldCancel>,
) -> rusqlite::Result<()> {
    let Some(holding) = held else { return Ok(()) };
    *outcome = judge(place, delivery, holding)?;
    if *outcome != CancelOutcome::Cancelled
        && let Some(holding) = held.take()
    {
        holding.let_go();
    }
    Ok(())
}

fn judge(
    place: &mut Place<'_>,
    delivery: &DeliveryId,
    held: &mut HeldCancel,
) -> rusqlite::Result<CancelOutcome> {
    let (conn, key, consumer) = (place.conn, held.key, &held.consumer);
    if id_at(conn, key.sequence)? != Some(delivery.event) {
        return Ok(CancelOutcome::Unknown);
    }
    let at = (key.sequence.cast_signed(), consumer.id, key.round.cast_signed());
    let row: Option<(String, u32)> = conn
        .prepare_cached(
            "SELECT state, attempts FROM exceptions WHERE sequence = ?1 AND destination = ?2 AND round = ?3",
        )?
        .query_row(at, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let attempts = match row {
        Some((state, attempts)) => {
            let Ok(state) = state.parse::<DeliveryState>() else { return Ok(CancelOutcome::Unknown) };
            if state.after(DeliveryMove::Cancel).is_none() {
                return Ok(CancelOutcome::Refused(state));
            }
            held.before = Some(state);
            attempts
        }
        None if key.round > 0 => return Ok(CancelOutcome::Unknown),
        None => {
            let source: i64 = conn
                .prepare_cached("SELECT source FROM events WHERE sequence = ?1")?
                .query_row([at.0], |row| row.get(0))?;
            if !consumer.lock().is_fresh(key.sequence, source) {
                let tried = conn
                    .prepare_cached(
                        "SELECT 1 FROM attempts WHERE sequence = ?1 AND destination = ?2 AND round = 0",
                    )?
                    .exists([at.0, consumer.id])?;
                return Ok(if tried {
                    CancelOutcome::Refused(DeliveryState::Delivered)
                } else {
                    CancelOutcome::Unknown
                });
            }
            0
        }
    };
    begin(conn)?;
    let row = ExceptionRow { key, state: DeliveryState::Cancelled, attempts, due: None, reason: None };
    put_exception(conn, consumer.id, &row)?;
    place.touched.insert(consumer.id, Arc::clone(consumer));
    Ok(CancelOutcome::Cancelled)
}
