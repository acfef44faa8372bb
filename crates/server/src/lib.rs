//! The server: configuration, listeners, the ingest pipeline, the admin API, and the life of the process.
//!
//! ```text
//! listener ─▶ connection ─▶ ingest: head ─▶ route ─▶ admit ─▶ body ─▶ verify ─┬▶ handshake
//!   (seats)     (timers)                                                      ├▶ refusal
//!                                                                             └▶ record ─▶ acknowledge
//! server: starts the store's consumers, the delivery engine, the listeners; drains them
//! admin:  /livez, /readyz, /metrics, /api/v1, on a listener of its own
//! ui:      the pages of the admin listener
//! care:    the webhooks at X: their challenges, their health, healing
//! tls:    certificates, the handshake, renewal
//! metrics: what happened, counted; what is, read
//! ```

pub mod admin;
mod answer;
mod body;
pub mod care;
pub mod config;
mod connection;
pub mod crc;
mod head;
mod ingest;
pub mod lifecycle;
mod listener;
pub mod login;
pub mod metrics;
mod origin;
mod pending;
mod reasons;
mod relay;
pub mod runtime;
mod server;
pub mod store;
pub mod tls;
mod tunnel;
mod ui;

pub use lifecycle::Lifecycle;
pub use reasons::explain;
pub use runtime::Runtime;
pub use server::{Bound, Running, ServeError, Wiring, bind, start};
