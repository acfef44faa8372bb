//! What the program uses: a configuration in which everything was checked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{DestinationName, Redaction, Secret, SourceName};
use hookhouse_delivery::Destination;
use hookhouse_store_sqlite::Encryption;
use hookhouse_verify::Verifier;
use hookhouse_verify::twilio::PublicUrl;
use ipnet::IpNet;

use super::effective::Origins;
use super::listen::Listen;
use crate::login::Login;
use crate::origin::allow::Counters;
use crate::rate::Limiter;
use crate::tls::Tls;

/// A whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// The ingress.
    pub server: ServerConfig,
    /// Further listeners, in file order.
    pub listeners: Vec<ListenerConfig>,
    /// The admin listener.
    pub admin: AdminConfig,
    /// The store.
    pub store: StoreConfig,
    /// The endpoints, in file order.
    pub sources: Vec<Source>,
    /// Where events go, in file order.
    pub destinations: Vec<Destination>,
    /// What the file says, for those who look at what is in force.
    pub origins: Origins,
}

/// The ingress: `[server]`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// What providers call.
    pub public_url: Option<PublicUrl>,
    /// The `Host` values that are served, in lower case, without the port; empty for any.
    pub hosts: Vec<String>,
    /// Who may say where a request came from.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether each connection begins with a PROXY preamble.
    pub proxy_protocol: bool,
    /// How it speaks TLS; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// How many connections are served.
    pub limits: Limits,
}

impl Config {
    /// The longest body that any source takes.
    #[must_use]
    pub fn largest_body(&self) -> u64 {
        self.sources.iter().map(|source| source.max_body).max().unwrap_or(0)
    }

    /// Where senders are listened for: what `[server]` listens on, then each `[listener.NAME]`.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint<'_>> {
        let ServerConfig { listen, tls, proxy_protocol, .. } = &self.server;
        let own = listen.iter().map(|address| Endpoint {
            address,
            tls: tls.as_ref(),
            proxy_protocol: *proxy_protocol,
        });
        let others = self.listeners.iter().map(|listener| Endpoint {
            address: &listener.address,
            tls: listener.tls.as_ref(),
            proxy_protocol: listener.proxy_protocol,
        });
        own.chain(others).collect()
    }
}

/// One place where senders are listened for.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    /// Where.
    pub address: &'a Listen,
    /// How it speaks TLS; `None` for plain HTTP.
    pub tls: Option<&'a Tls>,
    /// Whether each connection begins with a PROXY preamble.
    pub proxy_protocol: bool,
}

impl ServerConfig {
    /// The names that senders call, as far as the configuration speaks of them: `hosts`, and that of `public_url`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let called = self.public_url.as_ref().map(|url| url.host().to_ascii_lowercase());
        let mut names: Vec<String> = Vec::new();
        for name in self.hosts.iter().cloned().chain(called) {
            let name = name.trim_matches(['[', ']']).to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// A further listener for senders: `[listener.NAME]`.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// What it is called.
    pub name: String,
    /// Where it listens.
    pub address: Listen,
    /// How it speaks TLS; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// Whether each connection begins with a PROXY preamble.
    pub proxy_protocol: bool,
}

/// How many connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub connections: usize,
    /// From one IPv4 address or IPv6 /64.
    pub per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 20_000, per_address: 1_000 }
    }
}

/// The admin listener: `[admin]`.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Where to listen; loopback, unless `allowed_hosts` says as what it is public.
    pub listen: Listen,
    /// The `Host` values that are served besides loopback's own, in lower case, without the port.
    pub allowed_hosts: Vec<String>,
    /// Whether whoever reaches it is let in without a login: for `dev`, which listens on loopback only. No file says so.
    pub open: bool,
}

/// The store: `[store]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The folder of the embedded store. With a cluster, of what is this machine's own: tokens and certificates.
    pub path: PathBuf,
    /// The cluster that has the events; `None` for the embedded store.
    pub cluster: Option<ClusterConfig>,
    /// Below so many free bytes nothing is taken.
    pub reserve: u64,
    /// How long events are kept; `None` for ever.
    pub retention_age: Option<Duration>,
    /// How many bytes events may take; `None` for no limit.
    pub retention_size: Option<u64>,
    /// The keys of payloads that are encrypted.
    pub encryption: Encryption,
    /// The keys of what gateways share on a cluster and its servers are not to read.
    pub seal: Encryption,
}

/// A NATS JetStream cluster: `[store] url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Servers of the cluster.
    pub servers: Vec<String>,
    /// What the names of its streams begin with.
    pub prefix: String,
    /// How many servers keep each message.
    pub replicas: usize,
    /// Who we are to it.
    pub credentials: ClusterCredentials,
    /// How the connection is encrypted; `None` for as the servers want it.
    pub tls: Option<ClusterTls>,
    /// Where its servers say how they are set up.
    pub monitors: Vec<String>,
    /// What is asked of their disks.
    pub durability: Durability,
}

/// What proves to a cluster who we are.
#[derive(Debug, Clone)]
pub enum ClusterCredentials {
    /// Nothing.
    None,
    /// A token.
    Token(Secret),
    /// A user and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// The seed of an NKey.
    NKey(Secret),
    /// The contents of a credentials file.
    File(Secret),
}

