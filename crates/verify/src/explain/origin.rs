//! Which URL the provider may have been told, in front of path and query.

use std::fmt;

use super::cause::Cause;
use super::context::{Called, Context};
use super::explanation::{Clue, printable};
use crate::twilio::PublicUrl;

/// As many origins as are tried.
const MOST: usize = 60;

/// Ports that services listen on while a provider calls another one.
const USUAL_PORTS: [u16; 8] = [443, 80, 8443, 8080, 3000, 5000, 8000, 8888];

/// Prefixes that proxies are often told to take away.
const USUAL_PREFIXES: [&str; 7] =
    ["/webhooks", "/webhook", "/hooks", "/hook", "/api", "/twilio", "/hookhouse"];

/// `https://host[:port][/prefix]`, without user information.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// As it is spelled.
    scheme: String,
    host: String,
    port: Option<u16>,
    prefix: String,
}

impl Origin {
    pub(super) fn of(url: &PublicUrl) -> Self {
        Self {
            scheme: url.spelled_scheme().to_owned(),
            host: url.host().to_owned(),
            port: url.port(),
            prefix: url.prefix().to_owned(),
        }
    }

    /// The URL in front of a target, for a WebSocket handshake with its scheme.
    pub(super) fn with(&self, target: &str, is_web_socket: bool) -> Vec<u8> {
        let scheme = match (is_web_socket, self.is_https()) {
            (false, _) => self.scheme.as_str(),
            (true, true) => "wss",
            (true, false) => "ws",
        };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{}{port}{}{target}", self.host, self.prefix).into_bytes()
    }

    /// What stands in front of every path.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What a proxy says that was called, where this is configured.
    pub(super) fn beside(&self, called: &Called) -> Told {
        let usual = |is_https: bool| if is_https { 443 } else { 80 };
        let (Some(scheme), Some(host)) = (&called.scheme, &called.host) else { return Told::Nothing };
        let is_same_host = host.eq_ignore_ascii_case(&self.host);
        let prefix = called.prefix.as_ref().unwrap_or(&self.prefix);
        let own_port = self.port.unwrap_or_else(|| usual(self.is_https()));
        let is_same_port = called.port.is_none_or(|port| port == own_port);
        let is_same_scheme = scheme.eq_ignore_ascii_case(&self.scheme);
        if is_same_scheme && is_same_host && is_same_port && *prefix == self.prefix {
            return Told::TheSame;
        }
        let is_https = scheme.eq_ignore_ascii_case("https");
        let port = match called.port {
            // The usual port is not written, unless it is already.
            Some(port) => Some(port).filter(|port| self.port == Some(*port) || *port != usual(is_https)),
            None => self.port.filter(|_| is_same_host),
        };
        Told::Other(Self { scheme: scheme.clone(), host: host.clone(), port, prefix: prefix.clone() })
    }

    fn is_https(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("https")
    }

    /// How many parts differ.
    fn distance(&self, other: &Self) -> usize {
        usize::from(self.scheme != other.scheme)
            + usize::from(self.host != other.host)
            + usize::from(self.port != other.port)
            + usize::from(self.prefix != other.prefix)
    }

    /// What it means that this one was signed, and not the configured one.
    pub(super) fn clues(&self, configured: &Self) -> Vec<Clue> {
        let mut clues = Vec::new();
        let mut differs = |cause, detail: String| {
            clues.push(Clue::new(cause, detail).set(format!("public_url = {:?}", self.to_string())));
        };
        if self.scheme != configured.scheme {
            differs(
                Cause::UrlScheme,
                format!(
                    "it was signed for {}://, and `public_url` says {}://",
                    self.scheme, configured.scheme
                ),
            );
        }
        if self.host != configured.host {
            differs(
                Cause::UrlHost,
                format!(
                    "it was signed for host `{}`, and `public_url` says `{}`",
                    printable(&self.host),
                    configured.host
                ),
            );
        }
        if self.port != configured.port {
            let port = |port: Option<u16>| port.map_or("no port".to_owned(), |port| format!("port {port}"));
            differs(
                Cause::UrlPort,
                format!(
                    "it was signed with {}, and `public_url` has {}",
                    port(self.port),
                    port(configured.port)
                ),
            );
        }
        if self.prefix != configured.prefix {
            let prefix = |prefix: &str| match prefix {
                "" => "nothing in front of the path".to_owned(),
                prefix => format!("`{}` in front of the path", printable(prefix)),
            };
            differs(
                Cause::UrlPrefix,
                format!(
                    "it was signed with {}, and `public_url` puts {} there",
                    prefix(&self.prefix),
                    prefix(&configured.prefix)
                ),
            );
        }
        clues
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.prefix)
    }
}

