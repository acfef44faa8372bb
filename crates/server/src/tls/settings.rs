//! How a listener speaks TLS, as the configuration says it.

use std::path::PathBuf;

/// Where the certificates of a listener come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// From files, which somebody else renews: at least one pair. RSA and ECDSA can stand side by side.
    Files(Vec<KeyFiles>),
    /// From a certificate authority that speaks ACME.
    Acme(Acme),
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// The certificate, followed by those that lead to a root.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How certificates are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// Whom the authority writes to: `mailto:…`.
    pub contact: Option<String>,
    /// The authority's directory (RFC 8555 section 7.1.1).
    pub directory: String,
    /// Who vouches for the directory's own TLS, where the machine's roots do not.
    pub ca: Option<PathBuf>,
    /// How control of the names is proved.
    pub challenge: Challenge,
    /// The names that the certificate is for.
    pub names: Vec<String>,
}

/// How control of a name is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// On the TLS listener, which the name must lead to on port 443 (RFC 8737).
    TlsAlpn01,
    /// On a plain listener, which the name must lead to on port 80 (RFC 8555 section 8.3).
    Http01,
}
