//! Where a request came from, and what was called: the peer, or what a trusted proxy says of the peer.
//!
//! ```text
//! socket peer ─▶ proxy_protocol (a listener that requires it) ─▶ peer ─▶ forwarded ─▶ client ─▶ allow
//!                                                                           └─▶ proto, host, port, prefix
//! ```
//!
//! Nothing here is guessed. A header or a preamble counts only when its sender is on a network of `trusted_proxies`,
//! and what cannot be read in exactly one way is not read at all: the request is then one from nobody knows where,
//! which a source with an enforced list refuses. Addresses are compared in canonical form on both sides, so that
//! `::ffff:192.0.2.1` on a dual-stack socket is 192.0.2.1.
//!
//! A trusted proxy is trusted to set, append to, or remove each header it is believed for. One that passes the client's
//! own `X-Forwarded-Host` on lets the client speak in its name; no reader can tell the difference.

pub(crate) mod allow;
pub(crate) mod forwarded;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod networks;
pub(crate) mod proxy_protocol;
