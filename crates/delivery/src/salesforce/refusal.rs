//! What Salesforce says when it says no, and what follows from it.
//!
//! | it is about | for example | what follows |
//! |---|---|---|
//! | the moment | `UNABLE_TO_LOCK_ROW`, `SERVER_UNAVAILABLE`, 5xx, 429 | another try, by the destination's schedule |
//! | a race | `DUPLICATE_VALUE` | another try at once, and then by the schedule |
//! | the record | `STRING_TOO_LONG`, `REQUIRED_FIELD_MISSING`, 300 | the delivery is given up |
//! | fields that only a new record takes | `INVALID_FIELD_FOR_INSERT_UPDATE` | the same without them, at once |
//! | the login | `INVALID_SESSION_ID` twice, `invalid_grant` | a pause of the destination |
//! | the settings | 404: no such object, field or version | a pause of the destination |
//! | the day's budget | `REQUEST_LIMIT_EXCEEDED` | a long pause of the destination |
//!
//! A pause uses up no tries: the events wait. A code that nobody knows is tried again by the schedule, which ends.
//!
//! Source: "Status Codes and Error Responses", REST API Developer Guide, and "Core Data Types Used in API Calls", SOAP
//! API Developer Guide (the error codes). A record in a collection has `statusCode` where a whole answer has
//! `errorCode`.

use std::time::Duration;

use serde::Deserialize;

use crate::circuit::Health;
use crate::client::Answer;
use crate::response::{Pause, excerpt, printable};

/// A no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    about: About,
    /// The status, or the one that a record would have had alone.
    pub(crate) status: u16,
    code: String,
    message: String,
    fields: Vec<String>,
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Login,
    Call,
    Record,
}

/// What follows from a no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    /// Once more, at once.
    Again,
    /// Once more, at once, without the fields that only a new record takes.
    Strip,
    /// By the schedule.
    Retry(Health),
    /// Never again.
    Reject,
    /// Later; and until then nothing else either.
    Pause(Pause),
}

/// An error as it is written.
#[derive(Debug, Deserialize)]
pub(crate) struct Written {
    #[serde(rename = "errorCode", alias = "statusCode", default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    fields: Vec<String>,
}

impl Refusal {
    /// Of a token: in words.
    pub(crate) fn login(words: String) -> Self {
        let (status, code) = (401, String::new());
        Self { about: About::Login, status, code, message: words, fields: Vec::new(), retry_after: None }
    }

    /// Of a whole call.
    pub(crate) fn call(answer: &Answer) -> Self {
        let written = serde_json::from_slice::<Vec<Written>>(&answer.body).unwrap_or_default();
        let first = written.into_iter().next().unwrap_or_else(|| Written {
            code: String::new(),
            message: excerpt(&answer.headers, &answer.body),
            fields: Vec::new(),
        });
        let head = answer.head;
        Self { retry_after: head.retry_after, ..Self::written(About::Call, head.status.as_u16(), first) }
    }

    /// Of one record in a call.
    pub(crate) fn record(errors: Vec<Written>) -> Self {
        let first = errors.into_iter().next().unwrap_or_else(|| Written {
            code: String::new(),
            message: "no reason was given".to_owned(),
            fields: Vec::new(),
        });
        Self::written(About::Record, 400, first)
    }

    fn written(about: About, status: u16, written: Written) -> Self {
        let Written { code, message, fields } = written;
        Self { about, status, code, message, fields, retry_after: None }
    }

    /// Whether the token is what was refused.
    pub(crate) fn is_stale_session(&self) -> bool {
        self.about == About::Call && (self.status == 401 || self.code == "INVALID_SESSION_ID")
    }

    /// Whether another record has the same value in a unique field. The field is named in words alone.
    pub(crate) fn is_duplicate_of(&self, field: &str) -> bool {
        let named = self.message.contains(field) || self.fields.iter().any(|name| name == field);
        self.code == "DUPLICATE_VALUE" && named
    }

    /// In words, printable.
    pub(crate) fn words(&self) -> String {
        let mut words = match (self.code.is_empty(), self.message.is_empty()) {
            (true, true) => format!("answered {}", self.status),
            (true, false) => self.message.clone(),
            (false, _) => format!("{}: {}", self.code, self.message),
        };
        if !self.fields.is_empty() {
            words += &format!(" (fields: {})", self.fields.join(", "));
        }
        printable(words.as_bytes(), crate::response::MOST_EXCERPT)
    }

