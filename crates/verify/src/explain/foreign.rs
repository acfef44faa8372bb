//! Whose signature a header is.

use super::Witness;
use crate::catalogue;
use crate::request::Request;
use crate::verifier::Verifier;
use crate::{sendgrid, twilio, x};

/// Providers that are not rows of the catalogue, and some that no source can be for yet.
const KNOWN: [(&str, &str); 8] = [
    (x::SIGNATURE_HEADER, "x"),
    (x::OAUTH2_SIGNATURE_HEADER, "x"),
    (twilio::SIGNATURE_HEADER, "twilio"),
    (sendgrid::SIGNATURE_HEADER, "sendgrid"),
    ("svix-signature", "svix"),
    ("x-authy-signature", "authy"),
    ("x-gitlab-token", "gitlab"),
    ("x-hub-signature", "github (its old SHA-1 signature)"),
];

/// Whether a source can be for this provider.
pub(super) fn is_supported(provider: &str) -> bool {
    matches!(provider, "x" | "twilio" | "sendgrid") || catalogue::find(provider).is_some()
}

/// The signature headers of a request, with their providers; those of the other sources' own schemes included.
pub(super) fn signatures<'a>(request: &'a Request, others: &[Witness<'a>]) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    for (name, _) in request.headers.iter() {
        let known = KNOWN.iter().find(|(header, _)| *header == name).map(|(_, provider)| *provider);
        let row = || {
            let mut rows = catalogue::rows().iter();
            rows.find(|row| row.descriptor.signature.header == name).map(|row| row.provider)
        };
        let described = || {
            others.iter().find_map(|witness| match witness.verifier {
                Verifier::Hmac(hmac) if hmac.descriptor.signature.header == name => Some(hmac.provider()),
                _ => None,
            })
        };
        if let Some(provider) = known.or_else(row).or_else(described)
            && !found.contains(&(name, provider))
        {
            found.push((name, provider));
        }
    }
    found
}
