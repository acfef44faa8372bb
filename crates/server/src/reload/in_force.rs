//! What operators see of the configuration that is served.

use std::net::SocketAddr;
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
    ) -> Self {
        Self {
            view,
            base: config.origins.base.clone(),
            hosts: config.admin.allowed_hosts.clone(),
            sources,
            destinations,
            ingress: sockets.clone().filter_map(Socket::address).collect(),
            places: sockets.map(ToString::to_string).collect(),
        }
    }
}
