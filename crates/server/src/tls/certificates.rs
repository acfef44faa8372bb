//! Every certificate that is shown to senders, for operators to look at.

use std::sync::{Arc, PoisonError, RwLock};

use hookhouse_core::Timestamp;
use rustls::SignatureAlgorithm;
use serde::{Deserialize, Serialize};

use super::keyring::Keyring;
use super::pair::Pair;

/// Where certificates come from, and what came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Issued {
    /// The first certificate's file, or the authority's directory.
    pub from: String,
    /// What is in use; empty until an authority has issued something.
    pub certificates: Vec<Certificate>,
    /// Why there is nothing newer, where something newer was tried.
    pub problem: Option<String>,
}

/// A certificate in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Certificate {
    /// For which names it is.
    pub names: Vec<String>,
    /// `ecdsa`, `rsa` or `ed25519`.
    pub algorithm: String,
    /// When its life began.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

impl Certificate {
    fn of(pair: &Pair) -> Self {
        let algorithm = match pair.certified.key.algorithm() {
            SignatureAlgorithm::RSA => "rsa",
            SignatureAlgorithm::ECDSA => "ecdsa",
            SignatureAlgorithm::ED25519 => "ed25519",
            _ => "other",
        };
        Self {
            names: pair.facts.names.clone(),
            algorithm: algorithm.to_owned(),
            not_before: pair.facts.not_before,
            not_after: pair.facts.not_after,
        }
    }
}

/// The certificates of every listener.
#[derive(Debug, Default)]
pub(crate) struct Certificates(RwLock<Vec<(String, Arc<Keyring>)>>);

impl Certificates {
    /// Shows these from now on, with where each keyring is filled from.
    pub(crate) fn set(&self, keyrings: Vec<(String, Arc<Keyring>)>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keyrings;
    }

    /// What is in use now.
    pub(crate) fn list(&self) -> Vec<Issued> {
        let issued = |(from, keyring): &(String, Arc<Keyring>)| Issued {
            from: from.clone(),
            certificates: keyring.pairs().iter().map(Certificate::of).collect(),
            problem: keyring.problem(),
        };
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().map(issued).collect()
    }
}
