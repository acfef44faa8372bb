//! What an authority's probes are answered with, while it probes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::answer::Reply;
use crate::tls::{front, pair};

/// The protocol that a probe asks for, and nobody else (RFC 8737 section 6.2).
const PROTOCOL: &[u8] = b"acme-tls/1";

/// Where a probe asks (RFC 8555 section 8.3).
const PATH: &str = "/.well-known/acme-challenge/";

/// The answers that are ready.
#[derive(Default)]
pub(crate) struct Challenges {
    /// By token.
    http: RwLock<HashMap<String, String>>,
    /// By name.
    tls: RwLock<HashMap<String, Arc<ServerConfig>>>,
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenges").finish_non_exhaustive()
    }
}

/// An answer that is ready until this is dropped.
#[derive(Debug)]
pub(crate) struct Ready {
    challenges: Arc<Challenges>,
    token: Option<String>,
    name: Option<String>,
}

impl Challenges {
    /// Answers the path of a token with this text.
    pub(crate) fn serve_http(self: &Arc<Self>, token: &str, answer: &str) -> Ready {
        let mut http = self.http.write().unwrap_or_else(PoisonError::into_inner);
        http.insert(token.to_owned(), answer.to_owned());
        Ready { challenges: Arc::clone(self), token: Some(token.to_owned()), name: None }
    }

    /// Shows whoever probes this name a certificate with the digest in it (RFC 8737 section 3).
    ///
    /// # Errors
    /// When such a certificate cannot be made, in words.
    pub(crate) fn serve_tls(self: &Arc<Self>, name: &str, digest: &[u8]) -> Result<Ready, String> {
        let config = probe_config(name, digest)?;
        let mut tls = self.tls.write().unwrap_or_else(PoisonError::into_inner);
        tls.insert(name.to_ascii_lowercase(), Arc::new(config));
        Ok(Ready { challenges: Arc::clone(self), token: None, name: Some(name.to_ascii_lowercase()) })
    }

    /// The answer to a request, where it is a probe for a token that is being asked for. The host is not looked at: the
    /// token says it all.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Option<Reply> {
        let token = request.uri().path().strip_prefix(PATH).filter(|_| request.method() == Method::GET)?;
        let text = self.http.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()?;
        let mut reply = Response::new(Full::new(Bytes::from(text)));
        let kind = HeaderValue::from_static("application/octet-stream");
        reply.headers_mut().insert(CONTENT_TYPE, kind);
        Some(reply)
    }

    /// What a probe is to be shown; `None` for everybody else.
    pub(crate) fn for_probe(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut protocols = hello.alpn()?;
        if protocols.next() != Some(PROTOCOL) || protocols.next().is_some() {
            return None;
        }
        let name = hello.server_name()?.to_ascii_lowercase();
        self.tls.read().unwrap_or_else(PoisonError::into_inner).get(&name).map(Arc::clone)
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            self.challenges.http.write().unwrap_or_else(PoisonError::into_inner).remove(token);
        }
        if let Some(name) = &self.name {
            self.challenges.tls.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
    }
}

/// One certificate for whoever asks.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn probe_config(name: &str, digest: &[u8]) -> Result<ServerConfig, String> {
    let make = || -> Result<(Vec<u8>, Vec<u8>), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        Ok((params.self_signed(&key)?.der().to_vec(), key.serialize_der()))
    };
    let (certificate, key) = make().map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::try_from(key).map_err(ToOwned::to_owned)?;
    // Not the constructor that holds the key against the certificate: it refuses the critical extension, which is what
    // this certificate is for (RFC 8737 section 3).
    let key = pair::provider().key_provider.load_private_key(key).map_err(|error| error.to_string())?;
    let certified = CertifiedKey::new(vec![certificate.into()], key);
    let mut config =
        front::config(Arc::new(Always(Arc::new(certified)))).map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}
