//! What the fuzzers call: bytes of a file that was changed by something else than this program.

use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::event::Record;
use hookhouse_core::{EventId, Headers, Request, Sequence, StoredEvent, Timestamp};
use rusqlite::Connection;

use crate::encryption::Encryption;
use crate::names::Names;
use crate::owed::{read_owed, write_owed};
use crate::row::{self, COLUMNS, Found, Inserter, NameIds};
use crate::schema;
use crate::seals::Seals;

/// A program: its name, what it does with an input, and what it begins with.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Everything of this crate.
pub const TARGETS: &[Target] = &[("stored_row", stored_row, rows), ("stored_owed", stored_owed, owed)];

/// A file in memory with the tables of ours, and the names in it.
struct Log {
    conn: Connection,
    names: Names,
    ids: NameIds,
}

impl Log {
    fn new() -> rusqlite::Result<Self> {
        let conn = Connection::open_in_memory()?;
        conn.execute_batch(&schema::tables())?;
        let names = Names::load(&conn, Seals::load_what_there_is(&conn, &Encryption::default())?)?;
        let source = names.sources.intern(&conn, &"calls".parse().expect("a name"))?;
        let provenance = serde_json::from_str(r#"{"provider":"x","scheme":"s"}"#).expect("a provenance");
        let provenance = names.provenances.intern(&conn, &provenance)?;
        Ok(Self { conn, names, ids: NameIds { source, provenance } })
    }

    fn read(&self) -> rusqlite::Result<Found> {
        let mut all = self.conn.prepare_cached(&format!("SELECT {COLUMNS} FROM events"))?;
        all.query_row([], |row| row::read(row, &self.names))
    }
}

thread_local! {
    static LOG: Log = Log::new().expect("a file in memory");
}

/// Which column is overwritten, how, and with what: peer, type, method, target, headers, body.
///
/// A row is what was written or is damaged; nothing else is ever served.
fn stored_row(input: &[u8]) {
    let mut parts = input.splitn(6, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (which, kind, method, target, headers, body) = (part(), part(), part(), part(), part(), part());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let record = Record {
        source: "calls".parse().expect("a name"),
        received_at: Timestamp::UNIX_EPOCH,
        peer: text(which).parse().ok(),
        request: Request {
            method: text(method).into(),
            target: text(target),
            headers: Headers::parse(Bytes::copy_from_slice(headers)).unwrap_or_default(),
            body: Bytes::copy_from_slice(body),
        },
        provenance: serde_json::from_str(r#"{"provider":"x","scheme":"s"}"#).expect("a provenance"),
        event_type: Some(text(kind)).filter(|kind| !kind.is_empty()),
    };
    let id = EventId::with_position(Timestamp::UNIX_EPOCH, 1, 0);
    let event = Arc::new(StoredEvent::from_store(id, Sequence(1), record));
    LOG.with(|log| {
        log.conn.execute("DELETE FROM events", []).expect("a file in memory");
        Inserter::new(&log.conn, &log.names.seals)
            .and_then(|mut rows| rows.insert(&event, log.ids, &[]))
            .expect("a row that was written");
        let whole = log.read().expect("a row").whole().expect("what was written is whole");
        assert_eq!(whole.record(), event.record());
        let columns = ["id", "received", "source", "provenance", "checksum", "peer", "event_type", "method"];
        let columns = columns.into_iter().chain(["target", "headers", "body"]);
        let at = usize::from(which.first().copied().unwrap_or_default());
        let column = columns.cycle().nth(at % 11).expect("a cycle has no end");
        let changed = overwrite(&log.conn, column, kind, which);
        if changed && let Ok(Found::Event(found)) = log.read() {
            assert_eq!(found.record(), event.record(), "`{column}` was changed, and the event is served");
        }
    });
}

/// Puts other bytes into a column; whether they fit into it.
fn overwrite(conn: &Connection, column: &str, bytes: &[u8], number: &[u8]) -> bool {
    let update = format!("UPDATE events SET {column} = ?1");
    let done = match column {
        "id" | "headers" | "body" => conn.execute(&update, [bytes]),
        "peer" | "event_type" | "method" | "target" => {
            conn.execute(&update, [String::from_utf8_lossy(bytes).into_owned()])
        }
        _ => {
            let mut value = [0; 8];
            value.iter_mut().zip(number).for_each(|(to, from)| *to = *from);
            conn.execute(&update, [i64::from_le_bytes(value)])
        }
    };
    done.is_ok()
}

/// A list of events that a destination owes an answer for reads back as it is written, whatever it was.
fn stored_owed(input: &[u8]) {
    let owed = read_owed(input);
    let written = write_owed(owed.iter().copied());
    assert_eq!(read_owed(&written), owed);
}

fn rows() -> Vec<Vec<u8>> {
    let plain = ["127.0.0.1", "::1", "no address", "\u{4}", "\u{9}9", "\u{a}a"];
    let row = |which: &str| {
        format!("{which}\0post.create\0POST\0/x?a=b\0host: a\r\nx-a: 1\r\n\0{{\"a\":1}}").into_bytes()
    };
    plain.into_iter().map(row).chain([Vec::new(), b"\0\0\0\0\0".to_vec()]).collect()
}

fn owed() -> Vec<Vec<u8>> {
    let sequences: [&[u64]; 4] = [&[], &[1], &[127, 128, 129, 16_384, 1 << 50, u64::MAX], &[1, 2, 3, 4]];
    let written = sequences.iter().map(|list| write_owed(list.iter().copied()));
    written.chain([vec![0x80; 40], vec![0xff; 11]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_takes_its_seeds_and_spoiled_copies_of_them() {
        for (name, body, seeds) in TARGETS {
            hookhouse_testkit::spoiling::spoil(name, *body, seeds(), 1_000);
        }
    }
}
