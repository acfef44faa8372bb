//! Pages of events, and attempts.

use std::sync::Arc;

use hookhouse_core::kind::is_of_type;
use hookhouse_core::store::{Cursor, EventQuery, Order, Page};
use hookhouse_core::{
    Attempt, AttemptNumber, AttemptOutcome, DeliveryId, DestinationName, EventId, StoredEvent, Timestamp,
};
use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::names::Names;
use crate::progress::Key;
use crate::row::{self, COLUMNS, Found};
use crate::seals::{Attempted, Seals};
use crate::time::{from_nanos, to_nanos};

/// Events in a page, at most.
const MAX_PAGE: usize = 1000;

/// Their bytes, about, at most.
const MAX_BYTES: usize = 16 << 20;

/// Rows that are looked at for a page, at most: a page may be short and still have a next one.
const MAX_SCAN: usize = 10_000;

/// How far the time in an id may lie from when its event was received. An id is made when the event is stored, which
/// is later by a request's length; the rest is for clocks that jump.
const SLACK: SignedDuration = SignedDuration::from_hours(24);

/// What lies in a place of the log.
pub(crate) fn find(conn: &Connection, names: &Names, sequence: u64) -> rusqlite::Result<Option<Found>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM events WHERE sequence = ?1"))?
        .query_row([sequence.cast_signed()], |row| row::read(row, names))
        .optional()
}

/// The event in a place of the log, unless it is damaged.
pub(crate) fn at(
    conn: &Connection,
    names: &Names,
    sequence: u64,
) -> rusqlite::Result<Option<Arc<StoredEvent>>> {
    Ok(find(conn, names, sequence)?.and_then(Found::whole))
}

/// A page of events in log order.
pub(crate) fn page(
    conn: &Connection,
    names: &Names,
    query: &EventQuery,
) -> rusqlite::Result<Page<Arc<StoredEvent>>> {
    let nothing = Ok(Page { items: Vec::new(), next: None });
    let source = match &query.source {
        None => None,
        Some(name) => match names.sources.id(name) {
            Some(id) => Some(id),
            None => return nothing,
        },
    };
    let filter = Filter {
        names,
        verified: query.verified,
        source,
        event_type: query.event_type.as_deref(),
        since: query.since.map_or(i64::MIN, to_nanos),
        until: query.until.map(to_nanos),
    };
    let floor = query.since.map(|since| since.saturating_sub(SLACK).unwrap_or(Timestamp::MIN));
    let limit = query.limit.clamp(1, MAX_PAGE);
    let place = query.cursor.map(|cursor| i64::try_from(cursor.0).unwrap_or(i64::MAX));
    let (sql, start) = match query.order {
        Order::NewestFirst => ("sequence < ?1 ORDER BY sequence DESC", place.unwrap_or(i64::MAX)),
        Order::OldestFirst => {
            let start = match (place, floor) {
                (Some(place), _) => place,
                (None, Some(floor)) => first_made_after(conn, floor)?,
                (None, None) => 0,
            };
            ("sequence > ?1 ORDER BY sequence", start)
        }
    };
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM events WHERE {sql}"))?;
    let mut rows = select.query([start])?;
    let mut items: Vec<Arc<StoredEvent>> = Vec::new();
    let (mut bytes, mut scanned, mut last) = (0, 0, start);
    while let Some(row) = rows.next()? {
        if items.len() == limit || bytes >= MAX_BYTES || scanned == MAX_SCAN {
            return Ok(Page { items, next: Some(Cursor(last.cast_unsigned())) });
        }
        scanned += 1;
        last = row.get(0)?;
        if query.order == Order::NewestFirst
            && floor.is_some_and(|floor| made_at(row).is_some_and(|at| at < floor))
        {
            break;
        }
        if filter.passes(row)?
            && let Some(event) = row::read(row, names)?.whole()
        {
            // What a search reads in vain counts too.
            bytes += event.body().len() + event.headers().as_bytes().len();
            if query.text.is_none() || query.passes(&event) {
                items.push(event);
            }
        }
    }
    Ok(Page { items, next: None })
}

struct Filter<'a> {
    names: &'a Names,
    verified: Option<bool>,
    source: Option<i64>,
    event_type: Option<&'a str>,
    since: i64,
    until: Option<i64>,
}

