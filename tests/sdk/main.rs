//! Twilio's official SDKs, and other providers' libraries, as witnesses.
//!
//! [`differential`] has thousands of generated requests judged by `hookhouse_verify` and by the validators of two SDKs,
//! which must agree but for the list in [`deviations`]. [`applications`] are built on those SDKs, unmodified, and accept
//! what Hookhouse delivers. [`libraries`] of other providers accept what Hookhouse signs in their scheme.

mod applications;
mod case;
mod child;
mod deviations;
mod differential;
mod generator;
mod installed;
mod libraries;
mod node;
mod page;
mod python;
mod scenarios;
mod url;
