//! What a certificate that was shown says, and what is wrong with it.

use std::io;
use std::net::IpAddr;

use hookhouse_core::Timestamp;
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::check::{Check, Topic};
use super::outside::Handshake;

/// A certificate with less left than this is warned of, unless it lives shortly by design.
const SOON: i64 = 21;

const DAY: i64 = 24 * 3600;

/// What the first certificate of a chain says.
#[derive(Debug, PartialEq, Eq)]
struct Leaf {
    names: Vec<String>,
    not_before: i64,
    not_after: i64,
    own_issuer: bool,
}

impl Leaf {
    fn read(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
        let names = match leaf.subject_alternative_name() {
            Ok(Some(alternatives)) => alternatives.value.general_names.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        Some(Self {
            names,
            not_before: leaf.validity().not_before.timestamp(),
            not_after: leaf.validity().not_after.timestamp(),
            own_issuer: leaf.issuer() == leaf.subject(),
        })
    }

    /// Whether it ends soon, for what it is: certificates of a week are renewed within their last days.
    fn ends_soon(&self, now: Timestamp) -> bool {
        let quarter = (self.not_after - self.not_before) / 4;
        self.not_after - now.as_second() < quarter.min(SOON * DAY)
    }

    fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after - now.as_second()).div_euclid(DAY)
    }

    fn names(&self) -> String {
        if self.names.is_empty() { "no name".to_owned() } else { self.names.join(", ") }
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

/// Judges a handshake.
pub(super) fn judge(topic: Topic, handshake: &Handshake, now: Timestamp) -> Check {
    let leaf = Leaf::read(&handshake.chain);
    match (&handshake.outcome, leaf) {
        (Ok(_), Some(leaf)) => {
            let left = leaf.days_left(now);
            let found = format!(
                "the certificate for {} is good for {left} more day{}, and its chain leads to a root",
                leaf.names(),
                if left == 1 { "" } else { "s" }
            );
            if leaf.ends_soon(now) {
                topic.warning(
                    found,
                    "see why it is not renewed: X gives a webhook up at the first expired certificate",
                )
            } else {
                topic.ok(found)
            }
        }
        (Ok(_), None) => topic.ok("the certificate is good"),
        (Err(error), leaf) => {
            let (found, advice) = fault(error, leaf.as_ref(), handshake.chain.len(), now);
            topic.problem(found, advice)
        }
    }
}

fn fault(error: &io::Error, leaf: Option<&Leaf>, length: usize, now: Timestamp) -> (String, &'static str) {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(why)) = inner else {
        return (
            format!("there is no TLS: {error}"),
            "see what listens there: it must speak TLS 1.2 or 1.3 for this name",
        );
    };
    let names = leaf.map_or_else(|| "a name".to_owned(), Leaf::names);
    match (why, leaf) {
        (CertificateError::Expired | CertificateError::ExpiredContext { .. }, Some(leaf)) => (
            format!("the certificate for {names} expired {} days ago", -leaf.days_left(now) - 1),
            "renew it, and see why that did not happen by itself",
        ),
        (CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }, _) => (
            format!("the certificate for {names} is not good yet"),
            "see whether the clock of this machine, or of the one that made it, is right",
        ),
        (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }, _) => (
            format!("the certificate is for {names}, which is another name"),
            "serve a certificate for the name in `public_url`",
        ),
        (CertificateError::UnknownIssuer, Some(leaf)) if leaf.own_issuer => (
            format!("the certificate for {names} vouches for itself: no provider takes it"),
            "get one from a public authority (`tls = { acme = … }` does that)",
        ),
        (CertificateError::UnknownIssuer, _) if length == 1 => (
            format!("the certificate for {names} comes alone: nothing leads from it to a root"),
            "serve the whole chain (certbot: `fullchain.pem`)",
        ),
        (CertificateError::UnknownIssuer, _) => (
            format!("the chain of the certificate for {names} leads to no root that this machine trusts"),
            "serve the whole chain of a public authority (certbot: `fullchain.pem`)",
        ),
        _ => (
            format!("the certificate for {names} is not valid: {error}"),
            "get a certificate from a public authority for the name in `public_url`",
        ),
    }
}