/// What a trusted proxy's word comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Too little to compare.
    Nothing,
    /// It was asked for what is configured.
    TheSame,
    /// It was asked for this.
    Other(Origin),
}

/// Other origins than the configured one, those that differ least first.
pub(super) fn others(configured: &Origin, context: &Context, known: &[Origin]) -> Vec<Origin> {
    let other_scheme = if configured.is_https() { "http" } else { "https" };
    let schemes = [configured.scheme.clone(), other_scheme.to_owned()];
    let hinted = context.authorities.iter().filter_map(|authority| {
        PublicUrl::parse(&format!("https://{authority}")).ok().map(|url| (url.host().to_owned(), url.port()))
    });
    let known_hosts = known.iter().map(|origin| (origin.host.clone(), origin.port));
    let mut hosts = vec![(configured.host.clone(), configured.port)];
    for host in hinted.chain(known_hosts) {
        if hosts.len() < 8 && !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let mut prefixes = vec![configured.prefix.clone(), String::new()];
    for prefix in context.prefixes.iter().chain(known.iter().map(|origin| &origin.prefix)) {
        if prefixes.len() < 6 && !prefixes.contains(prefix) {
            prefixes.push(prefix.clone());
        }
    }
    prefixes.dedup();

    let hinted_ports = hosts.iter().skip(1).filter_map(|(_, port)| *port);
    let hinted_ports: Vec<u16> = context.ports.iter().copied().chain(hinted_ports).take(4).collect();
    let mut found: Vec<Origin> = known.to_vec();
    for (host, port) in &hosts {
        let mut ports = vec![*port, None, configured.port];
        ports.extend(hinted_ports.iter().copied().map(Some));
        for scheme in &schemes {
            for port in &ports {
                for prefix in &prefixes {
                    let (scheme, host, prefix) = (scheme.clone(), host.clone(), prefix.clone());
                    found.push(Origin { scheme, host, port: *port, prefix });
                }
            }
        }
    }
    found.extend(USUAL_PORTS.map(|port| Origin { port: Some(port), ..configured.clone() }));
    found.extend(
        USUAL_PREFIXES
            .map(|prefix| Origin { prefix: format!("{}{prefix}", configured.prefix), ..configured.clone() }),
    );
    found.sort_by_key(|origin| origin.distance(configured));
    let mut unique: Vec<Origin> = Vec::with_capacity(MOST);
    for origin in found {
        if origin != *configured && unique.len() < MOST && !unique.contains(&origin) {
            unique.push(origin);
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(&text.parse().unwrap())
    }

    fn has(configured: &str, context: &Context, known: &[&str], wanted: &str) -> bool {
        let known: Vec<Origin> = known.iter().map(|text| origin(text)).collect();
        others(&origin(configured), context, &known).contains(&origin(wanted))
    }

    #[test]
    fn what_proxies_change_is_tried() {
        let none = Context::default();
        assert!(has("https://h", &none, &[], "http://h"));
        assert!(has("https://h:8443/a", &none, &[], "http://h/a"));
        assert!(has("https://h", &none, &[], "https://h:8443"));
        assert!(has("https://h/a", &none, &[], "https://h"));
        assert!(has("https://h", &none, &[], "https://h/webhooks"));
        assert!(has("https://h", &none, &["http://o:1/x"], "http://o:1/x"));
        assert!(has("https://h", &none, &["http://o:1/x"], "https://h/x"));
        let hinted = Context {
            authorities: vec!["proxy:81".to_owned(), "inner".to_owned()],
            ports: vec![8444],
            prefixes: vec!["/pre".to_owned()],
            ..Context::default()
        };
        for wanted in [
            "http://proxy:81",
            "https://proxy",
            "https://h:8444",
            "https://h:81",
            "https://h/pre",
            "http://proxy:81/pre",
        ] {
            assert!(has("https://h", &hinted, &[], wanted), "{wanted}");
        }
    }

    #[test]
    fn the_tries_are_few_and_never_what_is_configured() {
        let context = Context {
            authorities: (0..4).map(|n| format!("host{n}:{n}1")).collect(),
            ports: vec![1, 2, 3, 4],
            prefixes: (0..4).map(|n| format!("/p{n}")).collect(),
            ..Context::default()
        };
        let known: Vec<Origin> = (0..100).map(|n| origin(&format!("https://k{n}/x{n}"))).collect();
        let configured = origin("https://h/a");
        let tried = others(&configured, &context, &known);
        assert_eq!(tried.len(), MOST);
        assert!(!tried.contains(&configured));
        assert!(tried.is_sorted_by_key(|origin| origin.distance(&configured)));
    }

    #[test]
    fn each_part_that_differs_is_told_with_the_setting() {
        let clues = origin("http://o:81/x").clues(&origin("https://h"));
        let codes: Vec<_> = clues.iter().map(|clue| clue.cause.code()).collect();
        assert_eq!(codes, ["url.scheme", "url.host", "url.port", "url.prefix"]);
        assert!(clues.iter().all(|clue| clue.setting.as_deref() == Some("public_url = \"http://o:81/x\"")));
        assert!(origin("https://h").clues(&origin("https://h")).is_empty());
    }

    #[test]
    fn a_proxys_word_is_compared_with_the_configured_url() {
        let called = |scheme: &str, host: &str, port: Option<u16>, prefix: Option<&str>| Called {
            scheme: Some(scheme.to_owned()).filter(|scheme| !scheme.is_empty()),
            host: Some(host.to_owned()).filter(|host| !host.is_empty()),
            port,
            prefix: prefix.map(str::to_owned),
        };
        let other = |text: &str| Told::Other(origin(text));
        for (configured, told, expected) in [
            ("https://h", called("https", "H", Some(443), None), Told::TheSame),
            ("https://h:8443/a", called("https", "h", None, Some("/a")), Told::TheSame),
            ("https://h:8443/a", called("https", "h", Some(8443), None), Told::TheSame),
            ("http://h", called("http", "h", Some(80), None), Told::TheSame),
            ("http://h", called("https", "h", None, None), other("https://h")),
            ("http://h", called("https", "h", Some(443), None), other("https://h")),
            ("https://h", called("https", "o", None, None), other("https://o")),
            ("https://h:8443", called("https", "o", None, None), other("https://o")),
            ("https://h", called("https", "h", Some(8443), None), other("https://h:8443")),
            ("https://h:8443", called("https", "h", Some(443), None), other("https://h")),
            ("https://h:443", called("https", "h", Some(443), Some("/a")), other("https://h:443/a")),
            ("https://h", called("", "h", None, None), Told::Nothing),
            ("https://h", called("https", "", None, None), Told::Nothing),
        ] {
            assert_eq!(origin(configured).beside(&told), expected, "{configured} {told:?}");
        }
    }

    #[test]
    fn a_handshake_has_its_own_scheme() {
        assert_eq!(origin("https://h:1/p").with("/a?b", false), b"https://h:1/p/a?b");
        assert_eq!(origin("https://h").with("/a", true), b"wss://h/a");
        assert_eq!(origin("http://h").with("/a", true), b"ws://h/a");
    }
}
