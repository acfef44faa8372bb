//! The calls that X documents, each with the forms of answer that were reported.
//!
//! [`webhooks`] registers URLs, [`activity`] and [`account_activity`] say which accounts' events come, [`stream`] which
//! posts. Read 2026-11-22 in X's documentation and OpenAPI document (version 2.167); where they disagree, it is said at
//! the call.

pub mod account_activity;
pub mod activity;
pub mod stream;
pub mod webhooks;

use serde::Deserialize;

use crate::call::Reply;

/// `{"data":…}`, which nearly every answer is.
#[derive(Debug, Deserialize)]
pub(crate) struct Data<T> {
    pub(crate) data: T,
}

/// Whether `data` has a flag set; an answer without a body counts as `otherwise`, because some of these calls have been
/// seen to answer 204.
pub(crate) fn flag(reply: &Reply<'_>, name: &str, otherwise: bool) -> Result<bool, String> {
    if reply.is_empty() {
        return Ok(otherwise);
    }
    let Data { data } = reply.json::<Data<serde_json::Value>>()?;
    data.get(name).and_then(serde_json::Value::as_bool).ok_or_else(|| format!("`data.{name}` is missing"))
}
