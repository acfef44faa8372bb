//! The other way to a destination: now, with its own answer.
//!
//! A relayed event goes out as a delivery does, past the same guard, with the same headers, and what the application
//! answers comes back to whoever called. There is one try and one deadline; the caller knows what to do with neither
//! answer nor time. A WebSocket handshake is relayed the same way, and becomes two streams when, and only when, the
//! application agrees.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{AttemptNumber, StoredEvent, Timestamp};
use hookhouse_verify::sign::Signer;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, UPGRADE};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::client::legacy;
use hyper_util::rt::TokioTimer;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::client::{Borrowed, Spawner, Transport};
use crate::connect::Connector;
use crate::destination::Destination;
use crate::guard::Guard;
use crate::request::{self, connection_names, is_hop_by_hop};
use crate::response::{self, End, explain};

/// Relays to one destination, and keeps its connections.
#[derive(Debug)]
pub struct Relay {
    destination: Destination,
    http: legacy::Client<Connector, Full<Bytes>>,
    connector: Connector,
    spawner: Spawner,
}

/// What the application answered.
#[derive(Debug, Clone)]
pub struct Relayed {
    /// The status; never an informational one, and never a redirect.
    pub status: StatusCode,
    /// The end-to-end headers, in order, without the length of the body.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// An application that agreed to speak WebSocket.
#[derive(Debug)]
pub struct Tunnel {
    /// The headers of its 101, to be sent back as they are.
    pub headers: HeaderMap,
    /// The stream behind them.
    pub stream: Upgraded,
}

/// Why there is no answer of the application's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayFailure {
    /// It did not come in time.
    #[error("no answer in time")]
    Late,
    /// It did not come, or is none that may be passed on.
    #[error("{0}")]
    Broken(String),
}

impl Relay {
    /// A relay to a destination.
    #[must_use]
    pub fn new(
        destination: Destination,
        guard: Arc<Guard>,
        transport: &Transport,
        tracker: TaskTracker,
        hard: CancellationToken,
    ) -> Self {
        let connector = Connector {
            guard,
            network: Arc::clone(&transport.network),
            tls: Arc::clone(&transport.tls),
            allow_loopback: destination.allow_loopback,
            limit: CONNECT_LIMIT,
        };
        let spawner = Spawner { tracker, hard };
        let http = legacy::Client::builder(spawner.clone())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(MOST_HEAD)
            .build(connector.clone());
        Self { destination, http, connector, spawner }
    }

    /// Sends an event and waits for the whole answer.
    ///
    /// # Errors
    /// When there is none by `deadline`, or it is one that must not be passed on: a redirect (no hook path ever
    /// redirects), a body that is too long, does not end, or whose length was told twice.
    pub async fn forward(
        &self,
        event: &StoredEvent,
        now: Timestamp,
        signer: Option<&Signer>,
        deadline: Instant,
    ) -> Result<Relayed, RelayFailure> {
        let mut request = self.request(event, now, signer)?;
        let mut connection = Borrowed::by(&mut request);
        let response = match timeout_at(deadline, self.http.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(RelayFailure::Broken(explain(&error))),
            Err(_) => return Err(RelayFailure::Late),
        };
        let (parts, body) = response.into_parts();
        if response::is_ambiguous(&parts.headers) {
            return Err(RelayFailure::Broken("the length of the answer was told twice".to_owned()));
        }
        // hyper's buffer lets somewhat longer heads through.
        let head =
            parts.headers.iter().fold(0, |sum, (name, value)| sum + name.as_str().len() + value.len() + 4);
        if head > MOST_HEAD {
            return Err(RelayFailure::Broken(format!(
                "the head of the answer is over {} KiB",
                MOST_HEAD / 1024
            )));
        }
        if parts.status.is_redirection() {
            return Err(RelayFailure::Broken(format!(
                "answered {}: hook paths do not redirect",
                parts.status
            )));
        }
        match response::read_up_to(body, MOST_BODY, deadline).await {
            (body, End::Whole) => {
                connection.returned = true;
                Ok(Relayed {
                    status: parts.status,
                    headers: end_to_end(&parts.headers),
                    body: Bytes::from(body),
                })
            }
            (_, End::TooLong) => {
                Err(RelayFailure::Broken(format!("the answer is over {} KiB", MOST_BODY / 1024)))
            }
            (_, End::Broken(why)) => Err(RelayFailure::Broken(format!("the answer broke off: {why}"))),
            (_, End::TimedOut) => Err(RelayFailure::Late),
        }
    }

    /// Sends a WebSocket handshake and waits for the application to agree.
    ///
    /// # Errors
    /// When it does not answer 101 by `deadline`. Nothing but the handshake was sent to it then.
    pub async fn open(
        &self,
        event: &StoredEvent,
        now: Timestamp,
        signer: Option<&Signer>,
        deadline: Instant,
    ) -> Result<Tunnel, RelayFailure> {
        timeout_at(deadline, self.upgrade(event, now, signer)).await.unwrap_or(Err(RelayFailure::Late))
    }

    async fn upgrade(
        &self,
        event: &StoredEvent,
        now: Timestamp,
        signer: Option<&Signer>,
    ) -> Result<Tunnel, RelayFailure> {
        let mut request = self.request(event, now, signer)?;
        let broken = |error: &dyn std::error::Error| RelayFailure::Broken(explain(error));
        let io = self.connector.clone().call(request.uri().clone()).await.map_err(|e| broken(&e))?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MOST_HEAD)
            .handshake(io)
            .await
            .map_err(|error| broken(&error))?;
        // The connection's task ends with the handshake: what follows it belongs to whoever holds the stream.
        let hard = self.spawner.hard.clone();
        self.spawner
            .tracker
            .spawn(async move { hard.run_until_cancelled_owned(connection.with_upgrades()).await });
        origin_form(&mut request)?;
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        request.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        let mut response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(RelayFailure::Broken(format!(
                "answered {} to a WebSocket handshake",
                response.status()
            )));
        }
        let mut headers = end_to_end(response.headers());
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let stream = hyper::upgrade::on(&mut response).await.map_err(|error| broken(&error))?;
        Ok(Tunnel { headers, stream })
    }

    fn request(
        &self,
        event: &StoredEvent,
        now: Timestamp,
        signer: Option<&Signer>,
    ) -> Result<Request<Full<Bytes>>, RelayFailure> {
        request::build(event, &self.destination, AttemptNumber(1), now, signer)
            .map_err(|error| RelayFailure::Broken(explain(&error)))
    }
}

/// On a connection of its own, a request names its host in a header and its target as a path.
fn origin_form(request: &mut Request<Full<Bytes>>) -> Result<(), RelayFailure> {
    let unfit = || RelayFailure::Broken("the destination's URL has no host".to_owned());
    let authority = request.uri().authority().ok_or_else(unfit)?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| unfit())?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse().map_err(|_| unfit())?;
    request.headers_mut().insert(http::header::HOST, host);
    Ok(())
}

/// The headers of an answer less those of its connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let listed: Vec<String> =
        headers.get_all(CONNECTION).iter().flat_map(|value| connection_names(value.as_bytes())).collect();
    headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            !is_hop_by_hop(name) && name != CONTENT_LENGTH && !listed.iter().any(|listed| listed == name)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// How long a connection may take, at most.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long a connection is kept without a request; see `client`.
const IDLE: Duration = Duration::from_secs(4);

/// The longest head of an answer.
const MOST_HEAD: usize = 64 * 1024;

/// The longest body of an answer: TwiML has at most 64 KiB (error 11750), JSON answers are shorter still.
const MOST_BODY: usize = 1024 * 1024;
