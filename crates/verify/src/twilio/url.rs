//! The URL that a provider was told: what it signs, apart from path and query.

use std::fmt;
use std::str::FromStr;

use crate::verifier::SchemeError;

/// `https://[user:pass@]host[:port][/prefix]`, as it was entered at the provider.
///
/// The spelling is kept, because it is signed: the case of scheme and host, an explicit `:443`, the user information.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: String,
    userinfo: Option<String>,
    host: String,
    port: Option<u16>,
    prefix: String,
}

impl PublicUrl {
    /// Parses the URL.
    ///
    /// # Errors
    /// [`SchemeError::PublicUrl`] when it is not of that form; a query or a fragment is refused too, because neither
    /// could be part of what every request to a source has in common.
    pub fn parse(text: &str) -> Result<Self, SchemeError> {
        let refuse = |reason| SchemeError::PublicUrl { reason };
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(refuse("it has a blank or a control character"));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| refuse("it does not begin with https://"))?;
        if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
            return Err(refuse("its scheme is neither https nor http"));
        }
        if rest.contains('#') {
            return Err(refuse("it has a fragment, which providers keep to themselves: leave it out here"));
        }
        if rest.contains('?') {
            return Err(refuse("it has a query; the query is taken from each request"));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (userinfo, host_and_port) = match authority.rsplit_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, authority),
        };
        if userinfo.is_some_and(|userinfo| userinfo.is_empty() || userinfo.contains('@')) {
            return Err(refuse("what stands before the @ is not user:password (write an @ in it as %40)"));
        }
        let (host, port) = split_port(host_and_port).ok_or_else(|| refuse("its port is not a number"))?;
        if !is_host(host) {
            return Err(refuse("its host is not a name or an address"));
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            userinfo: userinfo.map(str::to_owned),
            host: host.to_owned(),
            port,
            prefix: path.trim_end_matches('/').to_owned(),
        })
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.scheme.eq_ignore_ascii_case("https") { "https" } else { "http" }
    }

    /// The host in the configured spelling; an IPv6 address with its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where one is written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path in front of every request's own, without a slash at its end; empty for none.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// `user:password`, as written; a secret.
    #[must_use]
    pub fn userinfo(&self) -> Option<&str> {
        self.userinfo.as_deref()
    }

    /// The scheme as it was spelled.
    pub(crate) fn spelled_scheme(&self) -> &str {
        &self.scheme
    }
}

/// The host and its port, if one is written and is a number from 1 to 65535.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let end_of_address = text.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = text.get(end_of_address..)?.rfind(':').map(|at| at + end_of_address) else {
        return Some((text, None));
    };
    let (host, port) = (text.get(..colon)?, text.get(colon + 1..)?);
    let digits = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
    let port = port.parse::<u16>().ok().filter(|_| digits)?;
    Some((host, Some(port)))
}

/// A name, an IPv4 address, or an IPv6 address in brackets. Names are not looked at closely: whatever the provider was
/// told is what it signs.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains(['[', ']', ':', '/', '\\', '%', '"', '<', '>']),
    }
}

impl FromStr for PublicUrl {
    type Err = SchemeError;

    fn from_str(text: &str) -> Result<Self, SchemeError> {
        Self::parse(text)
    }
}

/// Without the user information.
impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.prefix)
    }
}

/// As [`Display`](fmt::Display), with a mark where user information was left out.
impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.userinfo.is_some() { " (userinfo redacted)" } else { "" };
        write!(f, "PublicUrl({self}{mark})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_is_kept() {
        let url = PublicUrl::parse("HTTPS://User:pa%40ss@Hooks.Example.com:8443/a/b/").unwrap();
        assert_eq!((url.scheme(), url.host(), url.port()), ("https", "Hooks.Example.com", Some(8443)));
        assert_eq!((url.prefix(), url.userinfo()), ("/a/b", Some("User:pa%40ss")));
        assert_eq!(url.to_string(), "HTTPS://Hooks.Example.com:8443/a/b");
        let debug = format!("{url:?}");
        assert!(debug.contains("redacted") && !debug.contains("pa%40ss"), "{debug}");
        for text in ["http://localhost:8080", "https://h", "https://[::1]:8443", "https://[2001:db8::1]/x"] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), text);
        }
        assert_eq!(PublicUrl::parse("https://h/").unwrap().prefix(), "");
        assert_eq!(PublicUrl::parse("https://h:443").unwrap().port(), Some(443));
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        for text in [
            "",
            "hooks.example.com",
            "//h",
            "ftp://h",
            "wss://h",
            "https://",
            "https:///path",
            "https://h?x=1",
            "https://h/#rc=2",
            "https://h:",
            "https://h:0",
            "https://h:+1",
            "https://h:080",
            "https://h:65536",
            "https://h:1:2",
            "https://@h",
            "https://a@b@h",
            "https://[::1",
            "https://[zz]",
            "https://::1",
            "https://a b",
            "https://h/\u{7f}",
            "https://user:pass@",
        ] {
            assert!(matches!(PublicUrl::parse(text), Err(SchemeError::PublicUrl { .. })), "{text}");
        }
    }
}
