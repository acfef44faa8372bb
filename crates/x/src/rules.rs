//! Which URLs X takes for a webhook.
//!
//! Sources: X's webhook introduction and its OpenAPI document (`url` has 1 to 200 characters), read 2026-11-22. A URL is
//! never changed afterwards, so all that can be told beforehand is told beforehand.

use std::fmt;

use http::Uri;

use crate::base::is_loopback;

/// Who calls the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// X, from the internet.
    X,
    /// A stand-in on this machine, which may call loopback, by http, on any port.
    StandIn,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlFault {
    /// It is none.
    Malformed,
    /// Its scheme is not https.
    NotHttps,
    /// It names a port, be it 443.
    Port(String),
    /// It has user information.
    Userinfo,
    /// It has a fragment.
    Fragment,
    /// It has so many characters.
    TooLong(usize),
    /// Its host is an address.
    Address(String),
    /// Its host is a name that the internet does not know.
    PrivateName(String),
    /// A stand-in that is not X calls only this machine.
    NotLoopback(String),
}

impl fmt::Display for UrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("it is not a URL like https://hooks.example.com/webhooks/twitter"),
            Self::NotHttps => f.write_str("it does not begin with https://"),
            Self::Port(port) => {
                write!(
                    f,
                    "it has a port (`:{port}`): X takes URLs without one, so 443 it is; put a proxy there"
                )
            }
            Self::Userinfo => f.write_str("it has user information before an `@`"),
            Self::Fragment => f.write_str("it has a fragment after a `#`, which is never sent"),
            Self::TooLong(length) => {
                write!(f, "it has {length} characters; X takes up to {LONGEST}: shorten the path")
            }
            Self::Address(host) => {
                write!(f, "its host `{host}` is an address: X wants a public name with a certificate")
            }
            Self::PrivateName(host) => {
                write!(f, "its host `{host}` is not a name that X can look up: use a public one, or a tunnel")
            }
            Self::NotLoopback(host) => {
                write!(
                    f,
                    "its host `{host}` is neither https nor on this machine: a stand-in calls loopback alone"
                )
            }
        }
    }
}

/// What is not forbidden and yet better avoided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlWarning {
    /// It has a query.
    Query,
}

impl fmt::Display for UrlWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query => f.write_str(
                "the URL has a query: X does not document what becomes of it when it adds `crc_token` and `nonce`",
            ),
        }
    }
}

/// Checks a URL.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(url: &str, caller: Caller) -> Result<Vec<UrlWarning>, Vec<UrlFault>> {
    let mut faults = Vec::new();
    let length = url.chars().count();
    if length > LONGEST {
        faults.push(UrlFault::TooLong(length));
    }
    if url.contains('#') {
        faults.push(UrlFault::Fragment);
    }
    let Some(uri) = url.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some()) else {
        faults.push(UrlFault::Malformed);
        return Err(faults);
    };
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    let (userinfo, host_and_port) =
        authority.rsplit_once('@').map_or((None, authority), |(user, rest)| (Some(user), rest));
    if userinfo.is_some() {
        faults.push(UrlFault::Userinfo);
    }
    let host = uri.host().unwrap_or_default();
    if host.is_empty() {
        faults.push(UrlFault::Malformed);
        return Err(faults);
    }
    let https = uri.scheme_str() == Some("https");
    match caller {
        Caller::StandIn if is_loopback(host) && matches!(uri.scheme_str(), Some("http" | "https")) => {}
        Caller::StandIn if !https => faults.push(UrlFault::NotLoopback(host.to_owned())),
        Caller::StandIn => {}
        Caller::X => {
            if !https {
                faults.push(UrlFault::NotHttps);
            }
            if let Some(port) = host_and_port.get(host.len()..).and_then(|rest| rest.strip_prefix(':')) {
                faults.push(UrlFault::Port(port.to_owned()));
            }
            faults.extend(unreachable(host));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(uri.query().map(|_| UrlWarning::Query).into_iter().collect())
}

/// Whether two URLs are one: scheme and host in any case, the rest byte for byte.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    let split = |url: &str| {
        let begin = url.find("://").map_or(0, |at| at + 3);
        let path = url.get(begin..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| begin + at);
        let (root, rest) = url.split_at_checked(path).unwrap_or((url, ""));
        // `https://host` and `https://host/` are the same request.
        (root.to_ascii_lowercase(), if rest.is_empty() { "/".to_owned() } else { rest.to_owned() })
    };
    split(a) == split(b)
}

