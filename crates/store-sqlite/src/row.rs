//! An event as a row, and back.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::event::Record;
use hookhouse_core::{EventId, Headers, Request, Sequence, StoredEvent};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Row, params};

use crate::names::Names;
use crate::time::{from_nanos, to_nanos};

/// Sixteen bytes of a digest by which a repeat of an event is recognised.
pub(crate) type DedupeKey = [u8; 16];

/// All by which a repeat of an event is recognised.
#[derive(Debug)]
pub(crate) struct DedupeKeys {
    /// The request's own.
    pub(crate) request: DedupeKey,
    /// Those of the elements in its body.
    pub(crate) elements: Vec<DedupeKey>,
}

/// The columns that [`read`] expects, in its order. The wide ones come last: SQLite reads a row's overflow pages only
/// when a column in them is asked for.
pub(crate) const COLUMNS: &str =
    "sequence, id, received, source, provenance, checksum, peer, event_type, method, target, headers, body";

const INSERT: &str = "INSERT INTO events \
    (sequence, id, received, source, provenance, dedupe, checksum, peer, event_type, method, target, headers, body) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Numbers of the names in a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameIds {
    pub(crate) source: i64,
    pub(crate) provenance: i64,
}

/// Appends events.
pub(crate) struct Inserter<'c>(CachedStatement<'c>);

impl<'c> Inserter<'c> {
    pub(crate) fn new(conn: &'c Connection) -> rusqlite::Result<Self> {
        conn.prepare_cached(INSERT).map(Self)
    }

    pub(crate) fn insert(
        &mut self,
        event: &StoredEvent,
        names: NameIds,
        dedupe: &[DedupeKey],
    ) -> rusqlite::Result<()> {
        let record = event.record();
        let request = &record.request;
        self.0.execute(params![
            event.sequence().0.cast_signed(),
            event.id().as_bytes(),
            to_nanos(record.received_at),
            names.source,
            names.provenance,
            Some(dedupe.as_flattened()).filter(|keys| !keys.is_empty()),
            checksum(event.id(), record),
            record.peer.map(|peer| peer.to_string()),
            record.event_type,
            request.method,
            request.target,
            &request.headers.as_bytes()[..],
            &request.body[..],
        ])?;
        Ok(())
    }
}

impl fmt::Debug for Inserter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inserter")
    }
}

/// What a row holds.
#[derive(Debug)]
pub(crate) enum Found {
    /// An event.
    Event(Arc<StoredEvent>),
    /// Something that was an event once. It is reported and never served.
    Damaged,
}

impl Found {
    /// The event, if it is whole.
    pub(crate) fn whole(self) -> Option<Arc<StoredEvent>> {
        match self {
            Self::Event(event) => Some(event),
            Self::Damaged => None,
        }
    }
}

/// Reads the [`COLUMNS`] of a row.
pub(crate) fn read(row: &Row<'_>, names: &Names) -> rusqlite::Result<Found> {
    let sequence = row.get::<_, i64>(0)?;
    let damaged = |what: &str| {
        tracing::error!(sequence, what, "store.corrupt_record: an event is damaged; it will not be served");
        Ok(Found::Damaged)
    };
    let Ok(id) = row.get::<_, [u8; 16]>(1).map(EventId::from_bytes) else { return damaged("id") };
    let Some(source) = names.sources.value(row.get(3)?) else { return damaged("source") };
    let Some(provenance) = names.provenances.value(row.get(4)?) else { return damaged("provenance") };
    let peer = match row.get_ref(6)? {
        ValueRef::Null => None,
        value => match value.as_str().ok().and_then(|text| text.parse::<IpAddr>().ok()) {
            Some(peer) => Some(peer),
            None => return damaged("peer"),
        },
    };
    let (Ok(event_type), Ok(method), Ok(target)) =
        (row.get::<_, Option<String>>(7), row.get_ref(8)?.as_str(), row.get::<_, String>(9))
    else {
        return damaged("text");
    };
    let (Ok(headers), Ok(body)) = (row.get_ref(10)?.as_blob(), row.get_ref(11)?.as_blob()) else {
        return damaged("bytes");
    };
    let Ok(headers) = Headers::parse(Bytes::copy_from_slice(headers)) else { return damaged("headers") };
    let record = Record {
        source,
        received_at: from_nanos(row.get(2)?),
        peer,
        request: Request { method: method_name(method), target, headers, body: Bytes::copy_from_slice(body) },
        provenance,
        event_type,
    };
    if row.get::<_, i64>(5)? != checksum(id, &record) {
        return damaged("checksum");
    }
    let event = StoredEvent::from_store(id, Sequence(sequence.cast_unsigned()), record);
    Ok(Found::Event(Arc::new(event)))
}

/// The usual methods without an allocation.
fn method_name(text: &str) -> Cow<'static, str> {
    match text {
        "POST" => Cow::Borrowed("POST"),
        "GET" => Cow::Borrowed("GET"),
        "PUT" => Cow::Borrowed("PUT"),
        other => Cow::Owned(other.to_owned()),
    }
}

/// CRC-32 over what a row holds: the lengths of the parts, so that no byte moves from one to the next, and the parts.
fn checksum(id: EventId, record: &Record) -> i64 {
    let (request, provenance) = (&record.request, &record.provenance);
    let received = to_nanos(record.received_at).to_le_bytes();
    let parts: [&[u8]; 11] = [
        id.as_bytes(),
        &received,
        record.source.as_str().as_bytes(),
        provenance.provider.as_bytes(),
        provenance.scheme.as_deref().unwrap_or_default().as_bytes(),
        provenance.key.as_deref().unwrap_or_default().as_bytes(),
        record.event_type.as_deref().unwrap_or_default().as_bytes(),
        request.method.as_bytes(),
        request.target.as_bytes(),
        request.headers.as_bytes(),
        &request.body,
    ];
    let mut lengths = [0; 8 * 11];
    for (length, part) in lengths.as_chunks_mut::<8>().0.iter_mut().zip(parts) {
        *length = (part.len() as u64).to_le_bytes();
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&lengths);
    parts.iter().for_each(|part| hasher.update(part));
    i64::from(hasher.finalize())
}
