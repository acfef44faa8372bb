//! The opening handshake (RFC 6455 section 4), signed like any other request.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use bytes::Bytes;
use data_encoding::BASE64;
use hookhouse_verify::sign::Draft;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::twilio::connect::{Failure, connect};
use crate::twilio::exchange::{Times, drive};
use crate::twilio::session::Session;
use crate::twilio::story::Finding;
use crate::twilio::url::WebhookUrl;

/// What frames travel over.
pub(super) type Io = TokioIo<Upgraded>;

/// Opens a WebSocket at a URL.
pub(super) async fn open(session: &mut Session<'_>, url: &WebhookUrl) -> Result<Io, Finding> {
    let mut nonce = [0; 16];
    session.rng.fill_bytes(&mut nonce);
    let key = BASE64.encode(&nonce);
    let request = request(session, url, &key).map_err(|failure| failure.finding())?;
    let overrides = *url.overrides();
    let deadline = Instant::now() + overrides.total;
    let times = Times { read: overrides.read, total: overrides.total, deadline };
    let via = session.via(url);
    let io =
        connect(url, via, &session.twilio.tls, overrides.connect, deadline).await.map_err(|failure| {
            Finding::error(stream_code(&failure), format!("the stream does not open: {failure}."))
        })?;
    let refused = |why: String| Finding::error(31920, format!("the stream does not open: {why}."));
    let broken = |error: hyper::Error| refused(Failure::of_http(error).to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(broken)?;
    let agreed = async move {
        let response = times.wait(sender.send_request(request)).await.map_err(|e| refused(e.to_string()))?;
        let response = response.map_err(broken)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(format!(
                "the answer to the handshake is {}, not 101",
                response.status().as_u16()
            )));
        }
        if !agrees(response.headers(), &key) {
            return Err(refused("the answer to the handshake has a wrong Sec-WebSocket-Accept".to_owned()));
        }
        hyper::upgrade::on(response).await.map_err(broken)
    };
    drive(connection.with_upgrades(), agreed).await.map(TokioIo::new)
}

fn request(session: &Session<'_>, url: &WebhookUrl, key: &str) -> Result<Request<Empty<Bytes>>, Failure> {
    let unsendable = |error: &dyn std::fmt::Display| Failure::Unsendable(error.to_string());
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = url.request_target().parse().map_err(|e| unsendable(&e))?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::try_from(url.authority()).map_err(|e| unsendable(&e))?);
    headers.insert(header::USER_AGENT, HeaderValue::from_static("Twilio.TmeWs/1.0"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::try_from(key).map_err(|e| unsendable(&e))?);
    let Some((signer, secret)) = &session.twilio.signing else { return Ok(request) };
    let draft = Draft {
        method: "GET".to_owned(),
        url: url.to_string(),
        content_type: None,
        body: Bytes::new(),
        id: String::new(),
        now: session.now,
    };
    for (name, value) in signer.sign(secret, &draft).map_err(|e| unsendable(&e))?.headers {
        let name = HeaderName::try_from(name).map_err(|e| unsendable(&e))?;
        headers.insert(name, HeaderValue::try_from(value).map_err(|e| unsendable(&e))?);
    }
    Ok(request)
}

/// Whether the answer was made for this key (RFC 6455 section 4.2.2).
fn agrees(headers: &HeaderMap, key: &str) -> bool {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let expected = BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref());
    headers.get(header::SEC_WEBSOCKET_ACCEPT).is_some_and(|accept| accept.as_bytes() == expected.as_bytes())
}

/// What a missing connection is called where it is a stream's.
fn stream_code(failure: &Failure) -> u32 {
    match failure {
        Failure::Tls { .. } => 31910,
        Failure::Connect { .. } => 31902,
        _ => 31901,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 section 1.3.
    #[test]
    fn the_accept_of_the_rfc_is_accepted() {
        let headers = |accept: &'static str| {
            HeaderMap::from_iter([(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static(accept))])
        };
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        assert!(agrees(&headers("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), key));
        assert!(!agrees(&headers("s3pPLMBiTxaQ9kYGzzhZRbK+xO0="), key));
        assert!(!agrees(&HeaderMap::new(), key));
    }
}
