//! The embedded store: one folder, one SQLite file, one process.
//!
//! ```text
//! append ─┐                      ┌─ commit (one fsync for all that waited) ─▶ answers
//! settle ─┼─▶ queue ─▶ writer ───┤
//! refuse ─┘  (bounded) (thread)  └─ between batches: retention, the log's restart
//!
//! lease ──▶ ring of recent events ── not there ──▶ readers (a few connections, blocking threads)
//! ```
//!
//! * **The log** is a table whose rows are appended under a growing number. Nothing else is indexed on the way to an
//!   acknowledgement: an id carries its row's number, and repeats are recognised outside of the table (`dedupe`).
//! * **A destination that keeps up is a row, not a row per event** (`consumer`): how far it has come, and the few
//!   events before that which it still owes an answer for. Only deliveries that are more than that have rows of their
//!   own: tried in vain, given up, replayed.
//! * **One thread writes** (`writer`); what it is asked while a commit goes on becomes the next commit.
//! * **An [`audit()`] and a [`backup()`]** read the file beside all that, from another process if need be.
//! * **Payloads can be sealed** (`seals`) on their way into a row, under keys that are kept elsewhere (`encryption`).
//! * **Checkpoints** happen beside it (`checkpoint`), retention between its batches (`retention`).
//!
//! Reading order: `schema.sql`, `row`, `queue`, `writer`, `ops`; then `consumer`, `progress`, `lease` and `settle`;
//! then the rest.
//! `docs/decisions/0001-event-store.md` says why it is so, and how another store does it.
#![warn(missing_docs)]

mod answers;
mod audit;
mod backup;
mod cancel;
mod checkpoint;
mod consumer;
mod counts;
mod dedupe;
mod deliveries;
mod edits;
mod encryption;
mod fault;
mod folder;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod house;
mod lease;
mod log_check;
mod names;
mod open;
mod ops;
mod options;
mod owed;
mod progress;
mod query;
mod queue;
mod readers;
mod recent;
mod refusals;
mod replay;
mod retention;
mod room;
mod row;
mod schema;
mod seals;
mod settle;
mod shared;
mod space;
mod stats;
mod store;
#[cfg(test)]
mod tests;
mod time;
mod timepiece;
mod writer;

pub use audit::{Audit, Damage, Told, audit, database};
pub use backup::{BackedUp, BackupError, backup};
pub use encryption::{Encryption, KEY_BYTES, KeyLength};
pub use options::{OpenError, Options};
pub use space::{FileSystem, Space};
pub use store::SqliteStore;
