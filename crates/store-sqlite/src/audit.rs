//! Reads everything that a store holds, and says what of it is damaged.
//!
//! It reads a file as it is at one moment, beside the server that writes it or without one. Nothing is repaired: what
//! is damaged is never served either way, and a backup has it whole.

use std::fmt;
use std::path::{Path, PathBuf};

use hookhouse_core::{DeliveryState, EventId};
use rusqlite::{Connection, OptionalExtension};

use crate::answers;
use crate::edits::{self, Sent};
use crate::encryption::Encryption;
use crate::folder::DATABASE;
use crate::names::Names;
use crate::options::OpenError;
use crate::owed::read_owed;
use crate::progress::Key;
use crate::row::{self, COLUMNS, Flaw};
use crate::schema;
use crate::seals::Seals;

/// What an audit is told of while it goes on.
#[derive(Debug)]
pub enum Told {
    /// What it does now.
    Stage(&'static str),
    /// How far it has come.
    Progress {
        /// Places of the log that it has behind it.
        done: u64,
        /// Places of the log.
        of: u64,
    },
    /// Something is damaged.
    Damage(Damage),
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where: `events`, `answers`, `edits`, `exceptions`, `attempts`, `destinations`, or `file` for its structure.
    pub part: &'static str,
    /// The place of its event in the log, where it belongs to one.
    pub sequence: Option<u64>,
    /// The event, where its name can be read.
    pub event: Option<EventId>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.part)?;
        if let Some(sequence) = self.sequence {
            write!(f, " {sequence}")?;
        }
        if let Some(event) = self.event {
            write!(f, " ({event})")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What an audit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Audit {
    /// The format of the file.
    pub format: i64,
    /// Events that were read.
    pub events: u64,
    /// The place of the newest one, in the file or before it was removed.
    pub head: u64,
    /// Answers that were read.
    pub answers: u64,
    /// Of these and of edits: encrypted with a key that was not given. Their checksums hold, and that is all that can be said of them.
    pub unopened: u64,
    /// How many damages were told of.
    pub damaged: u64,
}

/// The database of a store's folder.
#[must_use]
pub fn database(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Reads a file, the database of a store or a backup of one. Without the keys of what is encrypted it reads that too, but
/// does not open it.
///
/// # Errors
/// When there is no store in it, or so little of one that nothing can be read.
pub fn audit(file: &Path, encryption: &Encryption, told: &mut dyn FnMut(Told)) -> Result<Audit, OpenError> {
    let conn = schema::open_reader(file)?;
    // One moment for all of it, so that what is written meanwhile is neither missed nor half seen.
    conn.execute_batch("BEGIN").map_err(|error| schema::named(file, error))?;
    Auditor { conn: &conn, told, audit: Audit::default() }
        .run(encryption)
        .map_err(|error| schema::named(file, error))
}

struct Auditor<'a> {
    conn: &'a Connection,
    told: &'a mut dyn FnMut(Told),
    audit: Audit,
}

/// Lines that SQLite writes about a broken structure, at most.
const MOST_LINES: u32 = 100;

/// Events between two words about progress.
const STEP: u64 = 5_000;

impl Auditor<'_> {
    fn run(mut self, encryption: &Encryption) -> rusqlite::Result<Audit> {
        self.audit.format = self.number("PRAGMA user_version")?;
        (self.told)(Told::Stage("structure"));
        self.structure()?;
        (self.told)(Told::Stage("events"));
        let names = Names::load(self.conn, Seals::load_what_there_is(self.conn, encryption)?)?;
        let kept = self.number("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'head'")?;
        let last = self.number("SELECT coalesce(max(sequence), 0) FROM events")?;
        self.audit.head = kept.max(last).cast_unsigned();
        self.events(&names)?;
        (self.told)(Told::Stage("deliveries"));
        let unread = self.destinations();
        self.unread("destinations", unread);
        let unread = self.outcomes(&names);
        self.unread("exceptions", unread);
        let unread = self.answers(&names);
        self.unread("answers", unread);
        let unread = self.edits(&names);
        self.unread("edits", unread);
        Ok(self.audit)
    }

    /// A table that cannot be read to its end.
    fn unread(&mut self, part: &'static str, outcome: rusqlite::Result<()>) {
        if let Err(error) = outcome {
            self.damage(part, None, None, error.to_string());
        }
    }

    fn number(&self, sql: &str) -> rusqlite::Result<i64> {
        self.conn.query_row(sql, [], |row| row.get(0))
    }

    fn damage(
        &mut self,
        part: &'static str,
        sequence: Option<u64>,
        event: Option<EventId>,
        what: impl Into<String>,
    ) {
        self.audit.damaged += 1;
        (self.told)(Told::Damage(Damage { part, sequence, event, what: what.into() }));
    }

    /// Pages, trees and indexes: SQLite's own check.
    fn structure(&mut self) -> rusqlite::Result<()> {
        let mut check = self.conn.prepare(&format!("PRAGMA integrity_check({MOST_LINES})"))?;
        let mut lines = check.query([])?;
        loop {
            match lines.next() {
                Ok(Some(line)) => {
                    let line: String = line.get(0)?;
                    if line != "ok" {
                        self.damage("file", None, None, line);
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.damage("file", None, None, error.to_string());
                    return Ok(());
                }
            }
        }
    }

    /// Every event: its checksum, its parts, that its name says its place, and that names are in the order of time.
    fn events(&mut self, names: &Names) -> rusqlite::Result<()> {
        let first = self.number("SELECT coalesce(min(sequence), 0) FROM events")?.cast_unsigned();
        let of = self.audit.head.saturating_sub(first.saturating_sub(1));
        let (mut after, mut newest) = (first.saturating_sub(1), None);
        while let Some(error) = self.events_after(names, first, of, &mut after, &mut newest)? {
            // A row that cannot even be stepped to. The next place that answers is where the walk goes on.
            let Some(next) = self.next_place(after) else {
                self.damage(
                    "events",
                    None,
                    None,
                    format!("after place {after} nothing can be read: {error}"),
                );
                break;
            };
            self.damage("events", Some(next), None, error.to_string());
            after = next;
        }
        (self.told)(Told::Progress { done: of, of });
        Ok(())
    }

    /// Walks until the end, or until a row cannot be read at all.
    fn events_after(
        &mut self,
        names: &Names,
        first: u64,
        of: u64,
        after: &mut u64,
        newest: &mut Option<EventId>,
    ) -> rusqlite::Result<Option<rusqlite::Error>> {
        let conn = self.conn;
        let mut select = conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM events WHERE sequence > ?1 ORDER BY sequence"))?;
        let mut rows = select.query([after.cast_signed()])?;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(None),
                Err(error) => return Ok(Some(error)),
            };
            let sequence = row.get::<_, i64>(0)?.cast_unsigned();
            let id = row.get::<_, [u8; 16]>(1).map(EventId::from_bytes).ok();
            let decoded = match row::decode(row, names) {
                Ok(decoded) => decoded,
                Err(error) => return Ok(Some(error)),
            };
            *after = sequence;
            self.audit.events += 1;
            match decoded {
                Err(Flaw::NoKey) => self.audit.unopened += 1,
                Err(Flaw::Damaged(what)) => self.damage("events", Some(sequence), id, what),
                Ok(event) if event.id().position() != sequence => {
                    let said = event.id().position();
                    self.damage("events", Some(sequence), id, format!("its id is that of place {said}"));
                }
                Ok(event) => {
                    if newest.is_some_and(|newest| event.id() <= newest) {
                        self.damage(
                            "events",
                            Some(sequence),
                            id,
                            "its id is older than that of the event before it",
                        );
                    }
                    *newest = Some(event.id());
                }
            }
            if self.audit.events.is_multiple_of(STEP) {
                (self.told)(Told::Progress { done: (sequence + 1).saturating_sub(first), of });
            }
        }
    }

