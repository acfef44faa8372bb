//! One request, one answer, one connection: within a deadline and a size.
//!
//! The calls are few and far between, so nothing is kept open between them and no task runs beside the caller's. There
//! is no proxy from the environment, and a redirect is an answer like any other.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// The machine's sockets, and the authorities that are trusted.
#[derive(Clone, Default)]
pub struct Transport {
    /// Made when it is first needed: reading the system's certificates takes a while, and a stand-in needs none.
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) secure: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether only this machine's own addresses may be dialled.
    pub(crate) loopback_only: bool,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How long it may take and how much may come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) body: usize,
}

impl Transport {
    /// Trusts what the machine trusts.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// Trusts these authorities and no others.
    #[must_use]
    pub fn trusting(roots: RootCertStore) -> Self {
        Self { tls: Arc::new(OnceLock::from(client_config(roots))) }
    }

    pub(crate) async fn exchange(
        &self,
        target: &Target,
        request: Request<Full<Bytes>>,
        bounds: Bounds,
    ) -> Result<Answer, TransportError> {
        let deadline = Instant::now() + bounds.time;
        let work = async {
            let stream = dial(target, deadline).await?;
            if target.secure {
                let name = ServerName::try_from(target.host.clone())
                    .map_err(|_| TransportError::ServerName { host: target.host.clone() })?;
                let connector =
                    TlsConnector::from(Arc::clone(self.tls.get_or_init(|| client_config(system_roots()))));
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(|source| TransportError::tls(target.host.clone(), source))?;
                speak(stream, request, bounds.body).await
            } else {
                speak(stream, request, bounds.body).await
            }
        };
        tokio::time::timeout_at(deadline, work)
            .await
            .unwrap_or(Err(TransportError::TimedOut { limit: bounds.time }))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

async fn dial(target: &Target, deadline: Instant) -> Result<TcpStream, TransportError> {
    let host = target.host.as_str();
    let found = tokio::net::lookup_host((host, target.port))
        .await
        .map_err(|source| TransportError::Resolve { host: host.to_owned(), source })?;
    let addresses: Vec<SocketAddr> = found
        .filter(|address| !target.loopback_only || address.ip().to_canonical().is_loopback())
        .take(MOST_ADDRESSES)
        .collect();
    let mut failure = TransportError::NoAddress { host: host.to_owned() };
    for (left, address) in (1..=addresses.len()).rev().zip(&addresses) {
        // Each address gets its share of the time that is left.
        let time = deadline.saturating_duration_since(Instant::now());
        let share = time / u32::try_from(left).unwrap_or(u32::MAX);
        let source = match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(source)) => source,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        failure = TransportError::Connect { address: *address, source };
    }
    Err(failure)
}

async fn speak<S>(stream: S, request: Request<Full<Bytes>>, limit: usize) -> Result<Answer, TransportError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(TransportError::Broken)?;
    let exchange = pin!(async {
        let response = sender.send_request(request).await.map_err(TransportError::Broken)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return TransportError::TooLong { limit };
            }
            match error.downcast::<hyper::Error>() {
                Ok(error) => TransportError::Broken(*error),
                Err(_) => TransportError::TooLong { limit },
            }
        })?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    });
    let connection = pin!(connection);
    let mut exchange = exchange;
    // The connection is polled beside its one request. Where it ends first, what it read is still to be had.
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

fn client_config(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's root certificates cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!("the system has no root certificates: nothing can be called by https");
    }
    roots
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The name could not be looked up.
    #[error("`{host}` could not be resolved")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's word.
        source: io::Error,
    },
    /// The name stands for nothing that may be dialled.
    #[error("`{host}` has no address that may be called")]
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
    /// A certificate cannot be for this host.
    #[error("`{host}` is not a name that a certificate can have")]
    ServerName {
        /// The host.
        host: String,
    },
    /// The certificate is not good: expired, for another name, or from an authority that nobody knows.
    #[error("the certificate of `{host}` is not valid")]
    Certificate {
        /// The host.
        host: String,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The TLS handshake failed.
    #[error("no TLS with `{host}`")]
    Tls {
        /// The host.
        host: String,
        /// What went wrong.
        source: io::Error,
    },
    /// It took too long.
    #[error("no answer within {limit:?}")]
    TimedOut {
        /// How long it could have taken.
        limit: Duration,
    },
    /// The answer does not end.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
}

impl TransportError {
    fn tls(host: String, source: io::Error) -> Self {
        match source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(inner @ rustls::Error::InvalidCertificate(_)) => {
                Self::Certificate { host, source: inner.clone() }
            }
            _ => Self::Tls { host, source },
        }
    }
}

/// A name with more addresses than this is a load balancer's; the first ones do.
const MOST_ADDRESSES: usize = 8;

/// The longest head of an answer; a longer one is no answer.
const MOST_HEAD: usize = 64 * 1024;
