//! A receiver of webhooks that behaves as badly as it is told, and remembers everything it got.
//!
//! ```no_run
//! # use hookhouse_testkit::receiver::{Behaviour, Receiver};
//! # async fn example() -> std::io::Result<()> {
//! let receiver = Receiver::start().await?;
//! receiver.next(Behaviour::status(500)); // the first request
//! receiver.always(Behaviour::Hang); // every later one
//! // … deliver to `receiver.url("/hooks")` …
//! let requests = receiver.wait_for(2).await;
//! # Ok(())
//! # }
//! ```
//!
//! What is proper HTTP goes through hyper. What is not (a cut answer, a reset, bytes that are no HTTP) is written to
//! the bare connection once hyper has read the request.

mod behaviour;
mod misbehave;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use behaviour::{Answer, Behaviour, Received};
use misbehave::misbehave;

/// A misbehaving HTTP server. It stops, with all of its connections, when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Shared>,
    address: Option<SocketAddr>,
    patience: Duration,
    _stop: DropGuard,
}

impl Receiver {
    /// Listens on a free loopback port. Every request is answered with 200 until something else is said.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Listens on this address: where one that was dropped had listened, say.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let mut receiver = Self::in_memory();
        receiver.address = Some(listener.local_addr()?);
        let shared = Arc::clone(&receiver.shared);
        receiver.shared.tracker.spawn(async move {
            let accepted = async {
                loop {
                    // Too many open files and the like pass; a test that runs into them waits.
                    match listener.accept().await {
                        Ok((stream, _)) => shared.serve(stream, reset_when_closed),
                        Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                    }
                }
            };
            shared.stop.run_until_cancelled(accepted).await;
        });
        Ok(receiver)
    }

    /// One that listens nowhere: connections come from [`Receiver::connect`] and [`Receiver::serve`].
    #[must_use]
    pub fn in_memory() -> Self {
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            program: Mutex::new(Program {
                once: VecDeque::new(),
                always: Choice::Same(Behaviour::status(200)),
            }),
            received: watch::Sender::new(Vec::new()),
            connections: AtomicUsize::new(0),
            tracker: TaskTracker::new(),
            stop: stop.clone(),
        });
        Self { shared, address: None, patience: Duration::from_secs(30), _stop: stop.drop_guard() }
    }

    /// The same, with other patience in [`Receiver::wait_for`]: where time is simulated, days pass in no time.
    #[must_use]
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When it listens nowhere.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.expect("a receiver in memory has no address")
    }

    /// A URL that leads here.
    ///
    /// # Panics
    /// When it listens nowhere.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// A new connection to it, without a socket.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(64 * 1024);
        self.serve(far);
        near
    }

    /// Serves a connection that somebody else accepted, or unwrapped from TLS.
    pub fn serve<Io>(&self, io: Io)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.shared.serve(io, |_| {});
    }

    /// What to do with the next request that nothing was said about yet.
    pub fn next(&self, behaviour: Behaviour) {
        self.shared.program().once.push_back(behaviour);
    }

    /// What to do with every request after those.
    pub fn always(&self, behaviour: Behaviour) {
        self.shared.program().always = Choice::Same(behaviour);
    }

    /// Decides by the request, for every request after those.
    pub fn decide(&self, choose: impl FnMut(&Received) -> Behaviour + Send + 'static) {
        self.shared.program().always = Choice::By(Box::new(choose));
    }

    /// Everything that arrived so far, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Waits until so many requests have arrived, and gives all that did.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut received = self.shared.received.subscribe();
        let enough = received.wait_for(|received| received.len() >= count);
        match tokio::time::timeout(self.patience, enough).await {
            Ok(received) => received.expect("the sender lives in `self`").clone(),
            Err(_) => panic!("{} of {count} requests came: {:#?}", self.received().len(), self.received()),
        }
    }
}

struct Shared {
    program: Mutex<Program>,
    received: watch::Sender<Vec<Received>>,
    connections: AtomicUsize,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("received", &self.received.borrow().len()).finish_non_exhaustive()
    }
}

struct Program {
    once: VecDeque<Behaviour>,
    always: Choice,
}

enum Choice {
    Same(Behaviour),
    By(Box<dyn FnMut(&Received) -> Behaviour + Send>),
}

impl Program {
    fn choose(&mut self, request: &Received) -> Behaviour {
        match (self.once.pop_front(), &mut self.always) {
            (Some(behaviour), _) => behaviour,
            (None, Choice::Same(behaviour)) => behaviour.clone(),
            (None, Choice::By(choose)) => choose(request),
        }
    }
}

