//! What operators see of the configuration that is served.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use hookhouse_core::DestinationName;

use crate::admin::view::ConfigView;
use crate::config::{Config, Source};
use crate::socket::Socket;

/// The configuration that is served.
#[derive(Debug)]
pub(crate) struct InForce {
    /// What it says, without secrets.
    pub(crate) view: ConfigView,
    /// What relative paths in it start at.
    pub(crate) base: PathBuf,
    /// As what the admin listener is called, besides loopback's own names.
    pub(crate) hosts: Vec<String>,
    pub(crate) sources: Vec<Arc<Source>>,
    pub(crate) destinations: Vec<DestinationName>,
    /// Where senders reach the server.
    pub(crate) ingress: Vec<SocketAddr>,
    /// What a path is put behind where no `public_url` is given: the first of these.
    pub(crate) url: String,
    /// The same in words, Unix sockets included.
    pub(crate) places: Vec<String>,
}

impl InForce {
    pub(crate) fn new<'a>(
        config: &Config,
        view: ConfigView,
        sources: Vec<Arc<Source>>,
        destinations: Vec<DestinationName>,
        sockets: impl Iterator<Item = &'a Socket> + Clone,
        secure: &[SocketAddr],
    ) -> Self {
        let ingress: Vec<_> = sockets.clone().filter_map(Socket::address).collect();
        Self {
            url: ingress.first().map_or_else(String::new, |address| {
                url(*address, secure.contains(address).then(|| config.server.names()))
            }),
            view,
            base: config.origins.base.clone(),
            hosts: config.admin.allowed_hosts.clone(),
            sources,
            destinations,
            ingress,
            places: sockets.map(ToString::to_string).collect(),
        }
    }
}

/// How a listener is called from this machine; one that speaks TLS by the first of its names, for which its certificate is.
fn url(address: SocketAddr, names: Option<Vec<String>>) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let port = address.port();
    let plain = SocketAddr::new(ip, port);
    match names.map(|names| names.into_iter().next()) {
        None => format!("http://{plain}"),
        Some(None) => format!("https://{plain}"),
        Some(Some(name)) => {
            let name = if name.contains(':') { format!("[{name}]") } else { name };
            if port == 443 { format!("https://{name}") } else { format!("https://{name}:{port}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_called_by_what_it_speaks_and_by_its_name() {
        let called = |address: &str, names: Option<&[&str]>| {
            let names = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            url(address.parse().unwrap(), names)
        };
        assert_eq!(called("0.0.0.0:8080", None), "http://127.0.0.1:8080");
        assert_eq!(called("[::]:443", Some(&[])), "https://[::1]:443");
        assert_eq!(called("10.0.0.1:443", Some(&["h.example", "other.example"])), "https://h.example");
        assert_eq!(called("0.0.0.0:8443", Some(&["h.example"])), "https://h.example:8443");
        assert_eq!(called("[::1]:8443", Some(&["2001:db8::1"])), "https://[2001:db8::1]:8443");
    }
}
