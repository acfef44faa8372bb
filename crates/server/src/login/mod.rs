//! Logins: Basic (RFC 7617) and Digest (RFC 7616) on the ingress, alone or beside a signature.
//!
//! Providers that put `user:password@` into a webhook's URL ask first without credentials, and again with them after
//! a 401 that names a scheme and a realm (<https://www.twilio.com/docs/usage/security#http-authentication>). So the
//! first 401 is a challenge, no failure, and [`Kind`] tells the two apart.
//!
//! ```text
//! Authorization ─▶ one field, one scheme ─┬▶ basic: user and password against two digests
//!                                         └▶ digest: attempt ─▶ realm, uri ─▶ response ─▶ nonce ─▶ count
//! ```
//!
//! What is judged is the head alone: a login comes before the body is read. A request that Digest lets in has its
//! `uri` bound to its target, and its nonce count is spent, so that it cannot come a second time.
//!
//! # Only the nonce is in the way
//!
//! A Digest response may be right while its nonce is too old, is not ours (a restart makes a new key), or was spent
//! at that count. Then somebody made it who knows the password, or it is a repeat of such a request. It is refused with
//! `stale=true`: who knows the password asks again with a new nonce, who only repeats cannot.
//!
//! # On a cluster
//!
//! Gateways that share a store make their nonces with one key, and spend each count in the store before the request goes
//! on: a request comes through once in all of them, as it would in one. What is spent is remembered for as long as any
//! gateway takes its nonce, provided that their clocks are not further apart than that lasts (five minutes). A store that
//! does not answer lets nobody in: 503.
//!
//! # Not supported
//!
//! - `qop=auth-int`: it would hold the answer back until the body is read, and covers what a signature covers better.
//! - A missing `qop` (RFC 2069), and the `-sess` algorithms.
//! - `userhash`: nobody is challenged for it, so nobody has to send it. `username*` is understood.
//! - `Authentication-Info` with a next nonce: a stale one costs a round trip every five minutes.
//! - Unicode normalisation: names and passwords are compared as bytes of UTF-8.

mod algorithm;
mod attempt;
mod authorization;
mod basic;
mod credentials;
mod digest;
mod fingerprint;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod gate;
mod nonce;
mod parameters;
mod refused;
mod replay;
#[cfg(test)]
mod tests;

pub use credentials::{Credentials, CredentialsError, DigestCredentials};
pub use digest::Spending;
pub use gate::{LoggedIn, Login};
pub(crate) use nonce::KEY_BYTES;
pub use nonce::NonceKey;
pub use refused::{Kind, LoginRefused};
pub(crate) use replay::REMEMBERED;
