//! Which rows are sealed, with which key, and what a sealed row looks like.
//!
//! ```text
//! plain    sealed NULL   target, headers, body as received
//! sealed   sealed 3      target '', headers x'', body = seal(|target| |headers| target headers body)
//! ```
//!
//! Sealed are: target (queries carry data), headers and body of an event; headers and body of an answer and of an edit; what a
//! destination said of an attempt. Plain stays what lists, filters and retention look at: id, place, time, source,
//! what vouches for the event, its type, method and peer. Checksums are over what lies in the file, so a file can be
//! audited without its keys.
//!
//! The table `seals` knows the keys by fingerprint and where in the log each was in use, so that a store is refused
//! when a key is missing that some row still needs, and only then.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use data_encoding::BASE64;
use hookhouse_core::EventId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::encryption::{Encryption, Fingerprint, RowKey, SealFailed, shown};
use crate::progress::Key;

/// The keys of an open store, by their numbers in the file.
#[derive(Debug, Default)]
pub(crate) struct Seals {
    current: Option<(i64, Arc<RowKey>)>,
    known: HashMap<i64, Arc<RowKey>>,
}

/// Why sealed rows cannot be read.
#[derive(Debug)]
pub(crate) enum Missing {
    /// Rows need a key that was not given.
    Key(String),
    /// The file cannot be read.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Missing {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// A key that rows were sealed with.
struct Known {
    id: i64,
    fingerprint: Fingerprint,
    first: i64,
    through: Option<i64>,
}

/// What is sealed of a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) target: String,
    pub(crate) headers: Bytes,
    pub(crate) body: Bytes,
}

/// Sealed bytes, and the number of their key.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) key: i64,
    pub(crate) bytes: Vec<u8>,
}

/// A sealed row that does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Its key was not given.
    NoKey,
    /// It is not what was sealed.
    Damaged,
}

impl Seals {
    /// The keys for reading. Fails where a row needs a key that is not there.
    pub(crate) fn load(conn: &Connection, encryption: &Encryption) -> Result<Self, Missing> {
        for known in known(conn)? {
            if encryption.with(&known.fingerprint).is_none() && is_needed(conn, &known)? {
                return Err(Missing::Key(shown(&known.fingerprint)));
            }
        }
        Ok(Self::load_what_there_is(conn, encryption)?)
    }

    /// The keys for reading, as far as they are there.
    pub(crate) fn load_what_there_is(conn: &Connection, encryption: &Encryption) -> rusqlite::Result<Self> {
        let known = known(conn)?
            .into_iter()
            .filter_map(|known| Some((known.id, Arc::clone(encryption.with(&known.fingerprint)?))))
            .collect();
        Ok(Self { current: None, known })
    }

    /// The keys for reading and writing: notes from where on which key is in use. `head`: the newest event.
    pub(crate) fn begin(conn: &Connection, encryption: &Encryption, head: u64) -> Result<Self, Missing> {
        let mut seals = Self::load(conn, encryption)?;
        let head = head.cast_signed();
        let all = known(conn)?;
        let current = encryption.current.as_ref().map(|key| key.fingerprint);
        let is_current = |known: &Known| Some(known.fingerprint) == current;
        let unchanged = all.iter().all(|known| is_current(known) == known.through.is_none())
            && (current.is_none() || all.iter().any(is_current));
        if !unchanged {
            conn.execute_batch("BEGIN IMMEDIATE")?;
            conn.execute("UPDATE seals SET through = ?1 WHERE through IS NULL", [head])?;
            if let Some(fingerprint) = current {
                conn.execute(
                    "INSERT INTO seals (fingerprint, first) VALUES (?1, ?2) \
                     ON CONFLICT (fingerprint) DO UPDATE SET through = NULL",
                    params![fingerprint, head + 1],
                )?;
            }
            conn.execute_batch("COMMIT")?;
        }
        if let Some(key) = &encryption.current {
            let id =
                conn.query_row("SELECT id FROM seals WHERE fingerprint = ?1", [key.fingerprint], |row| {
                    row.get(0)
                })?;
            seals.known.insert(id, Arc::clone(key));
            seals.current = Some((id, Arc::clone(key)));
        }
        Ok(seals)
    }

