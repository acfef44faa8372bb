//! A stand-in of the X platform: it registers webhooks, challenges them, sends what happens, and can be asked for all of
//! it again.
//!
//! Source of the rules: X's pages on webhooks, the X Activity API, the Account Activity API and filtered-stream webhooks
//! (<https://docs.x.com/x-api/webhooks/introduction>), its archived enterprise pages on retries and replay, and its
//! OpenAPI document 2.167; read 2026-11-22. Where those disagree, [`Options`] has a switch.
//!
//! ```text
//!  API client ──HTTP──▶ routes ──▶ auth, rates ──▶ State ◀── act (somebody posts, follows, writes)
//!                                                   │ agenda: what falls due, and when
//!  webhook ◀──HTTP── client ◀── driver ◀────────────┘
//!                                  ▲ turns the clock
//! ```
//!
//! # Time
//!
//! Everything happens at a time of the [`EmulatedClock`]. A running one follows another clock and can be turned ahead; a
//! stopped one stands still. [`Platform::advance`] turns it and performs what fell due on the way: in the order of the
//! moments, each with the clock at its moment, and without waiting for any of it. With a stopped clock nothing is sent
//! but by [`Platform::advance`] and [`Platform::settle`], and the challenges that are part of an API call; two runs with
//! one seed then send the same things in the same order.
//!
//! # Reading order
//!
//! `platform` is the handle, `options` its settings, `ledger` what it remembers. `state` holds everything behind one
//! mutex, `agenda` is what is still to be done, `driver` does it. `routes` is the API, `auth` who may use it, `crc` the
//! challenge and its verdict, `event` the bodies, `delivery` their attempts, `replay` sends them once more.
//!
//! # Not emulated
//!
//! `GET /2/activity/stream`, the v1.1 API, encrypted chat, spaces and broadcasts. Posts are not edited. Nothing is
//! billed.

mod act;
mod agenda;
mod auth;
mod client;
mod clock;
mod crc;
mod credentials;
mod delivery;
mod driver;
mod event;
mod ids;
mod json;
mod keys;
mod ledger;
mod options;
mod platform;
mod posts;
mod problem;
mod rates;
mod replay;
mod routes;
mod rules;
mod signature;
mod state;
mod subscription;
#[cfg(test)]
mod tests;
mod users;
mod webhook;

pub use act::{Act, ActError, Action, Performed};
pub use client::Fault;
pub use clock::EmulatedClock;
pub use crc::{CrcReason, Verdict};
pub use credentials::{Credentials, UserTokens, reveal};
pub use ids::{JobId, NotAnId, PostId, UserId, WebhookId};
pub use keys::keys_in;
pub use ledger::{
    AttemptRecord, CallRecord, CrcRecord, Entry, EventRecord, Family, Fate, Ledger, Purpose, ValidityRecord,
    Watch,
};
pub use options::{
    ActivityAnswer, CrcOptions, DeliveryOptions, Options, ReplayOptions, SignatureHeaders, SigningKey, Tier,
};
pub use platform::{Platform, StartError};
pub use users::{NewUser, User};