/// Whether a reload finds the same ones: both sides are the operator's own, and nobody learns how long it took.
impl PartialEq for ClusterCredentials {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Token(one), Self::Token(other))
            | (Self::NKey(one), Self::NKey(other))
            | (Self::File(one), Self::File(other)) => one.expose() == other.expose(),
            (
                Self::Password { user, password },
                Self::Password { user: other_user, password: other_password },
            ) => user == other_user && password.expose() == other_password.expose(),
            _ => false,
        }
    }
}

impl Eq for ClusterCredentials {}

/// Certificates for the connection to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTls {
    /// Authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What is asked of a cluster's disks before events are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every server is asked, and syncs its disk before it acknowledges.
    Checked,
    /// The operator says that they do; nobody asks.
    Trusted,
    /// They need not: the operator accepts that acknowledged events can be lost when servers lose power.
    Relaxed,
}

impl Durability {
    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Trusted => "trusted",
            Self::Relaxed => "relaxed",
        }
    }
}

/// An endpoint: `[source.NAME]`.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// Its path, matched byte for byte.
    pub path: String,
    /// The methods it serves, in the order of `Allow`.
    pub methods: Vec<String>,
    /// Its provider: `x`, `twilio`, `hmac`, `none`, or one of the catalogue.
    pub provider: String,
    /// What proves its requests.
    pub verifier: Verifier,
    /// What its provider would sign with: for `trigger` and the demo. `None` where nothing signs.
    pub signer: Option<SourceSigner>,
    /// What its provider was told, its own or the server's: what a signed URL begins with.
    pub public_url: Option<PublicUrl>,
    /// The longest body it takes, in bytes.
    pub max_body: u64,
    /// How long a repeat is recognised; zero for never.
    pub dedupe_window: Duration,
    /// Who gets its events.
    pub deliver: Vec<DestinationName>,
    /// What of an event is not stored; `None` for nothing.
    pub redaction: Option<Redaction>,
    /// What it answers when an event is accepted.
    pub answer: Answer,
    /// Which addresses may call.
    pub allow_ips: AllowIps,
    /// How often that said what.
    pub addresses: Arc<Counters>,
    /// How many unsigned challenges are answered; `None` for as many as there are.
    pub challenge_limit: Option<Limiter>,
    /// How many requests without a valid signature are looked at; `None` for as many as come.
    pub unproven_limit: Option<Limiter>,
    /// X's API, for a source of `x` that has credentials for it.
    pub api: Option<XApi>,
    /// Whether its webhook is looked after through that API.
    pub heal: bool,
    /// Who must log in before anything else is looked at; `None` for nobody.
    pub login: Option<Login>,
    /// The application that answers the sender itself, if one does.
    pub relay: Option<RelaySettings>,
}

/// How X's API is called.
#[derive(Debug, Clone)]
pub struct XApi {
    /// What the app shows.
    pub credentials: hookhouse_x::Credentials,
    /// Where the API is: X's own, or a stand-in's.
    pub base: hookhouse_x::Base,
}

/// An application that answers the sender itself.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    /// Which destination.
    pub to: DestinationName,
    /// How long it may take.
    pub deadline: Duration,
    /// How long a WebSocket may say nothing in either direction.
    pub idle: Duration,
    /// What becomes of the event when it does not answer.
    pub on_failure: OnFailure,
    /// What is answered then; without it, 504 or 502.
    pub fallback: Option<Answer>,
}

/// What becomes of a relayed event that nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It is kept, and that is all.
    #[default]
    Fallback,
    /// It is delivered later, by the destination's schedule.
    Queue,
}

/// How a source's own provider signs, and with what.
#[derive(Debug, Clone)]
pub struct SourceSigner {
    /// The scheme.
    pub signer: hookhouse_verify::sign::Signer,
    /// The current secret.
    pub secret: hookhouse_core::Secret,
}

/// The answer to an accepted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, 2xx.
    pub status: u16,
    /// The `Content-Type`, where there is a body.
    pub content_type: Option<String>,
    /// The body. However many answers are on their way, it is there once.
    pub body: Bytes,
}

impl Answer {
    /// 200 and nothing else: what every provider but Twilio wants.
    #[must_use]
    pub fn empty() -> Self {
        Self { status: 200, content_type: None, body: Bytes::new() }
    }

    /// TwiML that does nothing. A `text/plain` answer would be sent to the caller as a message
    /// (<https://www.twilio.com/docs/messaging/twiml>).
    #[must_use]
    pub fn twiml() -> Self {
        let body = Bytes::from_static(b"<Response/>");
        Self { status: 200, content_type: Some("text/xml".to_owned()), body }
    }
}

/// Which addresses may call a source.
#[derive(Debug, Clone, Default)]
pub struct AllowIps {
    /// Refused when on none of these (CIDRs, or a named set in mode `enforce`); empty: nothing is enforced.
    pub enforce: Vec<IpNet>,
    /// Counted when on none of these (a named set in its default mode, or any in mode `monitor`).
    pub monitor: Vec<IpNet>,
}