    /// Whether new rows are sealed.
    pub(crate) fn is_on(&self) -> bool {
        self.current.is_some()
    }

    /// Whether a key is there.
    pub(crate) fn has(&self, key: i64) -> bool {
        self.known.contains_key(&key)
    }

    /// Seals what an event carries; `None` where nothing is sealed.
    pub(crate) fn event(
        &self,
        id: EventId,
        target: &str,
        headers: &[u8],
        body: &[u8],
    ) -> Result<Option<Sealed>, SealFailed> {
        self.seal(|| about_event(id), || joined(target, headers, body))
    }

    /// What an event carries.
    pub(crate) fn open_event(&self, key: i64, id: EventId, sealed: &[u8]) -> Result<Payload, Closed> {
        parts(self.open(key, &about_event(id), sealed)?).ok_or(Closed::Damaged)
    }

    /// Seals what an answer carries; `None` where nothing is sealed.
    pub(crate) fn answer(
        &self,
        id: EventId,
        headers: &[u8],
        body: &[u8],
    ) -> Result<Option<Sealed>, SealFailed> {
        self.seal(|| about_answer(id), || joined("", headers, body))
    }

    /// What an answer carries.
    pub(crate) fn open_answer(&self, key: i64, id: EventId, sealed: &[u8]) -> Result<Payload, Closed> {
        parts(self.open(key, &about_answer(id), sealed)?).ok_or(Closed::Damaged)
    }

    /// Seals what an operator sends instead; `None` where nothing is sealed.
    pub(crate) fn edit(&self, edit: Key, headers: &[u8], body: &[u8]) -> Result<Option<Sealed>, SealFailed> {
        self.seal(|| about_edit(edit), || joined("", headers, body))
    }

    /// What an operator sends instead.
    pub(crate) fn open_edit(&self, key: i64, edit: Key, sealed: &[u8]) -> Result<Payload, Closed> {
        parts(self.open(key, &about_edit(edit), sealed)?).ok_or(Closed::Damaged)
    }

    /// Seals what a destination said, as text; `None` where nothing is sealed.
    pub(crate) fn words(&self, place: Attempted, words: &str) -> Result<Option<(i64, String)>, SealFailed> {
        let sealed = self.seal(|| place.about(), || words.as_bytes().to_vec())?;
        Ok(sealed.map(|sealed| (sealed.key, BASE64.encode(&sealed.bytes))))
    }

    /// What a destination said.
    pub(crate) fn open_words(&self, key: i64, place: Attempted, sealed: &str) -> Result<String, Closed> {
        let sealed = BASE64.decode(sealed.as_bytes()).map_err(|_| Closed::Damaged)?;
        String::from_utf8(self.open(key, &place.about(), &sealed)?).map_err(|_| Closed::Damaged)
    }

    fn seal(
        &self,
        about: impl FnOnce() -> Vec<u8>,
        plain: impl FnOnce() -> Vec<u8>,
    ) -> Result<Option<Sealed>, SealFailed> {
        let Some((number, key)) = &self.current else { return Ok(None) };
        Ok(Some(Sealed { key: *number, bytes: key.seal(&about(), plain())? }))
    }

    fn open(&self, key: i64, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Closed> {
        self.known.get(&key).ok_or(Closed::NoKey)?.open(about, sealed).ok_or(Closed::Damaged)
    }
}

/// An attempt, as what is sealed of it says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempted {
    pub(crate) key: Key,
    pub(crate) destination: i64,
    pub(crate) number: u32,
}

impl Attempted {
    fn about(self) -> Vec<u8> {
        let mut about = b"attempt".to_vec();
        for part in
            [self.key.sequence, self.destination.cast_unsigned(), self.key.round, u64::from(self.number)]
        {
            about.extend_from_slice(&part.to_le_bytes());
        }
        about
    }
}

