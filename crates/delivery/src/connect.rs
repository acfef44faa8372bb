//! The only way to a destination: resolve, check, dial what was checked.
//!
//! A name is resolved once for each connection, every one of its addresses is checked, and one forbidden address
//! denies the name: a name that stands for an application and for a metadata service is an attack or a mistake. The
//! addresses that were checked are the ones that are dialled; nothing looks the name up again. There is no proxy from
//! the environment, and nobody here follows a redirect.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::guard::{Denied, Guard, host};

/// A byte stream in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, and its two ends.
pub struct Dialled {
    /// The stream.
    pub io: Box<dyn Io>,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
}

impl fmt::Debug for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialled")
            .field("local", &self.local)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// What names and addresses lead to: an argument, so that tests can be a resolver that lies.
#[async_trait]
pub trait Network: fmt::Debug + Send + Sync + 'static {
    /// The addresses of a name.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// A connection to an address that was checked.
    async fn dial(&self, address: SocketAddr) -> io::Result<Dialled>;
}

/// The machine's resolver and sockets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNetwork;

#[async_trait]
impl Network for SystemNetwork {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Dialled> {
        let stream = TcpStream::connect(address).await?;
        // A request is one write; waiting for more to send would only delay it.
        stream.set_nodelay(true)?;
        Ok(Dialled { local: stream.local_addr()?, peer: stream.peer_addr()?, io: Box::new(stream) })
    }
}

/// TLS to destinations: rustls with aws-lc-rs, HTTP/1.1 alone.
#[must_use]
pub fn tls(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// The certificate authorities that the machine trusts.
#[must_use]
pub fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's root certificates cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!("the system has no root certificates: deliveries to https destinations will fail");
    }
    roots
}

/// Dials for one destination.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) guard: Arc<Guard>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) allow_loopback: bool,
    /// How long it may take until the connection stands, TLS and all.
    pub(crate) limit: Duration,
}

impl Connector {
    async fn connect(self, url: Uri) -> Result<Stream, DialError> {
        let limit = self.limit;
        let deadline = Instant::now() + limit;
        tokio::time::timeout_at(deadline, self.connect_by(url, deadline))
            .await
            .unwrap_or(Err(DialError::TimedOut { limit }))
    }

    async fn connect_by(self, url: Uri, deadline: Instant) -> Result<Stream, DialError> {
        self.guard.check_url(&url, self.allow_loopback)?;
        let name = url.host().unwrap_or_default().trim_end_matches('.').to_owned();
        let addresses = self.addresses(&url, &name).await?;
        for address in &addresses {
            self.guard.check_dial(*address, self.allow_loopback)?;
        }
        let io = self.dial_one_of(&addresses, deadline).await?;
        if url.scheme_str() != Some("https") {
            return Ok(Stream::new(io));
        }
        let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server = ServerName::try_from(bare).map_err(|_| DialError::ServerName { host: name.clone() })?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let secured = connector.connect(server, io).await;
        Ok(Stream::new(Box::new(secured.map_err(|source| DialError::Tls { host: name, source })?)))
    }

    async fn addresses(&self, url: &Uri, name: &str) -> Result<Vec<SocketAddr>, DialError> {
        let port = host::port(url);
        if let Some(address) = host::literal(url) {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = self.network.resolve(name, port).await;
        let found = found.map_err(|source| DialError::Resolve { host: name.to_owned(), source })?;
        if found.is_empty() { Err(DialError::NoAddress { host: name.to_owned() }) } else { Ok(found) }
    }

    /// Tries one address after the other, each for its share of the time that is left.
    async fn dial_one_of(
        &self,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> Result<Box<dyn Io>, DialError> {
        let count = addresses.len().min(MOST_ADDRESSES);
        let mut failure = DialError::TimedOut { limit: self.limit };
        for (left, address) in (1..=count).rev().zip(addresses) {
            let time = deadline.saturating_duration_since(Instant::now());
            let share = time / u32::try_from(left).unwrap_or(u32::MAX);
            let source = match tokio::time::timeout(share, self.network.dial(*address)).await {
                Ok(Ok(dialled)) => {
                    self.guard.check_connected(dialled.local, dialled.peer, self.allow_loopback)?;
                    return Ok(dialled.io);
                }
                Ok(Err(source)) => source,
                Err(_) => io::ErrorKind::TimedOut.into(),
            };
            failure = DialError::Connect { address: *address, source };
        }
        Err(failure)
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(url).await.map(TokioIo::new) })
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The rules forbid it.
    #[error("the destination is not allowed")]
    Denied(#[from] Denied),
    /// The name could not be looked up.
    #[error("`{host}` could not be resolved")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's word.
        source: io::Error,
    },
    /// The name stands for nothing.
    #[error("`{host}` has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// The last address that was tried did not take the connection.
    #[error("no connection to {address}")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// The kernel's word.
        source: io::Error,
    },
    /// It took too long.
    #[error("no connection within {limit:?}")]
    TimedOut {
        /// How long it could have taken.
        limit: Duration,
    },
    /// The TLS handshake failed.
    #[error("no TLS with `{host}`")]
    Tls {
        /// The name.
        host: String,
        /// What went wrong.
        source: io::Error,
    },
    /// A certificate cannot be for this host.
    #[error("`{host}` is not a name that a certificate can have")]
    ServerName {
        /// The host.
        host: String,
    },
}

/// The stream that hyper speaks on, until it is cut.
///
/// hyper lets go of a connection when it next reads or writes. A peer that takes a connection and no more lets it do
/// neither, so an attempt that gives up cuts the stream itself.
pub(crate) struct Stream {
    io: Box<dyn Io>,
    cut: Cut,
    was_cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Cuts a stream. Whoever sends a request finds it among the extras of the connection.
#[derive(Debug, Clone)]
pub(crate) struct Cut(CancellationToken);

impl Cut {
    pub(crate) fn now(&self) {
        self.0.cancel();
    }
}

impl Stream {
    fn new(io: Box<dyn Io>) -> Self {
        let token = CancellationToken::new();
        Self { io, was_cut: Box::pin(token.clone().cancelled_owned()), cut: Cut(token) }
    }

    fn unless_cut<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut Box<dyn Io>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.was_cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        poll(Pin::new(&mut self.io), cx)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.cut.clone())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.unless_cut(cx, |io, cx| io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.unless_cut(cx, |io, cx| io.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_cut(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_cut(cx, AsyncWrite::poll_shutdown)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unless_cut(cx, |io, cx| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// A name with more addresses than this is a load balancer's; the first ones do.
const MOST_ADDRESSES: usize = 8;
