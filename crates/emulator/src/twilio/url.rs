//! A URL as it stands at Twilio: with user information, and connection overrides in its fragment.
//!
//! What is signed and called is the rest of it, in the spelling it was written in: Twilio normalises nothing, and a
//! signature holds for one spelling.

use std::fmt;

use super::auth::Credentials;
use super::overrides::{OverrideError, Overrides};

/// An absolute URL that Twilio was told, or that TwiML named.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    scheme: Scheme,
    /// As written; a literal IPv6 address in its brackets.
    host: String,
    port: Option<u16>,
    /// Path and query as written: perhaps empty, perhaps with a query and no path.
    target: String,
    credentials: Option<Credentials>,
    overrides: Overrides,
}

/// What a URL begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// `ws`: in development alone; Twilio opens no such streams.
    Ws,
    /// `wss`
    Wss,
}

impl Scheme {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether it needs TLS.
    #[must_use]
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Wss)
    }

    fn default_port(self) -> u16 {
        if self.is_secure() { 443 } else { 80 }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Http, Self::Https, Self::Ws, Self::Wss];
        all.into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
    }
}

/// Where a URL leads: what logins and cookies are bound to.
pub(super) type Origin = (bool, String, u16);

impl WebhookUrl {
    /// Reads an absolute URL.
    ///
    /// # Errors
    /// When it is none, or its fragment asks for what Twilio would not do. The error does not repeat it: a password may
    /// be in it.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        // What is not printable ASCII must be escaped in a URL (RFC 3986 section 2).
        if !url.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b)) {
            return Err(UrlError::Character);
        }
        let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
        let (scheme, rest) = rest.split_once("://").ok_or(UrlError::NotAbsolute)?;
        let scheme = Scheme::parse(scheme).ok_or(UrlError::NotAbsolute)?;
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user_info, authority) = match authority.rsplit_once('@') {
            Some((user_info, authority)) => (Some(user_info), authority),
            None => (None, authority),
        };
        let (host, port) = host_and_port(authority).ok_or(UrlError::Host)?;
        // One more opinion: what goes out is parsed by this type.
        format!("{}://{authority}{target}", scheme.as_str())
            .parse::<http::Uri>()
            .map_err(|_| UrlError::Character)?;
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            target: target.to_owned(),
            credentials: user_info.map(Credentials::from_user_info).transpose().map_err(UrlError::Login)?,
            overrides: Overrides::parse(fragment)?,
        })
    }

    /// What a reference in an answer to this URL means: a `Location`, an `action`, a `<Redirect>`.
    ///
    /// Within the same origin, whoever was logged in stays so.
    ///
    /// # Errors
    /// When the outcome is no URL.
    pub fn resolve(&self, reference: &str) -> Result<Self, UrlError> {
        let reference = reference.trim();
        let (start, _) = reference.split_at(reference.find(['/', '?', '#']).unwrap_or(reference.len()));
        let mut url = if start.contains(':') {
            Self::parse(reference)?
        } else if reference.starts_with("//") {
            Self::parse(&format!("{}:{reference}", self.scheme.as_str()))?
        } else {
            let (relative, fragment) = match reference.split_once('#') {
                Some((relative, fragment)) => (relative, format!("#{fragment}")),
                None => (reference, String::new()),
            };
            let base = format!("{}://{}", self.scheme.as_str(), self.authority());
            Self::parse(&format!("{base}{}{fragment}", self.merge(relative)))?
        };
        if url.credentials.is_none() && url.origin() == self.origin() {
            url.credentials.clone_from(&self.credentials);
        }
        Ok(url)
    }

    /// The target of a relative reference (RFC 3986 section 5.2).
    fn merge(&self, relative: &str) -> String {
        let (path, query) = self.target.split_at(self.target.find('?').unwrap_or(self.target.len()));
        if relative.is_empty() {
            return format!("{path}{query}");
        }
        if relative.starts_with('?') {
            return format!("{path}{relative}");
        }
        let (relative, query) = relative.split_at(relative.find('?').unwrap_or(relative.len()));
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let whole =
            if relative.starts_with('/') { relative.to_owned() } else { format!("{folder}/{relative}") };
        format!("{}{query}", without_dots(&whole))
    }

    /// The same place for a WebSocket: `https` becomes `wss`, and `http` becomes `ws`.
    #[must_use]
    pub(super) fn for_websocket(mut self) -> Self {
        self.scheme = if self.scheme.is_secure() { Scheme::Wss } else { Scheme::Ws };
        self
    }

    /// Without its query, which a stream's URL must not have.
    #[must_use]
    pub(super) fn without_query(mut self) -> Self {
        self.target.truncate(self.target.find('?').unwrap_or(self.target.len()));
        self
    }

    /// With parameters after what the query holds already, as a GET carries them.
    #[must_use]
    pub(super) fn with_query(mut self, parameters: &str) -> Self {
        if !parameters.is_empty() {
            self.target.push(if self.target.contains('?') { '&' } else { '?' });
            self.target.push_str(parameters);
        }
        self
    }

    /// Its scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its host; a literal IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// What its fragment says.
    #[must_use]
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// The login in its user information.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Whether a query is in it.
    #[must_use]
    pub(super) fn has_query(&self) -> bool {
        self.target.contains('?')
    }

    /// `Host`: as written, with a port where one is written.
    #[must_use]
    pub(super) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The request target: at least a `/`.
    #[must_use]
    pub(super) fn request_target(&self) -> String {
        if self.target.starts_with('/') { self.target.clone() } else { format!("/{}", self.target) }
    }

    /// Its path, for cookies.
    #[must_use]
    pub(super) fn path(&self) -> &str {
        let path = self.target.split('?').next().unwrap_or_default();
        if path.is_empty() { "/" } else { path }
    }

    #[must_use]
    pub(super) fn origin(&self) -> Origin {
        (self.scheme.is_secure(), self.host.to_ascii_lowercase(), self.port())
    }

    /// As it is signed for a phone call over TLS, which loses its port
    /// (<https://www.twilio.com/docs/usage/security#a-few-notes>).
    #[must_use]
    pub(super) fn without_port(&self) -> String {
        format!("{}://{}{}", self.scheme.as_str(), self.host, self.target)
    }
}

