//! Salesforce: events become records, each once.
//!
//! ```text
//! event ─ mapping ─▶ records ─ batch ─▶ calls ─ token ─▶ upsert by external id ─▶ fates ─▶ outcome
//!                    (key, fields)      (up to 200)                             refusal
//! ```
//!
//! An attempt of this kind leases like any other, several deliveries at a time, and comes back as the same outcome.
//! Reading order: [`settings`](Settings) is what a destination is told, [`mapping`] makes the records, `sender` the
//! calls; `call` is what goes out and comes back, `token` who we are, `refusal` what a no means, `budget` how much of
//! the day is left, `batch` what it all means for each delivery.
//!
//! # What holds
//!
//! * **Once.** A record has a key of its own, a field of the org that is unique; what comes twice finds the first one.
//! * **No is not always no.** What passes is tried again by the destination's schedule, what never will be taken is
//!   given up with Salesforce's own words, and what concerns everything (a login, a setting, the day's budget) opens
//!   the circuit and uses up no tries.
//! * **Bounded.** All calls of an attempt share its time; answers are read up to a megabyte; the host that a token is for
//!   passes the same guard as any other.

mod assertion;
mod batch;
mod budget;
mod call;
pub mod mapping;
mod refusal;
mod sender;
mod settings;
mod token;

pub use assertion::{KeyError, SigningKey};
pub use mapping::{Mapping, Names, Origin, Template, TemplateError};
pub(crate) use sender::Sender;
pub use settings::{AutoAssign, Existing, Grant, Settings};
