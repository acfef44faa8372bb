//! Why a call to X came to nothing, and what to do about it.
//!
//! X names its reasons in the text before the colon of `errors[].message`, in the last segment of `type`, in a `code`,
//! or only by the status; the module `problem` reads them all into this one enum. `detail` is X's own wording,
//! cut and without our credentials.

use hookhouse_core::Timestamp;

use crate::credentials::Auth;
use crate::transport::TransportError;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration has nothing that the call could be made with.
    #[error("{operation} is done in the name of {}, and there are no credentials for that", name(.wants))]
    NoCredentials {
        /// Which call.
        operation: &'static str,
        /// What it takes.
        wants: Vec<Auth>,
    },
    /// A credential cannot be sent as it is.
    #[error("`{name}` has a line break, a blank or another character that no header can carry")]
    BadCredential {
        /// The setting.
        name: &'static str,
    },
    /// X did not answer.
    #[error("{host} did not answer")]
    Unreachable {
        /// Who should have.
        host: String,
        /// Why not.
        source: TransportError,
    },
    /// The answer is not what X documents.
    #[error("{operation} was answered with {status}, in a form that is not documented: {why}")]
    Unreadable {
        /// Which call.
        operation: &'static str,
        /// The status.
        status: u16,
        /// What is wrong with it.
        why: String,
    },
    /// 401: the credentials are wrong.
    #[error("X does not accept the credentials: {detail}")]
    Unauthorized {
        /// X's words.
        detail: String,
    },
    /// 403 `client-not-enrolled`: the app is outside of every package.
    #[error("the app is not enrolled for this: {detail}")]
    NotEnrolled {
        /// X's words.
        detail: String,
    },
    /// 403 `client-forbidden`, or another 403.
    #[error("X does not let this app or user do that: {detail}")]
    Forbidden {
        /// X's words.
        detail: String,
    },
    /// 402: the credits are used up.
    #[error("the account's credits are used up: {detail}")]
    CreditsDepleted {
        /// X's words.
        detail: String,
    },
    /// 429 or code 88: too many calls in this window.
    #[error("the rate limit of {operation} is reached{}", when(.until))]
    RateLimited {
        /// Which call.
        operation: &'static str,
        /// When the next window begins, where X says so.
        until: Option<Timestamp>,
    },
    /// `CrcValidationFailed`: X called the URL and did not get the right answer within three seconds.
    #[error("X's challenge was not answered rightly: {detail}")]
    CrcFailed {
        /// X's words.
        detail: String,
    },
    /// `UrlValidationFailed`: not https, with a port, malformed.
    #[error("X does not take the URL: {detail}")]
    UrlRefused {
        /// X's words.
        detail: String,
    },
    /// `DuplicateUrlFailed`: this app has this URL already.
    #[error("the URL is registered already: {detail}")]
    DuplicateUrl {
        /// X's words.
        detail: String,
    },
    /// `WebhookLimitExceeded`: the account has as many webhooks as it may.
    #[error("the account has all the webhooks that it may have: {detail}")]
    WebhookLimit {
        /// X's words.
        detail: String,
    },
    /// `WebhookIdInvalid`: unknown, or another app's.
    #[error("there is no such webhook of this app: {detail}")]
    UnknownWebhook {
        /// X's words.
        detail: String,
    },
    /// `ReplayConflictError`: a replay runs already.
    #[error("another replay of this webhook is running: {detail}")]
    ReplayConflict {
        /// X's words.
        detail: String,
    },
    /// `QueryParamInvalid`: too old, in the future, reversed, malformed.
    #[error("X does not take the parameters: {detail}")]
    ParameterRefused {
        /// X's words.
        detail: String,
    },
    /// `DuplicateSubscriptionFailed`, 409 `DuplicateSubscription`, or 400 with "Duplicate" in it.
    #[error("the subscription exists already: {detail}")]
    DuplicateSubscription {
        /// X's words.
        detail: String,
    },
    /// `SubscriptionLimitExceeded`.
    #[error("the account has all the subscriptions that it may have: {detail}")]
    SubscriptionLimit {
        /// X's words.
        detail: String,
    },
    /// `SubscriptionNotFound`.
    #[error("there is no such subscription: {detail}")]
    UnknownSubscription {
        /// X's words.
        detail: String,
    },
    /// 404 without a reason of its own.
    #[error("X knows no such thing: {detail}")]
    NotFound {
        /// X's words.
        detail: String,
    },
    /// 5xx.
    #[error("X is in trouble ({status}): {detail}")]
    Unavailable {
        /// The status.
        status: u16,
        /// X's words.
        detail: String,
    },
    /// Anything else.
    #[error("X answered {status}: {detail}")]
    Refused {
        /// The status.
        status: u16,
        /// X's words.
        detail: String,
    },
}

/// What kind of trouble it is, for exit codes and for deciding whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Credentials, permissions, enrolment.
    Auth,
    /// The thing does not exist.
    NotFound,
    /// X cannot be reached, or is in trouble itself: later may do.
    Unreachable,
    /// Too many calls: later will do.
    RateLimited,
    /// X says no, and would say it again.
    Refused,
}

