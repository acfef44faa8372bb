//! Which URL a provider called, for the schemes that sign it.
//!
//! The configured URL decides, whatever the headers say. Only a source that has none takes the one that a trusted proxy
//! tells, and `[server] hosts`, where there is such a list, has to know its host. The request's own `Host` is never
//! used: behind a proxy it is mostly the proxy's name for us, and without one it is whatever the client likes.

use std::borrow::Cow;

use hookhouse_verify::SchemeError;
use hookhouse_verify::twilio::PublicUrl;

use super::forwarded::{Doubt, Origin};

/// Why nobody knows what was called.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlUnknown {
    /// Nobody who is trusted says it.
    #[error(
        "the source has no `public_url`, and the request did not come through a trusted proxy that could say what was called"
    )]
    NoProxy,
    /// The proxy does not say everything.
    #[error("the source has no `public_url`, and the proxy sent no {missing}")]
    NotForwarded {
        /// What it did not say.
        missing: &'static str,
    },
    /// The proxy says it in a way that has no one meaning.
    #[error("the source has no `public_url`, and the proxy's headers do not tell it")]
    Doubtful(#[source] Doubt),
    /// The host is not one of ours.
    #[error(
        "the source has no `public_url`, and the host that the proxy named is not one of `hosts` in [server]"
    )]
    HostUnknown,
    /// What the proxy says makes no URL.
    #[error("the source has no `public_url`, and what the proxy named is no URL")]
    Malformed(#[source] SchemeError),
}

