//! What trusted proxies say of a request: `Forwarded` (RFC 7239) and `X-Forwarded-*`.
//!
//! Each proxy appends the address of whoever called it, so only the right end of a list is known to be true: the walk
//! begins at the peer and goes left through the hops that are trusted proxies themselves, and the first that is not is
//! the client. Everything left of it is the client's own story. Where every hop is trusted, the leftmost is the client.
//!
//! `proto`, `host` and `port` are those of the hop that the client called. The `X-Forwarded-` headers for them are
//! usually one value, set by the outermost proxy and passed on; a list is counted from the right, like the addresses.
//! `X-Forwarded-Prefix` is taken only when there is one.
//!
//! Refused, because two readers could see two clients: an address that is none, `unknown` or an obfuscated name where
//! an address is needed, more than 32 hops, and `Forwarded` and `X-Forwarded-For` that lead to different clients (a proxy
//! that maintains one of them often passes the client's own copy of the other). Doubt about what was called is no
//! doubt about the client: the request then has an origin, without `proto`, `host`, `port` and `prefix`, and a note.
//!
//! Not supported: `X-Real-IP`, `Via`, and other headers that a proxy overwrites rather than appends to.

use std::net::IpAddr;

use hookhouse_verify::explain::Called as Suggestion;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::networks;

mod doubt;
mod node;
mod rfc7239;
mod x_forwarded;

#[cfg(test)]
mod tests;

pub(crate) use self::doubt::Doubt;
use self::node::Node;
use self::rfc7239::Element;
use crate::head;

/// The headers that speak of other hops. From a peer that is no trusted proxy they are ignored.
pub(crate) const HEADERS: [&str; 6] = [
    rfc7239::HEADER,
    x_forwarded::FOR,
    x_forwarded::PROTO,
    x_forwarded::HOST,
    x_forwarded::PORT,
    x_forwarded::PREFIX,
];

/// The most hops that are looked at.
const MOST_HOPS: usize = 32;

/// Who may speak for others: `[server] trusted_proxies`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    proxies: Vec<IpNet>,
}

/// Where a request came from and what was called, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whoever called the outermost trusted proxy, or the peer itself; in canonical form.
    pub(crate) client: IpAddr,
    /// Whether the peer is a trusted proxy. Without one, nothing below is known.
    pub(crate) via_proxy: bool,
    /// The scheme that was called.
    pub(crate) proto: Option<Proto>,
    /// The host that was called, as it was spelled, without the port.
    pub(crate) host: Option<String>,
    /// The port that was called, where it was named.
    pub(crate) port: Option<u16>,
    /// The path in front of the request's own, with a slash at its beginning and none at its end.
    pub(crate) prefix: Option<String>,
    /// What was ignored, and why: for the log.
    pub(crate) note: Option<Doubt>,
}

/// The scheme that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proto {
    Http,
    Https,
}

/// A trusted proxy's word from which no client can be told. Where an address list applies, nobody is on it
/// ([`decide_unknown`](super::allow::decide_unknown)); elsewhere the request may go on as one of the proxy's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OriginRefused {
    /// Why.
    pub(crate) reason: Doubt,
    peer: IpAddr,
}

impl Trust {
    /// Trusts the proxies on these networks.
    pub(crate) fn new(proxies: Vec<IpNet>) -> Self {
        Self { proxies }
    }

    /// Whether a peer may speak for others.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        networks::cover(&self.proxies, peer)
    }

    /// Where a request came from. `peer` is the other end of the connection, or whom the PROXY preamble named.
    ///
    /// # Errors
    /// [`OriginRefused`] when the peer is trusted and what it says is malformed or says two things.
    pub(crate) fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Origin, OriginRefused> {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            // Nearly nobody sends one, and to look for a name that is text means to parse it each time.
            let is_one = |name: &HeaderName| {
                let name = name.as_str();
                name.starts_with("x-forwarded-") || name == rfc7239::HEADER
            };
            let ignored = if headers.keys().any(is_one) {
                HEADERS.into_iter().find(|name| headers.contains_key(*name))
            } else {
                None
            };
            let note = ignored.map(|header| Doubt::UntrustedPeer { header, peer });
            return Ok(Origin { note, ..Origin::of(peer, false) });
        }
        self.told(peer, headers).map_err(|reason| OriginRefused { reason, peer })
    }

    /// What a trusted peer says.
    fn told(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Origin, Doubt> {
        let elements = rfc7239::read(headers)?;
        let chain = x_forwarded::chain(headers)?;
        let by_forwarded = elements
            .as_deref()
            .map(|elements| self.walk(rfc7239::HEADER, elements.iter().map(|element| element.node)))
            .transpose()?;
        let by_chain = chain.map(|chain| self.walk(x_forwarded::FOR, chain.into_iter())).transpose()?;
        if let (Some(forwarded), Some(chain)) = (by_forwarded, by_chain)
            && forwarded.client != chain.client
        {
            return Err(Doubt::ClientsDiffer { forwarded: forwarded.client, x_forwarded_for: chain.client });
        }
        let walked = by_chain.or(by_forwarded).unwrap_or(Hop { client: peer, from_right: 0 });
        let element = elements.as_deref().zip(by_forwarded).and_then(|(elements, hop)| hop.of(elements));
        let origin = Origin::of(walked.client, true);
        Ok(match Called::read(element, headers, walked.from_right) {
            Ok(Called { proto, host, port, prefix }) => Origin { proto, host, port, prefix, ..origin },
            Err(doubt) => Origin { note: Some(doubt), ..origin },
        })
    }

    /// From the right through trusted hops, to the first that is not one.
    fn walk(&self, header: &'static str, nodes: impl DoubleEndedIterator<Item = Node>) -> Result<Hop, Doubt> {
        let mut outermost = None;
        for (from_right, node) in nodes.rev().enumerate() {
            let Node::Address(client) = node else { return Err(Doubt::AddressHidden { header }) };
            outermost = Some(Hop { client, from_right });
            if !self.trusts(client) {
                break;
            }
        }
        outermost.ok_or(Doubt::Empty { header })
    }
}