/// An id names its place in the log too, so a row that is moved does not open.
fn about_event(id: EventId) -> Vec<u8> {
    [b"event".as_slice(), id.as_bytes()].concat()
}

fn about_answer(id: EventId) -> Vec<u8> {
    [b"answer".as_slice(), id.as_bytes()].concat()
}

fn about_edit(edit: Key) -> Vec<u8> {
    [b"edit".as_slice(), &edit.sequence.to_le_bytes(), &edit.round.to_le_bytes()].concat()
}

/// Two lengths in front, so that the parts come apart as they were.
fn joined(target: &str, headers: &[u8], body: &[u8]) -> Vec<u8> {
    // Room for what sealing puts behind.
    let mut plain = Vec::with_capacity(16 + target.len() + headers.len() + body.len() + 32);
    plain.extend_from_slice(&(target.len() as u64).to_le_bytes());
    plain.extend_from_slice(&(headers.len() as u64).to_le_bytes());
    plain.extend_from_slice(target.as_bytes());
    plain.extend_from_slice(headers);
    plain.extend_from_slice(body);
    plain
}

fn parts(plain: Vec<u8>) -> Option<Payload> {
    let plain = Bytes::from(plain);
    let (target, rest) = plain.split_first_chunk::<8>()?;
    let (headers, _) = rest.split_first_chunk::<8>()?;
    let target_end = usize::try_from(u64::from_le_bytes(*target)).ok()?.checked_add(16)?;
    let headers_end = usize::try_from(u64::from_le_bytes(*headers)).ok()?.checked_add(target_end)?;
    if headers_end > plain.len() {
        return None;
    }
    let target = String::from_utf8(plain.slice(16..target_end).to_vec()).ok()?;
    Some(Payload { target, headers: plain.slice(target_end..headers_end), body: plain.slice(headers_end..) })
}

fn known(conn: &Connection) -> rusqlite::Result<Vec<Known>> {
    let mut select = conn.prepare("SELECT id, fingerprint, first, through FROM seals ORDER BY id")?;
    let rows = select.query_map([], |row| {
        Ok(Known { id: row.get(0)?, fingerprint: row.get(1)?, first: row.get(2)?, through: row.get(3)? })
    })?;
    rows.collect()
}

/// Whether some row is still sealed with a key. Its first row is found at once where there is one.
fn is_needed(conn: &Connection, key: &Known) -> rusqlite::Result<bool> {
    let events: Option<i64> = conn
        .query_row(
            "SELECT 1 FROM events WHERE sequence BETWEEN ?1 AND ?2 AND sealed = ?3 LIMIT 1",
            params![key.first, key.through.unwrap_or(i64::MAX), key.id],
            |row| row.get(0),
        )
        .optional()?;
    if events.is_some() {
        return Ok(true);
    }
    // What was answered or tried later, of an event that is older than the key.
    for table in ["answers", "attempts", "edits"] {
        let sql = format!("SELECT 1 FROM {table} WHERE sealed = ?1 LIMIT 1");
        if conn.query_row(&sql, [key.id], |_| Ok(())).optional()?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_apart_as_they_were_joined() {
        for (target, headers, body) in
            [("", "", ""), ("/in?a=b", "a: b\r\n", "body"), ("/", "", "x"), ("", "h: 1\r\n", "")]
        {
            let payload = parts(joined(target, headers.as_bytes(), body.as_bytes())).unwrap();
            assert_eq!(
                (&payload.target[..], &payload.headers[..], &payload.body[..]),
                (target, headers.as_bytes(), body.as_bytes())
            );
        }
        for bad in
            [&b""[..], &[0; 15], &[0xff; 16], &[0xff; 64], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
        {
            assert_eq!(parts(bad.to_vec()), None, "{bad:?}");
        }
    }
}
