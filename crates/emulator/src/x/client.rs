//! The platform's sending side: connections to webhooks that are kept, TLS, and what can go wrong.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::options::Options;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The certificate, or anything else about TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// Nobody is there.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The connection ended first.
    #[error("the connection broke off: {0}")]
    BrokeOff(String),
    /// It took too long.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The answer is too long to be one.
    #[error("the answer is over 64 KiB")]
    TooLong,
}

/// Sends to webhooks.
#[derive(Debug, Clone)]
pub(super) struct HookClient(legacy::Client<Connector, Full<Bytes>>);

impl HookClient {
    pub(super) fn new(options: &Options) -> Self {
        let connector =
            Connector { connect_to: options.connect_to.clone().into(), tls: tls(options.roots.clone()) };
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(options.delivery.connections.max(1))
            .build(connector);
        Self(client)
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn send(
        &self,
        request: Request<Bytes>,
        within: Duration,
    ) -> Result<Response<Bytes>, Fault> {
        let exchange = async {
            let response = self.0.request(request.map(Full::new)).await.map_err(|error| fault(&error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MOST_ANSWER).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    Fault::TooLong
                } else {
                    Fault::BrokeOff(error.to_string())
                }
            })?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(within, exchange).await.unwrap_or(Err(Fault::TimedOut(within)))
    }
}

/// What hyper's error means to X.
fn fault(error: &legacy::Error) -> Fault {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    let mut words = error.to_string();
    while let Some(inner) = cause {
        if let Some(fault) = inner.downcast_ref::<Fault>() {
            return fault.clone();
        }
        words = inner.to_string();
        cause = inner.source();
    }
    if error.is_connect() { Fault::Unreachable(words) } else { Fault::BrokeOff(words) }
}

fn tls(roots: Option<RootCertStore>) -> Arc<ClientConfig> {
    let roots = roots.unwrap_or_else(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    });
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[derive(Debug, Clone)]
struct Connector {
    connect_to: Arc<[(String, SocketAddr)]>,
    tls: Arc<ClientConfig>,
}

impl Connector {
    async fn connect(self, url: Uri) -> Result<TokioIo<Stream>, Fault> {
        let unreachable = |error: std::io::Error| Fault::Unreachable(error.to_string());
        // A literal IPv6 address stands in brackets in a URL and without them in an address.
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let secure = url.scheme_str() == Some("https");
        let elsewhere = self.connect_to.iter().find(|(name, _)| name.eq_ignore_ascii_case(&host));
        let stream = match elsewhere {
            Some((_, address)) => TcpStream::connect(address).await,
            None => {
                let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
                TcpStream::connect((host.as_str(), port)).await
            }
        }
        .map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        if !secure {
            return Ok(TokioIo::new(Stream(Box::new(stream))));
        }
        let name = ServerName::try_from(host).map_err(|error| Fault::Tls(error.to_string()))?;
        let secured = TlsConnector::from(self.tls).connect(name, stream).await;
        // A peer that goes away in the handshake is gone, which is no word about its certificate.
        let secured = secured.map_err(|error| match error.get_ref() {
            Some(inner) if inner.is::<rustls::Error>() => Fault::Tls(inner.to_string()),
            _ => Fault::BrokeOff(error.to_string()),
        })?;
        Ok(TokioIo::new(Stream(Box::new(secured))))
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Fault>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        Box::pin(self.clone().connect(url))
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// With or without TLS.
struct Stream(Box<dyn Io>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The longest answer that is read.
const MOST_ANSWER: usize = 64 * 1024;

/// How long a connection is kept without a request.
const IDLE: Duration = Duration::from_secs(4);
