//! Edited replays, as JSON.

use hookhouse_core::{Edit, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{shown, text_or_base64};

/// What is sent in the place of the stored bytes: changes to these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EditRequest)]
pub struct EditRequest {
    /// The body; without it and `body_base64`, that of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub body: Option<String>,
    /// The body where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub body_base64: Option<String>,
    /// Names and values, in the place of whatever has these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Names of headers that are left out. The provider's signature always is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove_headers: Vec<String>,
}

/// What an edited replay sends.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Edit)]
pub struct EditView {
    /// Who edited it: the name and the id of a token, or `root`.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Names and values; credentials and signatures are `[redacted]`.
    pub headers: Vec<(String, String)>,
    /// How long the body is.
    pub body_bytes: usize,
    /// The body, where it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub body: Option<String>,
    /// The body, where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub body_base64: Option<String>,
}

impl EditView {
    /// How an edit is shown.
    #[must_use]
    pub fn of(edit: &Edit) -> Self {
        let (body, body_base64) = text_or_base64(&edit.body);
        Self {
            by: edit.mark.by.clone(),
            at: edit.mark.at,
            headers: edit.headers.iter().map(shown).collect(),
            body_bytes: edit.body.len(),
            body,
            body_base64,
        }
    }
}
