//! An event as a row, and back.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::event::Record;
use hookhouse_core::{EventId, Headers, Request, Sequence, StoredEvent, address_text};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Row, params};

use crate::names::Names;
use crate::seals::{Closed, Payload, Seals};
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
pub(crate) const COLUMNS: &str = "sequence, id, received, source, provenance, checksum, peer, event_type, method, target, headers, body, sealed";

const INSERT: &str = "INSERT INTO events \
    (sequence, id, received, source, provenance, dedupe, checksum, peer, event_type, method, target, headers, body, \
     sealed) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

/// Numbers of the names in a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameIds {
    pub(crate) source: i64,
    pub(crate) provenance: i64,
}

/// Appends events.
pub(crate) struct Inserter<'c> {
    statement: CachedStatement<'c>,
    seals: &'c Seals,
}

impl<'c> Inserter<'c> {
    pub(crate) fn new(conn: &'c Connection, seals: &'c Seals) -> rusqlite::Result<Self> {
        Ok(Self { statement: conn.prepare_cached(INSERT)?, seals })
    }

    pub(crate) fn insert(
        &mut self,
        event: &StoredEvent,
        names: NameIds,
        dedupe: &[DedupeKey],
    ) -> rusqlite::Result<()> {
        let record = event.record();
        let request = &record.request;
        let (target, headers, body) = (&request.target, &request.headers.as_bytes()[..], &request.body[..]);
        let sealed = self.seals.event(event.id(), target, headers, body)?;
        let written = match &sealed {
            None => Written { target, headers, body },
            Some(sealed) => Written { target: "", headers: b"", body: &sealed.bytes },
        };
        let received = to_nanos(record.received_at);
        let peer = record.peer.map(address_text);
        let peer_text = peer.as_deref().unwrap_or_default();
        let checksum = checksum(event.id(), received, record, &request.method, written, Some(peer_text));
        self.statement.execute(params![
            event.sequence().0.cast_signed(),
            event.id().as_bytes(),
            received,
            names.source,
            names.provenance,
            Some(dedupe.as_flattened()).filter(|keys| !keys.is_empty()),
            checksum,
            peer,
            record.event_type,
            request.method,
            written.target,
            written.headers,
            written.body,
            sealed.as_ref().map(|sealed| sealed.key),
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
    match decode(row, names)? {
        Ok(event) => Ok(Found::Event(Arc::new(event))),
        Err(flaw) => {
            let (sequence, what) = (row.get::<_, i64>(0)?, flaw.what());
            tracing::error!(
                sequence,
                what,
                "store.corrupt_record: an event is damaged; it will not be served"
            );
            Ok(Found::Damaged)
        }
    }
}

/// Why a row gives no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// This of it is not what was written.
    Damaged(&'static str),
    /// It is sealed with a key that is not there. Its checksum holds.
    NoKey,
}

impl Flaw {
    /// What is wrong, in a word.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Damaged(what) => what,
            Self::NoKey => "its key is missing",
        }
    }
}

/// The event in the [`COLUMNS`] of a row.
pub(crate) fn decode(row: &Row<'_>, names: &Names) -> rusqlite::Result<Result<StoredEvent, Flaw>> {
    let damaged = |what| Ok(Err(Flaw::Damaged(what)));
    let sequence = row.get::<_, i64>(0)?;
    let Ok(id) = row.get::<_, [u8; 16]>(1).map(EventId::from_bytes) else { return damaged("id") };
    let Some(source) = row.get(3).ok().and_then(|id| names.sources.value(id)) else {
        return damaged("source");
    };
    let Some(provenance) = row.get(4).ok().and_then(|id| names.provenances.value(id)) else {
        return damaged("provenance");
    };
    let (Ok(received), Ok(sum)) = (row.get::<_, i64>(2), row.get::<_, i64>(5)) else {
        return damaged("number");
    };
    let peer = match row.get_ref(6)? {
        ValueRef::Null => None,
        value => match value.as_str().ok().and_then(|text| text.parse::<IpAddr>().ok()) {
            Some(peer) => Some(peer),
            None => return damaged("peer"),
        },
    };
    let (Ok(event_type), Ok(method), Ok(target)) =
        (row.get::<_, Option<String>>(7), row.get_ref(8)?.as_str(), row.get_ref(9)?.as_str())
    else {
        return damaged("text");
    };
    let (Ok(headers), Ok(body)) = (row.get_ref(10)?.as_blob(), row.get_ref(11)?.as_blob()) else {
        return damaged("bytes");
    };
    let mut record = Record {
        source,
        received_at: from_nanos(received),
        peer,
        request: Request {
            method: method_name(method),
            target: String::new(),
            headers: Headers::default(),
            body: Bytes::new(),
        },
        provenance,
        // Without a type and with an empty one are the same to the checksum, so they are the same here.
        event_type: event_type.filter(|name| !name.is_empty()),
    };
    let written = Written { target, headers, body };
    let peer = record.peer.map(address_text).unwrap_or_default();
    let holds = |peer| sum == checksum(id, received, &record, method, written, peer);
    // Rows from before the checksum covered the peer are as good as they were.
    if !holds(Some(&peer)) && !holds(None) {
        return damaged("checksum");
    }
    let payload = match row.get::<_, Option<i64>>(12)? {
        None => Payload {
            target: target.to_owned(),
            headers: Bytes::copy_from_slice(headers),
            body: Bytes::copy_from_slice(body),
        },
        Some(key) => match names.seals.open_event(key, id, body) {
            Ok(payload) => payload,
            Err(Closed::NoKey) => return Ok(Err(Flaw::NoKey)),
            Err(Closed::Damaged) => return damaged("seal"),
        },
    };
    let Ok(headers) = Headers::parse(payload.headers) else { return damaged("headers") };
    (record.request.target, record.request.headers, record.request.body) =
        (payload.target, headers, payload.body);
    Ok(Ok(StoredEvent::from_store(id, Sequence(sequence.cast_unsigned()), record)))
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

/// What a sender sent, as it lies in the file.
#[derive(Debug, Clone, Copy)]
struct Written<'a> {
    target: &'a str,
    headers: &'a [u8],
    body: &'a [u8],
}

/// CRC-32 over what a row holds: the lengths of the parts, so that no byte moves from one to the next, and the parts.
/// `peer`: the text of the peer, empty without one; `None` for a sum that does not cover it.
fn checksum(
    id: EventId,
    received: i64,
    record: &Record,
    method: &str,
    written: Written<'_>,
    peer: Option<&str>,
) -> i64 {
    let provenance = &record.provenance;
    let received = received.to_le_bytes();
    let parts: [&[u8]; 12] = [
        id.as_bytes(),
        &received,
        record.source.as_str().as_bytes(),
        provenance.provider.as_bytes(),
        provenance.scheme.as_deref().unwrap_or_default().as_bytes(),
        provenance.key.as_deref().unwrap_or_default().as_bytes(),
        record.event_type.as_deref().unwrap_or_default().as_bytes(),
        method.as_bytes(),
        written.target.as_bytes(),
        written.headers,
        written.body,
        peer.unwrap_or_default().as_bytes(),
    ];
    let count = if peer.is_some() { 12 } else { 11 };
    let mut lengths = [0; 8 * 12];
    for (length, part) in lengths.as_chunks_mut::<8>().0.iter_mut().zip(parts) {
        *length = (part.len() as u64).to_le_bytes();
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(lengths.get(..8 * count).unwrap_or_default());
    parts.iter().take(count).for_each(|part| hasher.update(part));
    i64::from(hasher.finalize())
}
