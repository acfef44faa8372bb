//! The platform against a receiver and a client that are its tests' own.

mod account;
mod activity;
mod auth;
mod control;
mod crc;
mod delivery;
mod replay;
mod stage;
mod stream;
mod webhooks;
mod whole;

use serde::Deserialize;

/// A case of `vectors/x.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Vector {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) secret: String,
    pub(super) input: String,
    pub(super) expected: String,
}

#[derive(Debug, Deserialize)]
struct Vectors {
    cases: Vec<Vector>,
}

/// The published and computed vectors.
pub(super) fn vectors() -> Vec<Vector> {
    let file: Vectors = serde_json::from_str(include_str!("../../../../vectors/x.json")).unwrap();
    file.cases
}
