//! Delivery: takes events from the store to the destinations, as often as it takes.
//!
//! ```text
//!            permits                  request             connect
//!   store ───lease──▶ lane ──▶ attempt ──────▶ client ──────────▶ destination
//!     ▲                          │                ▲ guard
//!     └───────settle────settler◀─┘ response, schedule, circuit
//! ```
//!
//! Reading order: [`engine`] starts a lane for every [`destination`]; `lane` leases and attempts; [`request`] is
//! what goes out, `client` and [`connect`] are how, past the [`guard`]; [`response`] is what came back,
//! [`schedule`] when to try again, [`circuit`] whether to try at all; `settle` tells the store. `courier` is where the
//! kinds of destinations part: an application gets the request, [`salesforce`] gets records.
//!
//! # What holds
//!
//! * **At least once.** A lease is settled after its attempt, or not at all: then it runs out and the delivery
//!   repeats. Nothing is settled that was not tried.
//! * **One destination hurts no other.** Each has its own task, permits, connections, circuit and channel.
//! * **Bounded.** As many attempts as permits, as many leases as attempts, a deadline for each attempt, 64 KiB of
//!   each answer, and pauses with an upper bound after each error.
//! * **Dialled is what was checked.** Nothing but [`connect`] opens connections, and it dials addresses, not names.

pub mod circuit;
mod client;
pub mod connect;
mod courier;
pub mod destination;
pub mod engine;
pub mod guard;
mod lane;
mod pause;
pub mod relay;
pub mod request;
pub mod response;
pub mod salesforce;
pub mod schedule;
mod settle;

pub use client::Transport;
pub use destination::{Destination, DestinationSigning, Kind, RetrySchedule};
pub use engine::{Engine, EngineParts, Standing};
pub use guard::{Denied, Guard, check_address, check_host};
pub use relay::{Relay, RelayFailure, Relayed, Tunnel};
