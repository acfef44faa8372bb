//! What senders were answered where a destination answers itself.

use bytes::Bytes;
use hookhouse_core::{Answer, DestinationName, EventId, Headers, Passed};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::fault::begin;
use crate::seals::Seals;
use crate::time::{from_nanos, to_nanos};

/// Keeps an answer beside its event, unless that is gone.
pub(crate) fn keep(conn: &Connection, answer: &Answer, seals: &Seals) -> rusqlite::Result<()> {
    begin(conn)?;
    let (headers, body) = (&answer.headers.as_bytes()[..], &answer.body[..]);
    let sealed = seals.answer(answer.event, headers, body)?;
    let (headers, body) = match &sealed {
        None => (headers, body),
        Some(sealed) => (&b""[..], &sealed.bytes[..]),
    };
    let passed = answer.passed.as_ref();
    conn.prepare_cached(
        "INSERT OR REPLACE INTO answers \
         (sequence, destination, asked, duration_ms, status, failure, repeat_of, up, down, ended, headers, body, sealed) \
         SELECT sequence, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14 FROM events WHERE sequence = ?1 AND id = ?2",
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
        headers,
        body,
        sealed.as_ref().map(|sealed| sealed.key),
    ])?;
    Ok(())
}

/// The answer to an event.
pub(crate) fn find(conn: &Connection, event: EventId, seals: &Seals) -> rusqlite::Result<Option<Answer>> {
    conn.prepare_cached(
        "SELECT destination, asked, duration_ms, status, failure, repeat_of, up, down, ended, a.headers, a.body, a.sealed \
         FROM answers a JOIN events e ON e.sequence = a.sequence WHERE a.sequence = ?1 AND e.id = ?2",
    )?
    .query_row(params![event.position().cast_signed(), event.as_bytes()], |row| Ok(read(row, event, seals)))
    .optional()?
    .transpose()
    .map(Option::flatten)
}

/// `None` for a row that no answer was ever written as, or whose seal does not open: somebody else wrote it.
fn read(row: &Row<'_>, event: EventId, seals: &Seals) -> rusqlite::Result<Option<Answer>> {
    let Ok(destination) = row.get_ref(0)?.as_str().unwrap_or_default().parse::<DestinationName>() else {
        return Ok(None);
    };
    let (headers, body) = match row.get::<_, Option<i64>>(11)? {
        None => (Bytes::from(row.get::<_, Vec<u8>>(9)?), Bytes::from(row.get::<_, Vec<u8>>(10)?)),
        Some(key) => match seals.open_answer(key, event, row.get_ref(10)?.as_blob().unwrap_or_default()) {
            Ok(payload) => (payload.headers, payload.body),
            Err(_) => return Ok(None),
        },
    };
    let Ok(headers) = Headers::parse(headers) else { return Ok(None) };
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
        body,
        failure: row.get(4)?,
        repeat_of: row.get::<_, Option<[u8; 16]>>(5)?.map(EventId::from_bytes),
        passed,
    }))
}

/// About how many bytes an answer takes.
pub(crate) fn weight(answer: &Answer) -> usize {
    answer.body.len() + answer.headers.as_bytes().len() + 256
}
