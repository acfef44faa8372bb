//! A client that speaks TLS, and knows whom it trusts.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ProtocolVersion, RootCertStore, SignatureScheme,
    StreamOwned, SupportedCipherSuite,
};

use super::{Answer, PATIENCE};

/// A client that trusts one authority.
#[derive(Debug, Clone)]
pub struct Outside {
    config: Arc<ClientConfig>,
}

/// A connection over TLS.
#[derive(Debug)]
pub struct Secure {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Outside {
    /// Trusts the authority with this certificate, in PEM.
    #[must_use]
    pub fn trusting(authority: &str) -> Self {
        Self::with(authority, rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES)
    }

    /// Knows TLS 1.2 and certificates with keys of one kind alone (`RSA`, `ECDSA`), as old clients do: there a suite says
    /// which.
    #[must_use]
    pub fn knowing(authority: &str, kind: &str) -> Self {
        let all = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES.iter().copied();
        let mark = format!("TLS_ECDHE_{kind}_");
        let suites: Vec<_> = all.filter(|suite| format!("{:?}", suite.suite()).starts_with(&mark)).collect();
        Self::with(authority, &suites)
    }

    /// Trusts whoever answers, to see who does.
    #[must_use]
    pub fn credulous() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous(provider)))
            .with_no_client_auth();
        Self { config: Arc::new(config) }
    }

    fn with(authority: &str, suites: &[SupportedCipherSuite]) -> Self {
        let mut roots = RootCertStore::empty();
        for der in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            roots.add(der.expect("it is PEM")).expect("it is a certificate");
        }
        let provider = CryptoProvider {
            cipher_suites: suites.to_vec(),
            ..rustls::crypto::aws_lc_rs::default_provider()
        };
        let versions: Vec<_> = rustls::ALL_VERSIONS
            .iter()
            .copied()
            .filter(|version| suites.iter().any(|suite| suite.version().version == version.version))
            .collect();
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions)
            .expect("there are suites for them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.enable_early_data = true;
        Self { config: Arc::new(config) }
    }

    /// Connects, and makes the handshake. An address for a name is asked for without one (SNI has names alone).
    ///
    /// # Errors
    /// When there is no connection, or the handshake fails.
    pub fn connect(&self, address: SocketAddr, name: &str) -> io::Result<Secure> {
        let socket = TcpStream::connect(address)?;
        self.speak(socket, name)
    }

    /// Makes the handshake on a connection that stands.
    ///
    /// # Errors
    /// When it fails.
    pub fn speak(&self, mut socket: TcpStream, name: &str) -> io::Result<Secure> {
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let mut client = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        client.complete_io(&mut socket)?;
        Ok(Secure { stream: StreamOwned::new(client, socket) })
    }

    /// Sends one request on a connection of its own, which it closes.
    pub fn ask(&self, address: SocketAddr, name: &str, request: &[u8]) -> Answer {
        let mut secure = self.connect(address, name).expect("the handshake succeeds");
        secure.exchange(request).expect("the server answers")
    }
}

impl Secure {
    /// Sends a request, and reads the answer. The connection goes on.
    ///
    /// # Errors
    /// When it breaks.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).map_err(io::Error::other)?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {head:?}")))?;
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length: usize =
            answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        answer.body = vec![0; length];
        self.stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    /// The certificate that the server showed.
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        let chain = self.stream.conn.peer_certificates().expect("a handshake shows certificates");
        chain.first().expect("a chain is not empty").to_vec()
    }

    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.stream.conn.protocol_version().expect("the handshake is done")
    }

    /// Whether the server would have taken data before the handshake, had it come back to a session.
    #[must_use]
    pub fn takes_early_data(&self) -> bool {
        self.stream.conn.is_early_data_accepted()
    }

    /// How the handshake went: in full, or by a ticket of one before.
    #[must_use]
    pub fn handshake(&self) -> rustls::HandshakeKind {
        self.stream.conn.handshake_kind().expect("the handshake is done")
    }
}

/// Takes any certificate, and checks that its key is there.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The certificate that comes first in PEM.
#[must_use]
pub fn leaf(chain: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(chain.as_bytes()).expect("it is PEM").to_vec()
}
