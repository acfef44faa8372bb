//! The spellings of a URL that Twilio is known to sign; the table is in the module's documentation.

use std::borrow::Cow;

use super::form::Parameters;
use super::url::PublicUrl;

/// What a request is, as far as spelling goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Post,
    WebSocket,
}

/// One way to write the URL of a request.
#[derive(Debug)]
pub(crate) struct Spelling<'a> {
    url: &'a PublicUrl,
    ending: &'a Ending<'a>,
    with_user_info: bool,
    port: Port,
}

#[derive(Debug, Clone, Copy)]
enum Port {
    AsConfigured,
    Removed,
    Added(u16),
}

impl Spelling<'_> {
    /// Writes the URL over what was in `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        let scheme = match self.ending.scheme {
            Scheme::Http => self.url.spelled_scheme(),
            Scheme::WebSocket if self.url.scheme() == "https" => "wss",
            Scheme::WebSocket => "ws",
        };
        out.extend_from_slice(scheme.as_bytes());
        out.extend_from_slice(b"://");
        if let Some(user_info) = self.url.userinfo().filter(|_| self.with_user_info) {
            out.extend_from_slice(user_info.as_bytes());
            out.push(b'@');
        }
        out.extend_from_slice(self.url.host().as_bytes());
        let port = match self.port {
            Port::AsConfigured => self.url.port(),
            Port::Removed => None,
            Port::Added(port) => Some(port),
        };
        if let Some(port) = port {
            out.push(b':');
            out.extend_from_slice(port.to_string().as_bytes());
        }
        out.extend_from_slice(self.url.prefix().as_bytes());
        out.extend_from_slice(self.ending.target.as_bytes());
    }

    /// What is signed after the URL, where it is not the form's parameters.
    pub(crate) fn parameters(&self) -> Option<&[u8]> {
        self.ending.parameters.as_deref()
    }

    /// What to call it.
    pub(crate) fn name(&self) -> Cow<'static, str> {
        let port = match self.port {
            Port::AsConfigured => None,
            Port::Removed => Some("port removed"),
            Port::Added(_) => Some("port added"),
        };
        let user_info = self.with_user_info.then_some("with user info");
        let notes: Vec<_> = self.ending.notes.iter().copied().chain(user_info).chain(port).collect();
        match notes.as_slice() {
            [] => Cow::Borrowed("exact"),
            [one] => Cow::Borrowed(one),
            several => Cow::Owned(several.join(", ")),
        }
    }
}

/// The spellings of one request, in the order they are tried.
#[derive(Debug)]
pub(crate) struct Spellings<'a> {
    urls: &'a [PublicUrl],
    endings: Vec<Ending<'a>>,
}

impl<'a> Spellings<'a> {
    /// Those of a request with this target. None where the target is not a path: `https://host` and something else
    /// could be another host.
    pub(crate) fn new(urls: &'a [PublicUrl], kind: Kind, target: &'a str) -> Self {
        let endings = if target.starts_with('/') { endings(kind, target) } else { Vec::new() };
        Self { urls, endings }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Spelling<'_>> {
        self.urls.iter().flat_map(move |url| {
            self.endings.iter().filter(|ending| !ending.at_root || url.prefix().is_empty()).flat_map(
                move |ending| {
                    let other_port = match (url.port(), url.scheme()) {
                        (Some(_), _) => Port::Removed,
                        (None, "https") => Port::Added(443),
                        (None, _) => Port::Added(80),
                    };
                    let user_info = if url.userinfo().is_some() { &[false, true][..] } else { &[false] };
                    user_info.iter().flat_map(move |&with_user_info| {
                        [Port::AsConfigured, other_port].map(|port| Spelling {
                            url,
                            ending,
                            with_user_info,
                            port,
                        })
                    })
                },
            )
        })
    }
}

/// What follows the authority, and what else that implies.
#[derive(Debug)]
struct Ending<'a> {
    scheme: Scheme,
    target: Cow<'a, str>,
    parameters: Option<Vec<u8>>,
    notes: Vec<&'static str>,
    /// Whether it holds only where the path is the URL's whole path.
    at_root: bool,
}

#[derive(Debug, Clone, Copy)]
enum Scheme {
    Http,
    WebSocket,
}

impl<'a> Ending<'a> {
    fn new(scheme: Scheme, target: impl Into<Cow<'a, str>>) -> Self {
        Self { scheme, target: target.into(), parameters: None, notes: Vec::new(), at_root: false }
    }

    fn noted(mut self, note: &'static str) -> Self {
        self.notes.push(note);
        self
    }
}

fn endings(kind: Kind, target: &str) -> Vec<Ending<'_>> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut endings = match kind {
        Kind::Get | Kind::Post => vec![Ending::new(Scheme::Http, target)],
        Kind::WebSocket => web_socket(target, path, query),
    };
    if path == "/" {
        let scheme = if kind == Kind::WebSocket { Scheme::WebSocket } else { Scheme::Http };
        let mut root =
            Ending::new(scheme, target.strip_prefix('/').unwrap_or(target)).noted("root slash removed");
        root.at_root = true;
        endings.push(root);
    }
    if let (Kind::Get, Some(query)) = (kind, query) {
        endings.extend(escapes(path, query));
    }
    endings
}

/// A handshake is signed under `wss:`. Twilio's guide has a trailing slash added when that fails; its agent library
/// signs the query as parameters; `https:` is what some proxies were told.
fn web_socket<'a>(target: &'a str, path: &'a str, query: Option<&'a str>) -> Vec<Ending<'a>> {
    let mut endings = vec![Ending::new(Scheme::WebSocket, target)];
    match query {
        None if target.ends_with('/') => {}
        None => endings.push(Ending::new(Scheme::WebSocket, format!("{target}/")).noted("slash added")),
        Some(query) => endings.push(Ending {
            parameters: Some(Parameters::read(query.as_bytes()).signed()),
            ..Ending::new(Scheme::WebSocket, path).noted("query as parameters")
        }),
    }
    endings.push(Ending::new(Scheme::Http, target).noted("https for wss"));
    endings
}

/// Twilio signs some characters of a GET's query raw and sends them escaped; an old re-encoding of its Node library
/// writes spaces as `%20` and leaves apostrophes raw.
fn escapes<'a>(path: &str, query: &str) -> Vec<Ending<'a>> {
    const APOSTROPHE: &str = "' unescaped";
    const AT_AND_COLON: &str = "@ and : unescaped";
    const SPACE: &str = "space as %20";

    let apostrophe = query.replace("%27", "'");
    let at_and_colon = |query: &str| query.replace("%40", "@").replace("%3A", ":").replace("%3a", ":");
    let mut seen = vec![query.to_owned()];
    let mut endings = Vec::new();
    for (spelled, notes) in [
        (apostrophe.clone(), vec![APOSTROPHE]),
        (at_and_colon(query), vec![AT_AND_COLON]),
        (at_and_colon(&apostrophe), vec![APOSTROPHE, AT_AND_COLON]),
        (query.replace('+', "%20"), vec![SPACE]),
        (apostrophe.replace('+', "%20"), vec![APOSTROPHE, SPACE]),
    ] {
        if !seen.contains(&spelled) {
            endings.push(Ending { notes, ..Ending::new(Scheme::Http, format!("{path}?{spelled}")) });
            seen.push(spelled);
        }
    }
    endings
}
