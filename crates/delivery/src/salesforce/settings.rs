//! What a Salesforce destination is told.

use super::assertion::SigningKey;
use super::mapping::Mapping;
use hookhouse_core::Secret;

/// How events become records of an org. Its login host is the destination's URL.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How to get an access token.
    pub grant: Grant,
    /// The object: `Case`.
    pub object: String,
    /// Its field with the key: a text that is an external id and unique.
    pub external_id: String,
    /// What the fields are filled with.
    pub mapping: Mapping,
    /// What becomes of a record that is there already.
    pub existing: Existing,
    /// Whether assignment rules run on what is written.
    pub auto_assign: AutoAssign,
    /// The version of the REST API: `v67.0`.
    pub api_version: String,
    /// Below this share of the day's API requests nothing is sent: they are left for others.
    pub api_reserve: f64,
}

/// What becomes of a record that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Its fields are written again: an upsert.
    #[default]
    Update,
    /// It is left as it is: an insert, and the unique key keeps it from being made twice.
    Keep,
}

/// How to get an access token.
#[derive(Debug, Clone)]
pub enum Grant {
    /// The client credentials flow: as the user that the app is set to run as.
    ClientCredentials {
        /// The consumer key.
        client_id: String,
        /// The consumer secret.
        client_secret: Secret,
    },
    /// The JWT bearer flow: as a user that has approved the app beforehand.
    JwtBearer {
        /// The consumer key.
        client_id: String,
        /// The user.
        username: String,
        /// Who is to accept the assertion: `https://login.salesforce.com`, `https://test.salesforce.com`, or a site.
        audience: String,
        /// The key whose certificate the app has.
        key: SigningKey,
    },
}

/// The header `Sforce-Auto-Assign`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AutoAssign {
    /// The active rules run.
    On,
    /// None runs.
    Off,
    /// This one runs, by its id.
    Rule(String),
}

impl AutoAssign {
    /// The header's value.
    pub(crate) fn header(&self) -> &str {
        match self {
            Self::On => "TRUE",
            Self::Off => "FALSE",
            Self::Rule(id) => id,
        }
    }
}
