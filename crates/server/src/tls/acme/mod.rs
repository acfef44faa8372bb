//! Certificates from an authority that speaks ACME (RFC 8555): ordered, proved, kept, renewed.
//!
//! ```text
//! renewal ─ when ─▶ order ─▶ client ─▶ the authority
//!    │                │ └ ready ─▶ challenges ◀─ probes, on the listeners
//!    └─▶ keyring      └ keeping: the account, the certificate and its key, in a folder (cache) or for a cluster
//! ```
//!
//! Nonces, signatures and the states of an order are the library's (`instant-acme`). Ours is what an operator lives with:
//! when to order, what to do when it fails, and that a start needs no authority.

mod backoff;
mod cache;
mod challenges;
mod client;
mod keeping;
mod order;
mod renewal;
#[cfg(test)]
mod tests;

pub(crate) use challenges::Challenges;
pub(crate) use renewal::{Renewal, roots};