/// The URLs that the provider may have called, without path and query of the request. `hosts` are the ones that are
/// served, in lower case without port; empty for any.
///
/// # Errors
/// [`UrlUnknown`] when the source has none and no proxy tells it.
pub(crate) fn called<'a>(
    configured: &'a [PublicUrl],
    origin: &Origin,
    hosts: &[String],
) -> Result<Cow<'a, [PublicUrl]>, UrlUnknown> {
    if !configured.is_empty() {
        return Ok(Cow::Borrowed(configured));
    }
    if !origin.via_proxy {
        return Err(UrlUnknown::NoProxy);
    }
    if let Some(doubt) = &origin.note {
        return Err(UrlUnknown::Doubtful(doubt.clone()));
    }
    let proto = origin.proto.ok_or(UrlUnknown::NotForwarded { missing: "`X-Forwarded-Proto`" })?;
    let host = origin.host.as_deref().ok_or(UrlUnknown::NotForwarded { missing: "`X-Forwarded-Host`" })?;
    if !hosts.is_empty() && !hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        return Err(UrlUnknown::HostUnknown);
    }
    // Proxies name the port also where the URL did not.
    let port = origin.port.filter(|port| *port != proto.default_port());
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let prefix = origin.prefix.as_deref().unwrap_or_default();
    let url = PublicUrl::parse(&format!("{}://{host}{port}{prefix}", proto.as_str()))
        .map_err(UrlUnknown::Malformed)?;
    Ok(Cow::Owned(vec![url]))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::super::forwarded::Trust;
    use super::*;

    fn origin(peer: &str, pairs: &[(&'static str, &str)]) -> Origin {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let trust = Trust::new(vec!["10.0.0.0/8".parse().unwrap()]);
        trust.origin(peer.parse().unwrap(), &headers).unwrap()
    }

    fn urls(configured: &[&str], origin: &Origin, hosts: &[&str]) -> Result<Vec<String>, UrlUnknown> {
        let configured: Vec<_> = configured.iter().map(|url| PublicUrl::parse(url).unwrap()).collect();
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        called(&configured, origin, &hosts).map(|urls| urls.iter().map(ToString::to_string).collect())
    }

    const PROXY: &str = "10.0.0.1";
    const HTTPS: (&str, &str) = ("x-forwarded-proto", "https");
    const HOST: (&str, &str) = ("x-forwarded-host", "Hooks.example.com");

    #[test]
    fn a_url_is_built_from_what_a_trusted_proxy_says() {
        for (pairs, hosts, url) in [
            (&[HTTPS, HOST][..], &[][..], "https://Hooks.example.com"),
            (&[HTTPS, HOST], &["hooks.example.com"], "https://Hooks.example.com"),
            (&[HTTPS, HOST, ("x-forwarded-port", "443")], &[], "https://Hooks.example.com"),
            (&[HTTPS, HOST, ("x-forwarded-port", "8443")], &[], "https://Hooks.example.com:8443"),
            (&[HTTPS, ("x-forwarded-host", "h:8443")], &["h"], "https://h:8443"),
            (&[HTTPS, ("x-forwarded-host", "h:8443"), ("x-forwarded-port", "8443")], &[], "https://h:8443"),
            (
                &[("x-forwarded-proto", "http"), HOST, ("x-forwarded-port", "443")],
                &[],
                "http://Hooks.example.com:443",
            ),
            (&[("x-forwarded-proto", "wss"), HOST], &[], "https://Hooks.example.com"),
            (&[HTTPS, HOST, ("x-forwarded-prefix", "/in/")], &[], "https://Hooks.example.com/in"),
            (&[("forwarded", r#"for=203.0.113.9;proto=https;host="h:444""#)], &[], "https://h:444"),
            (&[HTTPS, ("x-forwarded-host", "[2001:db8::1]:8443")], &[], "https://[2001:db8::1]:8443"),
        ] {
            assert_eq!(urls(&[], &origin(PROXY, pairs), hosts).unwrap(), [url], "{pairs:?}");
        }
    }

    #[test]
    fn the_configured_urls_are_authoritative() {
        let configured = ["https://a.example", "https://b.example:8443/p"];
        for origin in
            [origin(PROXY, &[HTTPS, HOST]), origin("203.0.113.9", &[HTTPS, HOST]), origin(PROXY, &[])]
        {
            assert_eq!(urls(&configured, &origin, &["hooks.example.com"]).unwrap(), configured);
        }
    }

    /// Case W02.
    #[test]
    fn w02_an_untrusted_peer_makes_no_url_right() {
        for pairs in [
            &[HTTPS, HOST, ("x-forwarded-port", "8443"), ("x-forwarded-prefix", "/p")][..],
            &[("forwarded", r#"for=203.0.113.9;proto=https;host=Hooks.example.com"#)],
        ] {
            let origin = origin("203.0.113.9", pairs);
            assert_eq!(origin.note.as_ref().map(Doubt::code), Some("proxy.untrusted_header"));
            assert_eq!(urls(&["http://wrong.example"], &origin, &[]).unwrap(), ["http://wrong.example"]);
            assert_eq!(urls(&[], &origin, &[]), Err(UrlUnknown::NoProxy));
        }
    }

    #[test]
    fn what_is_not_told_in_full_makes_no_url() {
        let missing = |missing| Err(UrlUnknown::NotForwarded { missing });
        assert_eq!(urls(&[], &origin(PROXY, &[HOST]), &[]), missing("`X-Forwarded-Proto`"));
        assert_eq!(urls(&[], &origin(PROXY, &[HTTPS, ("host", "h")]), &[]), missing("`X-Forwarded-Host`"));
        assert_eq!(
            urls(&[], &origin(PROXY, &[HTTPS, HOST]), &["other.example"]),
            Err(UrlUnknown::HostUnknown)
        );
        for (name, value) in [
            ("x-forwarded-host", "h@evil.example"),
            ("x-forwarded-host", "h/evil"),
            ("x-forwarded-host", "h?x"),
            ("x-forwarded-port", "0"),
            ("x-forwarded-prefix", "/a?b"),
            ("x-forwarded-prefix", ".evil.example/"),
            ("forwarded", "for=203.0.113.9;proto=http"),
            ("forwarded", "for=203.0.113.9;host=other.example"),
        ] {
            let origin = origin(PROXY, &[HTTPS, ("x-forwarded-host", "h"), (name, value)]);
            assert!(matches!(urls(&[], &origin, &[]), Err(UrlUnknown::Doubtful(_))), "{name}: {value}");
        }
    }

    proptest! {
        /// What a proxy names stays where it was named: nothing in a host, port or prefix becomes another part.
        #[test]
        fn no_part_runs_into_another(host in "[ -~]{0,20}", port in "[ -~]{0,6}", prefix in "/?[ -~]{0,12}") {
            let pairs = [HTTPS, ("x-forwarded-host", &*host), ("x-forwarded-port", &*port), ("x-forwarded-prefix", &*prefix)];
            let origin = origin(PROXY, &pairs);
            if let Ok(urls) = called(&[], &origin, &[]) {
                prop_assert_eq!(urls[0].host(), origin.host.as_deref().unwrap());
                prop_assert_eq!(urls[0].prefix(), origin.prefix.as_deref().unwrap_or_default());
                prop_assert_eq!(urls[0].userinfo(), None);
                prop_assert_eq!(urls[0].port(), origin.port.filter(|port| *port != 443));
            }
        }
    }
}
