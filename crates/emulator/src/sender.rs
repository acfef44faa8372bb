//! A provider that sends: it signs an event as the real one does, posts it, and says what came back.
//!
//! One request is one HTTP/1.1 connection over plain TCP. `https://` targets are refused: they would need a
//! certificate store, and what a stand-in calls is on this machine or behind a tunnel.

mod challenge;
mod exchange;
mod tamper;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_verify::sign::{Draft, Signer};
use hookhouse_verify::verifier::SchemeError;
use hookhouse_verify::{Secret, sendgrid, twilio, x};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use jiff::Timestamp;

pub use challenge::{Challenge, CrcFault};
pub use tamper::Tamper;

use crate::fixtures::Rendered;

/// A provider's sending side, aimed at one endpoint.
#[derive(Clone)]
pub struct Sender {
    target: Uri,
    public_url: String,
    signing: Option<Signing>,
    timeout: Duration,
}

#[derive(Debug, Clone)]
struct Signing {
    signer: Signer,
    secret: Secret,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The status.
    pub status: StatusCode,
    /// The headers of the answer.
    pub headers: HeaderMap,
    /// The body of the answer.
    pub body: Bytes,
    /// From before the connection was made until the answer was complete.
    pub elapsed: Duration,
}

impl Sender {
    /// A sender that calls a URL, and signs nothing.
    ///
    /// # Errors
    /// When it is not an `http://` URL with a host.
    pub fn new(target: &str) -> Result<Self, TargetError> {
        let uri: Uri = target.parse().map_err(|_| TargetError::NotAUrl)?;
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(_)) => {}
            (Some("https"), _) => return Err(TargetError::Https),
            _ => return Err(TargetError::NotAUrl),
        }
        Ok(Self { public_url: uri.to_string(), target: uri, signing: None, timeout: TIMEOUT })
    }

    /// Signs with a scheme and its secret.
    #[must_use]
    pub fn signed_by(mut self, signer: Signer, secret: Secret) -> Self {
        self.signing = Some(Signing { signer, secret });
        self
    }

    /// The URL that the provider was told, where it is another than the one to call: schemes that sign the URL sign
    /// this one, and `Host` names its host.
    ///
    /// # Errors
    /// When it is not a URL with a host.
    pub fn known_as(mut self, public_url: &str) -> Result<Self, TargetError> {
        let uri: Uri = public_url.parse().map_err(|_| TargetError::NotAUrl)?;
        uri.authority().ok_or(TargetError::NotAUrl)?;
        self.public_url = public_url.to_owned();
        Ok(self)
    }

    /// How long an exchange may take, ten seconds by default.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Signs an event as of `now` and sends it; a tampered one is changed after it was signed.
    ///
    /// # Errors
    /// When it cannot be signed, or no complete answer comes.
    pub async fn send(
        &self,
        event: &Rendered,
        now: Timestamp,
        tamper: Option<Tamper>,
    ) -> Result<Sent, SendError> {
        exchange::exchange(&self.target, self.request(event, now, tamper)?, self.timeout).await
    }

    /// The request that [`Sender::send`] sends.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn request(
        &self,
        event: &Rendered,
        now: Timestamp,
        tamper: Option<Tamper>,
    ) -> Result<Request<Bytes>, SendError> {
        let draft = Draft {
            method: event.method.to_owned(),
            url: self.public_url.clone(),
            content_type: Some(event.content_type.to_owned()),
            body: event.body.clone(),
            id: event.id.clone(),
            now,
        };
        let (url, mut signature) = self.sign(&draft)?;
        let mut body = event.body.clone();
        match tamper {
            Some(Tamper::Body) => body = tamper::body(&body),
            Some(Tamper::Signature) => self.spoil(&mut signature),
            None => {}
        }
        let own = event.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signed = signature.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let content_type = [(header::CONTENT_TYPE.as_str(), event.content_type)];
        self.assemble(Method::POST, &url, content_type.into_iter().chain(own).chain(signed), body)
    }

    /// The URL to call and the headers that prove the request.
    fn sign(&self, draft: &Draft) -> Result<(String, Vec<(String, String)>), SendError> {
        let Some(signing) = &self.signing else { return Ok((draft.url.clone(), Vec::new())) };
        let signed = signing.signer.sign(&signing.secret, draft).map_err(SendError::Sign)?;
        Ok((signed.url, signed.headers))
    }

    /// Spoils the one header that is the signature; the others say when and with which key it was made.
    fn spoil(&self, headers: &mut [(String, String)]) {
        let Some(signing) = &self.signing else { return };
        let name = match &signing.signer {
            Signer::X => x::SIGNATURE_HEADER,
            Signer::XOauth2 => x::OAUTH2_SIGNATURE_HEADER,
            Signer::Twilio { .. } => twilio::SIGNATURE_HEADER,
            Signer::SendGrid => sendgrid::SIGNATURE_HEADER,
            Signer::Hmac(descriptor) => &descriptor.signature.header,
        };
        for (header, value) in headers {
            if header.eq_ignore_ascii_case(name) {
                *value = tamper::signature(value);
            }
        }
    }

    /// A request for the target's path, with the query of the URL that was signed and the `Host` of the public one.
    fn assemble<'a>(
        &self,
        method: Method,
        signed_url: &str,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
        body: Bytes,
    ) -> Result<Request<Bytes>, SendError> {
        let public: Uri = signed_url.parse().map_err(|_| SendError::Unsendable)?;
        let host = public.authority().map_or("", |a| a.as_str().rsplit('@').next().unwrap_or_default());
        let path = self.target.path();
        let target = public.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().map_err(|_| SendError::Unsendable)?;
        let host = HeaderValue::try_from(host).map_err(|_| SendError::Unsendable)?;
        request.headers_mut().insert(header::HOST, host);
        for (name, value) in headers {
            let name = HeaderName::try_from(name).map_err(|_| SendError::Unsendable)?;
            let value = HeaderValue::try_from(value).map_err(|_| SendError::Unsendable)?;
            // Replaced, not added: a signer says the event's id too where its scheme has a header for it.
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }
}

/// Without what URLs may hide: user names, passwords and queries.
impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("host", &self.target.host())
            .field("path", &self.target.path())
            .field("signing", &self.signing)
            .finish_non_exhaustive()
    }
}

/// Why a URL cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It has no scheme, no host, or a character that no URL has. It is not repeated: a password may be in it.
    #[error("not an http:// URL with a host")]
    NotAUrl,
    /// It needs TLS.
    #[error("https:// cannot be called from here: use the http:// address of the listener behind it")]
    Https,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The scheme could not sign the event.
    #[error("the event cannot be signed")]
    Sign(#[source] SchemeError),
    /// A header or the target cannot be part of an HTTP request.
    #[error("the signed event is not a request that HTTP can carry")]
    Unsendable,
    /// Nobody listens there.
    #[error("cannot connect to {address}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The connection broke off.
    #[error("the connection broke off before the answer was complete")]
    BrokeOff(#[source] hyper::Error),
    /// The answer did not come in time.
    #[error("no complete answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The answer is over 1 MiB.
    #[error("the body of the answer is over 1 MiB")]
    AnswerTooLarge,
}

/// X waits ten seconds for an answer, Twilio fifteen.
const TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
