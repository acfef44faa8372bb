//! The engine against a store in memory, a network in memory, and receivers that misbehave. Time is the runtime's and
//! paused: pauses and timeouts pass in no time, in their order.
#![expect(clippy::unwrap_used, reason = "a test whose world is not as it should be has failed")]

mod answers;
mod change;
mod circuit;
mod drain;
mod faulty;
mod gateways;
mod headers;
mod isolation;
mod pause;
mod restart;
mod salesforce;
mod sockets;
mod ssrf;
mod store_trouble;
mod tls;
mod world;
