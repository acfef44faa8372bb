//! The nouns of Hookhouse and the store they live in. No HTTP, no SQL, no sockets.
//!
//! ```text
//! verify::Verified ─┐
//! danger::Unsigned ─┴▶ Event ──append──▶ StoredEvent ──lease──▶ Lease ──attempt──▶ Settlement
//!                                          (log)                (delivery)          (done, retry at, dead)
//! ```
//!
//! * [`names`], [`id`]: what things are called. Parsed once, then trusted.
//! * [`event`]: a request on its way in ([`Event`]), and one that is stored ([`StoredEvent`]). There is no way from
//!   the second back to the first.
//! * [`redaction`]: what is taken out of an event before it is stored.
//! * [`delivery`]: one event for one destination, its states and the moves between them.
//! * [`edit`]: what an operator sends in the place of an event's own bytes.
//! * [`kind`]: types of events, as filters name them.
//! * [`answer`]: what a destination answered a sender itself.
//! * [`refusal`]: a request that was turned away.
//! * [`store`]: the [`EventStore`] trait, shaped as a log with consumers, so that an embedded database and a
//!   JetStream cluster can both be one.
//! * [`notice`]: what happened, told to whoever watches.
//! * [`trace`]: the trace that a request belongs to.
//! * [`clock`]: where the time comes from.

mod address;
pub mod answer;
pub mod clock;
pub mod delivery;
pub mod edit;
pub mod event;
pub mod id;
pub mod kind;
pub mod names;
pub mod notice;
pub mod redaction;
pub mod refusal;
pub mod stats;
pub mod store;
pub mod trace;

pub use address::address_text;
pub use answer::{Answer, Passed};
pub use clock::{Clock, SystemClock};
pub use delivery::{
    Attempt, AttemptNumber, AttemptOutcome, DeadReason, Delivery, DeliveryId, DeliveryState, Lease,
    LeaseToken,
};
pub use edit::{Edit, Edited};
pub use event::{Arrival, Event, Provenance, Repeats, StoredEvent};
pub use hookhouse_verify::{Headers, Identity, Request, Secret};
pub use id::{EventId, Sequence};
pub use jiff::Timestamp;
pub use names::{DestinationName, SourceName};
pub use notice::{Notice, Observer};
pub use redaction::{Redacted, Redaction};
pub use refusal::{Refusal, StoredRefusal};
pub use stats::{SourceStats, StoreStats};
pub use store::{EventStore, StoreError};
pub use trace::TraceId;
