//! Where the platform is: X itself, or a stand-in on this machine.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

/// The root of the API: `https://host[:port]`, or `http://` for a stand-in on loopback.
///
/// Credentials are sent there, so plain HTTP is for addresses that never leave the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    secure: bool,
    /// In lower case; an IPv6 address with its brackets.
    host: String,
    port: Option<u16>,
}

impl Base {
    /// Whether it is a stand-in on this machine rather than X.
    #[must_use]
    pub fn is_stand_in(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether TLS is spoken.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, for the resolver and for the certificate.
    pub(crate) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.secure { 443 } else { 80 })
    }

    /// `host[:port]`, without a port that the scheme implies (RFC 5849 §3.4.1.2 wants it so).
    pub(crate) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

/// X's own.
impl Default for Base {
    fn default() -> Self {
        Self { secure: true, host: "api.x.com".to_owned(), port: None }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}

impl FromStr for Base {
    type Err = BaseError;

    fn from_str(text: &str) -> Result<Self, BaseError> {
        let uri: Uri = text.parse().map_err(|_| BaseError::Malformed)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(BaseError::Malformed),
        };
        let authority = uri.authority().ok_or(BaseError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(BaseError::Userinfo);
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || text.contains('#') {
            return Err(BaseError::Path);
        }
        let host = authority.host().to_ascii_lowercase();
        let port = match authority.as_str().get(host.len()..) {
            Some("") => None,
            Some(rest) => rest
                .strip_prefix(':')
                .and_then(|port| port.parse::<u16>().ok())
                .map(Some)
                .ok_or(BaseError::Malformed)?,
            None => return Err(BaseError::Malformed),
        };
        if host.is_empty() {
            return Err(BaseError::Malformed);
        }
        if !secure && !is_loopback(&host) {
            return Err(BaseError::Plain);
        }
        let implied = if secure { 443 } else { 80 };
        Ok(Self { secure, host, port: port.filter(|port| *port != implied) })
    }
}

/// Whether a host is this machine: an address of loopback, or a name under `localhost` (RFC 6761 §6.3).
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let host = host.to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

/// Why a text is not the root of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// It is no such URL.
    #[error("it is not a URL like https://api.x.com")]
    Malformed,
    /// Credentials do not belong there.
    #[error("it has user information")]
    Userinfo,
    /// The paths are the API's own.
    #[error("it has a path, a query or a fragment: give scheme, host and port alone")]
    Path,
    /// Credentials would cross a network in the clear.
    #[error(
        "plain http is for a stand-in on this machine alone (127.0.0.1, [::1], localhost): the requests carry credentials"
    )]
    Plain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_is_made_the_usual_one() {
        for (text, shown) in [
            ("https://api.x.com", "https://api.x.com"),
            ("https://API.X.com:443/", "https://api.x.com"),
            ("https://x.internal:8443", "https://x.internal:8443"),
            ("http://127.0.0.1:8099", "http://127.0.0.1:8099"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://localhost:1", "http://localhost:1"),
        ] {
            assert_eq!(text.parse::<Base>().map(|base| base.to_string()).as_deref(), Ok(shown), "{text}");
        }
        assert_eq!(Base::default().to_string(), "https://api.x.com");
        assert_eq!("http://[::1]:9".parse::<Base>().unwrap().host(), "::1");
    }

    #[test]
    fn credentials_do_not_go_in_the_clear() {
        for (text, error) in [
            ("http://api.x.com", BaseError::Plain),
            ("http://10.0.0.1:8080", BaseError::Plain),
            ("http://localhost.example.com", BaseError::Plain),
            ("ftp://api.x.com", BaseError::Malformed),
            ("api.x.com", BaseError::Malformed),
            ("https://", BaseError::Malformed),
            ("https://api.x.com:99999", BaseError::Malformed),
            ("https://user:pass@api.x.com", BaseError::Userinfo),
            ("https://api.x.com/2", BaseError::Path),
            ("https://api.x.com?a", BaseError::Path),
            ("https://api.x.com#a", BaseError::Path),
        ] {
            assert_eq!(text.parse::<Base>(), Err(error), "{text}");
        }
    }
}
