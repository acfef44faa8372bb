//! The X platform: a client for what webhooks need of its API, and what is built on it.
//!
//! ```text
//! calls ──▶ Client ──▶ X                            (or a stand-in on this machine)
//!             │ Platform
//!   register ─┤  rules ▶ probe ▶ list ▶ create ▶ confirm
//!   heal ─────┤  look ▶ probe ▶ validate ▶ confirm         ─┐
//!   backfill ─┘  slices of a gap, one job at a time         ─┴▶ Caretaker: one task per source
//! ```
//!
//! * [`base`], [`credentials`], [`Client`]: where the platform is, what an app shows to it, and the sending.
//! * [`calls`]: every call, as a value that can be sent or shown ([`Client::preview`]).
//! * [`error`]: every documented reason, each with what to do about it.
//! * [`rules`], [`probe`], [`register`]: which URLs X takes, whether one is ready, and getting it registered.
//! * [`heal`] and [`backfill`]: machines without clock and I/O; [`care`] runs them.
//!
//! Signatures of webhooks are `hookhouse_verify::x`'s business; receiving them is the server's.

pub mod backfill;
pub mod base;
mod call;
pub mod calls;
pub mod care;
mod client;
pub mod credentials;
pub mod deed;
pub mod error;
pub mod heal;
pub mod id;
mod limit;
mod oauth1;
mod percent;
pub mod platform;
pub mod probe;
mod problem;
pub mod register;
pub mod rules;
mod transport;
pub mod window;

pub use base::Base;
pub use call::Call;
pub use care::{Caretaker, Keeper, Report, Signal};
pub use client::{Client, Preview};
pub use credentials::Credentials;
pub use deed::Deed;
pub use error::{Class, Error};
pub use id::{JobId, SubscriptionId, UserId, WebhookId};
pub use limit::Budget;
pub use platform::Platform;
pub use transport::{Transport, TransportError};
pub use window::{Minute, Window};
