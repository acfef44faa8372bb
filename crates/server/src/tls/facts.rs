//! What a certificate says: for whom it is, and how long.

use std::net::IpAddr;

use hookhouse_core::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is read of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The names that it is for, in lower case; a first label `*` stands for any one label. The subject's common name is
    /// none of them (RFC 9110 section 4.3.4).
    pub(crate) names: Vec<String>,
    /// The first second of its life.
    pub(crate) not_before: Timestamp,
    /// The last second of its life.
    pub(crate) not_after: Timestamp,
    /// Why the chain behind it may not lead to a root, in words.
    pub(crate) gap: Option<String>,
}

impl Facts {
    /// Reads the first certificate of a chain, and whether each that follows is the issuer of the one before. `Err` has
    /// the place of the certificate that cannot be read, from 1.
    pub(crate) fn read(chain: &[CertificateDer<'_>]) -> Result<Self, usize> {
        let mut parsed = Vec::with_capacity(chain.len());
        for (index, der) in chain.iter().enumerate() {
            let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| index + 1)?;
            if !rest.is_empty() {
                return Err(index + 1);
            }
            parsed.push(certificate);
        }
        let leaf = parsed.first().ok_or(1_usize)?;
        let validity = leaf.validity();
        let at = |second: i64| Timestamp::from_second(second).map_err(|_| 1_usize);
        Ok(Self {
            names: names(leaf),
            not_before: at(validity.not_before.timestamp())?,
            not_after: at(validity.not_after.timestamp())?,
            gap: gap(&parsed),
        })
    }

    /// Whether it is for this name.
    pub(crate) fn cover(&self, name: &str) -> bool {
        self.names.iter().any(|own| covers(own, name))
    }

    /// Why it is not good at this moment, in words.
    pub(crate) fn untimely(&self, now: Timestamp) -> Option<String> {
        let early = now < self.not_before;
        early
            .then(|| format!("it is good from {} on, which is not yet", self.not_before))
            .or_else(|| self.expired(now))
    }

    /// That its time is over, in words.
    pub(crate) fn expired(&self, now: Timestamp) -> Option<String> {
        (now > self.not_after).then(|| format!("it expired on {}", self.not_after))
    }
}

/// Whether a name of a certificate stands for a name that is asked for (RFC 6125 section 6.4.3: a wildcard is a whole
/// label, the first, and stands for one).
fn covers(own: &str, name: &str) -> bool {
    let name = name.trim_end_matches('.');
    if own.eq_ignore_ascii_case(name) {
        return true;
    }
    let (Some(parent), Some((label, rest))) = (own.strip_prefix("*."), name.split_once('.')) else {
        return false;
    };
    !label.is_empty() && name.parse::<IpAddr>().is_err() && rest.eq_ignore_ascii_case(parent)
}

fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        _ => None,
    };
    alternatives.value.general_names.iter().filter_map(name).collect()
}

/// Where a chain breaks off, as far as can be told without knowing the roots.
fn gap(chain: &[X509Certificate<'_>]) -> Option<String> {
    let broken =
        chain.windows(2).position(|pair| matches!(pair, [one, next] if one.issuer() != next.subject()));
    if let Some(index) = broken {
        return Some(format!(
            "certificate {} of the file is not the issuer of the one before it: the order is the server's own, then \
             each one's issuer",
            index + 2
        ));
    }
    // Authorities that sign through an intermediate say where it is to be had; senders do not go and fetch it.
    let alone = matches!(chain, [leaf] if leaf.issuer() != leaf.subject() && names_its_issuer(leaf));
    alone.then(|| {
        "the file has the server's certificate alone: without the intermediate ones behind it senders cannot tell who \
         vouches for it"
            .to_owned()
    })
}

fn names_its_issuer(leaf: &X509Certificate<'_>) -> bool {
    leaf.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => access
            .accessdescs
            .iter()
            .any(|description| description.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_one_label_and_the_first() {
        for (own, name, expected) in [
            ("hooks.example.com", "hooks.example.com", true),
            ("hooks.example.com", "HOOKS.example.com.", true),
            ("hooks.example.com", "example.com", false),
            ("*.example.com", "hooks.example.com", true),
            ("*.example.com", "a.hooks.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.0.0.1", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
        ] {
            assert_eq!(covers(own, name), expected, "{own} {name}");
        }
    }
}
