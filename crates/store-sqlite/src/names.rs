//! Names as small numbers: a source, a destination or a provenance is written once and referred to by its row.
//!
//! There are as many as the configuration has, so all of them are kept in memory. A new one is committed by itself
//! before the batch that needs it, so that a batch which is rolled back takes no number with it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use hookhouse_core::{DestinationName, Provenance, SourceName};
use rusqlite::Connection;

use crate::seals::Seals;

/// Everything that is interned.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) sources: Interner<SourceName>,
    pub(crate) destinations: Interner<DestinationName>,
    pub(crate) provenances: Interner<Provenance>,
    /// The keys of sealed rows, which have numbers too.
    pub(crate) seals: Seals,
}

impl Names {
    pub(crate) fn load(conn: &Connection, seals: Seals) -> rusqlite::Result<Self> {
        Ok(Self {
            seals,
            sources: Interner::load(conn)?,
            destinations: Interner::load(conn)?,
            provenances: Interner::load(conn)?,
        })
    }
}

/// What has a table of its own, and how it is written there.
pub(crate) trait Interned: Clone + Eq + Hash + Sized {
    const TABLE: &'static str;
    fn to_text(&self) -> String;
    fn from_text(text: &str) -> Option<Self>;
}

impl Interned for SourceName {
    const TABLE: &'static str = "sources";

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Interned for DestinationName {
    const TABLE: &'static str = "destinations";

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Interned for Provenance {
    const TABLE: &'static str = "provenances";

    fn to_text(&self) -> String {
        serde_json::to_string(self).expect("four strings have a JSON form")
    }

    fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The names that came last, with their numbers: nearly every event has the names of the one before it, and to compare
/// them costs less than to hash them. A number is given out once and for ever, so nothing here gets old.
#[derive(Debug)]
pub(crate) struct Known<T>(Vec<(T, i64)>);

/// How many names are compared.
const KNOWN: usize = 4;

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone + Eq> Known<T> {
    /// The number of a name: as it is known here, or else as `intern` gives it.
    pub(crate) fn number(
        &mut self,
        name: &T,
        intern: impl FnOnce(&T) -> rusqlite::Result<i64>,
    ) -> rusqlite::Result<i64> {
        if let Some((_, number)) = self.0.iter().find(|(known, _)| known == name) {
            return Ok(*number);
        }
        let number = intern(name)?;
        // Where there are more sources than places, the first ones keep theirs.
        if self.0.len() < KNOWN {
            self.0.push((name.clone(), number));
        }
        Ok(number)
    }
}

/// One kind of name.
#[derive(Debug)]
pub(crate) struct Interner<T>(RwLock<Maps<T>>);

#[derive(Debug)]
struct Maps<T> {
    by_value: HashMap<T, i64>,
    by_id: HashMap<i64, T>,
}

impl<T: Interned> Interner<T> {
    fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let mut maps = Maps { by_value: HashMap::new(), by_id: HashMap::new() };
        let mut all = conn.prepare(&format!("SELECT id, name FROM {}", T::TABLE))?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (id, text): (i64, String) = (row.get(0)?, row.get(1)?);
            let Some(value) = T::from_text(&text) else {
                tracing::error!(table = T::TABLE, id, "store.corrupt_record: a name does not parse");
                continue;
            };
            maps.by_value.insert(value.clone(), id);
            maps.by_id.insert(id, value);
        }
        Ok(Self(RwLock::new(maps)))
    }

    /// The number of a value that has one.
    pub(crate) fn id(&self, value: &T) -> Option<i64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_value.get(value).copied()
    }

    /// The value of a number.
    pub(crate) fn value(&self, id: i64) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    /// The number of a value, given out and committed now if it has none. For the writer, outside a transaction.
    pub(crate) fn intern(&self, conn: &Connection, value: &T) -> rusqlite::Result<i64> {
        if let Some(id) = self.id(value) {
            return Ok(id);
        }
        conn.execute(&format!("INSERT INTO {} (name) VALUES (?1)", T::TABLE), [value.to_text()])?;
        let id = conn.last_insert_rowid();
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_value.insert(value.clone(), id);
        maps.by_id.insert(id, value.clone());
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_not_asked_for_again() {
        let mut known = Known::default();
        let mut asked = Vec::new();
        for name in ["a", "b", "a", "c", "d", "e", "e", "a"] {
            let number = known.number(&name, |name| {
                asked.push(*name);
                Ok(i64::from(name.as_bytes()[0]))
            });
            assert_eq!(number, Ok(i64::from(name.as_bytes()[0])));
        }
        assert_eq!(asked, ["a", "b", "c", "d", "e", "e"], "the fifth finds no place");
        let failed = known.number(&"f", |_| Err(rusqlite::Error::InvalidQuery));
        assert!(failed.is_err());
    }
}
