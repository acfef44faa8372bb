//! TLS: certificates from files or from an authority, the handshake, and what happens when certificates change.
//!
//! ```text
//! files ─▶ watch ──┐
//!                  ├▶ keyring ─▶ front ─▶ connection
//! acme ─▶ renewal ─┘     │         └ an authority's probe ends here
//!                        └▶ certificates ─▶ status, metrics, expiry
//! ```
//!
//! A listener has a front, a front shows what is on a keyring, and listeners with the same setting share one. Nothing gets
//! onto a keyring unchecked, and what is on it stays until something better is: a swap never fails a handshake.

pub(crate) mod acme;
mod certificates;
mod expiry;
mod facts;
mod front;
pub(crate) mod hsts;
mod keyring;
mod pair;
mod settings;
mod start;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use acme::Challenges;
pub(crate) use certificates::Certificates;
pub use certificates::{Certificate, Issued};
pub(crate) use front::Front;
pub(crate) use pair::{Pair, read};
pub use settings::{Acme, Challenge, KeyFiles, Tls};
pub use start::TlsError;
pub(crate) use start::{Fronts, Prepared, Wanted};
