//! What a request may have been before a proxy passed it on.
//!
//! Anybody can write these headers. Here they only suggest what to try, and what they suggest is told only if the
//! signature, which they cannot forge, matches with it.

use std::fmt;

use crate::request::Headers;

/// As many suggestions of a kind as are tried.
const MOST: usize = 4;

/// Longer values are no host, no prefix and no target worth trying.
const LONGEST: usize = 2_048;

/// Suggestions: where the request may have been sent.
///
/// [`Explainer::explain`](super::Explainer::explain) reads the request's own headers; what else is known may be added.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// `http` or `https`.
    pub schemes: Vec<String>,
    /// `host` or `host:port`.
    pub authorities: Vec<String>,
    /// Ports that were named without a host.
    pub ports: Vec<u16>,
    /// What may have stood in front of the path: `/app`.
    pub prefixes: Vec<String>,
    /// Path and query as they may have been before something rewrote them.
    pub targets: Vec<String>,
    /// What a proxy says it was asked for, if whoever calls this trusts it; never read from a request's own headers.
    pub called: Called,
}

/// What a trusted proxy says that it was asked for, as far as it says so. It goes before all other suggestions, and
/// where no suggestion explains a signature, it is told for what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Called {
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// The host, without its port.
    pub host: Option<String>,
    /// The port. Where it is not named, it may have been any.
    pub port: Option<u16>,
    /// What the proxy took off the path.
    pub prefix: Option<String>,
}

impl Context {
    /// What a request's own headers say: `Host`, `X-Forwarded-*`, `Forwarded`, and the names that proxies keep an
    /// original target under.
    #[must_use]
    pub fn of(headers: &Headers) -> Self {
        let mut context = Self::default();
        let said = |name| headers.all(name).filter_map(|value| std::str::from_utf8(value).ok());
        let items = |name| said(name).flat_map(|value| value.split(',')).map(str::trim);
        for name in ["x-forwarded-proto", "x-forwarded-scheme", "x-url-scheme"] {
            items(name).for_each(|scheme| context.scheme(scheme));
        }
        for name in ["x-forwarded-ssl", "front-end-https"] {
            items(name).filter(|on| on.eq_ignore_ascii_case("on")).for_each(|_| context.scheme("https"));
        }
        for name in ["x-forwarded-host", "x-original-host", "host"] {
            items(name).for_each(|host| context.authority(host));
        }
        for element in items("forwarded") {
            for (name, value) in element.split(';').filter_map(|pair| pair.trim().split_once('=')) {
                let value = value.trim_matches('"');
                if name.eq_ignore_ascii_case("proto") {
                    context.scheme(value);
                } else if name.eq_ignore_ascii_case("host") {
                    context.authority(value);
                }
            }
        }
        for port in items("x-forwarded-port").filter_map(|port| port.parse().ok()) {
            add(&mut context.ports, port);
        }
        for name in ["x-forwarded-prefix", "x-script-name"] {
            items(name).for_each(|prefix| context.prefix(prefix));
        }
        for name in
            ["x-original-uri", "x-original-url", "x-forwarded-uri", "x-rewrite-url", "x-envoy-original-path"]
        {
            said(name).for_each(|target| context.target(target));
        }
        context
    }

    /// Both, this one's suggestions first. What is of no use is left out.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = Self::default();
        both.called(&self.called);
        for context in [self, other] {
            context.schemes.iter().for_each(|scheme| both.scheme(scheme));
            context.authorities.iter().for_each(|authority| both.authority(authority));
            context.ports.iter().for_each(|port| add(&mut both.ports, *port));
            context.prefixes.iter().for_each(|prefix| both.prefix(prefix));
            context.targets.iter().for_each(|target| both.target(target));
        }
        both
    }

    fn called(&mut self, called: &Called) {
        called.scheme.iter().for_each(|scheme| self.scheme(scheme));
        called.port.iter().for_each(|port| add(&mut self.ports, *port));
        called.prefix.iter().for_each(|prefix| self.prefix(prefix));
        if let Some(host) = &called.host {
            called.port.iter().for_each(|port| self.authority(&format!("{host}:{port}")));
            self.authority(host);
        }
        self.called = called.clone();
    }

    /// What stood in front of a path by what a proxy kept of the target.
    pub(super) fn prefixes_before(&mut self, path: &str) {
        for target in self.targets.clone() {
            let kept = target.split_once('?').map_or(target.as_str(), |(path, _)| path);
            kept.strip_suffix(path).into_iter().for_each(|prefix| self.prefix(prefix));
        }
    }

    fn scheme(&mut self, scheme: &str) {
        for known in ["http", "https"] {
            if scheme.eq_ignore_ascii_case(known) {
                add(&mut self.schemes, known.to_owned());
            }
        }
    }

    fn authority(&mut self, authority: &str) {
        let is_plain = authority.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
        if !authority.is_empty() && authority.len() <= 255 && is_plain {
            add(&mut self.authorities, authority.to_owned());
        }
    }

    fn prefix(&mut self, prefix: &str) {
        let prefix = prefix.trim_end_matches('/');
        if is_target(prefix) && !prefix.contains('?') {
            add(&mut self.prefixes, prefix.to_owned());
        }
    }

    fn target(&mut self, target: &str) {
        // Some proxies write the whole URL there.
        let path =
            target.split_once("://").map_or(target, |(_, rest)| rest.split_at(rest.find('/').unwrap_or(0)).1);
        if is_target(path) {
            add(&mut self.targets, path.to_owned());
        }
    }
}