/// A host that X, on the internet, cannot call by a name.
fn unreachable(host: &str) -> Option<UrlFault> {
    let bare = host.trim_end_matches('.').to_ascii_lowercase();
    let digits = bare.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if host.starts_with('[') || digits || bare.starts_with("0x") {
        return Some(UrlFault::Address(host.to_owned()));
    }
    // RFC 6761, RFC 6762, RFC 8375 and ICANN's list of names that will never be delegated.
    const PRIVATE: &[&str] =
        &["localhost", "local", "internal", "lan", "home", "corp", "home.arpa", "test", "invalid", "onion"];
    let private = !bare.contains('.')
        || PRIVATE.iter().any(|suffix| bare.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')));
    private.then(|| UrlFault::PrivateName(host.to_owned()))
}

/// In characters.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(url: &str) -> Vec<UrlFault> {
        check(url, Caller::X).err().unwrap_or_default()
    }

    #[test]
    fn a_url_that_x_takes_passes() {
        for url in [
            "https://hooks.example.com/webhooks/twitter",
            "https://a.b",
            "HTTPS://Hooks.Example.com/",
            "https://1.example.com/a%20b",
        ] {
            assert_eq!(check(url, Caller::X), Ok(vec![]), "{url}");
        }
        assert_eq!(check("https://a.example/x?y=1", Caller::X), Ok(vec![UrlWarning::Query]));
        let longest = format!("https://a.example/{}", "x".repeat(200 - 18));
        assert_eq!(check(&longest, Caller::X), Ok(vec![]));
        assert_eq!(faults(&format!("{longest}x")), [UrlFault::TooLong(201)]);
    }

    #[test]
    fn each_fault_is_named() {
        use UrlFault::{Address, Fragment, Malformed, NotHttps, Port, PrivateName, Userinfo};
        for (url, fault) in [
            ("", Malformed),
            ("hooks.example.com/x", Malformed),
            ("/x", Malformed),
            ("https://", Malformed),
            ("https://a b/", Malformed),
            ("http://hooks.example.com/x", NotHttps),
            ("https://hooks.example.com:8443/x", Port("8443".to_owned())),
            ("https://hooks.example.com:443/x", Port("443".to_owned())),
            ("https://hooks.example.com:/x", Port(String::new())),
            ("https://u:p@hooks.example.com/x", Userinfo),
            ("https://hooks.example.com/x#y", Fragment),
            ("https://203.0.113.7/x", Address("203.0.113.7".to_owned())),
            ("https://[2001:db8::1]/x", Address("[2001:db8::1]".to_owned())),
            ("https://0x7f000001/x", Address("0x7f000001".to_owned())),
            ("https://localhost/x", PrivateName("localhost".to_owned())),
            ("https://hooks/x", PrivateName("hooks".to_owned())),
            ("https://hooks.local/x", PrivateName("hooks.local".to_owned())),
            ("https://hooks.corp.internal./x", PrivateName("hooks.corp.internal.".to_owned())),
        ] {
            assert_eq!(faults(url), [fault], "{url}");
        }
    }

    #[test]
    fn every_fault_is_told_at_once_and_no_userinfo_is_shown() {
        let found = faults("http://user:hush@127.0.0.1:8080/x");
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(!format!("{found:?}").contains("hush"));
    }

    #[test]
    fn a_stand_in_calls_this_machine_too() {
        for url in [
            "http://127.0.0.1:8080/x",
            "http://[::1]:1/x",
            "http://localhost:80/x",
            "https://a.example:8443/x",
        ] {
            assert_eq!(check(url, Caller::StandIn), Ok(vec![]), "{url}");
        }
        let elsewhere = "http://hooks.example.com/x";
        assert_eq!(
            check(elsewhere, Caller::StandIn),
            Err(vec![UrlFault::NotLoopback("hooks.example.com".to_owned())])
        );
    }

    #[test]
    fn the_same_url_is_recognised() {
        assert!(same("https://Hooks.example.com", "https://hooks.example.com/"));
        assert!(same("https://hooks.example.com/A", "HTTPS://hooks.example.com/A"));
        assert!(!same("https://hooks.example.com/A", "https://hooks.example.com/a"));
        assert!(!same("https://hooks.example.com/a", "https://hooks.example.com/a/"));
        assert!(!same("https://hooks.example.com/a", "https://hooks.example.com/a?b"));
    }
}
