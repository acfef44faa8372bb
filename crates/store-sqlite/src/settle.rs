//! Writes what became of leases.

use std::sync::Arc;

use hookhouse_core::delivery::{Next, Settlement};
use hookhouse_core::{Attempt, AttemptOutcome, DeliveryState};
use rusqlite::{Connection, params};

use crate::fault::begin;
use crate::ops::{HeldSettlement, Place};
use crate::progress::{Key, Prepared};
use crate::seals::Attempted;
use crate::time::to_nanos;

/// Writes attempts, and the exceptions that follow from them. The rows of the consumers are the caller's.
pub(crate) fn settle(
    place: &mut Place<'_>,
    settlements: &[Settlement],
    held: &[HeldSettlement],
) -> rusqlite::Result<()> {
    for HeldSettlement { index, consumer, prepared } in held {
        if prepared.next == Next::Release {
            continue;
        }
        begin(place.conn)?;
        place.touched.insert(consumer.id, Arc::clone(consumer));
        // Retention does not wait for a destination that is no longer named: the event may be gone.
        if !consumer.lock().active && !exists(place.conn, prepared.key.sequence)? {
            continue;
        }
        let attempt = settlements.get(*index).and_then(|settlement| settlement.attempt.as_ref());
        if let Some(attempt) = attempt {
            insert_attempt(place, consumer.id, prepared, attempt)?;
        }
        if let Some(state) = prepared.becomes() {
            let attempts =
                if attempt.is_some() { prepared.attempt } else { prepared.attempt.saturating_sub(1) };
            let (due, reason) = match &prepared.next {
                Next::RetryAt(at) => (Some(to_nanos(*at)), None),
                Next::GiveUp(reason) => (None, Some(reason.as_str())),
                Next::Done | Next::Release => (None, None),
            };
            let row = ExceptionRow { key: prepared.key, state, attempts, due, reason };
            put_exception(place.conn, consumer.id, &row)?;
        }
    }
    Ok(())
}

fn exists(conn: &Connection, sequence: u64) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM events WHERE sequence = ?1")?.exists([sequence.cast_signed()])
}

fn insert_attempt(
    place: &Place<'_>,
    destination: i64,
    prepared: &Prepared,
    attempt: &Attempt,
) -> rusqlite::Result<()> {
    let (outcome, status, detail) = match &attempt.outcome {
        AttemptOutcome::Delivered { status } => ("delivered", Some(*status), None),
        AttemptOutcome::Refused { status, answer } => ("refused", Some(*status), Some(answer)),
        AttemptOutcome::Failed { error } => ("failed", None, Some(error)),
        AttemptOutcome::Skipped { reason } => ("skipped", None, Some(reason)),
    };
    let tried = Attempted { key: prepared.key, destination, number: prepared.attempt };
    let detail = detail.map(String::as_str);
    let sealed = match detail {
        Some(words) => place.shared.names.seals.words(tried, words)?,
        None => None,
    };
    let (sealed, detail) = match &sealed {
        Some((key, words)) => (Some(*key), Some(words.as_str())),
        None => (None, detail),
    };
    place
        .conn
        .prepare_cached(
            "INSERT OR REPLACE INTO attempts \
         (sequence, destination, round, number, started, duration_ms, outcome, status, detail, sealed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            prepared.key.sequence.cast_signed(),
            destination,
            prepared.key.round.cast_signed(),
            prepared.attempt,
            to_nanos(attempt.started_at),
            i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX),
            outcome,
            status,
            detail,
            sealed,
        ])?;
    Ok(())
}

/// A row of `exceptions`.
pub(crate) struct ExceptionRow {
    pub(crate) key: Key,
    pub(crate) state: DeliveryState,
    pub(crate) attempts: u32,
    pub(crate) due: Option<i64>,
    pub(crate) reason: Option<&'static str>,
}

/// Writes a row, in place of the one that there may be.
pub(crate) fn put_exception(conn: &Connection, destination: i64, row: &ExceptionRow) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO exceptions (sequence, destination, round, state, attempts, due, reason) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT (sequence, destination, round) DO UPDATE SET \
         state = excluded.state, attempts = excluded.attempts, due = excluded.due, reason = excluded.reason",
    )?
    .execute(params![
        row.key.sequence.cast_signed(),
        destination,
        row.key.round.cast_signed(),
        row.state.as_str(),
        row.attempts,
        row.due,
        row.reason,
    ])?;
    Ok(())
}