/// Without values: a query may be among them.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("schemes", &self.schemes)
            .field("authorities", &self.authorities)
            .finish_non_exhaustive()
    }
}

fn is_target(text: &str) -> bool {
    text.starts_with('/') && text.len() <= LONGEST && text.bytes().all(|b| b.is_ascii_graphic())
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if list.len() < MOST && !list.contains(&item) {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&str, &str)]) -> Context {
        Context::of(&Headers::from_pairs(headers.iter().map(|(n, v)| (*n, v.as_bytes()))).unwrap())
    }

    #[test]
    fn the_headers_of_proxies_are_read() {
        let context = of(&[
            ("Host", "10.0.0.1:3000"),
            ("X-Forwarded-Host", "hooks.example.com, inner"),
            ("X-Forwarded-Proto", "HTTPS"),
            ("X-Forwarded-Port", "8443"),
            ("X-Forwarded-Prefix", "/app/"),
            ("X-Original-URI", "/app/voice?a=%20b"),
            ("X-Original-URL", "https://hooks.example.com/voice?x"),
        ]);
        assert_eq!(context.schemes, ["https"]);
        assert_eq!(context.authorities, ["hooks.example.com", "inner", "10.0.0.1:3000"]);
        assert_eq!(context.ports, [8443]);
        assert_eq!(context.prefixes, ["/app"]);
        assert_eq!(context.targets, ["/app/voice?a=%20b", "/voice?x"]);
        let forwarded =
            of(&[("Forwarded", "for=1.2.3.4;proto=http;host=\"a.example:81\", for=x; Host=b.example")]);
        assert_eq!(forwarded.schemes, ["http"]);
        assert_eq!(forwarded.authorities, ["a.example:81", "b.example"]);
    }

    #[test]
    fn what_is_of_no_use_is_left_out() {
        let many: Vec<(&str, String)> = (0..20).map(|n| ("x-forwarded-host", format!("h{n}"))).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(of(&many).authorities.len(), MOST);
        let context = of(&[
            ("host", "a b"),
            ("x-forwarded-host", "h/path"),
            ("x-forwarded-host", &"h".repeat(300)),
            ("x-forwarded-proto", "ftp"),
            ("x-forwarded-port", "99999"),
            ("x-forwarded-prefix", "app"),
            ("x-forwarded-prefix", "/"),
            ("x-original-uri", "not a target"),
            ("x-original-uri", "https://h"),
        ]);
        assert_eq!(context, Context::default());
    }

    #[test]
    fn what_the_caller_knows_goes_first() {
        let known = Context { authorities: vec!["known".to_owned()], ..Context::default() };
        let both = known.and(&of(&[("host", "said")]));
        assert_eq!(both.authorities, ["known", "said"]);
    }

    #[test]
    fn what_a_trusted_proxy_says_goes_before_all_else() {
        let called = Called {
            scheme: Some("https".to_owned()),
            host: Some("hooks.example.com".to_owned()),
            port: Some(8443),
            prefix: Some("/edge".to_owned()),
        };
        let known = Context { called: called.clone(), ..Context::default() };
        let both = known.and(&of(&[("host", "inner"), ("x-forwarded-proto", "http")]));
        assert_eq!(both.schemes, ["https", "http"]);
        assert_eq!(both.authorities, ["hooks.example.com:8443", "hooks.example.com", "inner"]);
        assert_eq!((both.ports, both.prefixes), (vec![8443], vec!["/edge".to_owned()]));
        assert_eq!(both.called, called);
        assert_eq!(of(&[("x-forwarded-host", "hooks.example.com")]).called, Called::default());
    }

    #[test]
    fn a_kept_target_tells_the_prefix() {
        let mut context = of(&[("x-original-uri", "/edge/voice?x=1")]);
        context.prefixes_before("/voice");
        assert_eq!(context.prefixes, ["/edge"]);
        context.prefixes_before("/edge/voice");
        context.prefixes_before("/other");
        assert_eq!(context.prefixes, ["/edge"]);
    }

    #[test]
    fn debug_shows_no_target() {
        let context = of(&[("x-original-uri", "/a?token=hush")]);
        assert!(!format!("{context:?}").contains("hush"));
    }
}
