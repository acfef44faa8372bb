//! URLs in their parts, no byte changed.

/// The parts of an absolute URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) user_info: Option<&'a str>,
    pub(crate) host: &'a str,
    pub(crate) port: Option<&'a str>,
    /// Path and query.
    pub(crate) rest: &'a str,
}

impl<'a> Url<'a> {
    pub(crate) fn split(url: &'a str) -> Self {
        let (scheme, after) = url.split_once("://").expect("the URLs here are absolute");
        let (authority, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        let (user_info, host) = match authority.rsplit_once('@') {
            Some((user_info, host)) => (Some(user_info), host),
            None => (None, authority),
        };
        let address = host.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match host[address..].find(':') {
            Some(colon) => (&host[..address + colon], Some(&host[address + colon + 1..])),
            None => (host, None),
        };
        Self { scheme, user_info, host, port, rest }
    }

    pub(crate) fn write(&self) -> String {
        let user_info = self.user_info.map(|user_info| format!("{user_info}@")).unwrap_or_default();
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{user_info}{}{port}{}", self.scheme, self.host, self.rest)
    }

    pub(crate) fn without_port(self) -> String {
        Self { port: None, ..self }.write()
    }

    /// With the port it has, or else with the standard one.
    pub(crate) fn with_port(self, standard: &'a str) -> String {
        Self { port: self.port.or(Some(standard)), ..self }.write()
    }

    /// The port that both SDKs take for the standard one: of anything but `https`, 80.
    pub(crate) fn sdk_port(&self) -> &'static str {
        if self.scheme.eq_ignore_ascii_case("https") { "443" } else { "80" }
    }

    /// The two spellings that both SDKs try of a URL that they are told.
    pub(crate) fn sdk_spellings(self) -> [String; 2] {
        [self.without_port(), self.with_port(self.sdk_port())]
    }

    /// The same URL but for its port.
    pub(crate) fn is_but_for_port(&self, other: &Url<'_>) -> bool {
        self.without_port() == other.without_port()
    }
}

/// The names and values of a query that are written so, not decoded.
pub(crate) fn fields(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|field| !field.is_empty())
        .map(|field| field.split_once('=').unwrap_or((field, "")))
}
