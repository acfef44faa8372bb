//! HTTPS to an authority: a connection for each request, bounded in time and size.
//!
//! An order is a dozen requests every few weeks; there is nothing to pool.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls::pair;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// More than any answer.
const MOST: usize = 1 << 20;

type Failed = Box<dyn StdError + Send + Sync>;

/// Speaks to an authority.
#[derive(Clone)]
pub(super) struct Client {
    tls: Arc<ClientConfig>,
    /// How long the authority last wanted to be left alone.
    wanted: Arc<Mutex<Option<Duration>>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// # Errors
    /// When the library has no TLS to offer.
    pub(super) fn new(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let mut tls = ClientConfig::builder_with_provider(Arc::new(pair::provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: Arc::new(tls), wanted: Arc::default() })
    }

    /// How long the authority wants to be left alone, if it said so since the last time.
    pub(super) fn take_wanted(&self) -> Option<Duration> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<Response<Full<Bytes>>, Failed> {
        let answer = tokio::time::timeout(PATIENCE, exchange(Arc::clone(&self.tls), request)).await;
        let response = answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let seconds =
                response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = seconds.map(Duration::from_secs);
        }
        Ok(response)
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let sent = self.clone().send(request);
        Box::pin(async move { sent.await.map(BytesResponse::from).map_err(Error::Other) })
    }
}

async fn exchange(
    tls: Arc<ClientConfig>,
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<Response<Full<Bytes>>, Failed> {
    let url = request.uri().clone();
    if url.scheme_str() != Some("https") {
        return Err(format!("`{url}` is not https").into());
    }
    let host = url.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let socket = TcpStream::connect((bare.as_str(), url.port_u16().unwrap_or(443))).await?;
    let socket = TlsConnector::from(tls).connect(ServerName::try_from(bare)?, socket).await?;

    let authority = url.authority().map_or(host, |authority| authority.as_str());
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority)?);
    *request.uri_mut() = url.path_and_query().map_or("/", |target| target.as_str()).parse::<Uri>()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let asking = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MOST).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, Full::new(body)))
    };
    let (mut asking, mut connection, mut open) = (pin!(asking), pin!(connection), true);
    loop {
        tokio::select! {
            answer = asking.as_mut() => return answer,
            // What it ended with is in the answer, or is why there is none.
            _ = connection.as_mut(), if open => open = false,
        }
    }
}
