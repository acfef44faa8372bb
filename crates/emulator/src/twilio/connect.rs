//! A connection to where a URL leads: TCP, and TLS where the URL asks for it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::story::Finding;
use super::url::WebhookUrl;

/// A byte stream in both directions.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Connects to a URL's host, or to `via` in its place: there a proxy would have ended TLS already.
pub(super) async fn connect(
    url: &WebhookUrl,
    via: Option<&str>,
    tls: &Arc<ClientConfig>,
    limit: Duration,
    deadline: Instant,
) -> Result<Box<dyn Io>, Failure> {
    let until = deadline.min(Instant::now() + limit);
    let connected = async {
        if let Some(via) = via {
            return Ok(Box::new(dial(via.to_owned(), TcpStream::connect(via)).await?) as Box<dyn Io>);
        }
        let (host, port) = (url.host(), url.port());
        let address = format!("{host}:{port}");
        let addresses = tokio::net::lookup_host((host, port))
            .await
            .map_err(|source| Failure::Resolve { host: host.to_owned(), source })?
            .collect::<Vec<_>>();
        let stream = dial(address, TcpStream::connect(addresses.as_slice())).await?;
        if !url.scheme().is_secure() {
            return Ok(Box::new(stream) as Box<dyn Io>);
        }
        let failed = |source| Failure::Tls { host: host.to_owned(), source };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(failed)?;
        Ok(Box::new(stream) as Box<dyn Io>)
    };
    tokio::time::timeout_at(until, connected).await.unwrap_or(Err(Failure::ConnectTimedOut(limit)))
}

async fn dial(
    address: String,
    connecting: impl Future<Output = io::Result<TcpStream>>,
) -> Result<TcpStream, Failure> {
    let stream = match connecting.await {
        Ok(stream) => stream,
        Err(source) => return Err(Failure::Connect { address, source }),
    };
    // A frame of audio is one small write; waiting for more to send would only delay it. Where it cannot be set, it
    // only goes slower.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("`{host}` could not be resolved: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("no connection to {address}: {source}")]
    Connect { address: String, source: io::Error },
    #[error("no connection within {}", Milliseconds(*.0))]
    ConnectTimedOut(Duration),
    #[error("no TLS with `{host}`: {source}")]
    Tls { host: String, source: io::Error },
    #[error("nothing came for {}", Milliseconds(*.0))]
    ReadTimedOut(Duration),
    #[error("no complete answer within {}", Milliseconds(*.0))]
    TotalTimedOut(Duration),
    #[error("the answer is no HTTP: {0}")]
    Malformed(hyper::Error),
    #[error("the connection broke off before the answer was complete: {0}")]
    BrokeOff(hyper::Error),
    #[error("more than {0} redirects")]
    RedirectsWithoutEnd(usize),
    #[error("the request cannot be sent: {0}")]
    Unsendable(String),
}

impl Failure {
    pub(super) fn of_http(error: hyper::Error) -> Self {
        if error.is_parse() { Self::Malformed(error) } else { Self::BrokeOff(error) }
    }

    /// Whether there was no connection to speak over, which `rp=ct` tries again.
    pub(super) fn is_connect(&self) -> bool {
        matches!(
            self,
            Self::Resolve { .. } | Self::Connect { .. } | Self::ConnectTimedOut(_) | Self::Tls { .. }
        )
    }

    /// Whether there was a connection and no answer, which `rp=rt` tries again.
    pub(super) fn is_read(&self) -> bool {
        matches!(self, Self::ReadTimedOut(_) | Self::BrokeOff(_))
    }

    /// What Twilio's debugger would say.
    pub(super) fn finding(&self) -> Finding {
        Finding::error(self.code(), format!("{self}."))
    }

    fn code(&self) -> u32 {
        match self {
            Self::Resolve { .. } => 11210,
            Self::Connect { .. }
            | Self::ConnectTimedOut(_)
            | Self::ReadTimedOut(_)
            | Self::TotalTimedOut(_) => 11205,
            Self::Tls { source, .. } => tls_code(source),
            Self::Malformed(_) => 11206,
            Self::BrokeOff(_) => 11200,
            Self::RedirectsWithoutEnd(_) => 11215,
            Self::Unsendable(_) => 11100,
        }
    }
}

/// Which of Twilio's TLS errors it is.
fn tls_code(error: &io::Error) -> u32 {
    let cause = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => 11235,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => 11236,
            CertificateError::UnknownIssuer => 11237,
            _ => 11220,
        },
        _ => 11220,
    }
}

struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0.as_millis())
    }
}