impl Filter<'_> {
    /// Looks at narrow columns alone, so that a row that does not pass costs no read of its body. What is damaged passes:
    /// reading it says so.
    fn passes(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let numbers = (row.get::<_, i64>(2), row.get::<_, i64>(3), row.get::<_, i64>(4));
        let (Ok(received), Ok(of), Ok(by)) = numbers else { return Ok(true) };
        if received < self.since || self.until.is_some_and(|until| received >= until) {
            return Ok(false);
        }
        if let Some(source) = self.source
            && of != source
        {
            return Ok(false);
        }
        if let Some(wanted) = self.verified
            && let Some(provenance) = self.names.provenances.value(by)
            && provenance.is_verified() != wanted
        {
            return Ok(false);
        }
        let Some(wanted) = self.event_type else { return Ok(true) };
        Ok(is_of_type(wanted, row.get_ref(7)?.as_str_or_null().ok().flatten()))
    }
}

fn made_at(row: &Row<'_>) -> Option<Timestamp> {
    row.get(1).ok().map(EventId::from_bytes).map(|id| id.made_at())
}

/// The place before the first event whose id was made at `floor` or later. Ids are in order of time, so a few dozen
/// looks find it.
fn first_made_after(conn: &Connection, floor: Timestamp) -> rusqlite::Result<i64> {
    let mut look = conn
        .prepare_cached("SELECT sequence, id FROM events WHERE sequence >= ?1 ORDER BY sequence LIMIT 1")?;
    let newest: Option<i64> = conn.query_row("SELECT max(sequence) FROM events", [], |row| row.get(0))?;
    let (mut low, mut high) = (0, newest.unwrap_or(0) + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = look.query_row([middle], |row| Ok((row.get::<_, i64>(0)?, made_at(row)))).optional()?;
        match found {
            Some((sequence, Some(made))) if made < floor => low = sequence + 1,
            _ => high = middle,
        }
    }
    Ok(low - 1)
}

/// The columns that [`attempt`] expects after `destination`, `round`.
pub(crate) const ATTEMPT: &str =
    "destination, round, number, started, duration_ms, outcome, status, detail, sealed";

/// An attempt from a row of [`ATTEMPT`].
pub(crate) fn attempt(
    row: &Row<'_>,
    event: EventId,
    destination: DestinationName,
    seals: &Seals,
) -> rusqlite::Result<Attempt> {
    let status = row.get::<_, Option<u16>>(6)?;
    let detail = row.get::<_, Option<String>>(7)?.unwrap_or_default();
    let detail = match row.get::<_, Option<i64>>(8)? {
        None => detail,
        Some(key) => {
            let round = row.get::<_, i64>(1)?.cast_unsigned();
            let tried = Attempted {
                key: Key { sequence: event.position(), round },
                destination: row.get(0)?,
                number: row.get(2)?,
            };
            seals.open_words(key, tried, &detail).unwrap_or_else(|_| "it cannot be decrypted".to_owned())
        }
    };
    let outcome = match (row.get_ref(5)?.as_str().unwrap_or_default(), status) {
        ("delivered", Some(status)) => AttemptOutcome::Delivered { status },
        ("refused", Some(status)) => AttemptOutcome::Refused { status, answer: detail },
        ("skipped", _) => AttemptOutcome::Skipped { reason: detail },
        _ => AttemptOutcome::Failed { error: detail },
    };
    Ok(Attempt {
        delivery: DeliveryId { event, destination, round: row.get::<_, i64>(1)?.cast_unsigned() },
        number: AttemptNumber(row.get(2)?),
        started_at: from_nanos(row.get(3)?),
        duration_ms: row.get::<_, i64>(4)?.cast_unsigned(),
        outcome,
    })
}

/// Every attempt to deliver an event, oldest first.
pub(crate) fn attempts(conn: &Connection, names: &Names, event: EventId) -> rusqlite::Result<Vec<Attempt>> {
    let sequence = event.position().cast_signed();
    let stored: Option<[u8; 16]> = conn
        .prepare_cached("SELECT id FROM events WHERE sequence = ?1")?
        .query_row([sequence], |row| row.get(0))
        .optional()?;
    if stored.map(EventId::from_bytes) != Some(event) {
        return Ok(Vec::new());
    }
    let mut select = conn.prepare_cached(&format!(
        "SELECT {ATTEMPT} FROM attempts WHERE sequence = ?1 ORDER BY started, destination, round, number"
    ))?;
    let mut rows = select.query([sequence])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(destination) = names.destinations.value(row.get(0)?) {
            attempts.push(attempt(row, event, destination, &names.seals)?);
        }
    }
    Ok(attempts)
}
