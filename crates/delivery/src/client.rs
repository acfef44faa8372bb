//! One try: a request out, an answer in, within the destination's time.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{Clock, DestinationName};
use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper::rt::Executor;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::TokioTimer;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::circuit::Health;
use crate::connect::{self, Connector, Cut, DialError, Network, SystemNetwork};
use crate::destination::Destination;
use crate::guard::Guard;
use crate::response::{self, End, Head, Tried};

/// How the outside is reached.
#[derive(Debug, Clone)]
pub struct Transport {
    /// The resolver and the sockets.
    pub network: Arc<dyn Network>,
    /// For `https`.
    pub tls: Arc<ClientConfig>,
}

impl Transport {
    /// The machine's own network. Reads the system's root certificates where a destination needs them.
    #[must_use]
    pub fn system(destinations: &[Destination]) -> Self {
        let needs_tls = destinations.iter().any(|destination| destination.url.scheme_str() == Some("https"));
        let roots = if needs_tls { connect::system_roots() } else { RootCertStore::empty() };
        Self { network: Arc::new(SystemNetwork), tls: connect::tls(roots) }
    }
}

/// Speaks to one destination, and keeps its connections.
#[derive(Debug)]
pub(crate) struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    destination: DestinationName,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl Client {
    pub(crate) fn new(
        destination: &Destination,
        guard: Arc<Guard>,
        transport: &Transport,
        clock: Arc<dyn Clock>,
        spawner: Spawner,
    ) -> Self {
        let connector = Connector {
            guard,
            network: Arc::clone(&transport.network),
            tls: Arc::clone(&transport.tls),
            allow_loopback: destination.allow_loopback,
            // What is left of the time is for the request itself.
            limit: (destination.timeout / 2).min(CONNECT_LIMIT),
        };
        let http = legacy::Client::builder(spawner)
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(destination.concurrency.max(1))
            .http1_max_buf_size(MOST_HEAD)
            .build(connector);
        Self { http, destination: destination.name.clone(), timeout: destination.timeout, clock }
    }

    /// Sends a request and judges what comes of it.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Tried {
        match self.exchange(request, response::MOST_BYTES, Instant::now() + self.timeout).await {
            Ok(answer) => {
                let excerpt = response::excerpt(&answer.headers, &answer.body);
                response::judge(answer.head, excerpt, &answer.end)
            }
            Err(failed) => failed,
        }
    }

    /// Sends a request and reads its answer, up to so many bytes of a body.
    ///
    /// # Errors
    /// When no answer came.
    pub(crate) async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        most: usize,
        deadline: Instant,
    ) -> Result<Answer, Tried> {
        let mut connection = Borrowed::by(&mut request);
        let response = match tokio::time::timeout_at(deadline, self.http.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.failure(&error)),
            Err(_) => {
                return Err(Tried::failed(format!("no answer within {:?}", self.timeout), Health::Failing));
            }
        };
        let (parts, body) = response.into_parts();
        let head = Head::new(parts.status, &parts.headers, self.clock.now());
        if parts.status.is_redirection() {
            let status = parts.status.as_u16();
            tracing::warn!(code = "delivery.redirect", destination = %self.destination, status, "not followed");
        }
        let (read, end) = response::read_up_to(body, most, deadline).await;
        if matches!(end, End::TooLong | End::TimedOut) {
            tracing::info!(code = "delivery.resp_limit", destination = %self.destination, read = read.len(),
                "the answer was not read to its end");
        }
        connection.returned = end == End::Whole && !response::is_ambiguous(&parts.headers);
        Ok(Answer { head, headers: parts.headers, body: read, end })
    }

    /// Why there was no answer, in words and for the circuit.
    fn failure(&self, error: &legacy::Error) -> Tried {
        let mut cause: Option<&(dyn Error + 'static)> = error.source();
        while let Some(inner) = cause {
            if let Some(dial) = inner.downcast_ref::<DialError>() {
                if let DialError::Denied(denied) = dial {
                    tracing::warn!(code = "dest.denied", destination = %self.destination, %denied, "not dialled");
                }
                return Tried::failed(response::explain(dial), Health::Unreachable);
            }
            cause = inner.source();
        }
        // hyper-util's own words (`client error (SendRequest)`) tell an operator nothing.
        let words = error.source().map_or_else(|| error.to_string(), response::explain);
        Tried::failed(words, if error.is_connect() { Health::Unreachable } else { Health::Failing })
    }
}

/// An answer, as far as it was read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

/// The connection of one request. Unless it is returned in good order it ends with the request: whether the answer was
/// late, cut, too long or ambiguous, or the attempt was broken off.
pub(crate) struct Borrowed {
    capture: CaptureConnection,
    pub(crate) returned: bool,
}

impl Borrowed {
    /// The connection that a request will go out on.
    pub(crate) fn by(request: &mut Request<Full<Bytes>>) -> Self {
        Self { capture: capture_connection(request), returned: false }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if !self.returned
            && let Some(connection) = &*self.capture.connection_metadata()
        {
            // Not for another request, from now on; and not for this one either.
            connection.poison();
            let mut extras = http::Extensions::new();
            connection.get_extras(&mut extras);
            if let Some(cut) = extras.get::<Cut>() {
                cut.now();
            }
        }
    }
}

/// Runs hyper's tasks where a drain waits for them, and ends them when it no longer does.
#[derive(Debug, Clone)]
pub(crate) struct Spawner {
    pub(crate) tracker: TaskTracker,
    pub(crate) hard: CancellationToken,
}

impl<F> Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        let hard = self.hard.clone();
        self.tracker.spawn(async move { hard.run_until_cancelled_owned(task).await });
    }
}

/// How long a connection may take, at most.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long a connection is kept without a request: less than the five seconds after which Node's HTTP server, the
/// most impatient of the common ones, closes it, so that a request seldom meets a connection that is being closed.
const IDLE: Duration = Duration::from_secs(4);

/// The longest head of an answer; a longer one is no answer.
const MOST_HEAD: usize = 64 * 1024;