    /// The next place with an event, as far as the tree still tells: its keys outlive what is damaged beside them.
    fn next_place(&self, after: u64) -> Option<u64> {
        let mut step = 1_u64;
        let mut from = after;
        while from <= self.audit.head {
            let found = self
                .conn
                .prepare_cached("SELECT sequence FROM events WHERE sequence > ?1 ORDER BY sequence LIMIT 1")
                .and_then(|mut next| {
                    next.query_row([from.cast_signed()], |row| row.get::<_, i64>(0)).optional()
                });
            match found {
                Ok(next) => return next.map(i64::cast_unsigned),
                Err(_) => {
                    from = from.saturating_add(step);
                    step = step.saturating_mul(2);
                }
            }
        }
        None
    }

    /// How far each destination has come: nowhere behind the end of the log.
    fn destinations(&mut self) -> rusqlite::Result<()> {
        let conn = self.conn;
        let mut select = conn.prepare("SELECT name, position, owed FROM destinations")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let position = row.get::<_, Option<i64>>(1)?.map_or(0, i64::cast_unsigned);
            if position > self.audit.head {
                let what =
                    format!("`{name}` is at place {position}, and the log ends at {}", self.audit.head);
                self.damage("destinations", None, None, what);
            }
            let owed = row.get_ref(2)?.as_blob().map(read_owed).unwrap_or_default();
            if let Some(beyond) = owed.last().filter(|last| **last > position) {
                let what = format!("`{name}` owes an answer for place {beyond}, which it has not come to");
                self.damage("destinations", None, None, what);
            }
        }
        Ok(())
    }

    /// Exceptions and attempts: of places that there were, of destinations that are known, in states that there are.
    fn outcomes(&mut self, names: &Names) -> rusqlite::Result<()> {
        let conn = self.conn;
        for (part, sql) in [
            ("exceptions", "SELECT sequence, destination, state FROM exceptions"),
            ("attempts", "SELECT sequence, destination, NULL FROM attempts"),
        ] {
            let mut select = conn.prepare(sql)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let sequence = row.get::<_, i64>(0)?.cast_unsigned();
                let destination: i64 = row.get(1)?;
                let state: Option<String> = row.get(2)?;
                if sequence > self.audit.head {
                    self.damage(part, Some(sequence), None, "there was no such event");
                }
                if names.destinations.value(destination).is_none() {
                    self.damage(part, Some(sequence), None, format!("destination {destination} has no name"));
                }
                if let Some(state) = state.filter(|state| state.parse::<DeliveryState>().is_err()) {
                    self.damage(part, Some(sequence), None, format!("`{state}` is no state"));
                }
            }
        }
        Ok(())
    }

    /// What operators sent in the place of what was received.
    fn edits(&mut self, names: &Names) -> rusqlite::Result<()> {
        let conn = self.conn;
        let mut select =
            conn.prepare("SELECT sequence, round, sealed FROM edits ORDER BY sequence, round")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (sequence, round) =
                (row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned());
            if row.get::<_, Option<i64>>(2)?.is_some_and(|key| !names.seals.has(key)) {
                self.audit.unopened += 1;
            } else if matches!(edits::find(conn, Key { sequence, round }, &names.seals)?, Sent::Damaged) {
                self.damage("edits", Some(sequence), None, format!("that of round {round} is damaged"));
            }
        }
        Ok(())
    }

    /// What senders were answered.
    fn answers(&mut self, names: &Names) -> rusqlite::Result<()> {
        let conn = self.conn;
        let mut select = conn.prepare(
            "SELECT a.sequence, e.id, a.sealed FROM answers a LEFT JOIN events e ON e.sequence = a.sequence ORDER BY a.sequence",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let sequence = row.get::<_, i64>(0)?.cast_unsigned();
            self.audit.answers += 1;
            let Some(event) = row.get::<_, Option<[u8; 16]>>(1)?.map(EventId::from_bytes) else {
                self.damage("answers", Some(sequence), None, "its event is gone");
                continue;
            };
            if row.get::<_, Option<i64>>(2)?.is_some_and(|key| !names.seals.has(key)) {
                self.audit.unopened += 1;
                continue;
            }
            if answers::find(conn, event, &names.seals)?.is_none() {
                self.damage("answers", Some(sequence), Some(event), "it cannot be read");
            }
        }
        Ok(())
    }
}
