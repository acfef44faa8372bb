//! The handshake: bounded in time and number, before a byte of HTTP.
//!
//! TLS 1.2 and 1.3 with the AEAD suites of Mozilla's intermediate profile (<https://wiki.mozilla.org/Security/Server_Side_TLS>,
//! read 2026-11-22) in its order, ours rather than the client's. Tickets are encrypted under keys that rotate every six
//! hours. No early data: it can be replayed. No client certificates, no compression, no renegotiation: rustls has none.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{Ticketer, cipher_suite};
use rustls::server::{Acceptor, ClientHello};
use rustls::{PeerIncompatible, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::acme::Challenges;
use super::keyring::Keyring;
use super::pair;
use crate::sparse::Sparse;

/// How long a handshake may take, from the first byte of the connection on.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What a listener with TLS needs for each connection.
#[derive(Debug)]
pub(crate) struct Front {
    config: Arc<ServerConfig>,
    keyring: Arc<Keyring>,
    /// Where an authority's probes are answered, if one is asked for certificates.
    challenges: Option<Arc<Challenges>>,
    /// Handshakes under way, on all listeners.
    room: Arc<Semaphore>,
    unknown: Sparse,
    full: Sparse,
    slow: Sparse,
    plain: Sparse,
}

/// How many handshakes may be under way where so many connections may be open: whoever only begins them leaves room for
/// those who are done.
pub(crate) fn room(connections: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new((connections - connections / 4).clamp(1, Semaphore::MAX_PERMITS)))
}

impl Front {
    /// # Errors
    /// When the system has no random numbers for the keys of tickets.
    pub(crate) fn new(
        keyring: Arc<Keyring>,
        challenges: Option<Arc<Challenges>>,
        room: Arc<Semaphore>,
    ) -> Result<Self, rustls::Error> {
        let mut config = config(Arc::clone(&keyring) as Arc<_>)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Ticketer::new()?;
        Ok(Self {
            config: Arc::new(config),
            keyring,
            challenges,
            room,
            unknown: Sparse::default(),
            full: Sparse::default(),
            slow: Sparse::default(),
            plain: Sparse::default(),
        })
    }

    /// Makes the handshake. `None` where there is nothing to serve: it failed, took too long, was one too many, or was an
    /// authority's probe, which is done with it.
    pub(crate) async fn accept<IO>(&self, io: IO, peer: IpAddr) -> Option<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(_under_way) = self.room.try_acquire() else {
            if let Some(others) = self.full.may_speak() {
                tracing::warn!(event = "conn.limit", %peer, others, "closed: too many handshakes");
            }
            return None;
        };
        match timeout_at(Instant::now() + PATIENCE, self.handshake(io, peer)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let reason = reason(&error);
                match (reason == NO_TLS).then(|| self.plain.may_speak()).flatten() {
                    Some(others) => tracing::info!(
                        event = "tls.failed", %peer, reason, others,
                        "plain HTTP, or a PROXY preamble where `proxy_protocol` is off"
                    ),
                    None => tracing::debug!(event = "tls.failed", %peer, reason, %error),
                }
                None
            }
            Err(_) => {
                if let Some(others) = self.slow.may_speak() {
                    tracing::info!(event = "tls.handshake_timeout", %peer, others, "closed");
                }
                None
            }
        }
    }

    async fn handshake<IO>(&self, io: IO, peer: IpAddr) -> io::Result<Option<TlsStream<IO>>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), io).await?;
        let hello = begun.client_hello();
        if let Some(probe) = self.challenges.as_ref().and_then(|challenges| challenges.for_probe(&hello)) {
            // RFC 8737 section 3: the handshake is all there is to it.
            begun.into_stream(probe).await?;
            return Ok(None);
        }
        self.note_name(&hello, peer);
        begun.into_stream(Arc::clone(&self.config)).await.map(Some)
    }

    /// Says that a client asks for a name that is nobody's, or for none: it gets the first certificate.
    fn note_name(&self, hello: &ClientHello<'_>, peer: IpAddr) {
        let name = hello.server_name();
        let shown = !self.keyring.pairs().is_empty();
        if !shown || name.is_some_and(|name| self.keyring.covers(name)) {
            return;
        }
        if let Some(others) = self.unknown.may_speak() {
            let name = name.unwrap_or_default();
            tracing::info!(event = "tls.sni", %peer, name, others, "no certificate for this name: the first is shown");
        }
    }
}

/// A configuration for everybody who asks `resolver`.
pub(super) fn config(
    resolver: Arc<dyn rustls::server::ResolvesServerCert>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = CryptoProvider { cipher_suites: SUITES.to_vec(), ..pair::provider() };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.ignore_client_order = true;
    config.max_early_data_size = 0;
    Ok(config)
}

/// Mozilla's intermediate profile without its DHE suites, which AWS-LC's rustls provider does not have.
const SUITES: &[rustls::SupportedCipherSuite] = &[
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// What came is no TLS.
const NO_TLS: &str = "not_tls";

/// Why a handshake failed, as a word.
fn reason(error: &io::Error) -> &'static str {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return if error.kind() == io::ErrorKind::UnexpectedEof { "hung_up" } else { "connection" };
    };
    match error {
        rustls::Error::PeerIncompatible(why) => match why {
            PeerIncompatible::NoCipherSuitesInCommon => "no_cipher",
            PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => {
                "no_group"
            }
            PeerIncompatible::NoSignatureSchemesInCommon => "no_signature",
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled => "version",
            _ => "incompatible",
        },
        rustls::Error::AlertReceived(_) => "alert",
        rustls::Error::InvalidMessage(_) => NO_TLS,
        rustls::Error::NoApplicationProtocol => "no_protocol",
        rustls::Error::General(_) => "no_certificate",
        _ => "broken",
    }
}
