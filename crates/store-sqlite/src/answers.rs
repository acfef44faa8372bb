//! What senders were answered where a destination answers itself.

use bytes::Bytes;
use hookhouse_core::{Answer, DestinationName, EventId, Headers, Passed};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::fault::begin;
use crate::time::{from_nanos, to_nanos};

/// Keeps an answer beside its event, unless that is gone.
pub(crate) fn keep(conn: &Connection, answer: &Answer) -> rusqlite::Result<()> {
    begin(conn)?;
    let passed = answer.passed.as_ref();
    conn.prepare_cached(
        "INSERT OR REPLACE INTO answers \
         (sequence, destination, asked, duration_ms, status, failure, repeat_of, up, down, ended, headers, body) \
         SELECT sequence, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 FROM events WHERE sequence = ?1 AND id = ?2",
    )?
    .execute(params![
        answer.event.position().cast_signed(),
        answer.event.as_bytes(),
        answer.destination.as_str(),
        to_nanos(answer.asked_at),
        answer.duration_ms.cast_signed(),
        answer.status,
        answer.failure,
        answer.repeat_of.as_ref().map(EventId::as_bytes),
        passed.map(|passed| passed.up.cast_signed()),
        passed.map(|passed| passed.down.cast_signed()),
        passed.map(|passed| &passed.end),
        &answer.headers.as_bytes()[..],
        &answer.body[..],
    ])?;
    Ok(())
}

/// The answer to an event.
pub(crate) fn find(conn: &Connection, event: EventId) -> rusqlite::Result<Option<Answer>> {
    conn.prepare_cached(
        "SELECT destination, asked, duration_ms, status, failure, repeat_of, up, down, ended, a.headers, a.body \
         FROM answers a JOIN events e ON e.sequence = a.sequence WHERE a.sequence = ?1 AND e.id = ?2",
    )?
    .query_row(params![event.position().cast_signed(), event.as_bytes()], |row| Ok(read(row, event)))
    .optional()?
    .transpose()
    .map(Option::flatten)
}

/// `None` for a row that no answer was ever written as: somebody else wrote it.
fn read(row: &Row<'_>, event: EventId) -> rusqlite::Result<Option<Answer>> {
    let Ok(destination) = row.get_ref(0)?.as_str().unwrap_or_default().parse::<DestinationName>() else {
        return Ok(None);
    };
    let Ok(headers) = Headers::parse(Bytes::from(row.get::<_, Vec<u8>>(9)?)) else { return Ok(None) };
    let passed = match (row.get::<_, Option<i64>>(6)?, row.get::<_, Option<i64>>(7)?, row.get(8)?) {
        (Some(up), Some(down), Some(end)) => {
            Some(Passed { up: up.cast_unsigned(), down: down.cast_unsigned(), end })
        }
        _ => None,
    };
    Ok(Some(Answer {
        event,
        destination,
        asked_at: from_nanos(row.get(1)?),
        duration_ms: row.get::<_, i64>(2)?.cast_unsigned(),
        status: row.get(3)?,
        headers,
        body: Bytes::from(row.get::<_, Vec<u8>>(10)?),
        failure: row.get(4)?,
        repeat_of: row.get::<_, Option<[u8; 16]>>(5)?.map(EventId::from_bytes),
        passed,
    }))
}

/// About how many bytes an answer takes.
pub(crate) fn weight(answer: &Answer) -> usize {
    answer.body.len() + answer.headers.as_bytes().len() + 256
}
