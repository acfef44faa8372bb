//! The distributed store: many gateways on one NATS JetStream cluster.
//!
//! ```text
//! append ── one atomic batch: the event and the keys of its repeats ──▶ EVENTS ── quorum ─▶ answer
//!                                                                        │
//!                        a durable pull consumer for each destination ◀──┘
//! lease ◀── pulled events, renewed while they are here
//!       ◀── DELIVERIES: what waits, died, was replayed; leased by compare-and-set
//! settle ─▶ ATTEMPTS ─▶ DELIVERIES (if more follows) ─▶ acknowledgement of the event
//! ```
//!
//! * **The log** is a file stream that refuses what does not fit and never drops. An event is answered for once a quorum
//!   of the servers has it; whether that means its disk is the servers' `sync_interval`.
//! * **Repeats** are recognised in the whole cluster (`append`): keys are messages in the log, published with their event
//!   or not at all, on condition that nobody was faster. The servers drop them when their window is over.
//! * **A destination that keeps up is a consumer that moves on** (`subscribe`, `lane`, `lease`). The cluster hands an
//!   event to one gateway; while it is there the gateway says so, and when it falls silent another one gets it.
//! * **Exceptions** (`exceptions`, `watch`) are a message each, and every gateway follows them. A gateway leases one by
//!   writing its name into it; that of a gateway that is gone is taken over (`gateways`).
//! * **Shared state** is a key-value bucket with revisions, which every gateway follows (`values`).
//! * **Retention** is the work of one gateway (`retention`).
//!
//! # What it does otherwise than the embedded store
//!
//! * A settlement is two or three messages. A process that ends in between repeats something and loses nothing.
//! * Lists by anything but an event's id, its source, and the states `waiting`, `dead` and `cancelled` are walks, a bounded
//!   stretch for each page: a search for text shows one short page after the other.
//! * A delivery that another gateway has under way for the first time is shown as pending: only its own gateway knows.
//!   For a few milliseconds it may be called off there, and be delivered all the same.
//! * An event that was delivered to a destination which is not configured any more is listed without that delivery.
//! * The last million attempts are kept, the last ten thousand refusals, and a thousand attempts of one event are listed.
//! * A body of more than five hundred elements is judged as one whole.
//! * Ids sort by the clocks of the gateways that made them; places sort as the events became durable.
//! * On one server (`replicas = 1`) batches are slow: that is for trying things out.
//!
//! Reading order: `names`, `record`, `link`, `append`; then `lane`, `subscribe`, `exceptions`, `lease`, `settle`; then the
//! rest. `docs/decisions/0001-event-store.md` says why it is so.
#![warn(missing_docs)]

mod append;
mod connect;
mod deliveries;
mod exceptions;
mod gateways;
mod import;
mod lane;
mod lease;
mod link;
mod names;
mod operators;
mod options;
mod pages;
mod record;
mod refusals;
mod retention;
mod settle;
mod shared;
mod store;
mod streams;
mod subscribe;
mod values;
mod watch;

pub use import::{Import, ImportError, Progress, Rest};
pub use options::{Credentials, OldestServer, OpenError, Options, TlsOptions};
pub use store::JetStreamStore;