/// Without user information and fragment: what is signed, and what can be shown.
impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.target)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookUrl")
            .field("host", &self.host)
            .field("path", &self.path())
            .field("credentials", &self.credentials)
            .field("overrides", &self.overrides)
            .finish_non_exhaustive()
    }
}

/// A text that may be a URL, as it can be shown: without a login in it.
pub(super) fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("//").filter(|(scheme, _)| !scheme.contains('/')) else {
        return text.to_owned();
    };
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}//{host}{target}")
}

fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = if authority.starts_with('[') { authority.find(']')? + 1 } else { 0 };
    let (host, port) = match authority.get(end..)?.find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(end + colon);
            let port = port.strip_prefix(':').filter(|digits| !digits.starts_with('+'))?;
            (host, Some(port.parse().ok()?))
        }
        None => (authority, None),
    };
    (!host.is_empty()).then_some((host, port))
}

/// Removes `.` and `..` segments (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Why a URL cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No scheme, or one that Twilio does not speak.
    #[error("not an absolute http:// or https:// URL")]
    NotAbsolute,
    /// No host, or a port that is none.
    #[error("a URL without a host, or with a port that is no number")]
    Host,
    /// A space, a bracket, a letter outside ASCII.
    #[error("a URL with a character that must be escaped in one")]
    Character,
    /// User information that cannot be a login.
    #[error("the user information of the URL is no login")]
    Login(#[source] super::auth::CredentialsError),
    /// A fragment that asks for what Twilio would not do.
    #[error(transparent)]
    Override(#[from] OverrideError),
}

#[cfg(test)]
mod tests;
