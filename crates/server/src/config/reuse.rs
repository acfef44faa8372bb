//! One secret, two schemes: refused where one of them answers challenges.
//!
//! Whoever answers challenges signs what strangers ask it to. If another scheme takes the same key, a challenge can be
//! worded so that its answer is a signature there. Among sources of one provider the message sets are kept disjoint by
//! the verifier, so that two of them may share a secret.

use hookhouse_core::{DestinationName, Secret};

use super::diagnostic::{Code, Diagnostic, Span};
use super::report::Report;

/// A secret, and what it is used for.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) secret: Secret,
    pub(super) span: Span,
    pub(super) role: Role,
}

/// What a secret is used for.
#[derive(Debug, Clone)]
pub(super) enum Role {
    /// Answering a provider's challenges, and verifying its events.
    Responder {
        /// Of which source.
        source: String,
        /// Whose.
        provider: String,
    },
    /// Verifying another provider's events.
    Scheme {
        /// Of which source.
        source: String,
        /// Whose.
        provider: String,
    },
    /// Signing what a destination gets, by Standard Webhooks.
    StandardWebhooks {
        /// Which destination.
        destination: String,
    },
    /// Signing what a destination gets as the event's own provider does.
    Provider {
        /// Which destination.
        destination: String,
    },
}

/// A delivery that is configured: events of this provider go to that destination.
pub(super) type Route = (&'static str, DestinationName);

/// Reports every secret that a challenge responder shares with another scheme.
pub(super) fn check(uses: &[Use], routes: &[Route], report: &Report) {
    for (at, responder) in uses.iter().enumerate() {
        let Role::Responder { source, provider } = &responder.role else { continue };
        for (other_at, other) in uses.iter().enumerate() {
            // Of two responders the later one is told about the earlier one, and not the other way round.
            if matches!(other.role, Role::Responder { .. }) && other_at < at {
                continue;
            }
            let Some(what) = conflict(&other.role, provider, routes) else { continue };
            if responder.secret.expose() != other.secret.expose() {
                continue;
            }
            report.push(
                Diagnostic::error(
                    Code::SecretReuse,
                    &other.span,
                    format!("source `{source}` answers challenges with the secret that {what}"),
                )
                .label("used here for another scheme")
                .related(&responder.span, "used here to answer challenges")
                .note("whoever may challenge the one could forge a signature of the other")
                .help("give each its own secret"),
            );
        }
    }
}

/// What a use is, if it must not share a secret with who answers this provider's challenges.
fn conflict(role: &Role, responder: &str, routes: &[Route]) -> Option<String> {
    match role {
        Role::Responder { provider, .. } if provider == responder => None,
        Role::Responder { source, provider } => {
            Some(format!("source `{source}` ({provider}) answers challenges with"))
        }
        Role::Scheme { source, provider } => Some(format!("source `{source}` ({provider}) verifies with")),
        Role::StandardWebhooks { destination } => Some(format!("destination `{destination}` is signed with")),
        // A provider's own scheme with its own secret is what the option is for, as long as nobody else's events are
        // signed so.
        Role::Provider { destination } => routes
            .iter()
            .find(|(provider, to)| {
                to.as_str() == destination && *provider != responder && *provider != "none"
            })
            .map(|(provider, _)| {
                format!("events of `{provider}` are signed with for destination `{destination}`")
            }),
    }
}
