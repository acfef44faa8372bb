//! One request and its answer, over a connection of their own.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{SendError, Sent};

/// Connects, sends, and reads the whole answer.
pub(super) async fn exchange(
    target: &Uri,
    request: Request<Bytes>,
    timeout: Duration,
) -> Result<Sent, SendError> {
    let started = Instant::now();
    let answered = tokio::time::timeout(timeout, round_trip(target, request)).await;
    let (head, body) = answered.map_err(|_| SendError::TimedOut(timeout))??;
    Ok(Sent { status: head.status, headers: head.headers, body, elapsed: started.elapsed() })
}

async fn round_trip(
    target: &Uri,
    request: Request<Bytes>,
) -> Result<(http::response::Parts, Bytes), SendError> {
    // A literal IPv6 address stands in brackets in a URL and without them in an address.
    let host = target.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = target.port_u16().unwrap_or(80);
    let connect = |source| SendError::Connect { address: format!("{host}:{port}"), source };
    let stream = TcpStream::connect((host, port)).await.map_err(connect)?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(SendError::BrokeOff)?;
    let answer = async move {
        let response = sender.send_request(request.map(Full::new)).await.map_err(SendError::BrokeOff)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
            error.downcast().map_or(SendError::AnswerTooLarge, |error| SendError::BrokeOff(*error))
        })?;
        Ok((head, body.to_bytes()))
    };
    // The connection makes progress only while it is polled; what goes wrong with it, the answer says too.
    tokio::pin!(connection, answer);
    let mut open = true;
    loop {
        tokio::select! {
            answered = &mut answer => return answered,
            _ = &mut connection, if open => open = false,
        }
    }
}

/// The longest answer that is read.
const MAX_ANSWER: usize = 1 << 20;