impl Shared {
    fn program(&self) -> MutexGuard<'_, Program> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve<Io>(self: &Arc<Self>, io: Io, reset: fn(&Io))
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shared = Arc::clone(self);
        let connection = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.tracker.spawn(async move {
            let stop = shared.stop.clone();
            stop.run_until_cancelled(shared.converse(io, reset, connection)).await;
        });
    }

    /// Speaks HTTP until a request is to be treated badly, and then does.
    async fn converse<Io>(self: Arc<Self>, io: Io, reset: fn(&Io), connection: usize)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mischief = Arc::new(Mutex::new(None));
        let service = service_fn(|request| {
            let (shared, mischief) = (Arc::clone(&self), Arc::clone(&mischief));
            Box::pin(async move {
                let behaviour = shared.take(request, connection).await?;
                let Behaviour::Answer(answer) = behaviour else {
                    *mischief.lock().unwrap_or_else(PoisonError::into_inner) = Some(behaviour);
                    // An error makes hyper let go of the connection without a word.
                    return Err(TakeOver);
                };
                tokio::time::sleep(answer.delay).await;
                Ok(response(answer))
            })
        });
        let mut http = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(io), service);
        // A connection that fails is the client's to notice.
        let _ = poll_fn(|cx| http.poll_without_shutdown(cx)).await;
        let io = http.into_parts().io.into_inner();
        let mischief = mischief.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mischief) = mischief {
            misbehave(io, mischief, reset).await;
        }
    }

    /// Records a request and says what to do with it.
    async fn take(&self, request: http::Request<Incoming>, connection: usize) -> Result<Behaviour, TakeOver> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| TakeOver)?.to_bytes();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes())))
            .collect();
        let received = Received {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            headers,
            body,
            at: Instant::now(),
            connection,
        };
        let behaviour = self.program().choose(&received);
        self.received.send_modify(|all| all.push(received));
        Ok(behaviour)
    }
}

/// Not an answer: the connection is wanted back, or the request never ended.
#[derive(Debug, thiserror::Error)]
#[error("the connection is taken over")]
struct TakeOver;

fn response(answer: Answer) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::new(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("a test answers with a status");
    for (name, value) in answer.headers {
        let value = value.parse().expect("a test sends a header value");
        response.headers_mut().append(name, value);
    }
    response
}

/// Without lingering, the kernel answers a close with a reset.
fn reset_when_closed(stream: &TcpStream) {
    // Where that is not to be had, the client sees a close, which is as bad.
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn exchange(receiver: &Receiver, request: &str) -> String {
        let mut io = TcpStream::connect(receiver.address()).await.unwrap();
        io.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        match io.read_to_end(&mut answer).await {
            Ok(_) => String::from_utf8(answer).unwrap(),
            Err(error) => format!("{:?}", error.kind()),
        }
    }

    const CLOSING: &str =
        "POST /in?a=1 HTTP/1.1\r\nhost: h\r\nX-A: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";

    #[tokio::test]
    async fn it_records_and_does_as_it_is_told() {
        let receiver = Receiver::start().await.unwrap();
        receiver.next(Behaviour::status(503).header("retry-after", "7").body("busy"));
        receiver.next(Behaviour::Close);
        receiver.next(Behaviour::Reset);
        receiver.next(Behaviour::Raw(Bytes::from_static(b"SSH-2.0-nothing\r\n")));
        let answer = exchange(&receiver, CLOSING).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 7\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nbusy"), "{answer}");
        assert_eq!(exchange(&receiver, CLOSING).await, "");
        assert_eq!(exchange(&receiver, CLOSING).await, "ConnectionReset");
        assert_eq!(exchange(&receiver, CLOSING).await, "SSH-2.0-nothing\r\n");
        assert!(exchange(&receiver, CLOSING).await.starts_with("HTTP/1.1 200 "));
        let all = receiver.wait_for(5).await;
        assert_eq!(
            (all[0].method.as_str(), all[0].target.as_str(), &all[0].body[..]),
            ("POST", "/in?a=1", &b"hi"[..])
        );
        assert_eq!((all[0].header("x-a"), all[4].connection, receiver.connections()), (Some("1"), 5, 5));
    }

    #[tokio::test]
    async fn a_hang_holds_and_an_endless_body_flows_until_the_client_goes() {
        let receiver = Receiver::in_memory();
        receiver.next(Behaviour::Hang);
        receiver.next(Behaviour::Endless { status: 200 });
        let mut hanging = receiver.connect();
        hanging.write_all(CLOSING.as_bytes()).await.unwrap();
        receiver.wait_for(1).await;
        let mut endless = receiver.connect();
        endless.write_all(CLOSING.as_bytes()).await.unwrap();
        let mut much = vec![0; 1024 * 1024];
        endless.read_exact(&mut much).await.unwrap();
        assert!(much.starts_with(b"HTTP/1.1 200 Endless\r\n"));
        drop((hanging, endless));
        receiver.shared.tracker.close();
        receiver.shared.tracker.wait().await;
    }
}
