//! Registers a webhook: rules, the way, what is there already, and only then X.

use std::time::Duration;

use crate::calls::webhooks::Webhook;
use crate::error::Error;
use crate::platform::Platform;
use crate::probe::{ProbeFault, Probed, Prober};
use crate::rules::{self, Caller, UrlFault, UrlWarning};

/// A webhook that is registered and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The webhook, as X lists it.
    pub webhook: Webhook,
    /// How it came to be.
    pub outcome: Outcome,
    /// How long our own challenge took.
    pub probed: Probed,
    /// What is better avoided about the URL.
    pub warnings: Vec<UrlWarning>,
}

/// How a webhook came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Registered,
    /// It was registered before, and is valid still or again.
    Known,
}

/// Registers a URL, or finds that it is registered and has it validated.
///
/// # Errors
/// [`RegisterError`] says which of the steps failed; nothing is registered then, unless it says so.
pub async fn register(
    platform: &dyn Platform,
    prober: &dyn Prober,
    url: &str,
    caller: Caller,
) -> Result<Registration, RegisterError> {
    let warnings = rules::check(url, caller).map_err(RegisterError::Url)?;
    let probed = prober.probe(url).await.map_err(RegisterError::Probe)?;
    let known = find(platform, url).await?;
    let outcome = match known {
        Some(webhook) => {
            platform.validate(&webhook.id).await?;
            Outcome::Known
        }
        None => match platform.create(url).await {
            Ok(_) => Outcome::Registered,
            // Somebody was faster; or the URL is registered in another spelling of it. On a tier with one webhook X
            // answers with the limit then, not with the duplicate.
            Err(error @ (Error::DuplicateUrl { .. } | Error::WebhookLimit { .. })) => {
                let webhook = find(platform, url).await?.ok_or(error)?;
                platform.validate(&webhook.id).await?;
                Outcome::Known
            }
            Err(error) => return Err(error.into()),
        },
    };
    let webhook =
        confirm(platform, |webhook| rules::same(&webhook.url, url), outcome == Outcome::Known).await?;
    Ok(Registration { webhook, outcome, probed, warnings })
}

/// Waits until X lists a webhook as valid. A challenge that was `set_off` is under way and may take its three seconds;
/// until then the list shows how the one before ended.
///
/// # Errors
/// [`RegisterError::NotListed`] and [`RegisterError::NotValid`] when it does not.
pub async fn confirm(
    platform: &dyn Platform,
    is_it: impl Fn(&Webhook) -> bool,
    set_off: bool,
) -> Result<Webhook, RegisterError> {
    let mut last = None;
    for pause in PAUSES.iter().skip(usize::from(set_off)) {
        tokio::time::sleep(*pause).await;
        last = platform.webhooks().await?.into_iter().find(|webhook| is_it(webhook));
        if let Some(webhook) = last.take_if(|webhook| webhook.valid) {
            return Ok(webhook);
        }
    }
    Err(last.map_or(RegisterError::NotListed, |webhook| RegisterError::NotValid { webhook }))
}

async fn find(platform: &dyn Platform, url: &str) -> Result<Option<Webhook>, Error> {
    Ok(platform.webhooks().await?.into_iter().find(|webhook| rules::same(&webhook.url, url)))
}

/// Why a webhook is not registered and valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// X does not take such a URL.
    #[error("X does not take this URL: {}", said(.0))]
    Url(Vec<UrlFault>),
    /// The URL does not answer as X wants it.
    #[error("the URL is not ready for X's challenge")]
    Probe(#[source] ProbeFault),
    /// X said no.
    #[error("X did not do it")]
    X(#[from] Error),
    /// X took it, and does not list it.
    #[error("X took the webhook, but does not list it")]
    NotListed,
    /// X has it, and does not call it valid.
    #[error("webhook {} is registered, but X does not call it valid", .webhook.id)]
    NotValid {
        /// As it is listed.
        webhook: Webhook,
    },
}

impl RegisterError {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Url(_) => "set `public_url` to what X shall call: https, a public name, no port",
            Self::Probe(fault) => fault.advice(),
            Self::X(error) => error.advice(),
            Self::NotListed => "see `hookhouse x webhooks list` in a minute",
            Self::NotValid { .. } => {
                "our own challenge was answered, so X calls with another secret or reaches another server: compare the consumer \
                 secret with the developer console's, then `hookhouse x webhooks validate`"
            }
        }
    }
}

fn said(faults: &[UrlFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Before each look at the list.
const PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(4), Duration::from_secs(2), Duration::from_secs(4)];