impl Error {
    /// What kind of trouble it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::NoCredentials { .. }
            | Self::BadCredential { .. }
            | Self::Unauthorized { .. }
            | Self::NotEnrolled { .. }
            | Self::Forbidden { .. } => Class::Auth,
            Self::UnknownWebhook { .. } | Self::UnknownSubscription { .. } | Self::NotFound { .. } => {
                Class::NotFound
            }
            Self::Unreachable { .. } | Self::Unavailable { .. } | Self::Unreadable { .. } => {
                Class::Unreachable
            }
            Self::RateLimited { .. } => Class::RateLimited,
            Self::CreditsDepleted { .. }
            | Self::CrcFailed { .. }
            | Self::UrlRefused { .. }
            | Self::DuplicateUrl { .. }
            | Self::WebhookLimit { .. }
            | Self::ReplayConflict { .. }
            | Self::ParameterRefused { .. }
            | Self::DuplicateSubscription { .. }
            | Self::SubscriptionLimit { .. }
            | Self::Refused { .. } => Class::Refused,
        }
    }

    /// What to do about it, in a sentence.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoCredentials { wants, .. } if wants.contains(&Auth::App) => {
                "set `api = { bearer = { env = \"X_BEARER\" } }` on the source, or `consumer_key` beside its consumer secret"
            }
            Self::NoCredentials { .. } => {
                "set `access_token` and `access_token_secret` (with `consumer_key`) of the user in the source's `api`, or an \
                 OAuth 2.0 `user_token`"
            }
            Self::BadCredential { .. } => "look for a line break at the end of the variable or the file",
            Self::Unreachable { .. } => {
                "see whether this machine reaches the internet; there is no proxy from the environment"
            }
            Self::Unreadable { .. } => {
                "look at what X shows in its developer console: the call may have worked; an update of Hookhouse may help"
            }
            Self::Unauthorized { .. } => {
                "copy the credentials anew from the developer console: regenerating one there ends the old one, and a token \
                 made before a change of permissions keeps the old rights"
            }
            Self::NotEnrolled { .. } => {
                "in the developer console move the app to a project with the package \"Pay-per-use\" and the environment \
                 \"Production\""
            }
            Self::Forbidden { .. } => {
                "see whether the app's package has this endpoint (filtered stream webhooks are for enterprise); give the app the \
                 permission \"Read, write and Direct Messages\" and make the user's tokens anew; private events want a user's \
                 credentials instead of the app's bearer"
            }
            Self::CreditsDepleted { .. } => {
                "buy credits in the developer console, or raise the spending limit"
            }
            Self::RateLimited { .. } => "try again after that; more calls before will not help",
            Self::CrcFailed { .. } => {
                "run `hookhouse x webhooks status`: the URL must answer from outside within three seconds, without a redirect, \
                 and with the app's current consumer secret (`crc.key` = \"oauth2\" where X wants the client secret)"
            }
            Self::UrlRefused { .. } => {
                "register an https URL on a public name, without a port and of at most 200 characters"
            }
            Self::DuplicateUrl { .. } => "list the webhooks and validate the one with this URL",
            Self::WebhookLimit { .. } => {
                "delete the webhook that is registered (`hookhouse x webhooks list`, then `delete`), or move to a package \
                 with more; pay-per-use has one"
            }
            Self::UnknownWebhook { .. } => "`hookhouse x webhooks list` shows the ids of this app",
            Self::ReplayConflict { .. } => {
                "wait until X posts the `replay_job_status` of the running one; there is one at a time"
            }
            Self::ParameterRefused { .. } => {
                "a replay begins 31 minutes to 24 hours ago and ends at least 10 minutes ago, in UTC, by the minute"
            }
            Self::DuplicateSubscription { .. } => "nothing is to be done: list the subscriptions to see it",
            Self::SubscriptionLimit { .. } => "remove a subscription, or move to a package with more",
            Self::UnknownSubscription { .. } => "list the subscriptions: it may be gone already",
            Self::NotFound { .. } => "see whether the app's package has this endpoint",
            Self::Unavailable { .. } => "try again in a few minutes",
            Self::Refused { .. } => "see X's words; its documentation is at https://docs.x.com",
        }
    }

    /// When trying again makes sense at the earliest, where X said so.
    #[must_use]
    pub fn not_before(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { until, .. } => *until,
            _ => None,
        }
    }

    /// The error with its causes, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            let words = inner.to_string();
            if !line.ends_with(&words) {
                line += &format!(": {words}");
            }
            cause = inner.source();
        }
        line
    }
}

fn name(wants: &[Auth]) -> &'static str {
    match (wants.contains(&Auth::App), wants.contains(&Auth::User)) {
        (true, true) => "the app or a user",
        (true, false) => "the app",
        (false, _) => "a user",
    }
}

fn when(until: &Option<Timestamp>) -> String {
    until.map(|until| format!(" until {}", until.strftime("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default()
}
