//! The way that a provider comes: name, connection, certificate. Each step is seen by itself, so that what is wrong
//! can be told apart.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hookhouse_delivery::connect::Io;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a step may take.
pub(super) const STEP: Duration = Duration::from_secs(5);

/// The longest answer that is looked at.
const LONGEST: usize = 16 * 1024;

/// A name with more addresses than this is a load balancer's; the first ones do.
const MOST_ADDRESSES: usize = 8;

/// What a provider dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) secure: bool,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Host and port as the URL has them.
    pub(super) authority: String,
}

impl Origin {
    /// Of a URL that is whole.
    pub(super) fn of(url: &Uri) -> Option<Self> {
        let secure = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = url.authority()?;
        let without_user = authority.as_str().rsplit('@').next().unwrap_or_default();
        Some(Self {
            secure,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: without_user.to_owned(),
        })
    }

    /// Looks the name up.
    pub(super) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let looked = timeout(STEP, tokio::net::lookup_host((self.host.as_str(), self.port))).await;
        let found = looked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in found {
            if !addresses.contains(&address) && addresses.len() < MOST_ADDRESSES {
                addresses.push(address);
            }
        }
        if addresses.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(addresses) }
    }

    /// Says hello to what answers there, as a client that trusts what the machine trusts.
    pub(super) async fn handshake(&self, stream: TcpStream, trust: &Trust) -> Handshake {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let outcome = async {
            let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
            let config = trust.config(&seen).map_err(io::Error::other)?;
            let connecting = TlsConnector::from(config).connect(name, stream);
            timeout(STEP, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        };
        let outcome = outcome.await.map(|stream| Box::new(stream) as Box<dyn Io>);
        let chain = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        Handshake { outcome, chain }
    }

    /// A connection that requests can go over.
    pub(super) async fn open(&self, trust: &Trust) -> io::Result<Box<dyn Io>> {
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for address in self.resolve().await? {
            match connect(address).await {
                Ok(stream) if self.secure => return self.handshake(stream, trust).await.outcome,
                Ok(stream) => return Ok(Box::new(stream)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Sends one request there and looks at the beginning of the answer. No redirect is followed.
    pub(super) async fn ask(&self, request: Request<Full<Bytes>>, trust: &Trust) -> anyhow::Result<Answered> {
        let work = async {
            let io = self.open(trust).await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
            let mut driver = JoinSet::new();
            driver.spawn(connection);
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, LONGEST).collect().await.map(|body| body.to_bytes());
            // A long answer is somebody else's page; what it says does not matter then.
            Ok(Answered { status: head.status, headers: head.headers, body: body.unwrap_or_default() })
        };
        timeout(STEP * 2, work).await.map_err(|_| anyhow::anyhow!("no answer within {:?}", STEP * 2))?
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

/// Connects to one address.
pub(super) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    timeout(STEP, TcpStream::connect(address)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whether an address is this machine's own: only then can a socket be bound to it.
pub(super) fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Whether the internet has no way to an address.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            // 100.64.0.0/10 is shared address space (RFC 6598).
            let shared = matches!(v4.octets(), [100, 64..=127, ..]);
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || shared
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    }
}

/// What a handshake came to.
pub(super) struct Handshake {
    pub(super) outcome: io::Result<Box<dyn Io>>,
    /// What the other side showed, good or not.
    pub(super) chain: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

/// The beginning of an answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The authorities that the machine trusts.
#[derive(Debug, Clone)]
pub(super) struct Trust(Arc<RootCertStore>);

impl Trust {
    pub(super) fn system() -> Self {
        Self(Arc::new(hookhouse_delivery::connect::system_roots()))
    }

    fn config(&self, seen: &Arc<Mutex<Vec<CertificateDer<'static>>>>) -> anyhow::Result<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.0), Arc::clone(&provider))
            .build()?;
        let verifier = Arc::new(Witness { inner, seen: Arc::clone(seen) });
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Notes what was shown, and leaves the judgement to whoever always judges.
#[derive(Debug)]
struct Witness {
    inner: Arc<WebPkiServerVerifier>,
    seen: Arc<Mutex<Vec<CertificateDer<'static>>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            chain.map(|certificate| certificate.clone().into_owned()).collect();
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_the_internet_cannot_reach() {
        for (address, expected) in [
            ("10.1.2.3", true),
            ("100.64.0.1", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("fd00::1", true),
            ("::ffff:192.168.0.1", true),
            ("203.0.113.7", false),
            ("100.128.0.1", false),
            ("2606:4700::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), expected, "{address}");
        }
        assert!(is_own(IpAddr::from([127, 0, 0, 1])) && !is_own(IpAddr::from([203, 0, 113, 7])));
    }

    #[test]
    fn an_origin_is_what_is_dialled() {
        let of = |url: &'static str| Origin::of(&Uri::from_static(url));
        let origin = of("https://user:hush@hooks.example.com:8443/x").unwrap();
        assert_eq!((origin.host.as_str(), origin.port), ("hooks.example.com", 8443));
        assert_eq!(origin.to_string(), "hooks.example.com:8443");
        assert_eq!(
            of("http://[::1]/").map(|origin| (origin.host, origin.port)),
            Some(("::1".to_owned(), 80))
        );
        assert_eq!(of("/x"), None);
    }
}