    /// What follows.
    pub(crate) fn class(&self) -> Class {
        let pause =
            |length, why: &str| Class::Pause(Pause { length, cause: format!("{why}: {}", self.words()) });
        if self.about == About::Login {
            return pause(LOGIN_PAUSE, "Salesforce gives no access token");
        }
        match self.code.as_str() {
            "DUPLICATE_VALUE" => return Class::Again,
            "INVALID_FIELD_FOR_INSERT_UPDATE" if self.is_about_new_records_only() => return Class::Strip,
            "REQUEST_LIMIT_EXCEEDED" => return pause(LIMIT_PAUSE, "the org's API requests are used up"),
            "STORAGE_LIMIT_EXCEEDED" => return pause(LIMIT_PAUSE, "the org's storage is full"),
            code if LOCKED_OUT.contains(&code) => return pause(LOGIN_PAUSE, "Salesforce lets nobody in"),
            "INVALID_SESSION_ID" => return pause(LOGIN_PAUSE, NEW_TOKEN),
            code if PASSING.contains(&code) => {
                let failing = self.status >= 500;
                return Class::Retry(if failing { Health::Failing } else { Health::Up });
            }
            code if PERMANENT.contains(&code) => return Class::Reject,
            _ => {}
        }
        match (self.about, self.status) {
            (About::Record, _) => Class::Retry(Health::Up),
            (_, 401) => pause(LOGIN_PAUSE, NEW_TOKEN),
            (_, 404 | 410) => pause(SETTINGS_PAUSE, "Salesforce knows no such object, field or API version"),
            (_, 300) => Class::Reject,
            (_, 400 | 405..=428) => Class::Retry(Health::Up),
            _ => Class::Retry(Health::Failing),
        }
    }

    fn is_about_new_records_only(&self) -> bool {
        !self.fields.is_empty() && self.fields.iter().all(|field| is_for_new_records_only(field))
    }
}

/// Whether a field of a Case can be set when it is made, and never afterwards.
pub(crate) fn is_for_new_records_only(field: &str) -> bool {
    matches!(field, "SuppliedName" | "SuppliedEmail" | "SuppliedCompany" | "SuppliedPhone")
}

/// What to do about a refused login, where its words tell.
pub(super) fn hint(error: &str, description: &str) -> &'static str {
    let said = |words: &str| description.to_ascii_lowercase().contains(words);
    match error {
        "invalid_grant" if said("approved") => {
            " — pre-authorise the user's profile or permission set in the app's policies"
        }
        "invalid_grant" if said("audience") => {
            " — `audience` is https://login.salesforce.com, https://test.salesforce.com for a sandbox, or the site's URL"
        }
        "invalid_grant" if said("expired") || said("assertion") => {
            " — compare this machine's clock, `username`, and the certificate of the app"
        }
        "invalid_grant" if said("no client credentials user") => {
            " — choose a run-as user in the app's policies"
        }
        "invalid_grant" if said("not supported") => " — `login` must be the org's My Domain URL",
        "invalid_client" | "invalid_client_id" => " — compare `client_id` and the secret or key with the app",
        "unauthorized_client" => " — enable the flow in the app's settings",
        "invalid_scope" => " — give the app the scope `api`",
        _ if said("scope") => " — give the app the scope `api`",
        _ => "",
    }
}

const NEW_TOKEN: &str = "Salesforce refuses a new access token";

/// Nobody gets in, whoever asks.
const LOCKED_OUT: [&str; 5] = [
    "API_CURRENTLY_DISABLED",
    "API_DISABLED_FOR_ORG",
    "INACTIVE_OWNER_OR_USER",
    "ORG_LOCKED",
    "TRIAL_EXPIRED",
];

/// What passes by itself.
const PASSING: [&str; 6] = [
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    "QUERY_TIMEOUT",
    "REQUEST_RUNNING_TOO_LONG",
    "SERVER_UNAVAILABLE",
    "UNABLE_TO_LOCK_ROW",
    "UNKNOWN_EXCEPTION",
];

/// What is wrong with a record stays wrong.
const PERMANENT: [&str; 20] = [
    "DUPLICATES_DETECTED",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    "FIELD_FILTER_VALIDATION_EXCEPTION",
    "FIELD_INTEGRITY_EXCEPTION",
    "INVALID_CROSS_REFERENCE_KEY",
    "INVALID_EMAIL_ADDRESS",
    "INVALID_FIELD",
    "INVALID_FIELD_FOR_INSERT_UPDATE",
    "INVALID_ID_FIELD",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    "INVALID_TYPE_ON_FIELD_IN_RECORD",
    "JSON_PARSER_ERROR",
    "MALFORMED_ID",
    "NUMBER_OUTSIDE_VALID_RANGE",
    "REQUIRED_FIELD_MISSING",
    "STRING_TOO_LONG",
    "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET",
    "INVALID_DATE_FORMAT",
    "ENTITY_IS_DELETED",
    "DUPLICATE_EXTERNAL_ID",
];

/// Credentials are mended by people.
pub(crate) const LOGIN_PAUSE: Duration = Duration::from_secs(5 * 60);

/// So are settings.
pub(crate) const SETTINGS_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The limit is on 24 hours that roll: some of it comes back with each minute, and no answer says how much.
pub(crate) const LIMIT_PAUSE: Duration = Duration::from_secs(30 * 60);

#[cfg(test)]
mod tests;