/// Where a walk ended.
#[derive(Debug, Clone, Copy)]
struct Hop {
    client: IpAddr,
    /// How many hops are right of it.
    from_right: usize,
}

impl Hop {
    fn of<T>(self, hops: &[T]) -> Option<&T> {
        hops.iter().rev().nth(self.from_right)
    }
}

/// What the client called, as the proxy that it called tells it.
#[derive(Debug)]
struct Called {
    proto: Option<Proto>,
    host: Option<String>,
    port: Option<u16>,
    prefix: Option<String>,
}

impl Called {
    fn read(element: Option<&Element>, headers: &HeaderMap, from_right: usize) -> Result<Self, Doubt> {
        let told = |name| x_forwarded::at_hop(headers, name, from_right);
        let x_proto =
            told(x_forwarded::PROTO)?.map(|text| Proto::parse(x_forwarded::PROTO, text)).transpose()?;
        let x_host = told(x_forwarded::HOST)?.map(|text| host(x_forwarded::HOST, text)).transpose()?;
        let x_port =
            told(x_forwarded::PORT)?.map(|text| x_forwarded::port(x_forwarded::PORT, text)).transpose()?;
        let proto = element.and_then(|element| element.proto.as_deref());
        let proto = proto.map(|text| Proto::parse(rfc7239::HEADER, text)).transpose()?;
        let named = element.and_then(|element| element.host.as_deref());
        let named = named.map(|text| host(rfc7239::HEADER, text)).transpose()?;

        let (host, port) = named.unzip();
        let (x_host, x_host_port) = x_host.unzip();
        // A host without a port does not say that there was none: some proxies send it apart, some not at all.
        let port = agreed("port", port.flatten(), x_host_port.flatten(), u16::eq)?;
        Ok(Self {
            proto: agreed("scheme", proto, x_proto, Proto::eq)?,
            host: agreed("host", host, x_host, |one, other| one.eq_ignore_ascii_case(other))?,
            port: agreed("port", port, x_port, u16::eq)?,
            prefix: x_forwarded::prefix(headers)?,
        })
    }
}

/// What two headers say, when they do not contradict each other.
fn agreed<T>(
    what: &'static str,
    one: Option<T>,
    other: Option<T>,
    same: fn(&T, &T) -> bool,
) -> Result<Option<T>, Doubt> {
    match (one, other) {
        (Some(one), Some(other)) if !same(&one, &other) => Err(Doubt::CalledTwice { what }),
        (one, other) => Ok(one.or(other)),
    }
}

/// A host, and the port where one is written.
fn host(header: &'static str, text: &str) -> Result<(String, Option<u16>), Doubt> {
    let name = head::without_port(text);
    let port = text.get(name.len()..).unwrap_or_default().trim_start_matches(':');
    if !head::is_host(text) {
        return Err(Doubt::malformed(header, text));
    }
    let port = if port.is_empty() { None } else { Some(x_forwarded::port(header, port)?) };
    Ok((name.to_owned(), port))
}

impl Origin {
    /// What was called, for whoever explains a refusal. It decides nothing: a proxy that passes a client's own headers
    /// on would let the client choose the URL that its signature is checked against.
    pub(crate) fn called(&self) -> Suggestion {
        let scheme = self.proto.map(|proto| match proto {
            Proto::Http => "http".to_owned(),
            Proto::Https => "https".to_owned(),
        });
        Suggestion { scheme, host: self.host.clone(), port: self.port, prefix: self.prefix.clone() }
    }

    /// One of whom only the address is known.
    fn of(client: IpAddr, via_proxy: bool) -> Self {
        Self { client, via_proxy, proto: None, host: None, port: None, prefix: None, note: None }
    }
}

impl OriginRefused {
    /// The reason as a stable word: `proxy.header_invalid`.
    pub(crate) fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// What is known without the headers: the proxy, and that it was one. For sources without an address list.
    pub(crate) fn into_origin(self) -> Origin {
        Origin { note: Some(self.reason), ..Origin::of(self.peer, true) }
    }
}

impl Proto {
    /// A proxy names the scheme of a WebSocket handshake, or that of the HTTP request which it is.
    fn parse(header: &'static str, text: &str) -> Result<Self, Doubt> {
        match text.to_ascii_lowercase().as_str() {
            "https" | "wss" => Ok(Self::Https),
            "http" | "ws" => Ok(Self::Http),
            _ => Err(Doubt::malformed(header, text)),
        }
    }
}
