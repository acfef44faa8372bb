//! The request that a destination gets, made anew from the parts of the stored event.
//!
//! Kept: the method, the raw query, the body, and the end-to-end headers with their bytes. Left out, each for its
//! reason in `is_dropped`: what concerned the sender's connection alone, and what claims to be from Hookhouse or
//! from a proxy. Added: what Hookhouse knows, and the signatures that the destination asked for.
//!
//! A provider's own signature stays where nothing replaces it: the application may verify it once more. `Authorization`
//! stays too, because no source checks it yet; the credentials that Hookhouse checks itself must not travel on.

use bytes::Bytes;
use hookhouse_core::{AttemptNumber, Provenance, StoredEvent, Timestamp};
use hookhouse_verify::sign::{self, Draft, Signer};
use hookhouse_verify::verifier::SchemeError;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;

use crate::destination::{Destination, DestinationSigning};

/// Builds the request of one attempt.
///
/// `signer` is how the event's own provider signs, for destinations that want its signature made anew. An event whose
/// provider does not sign goes there as it came.
///
/// # Errors
/// When the event cannot be put into an HTTP request, or the signing secret is not in the scheme's form.
pub fn build(
    event: &StoredEvent,
    destination: &Destination,
    attempt: AttemptNumber,
    now: Timestamp,
    signer: Option<&Signer>,
) -> Result<Request<Full<Bytes>>, BuildError> {
    let record = event.record();
    let method = Method::from_bytes(record.request.method.as_bytes())
        .ok()
        // CONNECT would make a tunnel of the connection.
        .filter(|method| *method != Method::CONNECT)
        .ok_or(BuildError::Method)?;
    let mut url = join(&destination.url, record.request.query());
    let mut headers = end_to_end(event)?;
    match &destination.sign {
        None => {}
        Some(DestinationSigning::StandardWebhooks(secret)) => {
            let id = event.id().to_string();
            replace(&mut headers, sign::standard_webhooks(secret, &id, now, event.body())?)?;
        }
        Some(DestinationSigning::Provider(secret)) => {
            if let Some(signer) = signer {
                let content_type = headers.get(http::header::CONTENT_TYPE);
                let draft = Draft {
                    method: method.to_string(),
                    url,
                    content_type: content_type.and_then(|value| value.to_str().ok()).map(str::to_owned),
                    body: event.body().clone(),
                    id: event.id().to_string(),
                    now,
                };
                let signed = signer.sign(secret, &draft)?;
                replace(&mut headers, signed.headers)?;
                url = signed.url;
            }
        }
    }
    headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(EVENT_ID, text(&event.id().to_string()));
    headers.insert(SOURCE, text(record.source.as_str()));
    headers.insert(ATTEMPT, HeaderValue::from(attempt.0));
    headers.insert(VERIFIED, text(&vouched(&record.provenance)));
    if record.provenance.edited.is_some() {
        headers.insert(EDITED, HeaderValue::from_static("true"));
    }
    if !record.provenance.redacted.is_empty() {
        let kinds: Vec<_> = record.provenance.redacted.iter().map(|kind| kind.as_str()).collect();
        headers.insert(REDACTED, text(&kinds.join(", ")));
    }
    if let Some(peer) = record.peer {
        // An IPv4 address that arrived on a socket for both families is shown as one.
        headers.insert(FORWARDED_FOR, text(&peer.to_canonical().to_string()));
    }
    let mut request = Request::new(Full::new(event.body().clone()));
    *request.method_mut() = method;
    *request.uri_mut() = url.parse().map_err(|_| BuildError::Url)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Why an event cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The method is none, or one that is not for requests with an answer.
    #[error("the event's method cannot be sent on")]
    Method,
    /// The event's query does not fit into a URL.
    #[error("the destination's URL with the event's query is not a URL")]
    Url,
    /// A header that HTTP cannot carry.
    #[error("header `{name}` cannot be sent on")]
    Header {
        /// Its name.
        name: String,
    },
    /// The signature that the destination wants cannot be made.
    #[error("the request cannot be signed")]
    Sign(#[from] SchemeError),
}

/// The destination's URL with the event's raw query behind its own.
#[must_use]
pub fn join(url: &Uri, query: Option<&str>) -> String {
    let (scheme, authority) =
        (url.scheme_str().unwrap_or("http"), url.authority().map_or("", |a| a.as_str()));
    let path = if url.path().is_empty() { "/" } else { url.path() };
    let own = url.query().filter(|own| !own.is_empty());
    let queries = [own, query.filter(|query| !query.is_empty())];
    let queries: Vec<_> = queries.into_iter().flatten().collect();
    let mark = if queries.is_empty() { "" } else { "?" };
    format!("{scheme}://{authority}{path}{mark}{}", queries.join("&"))
}

fn end_to_end(event: &StoredEvent) -> Result<HeaderMap, BuildError> {
    let listed: Vec<String> = event.headers().all("connection").flat_map(connection_names).collect();
    let mut headers = HeaderMap::new();
    for (name, value) in event.headers().iter() {
        if is_dropped(name) || listed.iter().any(|listed| listed == name) {
            continue;
        }
        let unfit = || BuildError::Header { name: name.to_owned() };
        let value = HeaderValue::from_bytes(value).map_err(|_| unfit())?;
        headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?, value);
    }
    Ok(headers)
}

