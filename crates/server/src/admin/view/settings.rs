//! The configuration that is in force, as operators see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::{Config, Setting};

/// What is in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Config)]
pub struct ConfigView {
    /// The file; `null` where there is none.
    pub file: Option<String>,
    /// Every value, those of the file in its order first.
    pub settings: Vec<Setting>,
}

impl ConfigView {
    /// What a configuration has in force.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { file: config.origins.name.clone(), settings: config.effective() }
    }
}
