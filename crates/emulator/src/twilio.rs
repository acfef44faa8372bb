//! A Twilio that is good enough to develop against: it calls and texts an endpoint, and does with the answer what Twilio
//! does.
//!
//! ```text
//! call, message ── document ── session ── webhook ── connect, exchange ──▶ the endpoint
//!       │              │          │           └ the parameters, the headers, the signature
//!       │              │          └ logins, redirects, cookies, retries
//!       │              └ judge, twiml: what Twilio makes of the answer; the fallback URL
//!       └ stream: a Media Stream over a WebSocket
//! ```
//!
//! Sources: Twilio's pages on webhooks (<https://www.twilio.com/docs/usage/webhooks>), TwiML, Media Streams and its error
//! codes, read 2026-11-22; requests captured by others, for the headers that no page names.
//!
//! # What it does not do
//!
//! * It asks for no compressed answers, and caches none.
//! * It speaks over no phone: `<Dial>`, `<Record>`, `<Enqueue>`, `<Pay>`, speech and the like are named and skipped, and
//!   nobody waits for a `<Pause>`.
//! * A stream has no login: the signature is its proof. `statusCallback` of `<Stream>` is not called.
//! * Where a page of Twilio's leaves open what happens, the module that decides says so.

mod auth;
mod call;
mod connect;
mod cookies;
mod document;
mod exchange;
pub mod judge;
mod message;
mod overrides;
mod session;
mod story;
mod stream;
pub mod twiml;
mod url;
mod webhook;

use std::fmt;
use std::sync::Arc;

use hookhouse_verify::Secret;
use hookhouse_verify::sign::Signer;
use rustls::ClientConfig;

pub use auth::{Credentials, CredentialsError, LoginScheme};
pub use call::Call;
pub use message::Message;
pub use overrides::{OverrideError, Overrides, RetryOn};
pub use story::{Finding, Outcome, Severity, Step};
pub use url::{Scheme, UrlError, WebhookUrl};

/// An account with one number, and somebody who calls it.
#[derive(Clone)]
pub struct Twilio {
    account_sid: String,
    signing: Option<(Signer, Secret)>,
    from: String,
    to: String,
    credentials: Option<Credentials>,
    logins: Vec<LoginScheme>,
    via: Option<String>,
    tls: Arc<ClientConfig>,
}

/// What an endpoint is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// What to do with a phone call.
    Voice,
    /// What to answer to a message.
    Messaging,
}

impl Twilio {
    /// An account of the fixtures that signs nothing; `tls` is how it speaks to `https`.
    #[must_use]
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        Self {
            account_sid: ACCOUNT_SID.to_owned(),
            signing: None,
            from: CALLER.to_owned(),
            to: NUMBER.to_owned(),
            credentials: None,
            logins: LoginScheme::ALL.to_vec(),
            via: None,
            tls,
        }
    }

    /// Signs, with an auth token or a SharedKey.
    #[must_use]
    pub fn signed_by(mut self, signer: Signer, secret: Secret) -> Self {
        self.signing = Some((signer, secret));
        self
    }

    /// Another account than the fixtures'.
    #[must_use]
    pub fn account(mut self, sid: impl Into<String>) -> Self {
        self.account_sid = sid.into();
        self
    }

    /// Another caller than the fixtures'.
    #[must_use]
    pub fn from(mut self, number: impl Into<String>) -> Self {
        self.from = number.into();
        self
    }

    /// Another number than the fixtures'.
    #[must_use]
    pub fn to(mut self, number: impl Into<String>) -> Self {
        self.to = number.into();
        self
    }

    /// What to log in with where the URL does not say it: at the host of the first URL, and nowhere else.
    #[must_use]
    pub fn logging_in(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Which challenges it can answer; all of them by default.
    #[must_use]
    pub fn knowing(mut self, logins: &[LoginScheme]) -> Self {
        self.logins = logins.to_vec();
        self
    }

    /// Connects to this `host:port`, without TLS, instead of the first URL's host: what a proxy in front of the
    /// application would do. Requests look and are signed as if they had come from outside.
    #[must_use]
    pub fn via(mut self, address: impl Into<String>) -> Self {
        self.via = Some(address.into());
        self
    }
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twilio")
            .field("account_sid", &self.account_sid)
            .field("signing", &self.signing)
            .field("credentials", &self.credentials)
            .field("via", &self.via)
            .finish_non_exhaustive()
    }
}

/// The account, the caller and the number of the fixtures.
const ACCOUNT_SID: &str = "AC3f2a9b7c1d8e4f60a5b4c3d2e1f09876";
const CALLER: &str = "+12065550142";
const NUMBER: &str = "+12065550100";

#[cfg(test)]
mod tests;
