//! The server: configuration, listeners, the ingest pipeline, the admin API, and the life of the process.
//!
//! ```text
//! listener ─▶ connection ─▶ ingest: head ─▶ route ─▶ admit ─▶ body ─▶ verify ─┬▶ handshake
//!   (seats)     (timers)                                                      ├▶ refusal
//!                                                                             └▶ record ─▶ acknowledge
//! server: starts the store's consumers, the delivery engine, the listeners; drains them
//! admin:  /livez, /readyz, /api/v1, on a listener of its own
//! ```

pub mod admin;
mod answer;
mod body;
pub mod config;
mod connection;
mod head;
mod ingest;
pub mod lifecycle;
mod listener;
pub mod login;
mod origin;
mod reasons;
mod relay;
pub mod runtime;
mod server;
pub mod store;
mod tunnel;

pub use lifecycle::Lifecycle;
pub use reasons::explain;
pub use runtime::Runtime;
pub use server::{Bound, Running, ServeError, Wiring, bind, start};
