//! Where deliveries may go: the rules against a destination that reaches what it must not (SSRF).
//!
//! Private networks are where applications live, so "no private addresses" would be useless. What no application
//! lives on is refused, and nothing switches that off: link-local addresses, the metadata services of the clouds,
//! multicast, broadcast, the reserved ranges, and this process's own listeners. Loopback needs the destination's
//! opt-in. The rules are applied twice:
//!
//! * [`check_host`] looks at a URL, when a configuration is read: a host that is an address in any spelling.
//! * [`check_address`] looks at an address, at every dial: what a name stands for may change in between.
//!
//! [`Guard`] adds the listeners to both. It is asked once more when the connection stands, because only then the
//! machine says which of its own addresses it talks from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{PoisonError, RwLock};

pub use address::{Forbidden, check_address};
pub use host::check_host;

mod address;
pub(crate) mod host;

/// The rules, with this process's own listeners.
#[derive(Debug, Default)]
pub struct Guard {
    /// Read at each dial, written when listeners come and go.
    listeners: RwLock<Vec<SocketAddr>>,
}

impl Guard {
    /// Rules that also keep deliveries away from these listeners: the addresses that were really bound.
    #[must_use]
    pub fn new(listeners: Vec<SocketAddr>) -> Self {
        Self { listeners: RwLock::new(listeners) }
    }

    /// Keeps deliveries away from these listeners from now on.
    pub fn set_listeners(&self, listeners: Vec<SocketAddr>) {
        *self.listeners.write().unwrap_or_else(PoisonError::into_inner) = listeners;
    }

    /// Whether a destination may have this URL.
    ///
    /// # Errors
    /// [`Denied`], in words for the operator.
    pub fn check_url(&self, url: &http::Uri, allow_loopback: bool) -> Result<(), Denied> {
        check_host(url, allow_loopback)?;
        let port = host::port(url);
        let own = host::addresses(url)
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .find(|address| self.is_own_listener(*address, false));
        own.map_or(Ok(()), |address| Err(Denied::OwnListener { address }))
    }

    /// Whether this address may be dialled.
    ///
    /// # Errors
    /// [`Denied`], in words for the operator.
    pub fn check_dial(&self, address: SocketAddr, allow_loopback: bool) -> Result<(), Denied> {
        check_address(address.ip(), allow_loopback)?;
        if self.is_own_listener(address, false) { Err(Denied::OwnListener { address }) } else { Ok(()) }
    }

    /// Whether this connection may be used, before anything is sent on it.
    ///
    /// A connection from an address to itself has not left the machine, so a listener on every address is the one
    /// that answers: the case of a public name or a network address of this very machine.
    ///
    /// # Errors
    /// [`Denied`], in words for the operator.
    pub fn check_connected(
        &self,
        local: SocketAddr,
        peer: SocketAddr,
        allow_loopback: bool,
    ) -> Result<(), Denied> {
        check_address(peer.ip(), allow_loopback)?;
        let stayed = local.ip().to_canonical() == peer.ip().to_canonical();
        if self.is_own_listener(peer, stayed) { Err(Denied::OwnListener { address: peer }) } else { Ok(()) }
    }

    fn is_own_listener(&self, address: SocketAddr, is_this_machine: bool) -> bool {
        let ip = address.ip().to_canonical();
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().any(|listener| {
            let at = listener.ip().to_canonical();
            listener.port() == address.port()
                && (at == ip || (at.is_unspecified() && (is_this_machine || ip.is_loopback())))
        })
    }
}

/// Why a destination is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Neither `http` nor `https`.
    #[error("a destination's URL begins with http:// or https://")]
    Scheme,
    /// There is no host, or nothing is left of it.
    #[error("the URL names no host")]
    NoHost,
    /// `user:password@`.
    #[error("the URL must not hold a user name or a password")]
    Userinfo,
    /// A port that is none.
    #[error("the port is none of 1 to 65535")]
    Port,
    /// An address that programs read differently, or that only some read as an address at all.
    #[error(
        "`{host}` is an unusual spelling of {}: write it plainly",
        .reads_as.map_or_else(|| "an address".to_owned(), |ip| ip.to_string())
    )]
    Spelling {
        /// The host as written.
        host: String,
        /// What most programs read.
        reads_as: Option<Ipv4Addr>,
    },
    /// A host with a character that no name and no address has.
    #[error("`{host}` is neither a host name nor an address")]
    Name {
        /// The host as written.
        host: String,
    },
    /// A name that stands for this machine.
    #[error("`{host}` is this machine: set allow_loopback = true if that is meant")]
    LoopbackName {
        /// The host as written.
        host: String,
    },
    /// A name that stands for a metadata service.
    #[error("`{host}` is a cloud's metadata service")]
    MetadataName {
        /// The host as written.
        host: String,
    },
    /// An address that no event may go to.
    #[error("{address} is {why}")]
    Address {
        /// The address.
        address: IpAddr,
        /// What it is.
        why: Forbidden,
    },
    /// This process itself.
    #[error("{address} is Hookhouse's own listener")]
    OwnListener {
        /// Where it listens.
        address: SocketAddr,
    },
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ThisNetwork => "an address of \"this network\"",
            Self::Loopback => "a loopback address: set allow_loopback = true if this machine is meant",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the address of a cloud's metadata service",
            Self::Multicast => "a multicast address",
            Self::Reserved => "a reserved address",
            Self::Broadcast => "the broadcast address",
        })
    }
}

/// Both loopback addresses: what `localhost` stands for.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

#[cfg(test)]
mod tests;
