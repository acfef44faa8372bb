//! Calls a webhook's public URL as X would, before X does.
//!
//! X invalidates a webhook at once after a redirect, a bad certificate or a wrong token, and is patient with everything
//! else. So our own challenge goes first, the whole way round: name, proxy, certificate, endpoint.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD};
use hookhouse_core::Clock;
use hookhouse_verify::Secret;
use hookhouse_verify::x::{self, OAUTH2_SIGNATURE_HEADER, SIGNATURE_HEADER};
use http::{Request, Uri, header};
use http_body_util::Full;
use rand::Rng;
use tokio::time::Instant;

use crate::problem::short;
use crate::transport::{Answer, Bounds, Target, Transport, TransportError};

/// Whether a webhook's URL answers as X wants it.
#[async_trait]
pub trait Prober: fmt::Debug + Send + Sync + 'static {
    /// Challenges the URL.
    async fn probe(&self, url: &str) -> Result<Probed, ProbeFault>;
}

/// A challenge that was answered rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    /// How long it took.
    pub took: Duration,
}

/// The secret that a challenge is signed with, and its answer must be made with.
#[derive(Debug, Clone)]
pub struct ProbeKey {
    /// The secret.
    pub secret: Secret,
    /// Whether it is the OAuth 2.0 client secret rather than the consumer secret.
    pub oauth2: bool,
}

/// Challenges over the network, from here.
#[derive(Debug)]
pub struct CrcProber {
    transport: Transport,
    key: ProbeKey,
    clock: Arc<dyn Clock>,
}

impl CrcProber {
    /// A prober that knows the secret of the endpoint.
    #[must_use]
    pub fn new(transport: Transport, key: ProbeKey, clock: Arc<dyn Clock>) -> Self {
        Self { transport, key, clock }
    }

    /// A token and a nonce as X makes them: base64 of a UUID, and of the time in milliseconds.
    fn challenge(&self) -> (String, String) {
        let random: u128 = rand::rng().random();
        let hex = format!("{random:032x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        let uuid =
            format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32));
        let now = self.clock.now().as_millisecond().to_string();
        (BASE64.encode(uuid.as_bytes()), BASE64_NOPAD.encode(now.as_bytes()))
    }
}

#[async_trait]
impl Prober for CrcProber {
    async fn probe(&self, url: &str) -> Result<Probed, ProbeFault> {
        let uri: Uri = url.parse().map_err(|_| ProbeFault::Malformed)?;
        let host = uri.host().ok_or(ProbeFault::Malformed)?.to_owned();
        let secure = uri.scheme_str() == Some("https");
        let (token, nonce) = self.challenge();
        let own = uri.query().map(|query| format!("{query}&")).unwrap_or_default();
        let query = format!("{own}crc_token={token}&nonce={nonce}");
        let name = if self.key.oauth2 { OAUTH2_SIGNATURE_HEADER } else { SIGNATURE_HEADER };
        let request = Request::builder()
            .uri(format!("{}?{query}", uri.path()))
            .header(header::HOST, uri.authority().map_or("", |authority| authority.as_str()))
            .header(header::USER_AGENT, PROBE_AGENT)
            .header(header::ACCEPT_ENCODING, "identity")
            .header(name, x::sign_get(&self.key.secret, &query))
            .body(Full::new(Bytes::new()))
            .map_err(|_| ProbeFault::Malformed)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let target = Target {
            secure,
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            loopback_only: false,
            host: bare,
        };
        let begun = Instant::now();
        let answer =
            self.transport.exchange(&target, request, BOUNDS).await.map_err(ProbeFault::Unreachable)?;
        let took = begun.elapsed();
        let expected = x::crc_response(&self.key.secret, &token).map_err(|_| ProbeFault::Malformed)?;
        judge(&answer, &expected, took)
    }
}

fn judge(answer: &Answer, expected: &str, took: Duration) -> Result<Probed, ProbeFault> {
    let status = answer.status.as_u16();
    if answer.status.is_redirection() {
        let to = answer.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
        return Err(ProbeFault::Redirect { status, to: to.map(short) });
    }
    if status != 200 {
        return Err(ProbeFault::Status { status });
    }
    // A proxy may have laid the JSON out anew; X reads the value.
    let token = |body: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(body).ok()?;
        Some(value.get("response_token")?.as_str()?.to_owned())
    };
    let Some(given) = token(&answer.body) else { return Err(ProbeFault::NotAnAnswer) };
    if Some(given) != token(expected.as_bytes()) {
        return Err(ProbeFault::WrongToken);
    }
    if took > X_WAITS { Err(ProbeFault::Slow { took }) } else { Ok(Probed { took }) }
}

/// Why X would not be content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeFault {
    /// The URL cannot be called at all.
    #[error("the URL cannot be called")]
    Malformed,
    /// There was no answer.
    #[error("the URL could not be called from here")]
    Unreachable(#[source] TransportError),
    /// Something in the way redirects.
    #[error("the URL redirects with {status}{}", to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default())]
    Redirect {
        /// The status.
        status: u16,
        /// Where to.
        to: Option<String>,
    },
    /// Something in the way, or we ourselves, refused.
    #[error("the URL answered the challenge with {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// Whatever answered, it was not a challenge responder.
    #[error("the URL answered 200, but not with a `response_token`")]
    NotAnAnswer,
    /// It answers with another secret.
    #[error("the URL answered the challenge with a token of another secret")]
    WrongToken,
    /// It answers rightly and too late.
    #[error("the URL answered the challenge after {took:?}, and X waits for three seconds")]
    Slow {
        /// How long it took.
        took: Duration,
    },
}

impl ProbeFault {
    /// Whether X would invalidate the webhook at once for it.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Redirect { .. } | Self::NotAnAnswer | Self::WrongToken => true,
            Self::Unreachable(source) => {
                matches!(source, TransportError::Certificate { .. } | TransportError::Tls { .. })
            }
            Self::Malformed | Self::Status { .. } | Self::Slow { .. } => false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Malformed => "see `public_url` and the path of the source",
            Self::Unreachable(TransportError::Certificate { .. } | TransportError::Tls { .. }) => {
                "renew the certificate and serve its whole chain for this name"
            }
            Self::Unreachable(TransportError::Resolve { .. } | TransportError::NoAddress { .. }) => {
                "see the DNS records of the name"
            }
            Self::Unreachable(_) => {
                "see that the server runs, and that proxy and firewall let port 443 through"
            }
            Self::Redirect { .. } => {
                "take the redirect out of the proxy, for this path at least: X invalidates a webhook that redirects, and never \
                 follows"
            }
            Self::Status { status: 404 } => {
                "see that the proxy passes this path on as it is, to the server that has the source"
            }
            Self::Status { status: 401 | 403 } => {
                "let X through: no login, no address list and no firewall in front of this path; and the source's secret"
            }
            Self::Status { .. } => "see that the server runs, and what its log says",
            Self::NotAnAnswer => "see what answers there: the proxy itself, or another application",
            Self::WrongToken => {
                "see that the running server has the same consumer secret as this configuration, and reload it"
            }
            Self::Slow { .. } => "see what is slow on the way: a cold start, a tunnel, name resolution",
        }
    }

    /// The fault with its causes, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            line += &format!(": {inner}");
            cause = inner.source();
        }
        line
    }
}

/// What our challenges call themselves: they prove the way, and are no sign that X challenged.
pub const PROBE_AGENT: &str = "Hookhouse-Probe/1";

/// Longer than X waits, to tell slow from dead.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(8), body: 16 * 1024 };

/// X's deadline for a challenge.
const X_WAITS: Duration = Duration::from_secs(3);