/// The names in a `Connection` field: hop-by-hop as well (RFC 9110 section 7.6.1).
pub fn connection_names(value: &[u8]) -> impl Iterator<Item = String> {
    value
        .split(|b| *b == b',')
        .filter_map(|name| std::str::from_utf8(name.trim_ascii()).ok())
        .map(str::to_ascii_lowercase)
}

/// Whether a field of the event stays behind.
///
/// An application behind CGI, WSGI or Rack finds `x_y` where it looks for `x-y` (RFC 3875 section 4.1.18), so that a sender
/// could speak for us with an underscore: such a name is judged by what it would be taken for.
#[must_use]
pub fn is_dropped(name: &str) -> bool {
    if name.contains('_') {
        let read = name.replace('_', "-");
        return is_dropped(&read) || read.starts_with("webhook-");
    }
    match name {
        // Said anew for this request: its host, its length, no expectation, no compressed answer.
        "host" | "content-length" | "expect" | "accept-encoding" => true,
        // Where the sender's request came through. Rebuilt from what is known.
        "forwarded" | "x-forwarded" | "x-real-ip" | "via" => true,
        _ => is_hop_by_hop(name) || name.starts_with("x-forwarded-") || name.starts_with("hookhouse-"),
    }
}

/// Whether a field is about one connection alone (RFC 9110 section 7.6.1), credentials for a proxy among them.
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
    )
}

/// Sets headers in the place of whatever has their names.
fn replace(headers: &mut HeaderMap, made: Vec<(String, String)>) -> Result<(), BuildError> {
    for (name, value) in made {
        let field = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(&value).ok());
        let Some((name, value)) = field else { return Err(BuildError::Header { name }) };
        headers.insert(name, value);
    }
    Ok(())
}

fn vouched(provenance: &Provenance) -> String {
    match (&provenance.scheme, &provenance.key) {
        (None, _) => "none".to_owned(),
        (Some(scheme), None) => scheme.to_string(),
        (Some(scheme), Some(key)) => format!("{scheme}; key={key}"),
    }
}

/// A text of our own as a header's value; what a header cannot carry becomes `_`.
fn text(text: &str) -> HeaderValue {
    let plain: String =
        text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '_' }).collect();
    HeaderValue::try_from(plain).expect("printable ASCII is a header value")
}

const EVENT_ID: HeaderName = HeaderName::from_static("hookhouse-event-id");
const SOURCE: HeaderName = HeaderName::from_static("hookhouse-source");
const ATTEMPT: HeaderName = HeaderName::from_static("hookhouse-attempt");
const VERIFIED: HeaderName = HeaderName::from_static("hookhouse-verified");
const EDITED: HeaderName = HeaderName::from_static("hookhouse-edited");
const REDACTED: HeaderName = HeaderName::from_static("hookhouse-redacted");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests;
