//! X's webhooks over emulated days: the server and a stand-in of X in one time, which the tests turn.
//!
//! The server is the real one with its real store and sockets, run in a runtime of its own so that it can be killed;
//! what X has to say is compared, element by element, with what the application got.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot set itself up has failed"
)]

mod application;
mod cases;
mod front;
mod house;
mod month;
mod outage;
mod tutorial;
mod world;
