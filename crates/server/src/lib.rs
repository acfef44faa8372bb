//! The server: configuration, listeners, the ingest pipeline, the admin API, and the life of the process.
//!
//! ```text
//! listener ─▶ connection ─▶ ingest: head ─▶ route ─▶ admit ─▶ body ─▶ verify ─┬▶ handshake
//!   (seats)   (timers, wire)                                                  ├▶ refusal
//!                                                                             └▶ record ─▶ acknowledge
//! server: starts the store's consumers, the delivery engine, the listeners; drains them
//! admin:  /livez, /readyz, /metrics, /api/v1, on a listener of its own
//! ui:      the pages of the admin listener
//! care:    the webhooks at X: their challenges, their health, healing
//! duty:    what one gateway does for all that share a store
//! handover: a server takes over from another one, and no request is lost between them
//! reload:  going on with another configuration
//! tls:    certificates, the handshake, renewal
//! metrics: what happened, counted; what is, read
//! ```

pub mod admin;
mod answer;
mod body;
pub mod care;
pub mod config;
mod connection;
pub mod core_dump;
mod current;
mod descriptors;
mod duty;
mod ending;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod handover;
mod head;
mod ingest;
pub mod inheritance;
pub mod lifecycle;
mod listener;
pub mod login;
pub mod metrics;
pub mod notify;
mod origin;
mod outliving;
mod pending;
pub mod rate;
mod reasons;
mod relay;
pub mod reload;
pub mod runtime;
mod server;
pub mod socket;
mod sparse;
pub mod store;
pub mod tls;
mod tunnel;
mod ui;
mod vault;
mod wire;

pub use inheritance::Inheritance;
pub use lifecycle::Lifecycle;
pub use reasons::explain;
pub use runtime::Runtime;
pub use server::{Bound, Coming, Running, ServeError, Wiring, bind, start, start_early};
