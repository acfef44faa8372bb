//! One connection: which protocol it speaks, and how long it may keep us waiting.
//!
//! hyper times one thing out, an HTTP/1 head that began. The rest is watched here, for both protocols alike: a first
//! byte that never comes, a head that trickles, a keep-alive that idles, an answer that nobody reads. One timer per
//! connection, set again only when it fires, so that a request costs two atomic stores.

use std::any::Any;
mod socket;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::TaskTracker;

use crate::ending::{Ending, WRITE_STALL as STALLED};
use crate::lifecycle::Lifecycle;
use crate::origin::proxy_protocol::{self, ProxyRefused};
use crate::wire::{Fault, Wire};
use socket::Socket;

/// Until the first byte, and from the first byte of a head to its end.
const HEAD: Duration = Duration::from_secs(10);
/// Between a request and the next.
const IDLE: Duration = Duration::from_secs(60);
/// While the peer reads nothing of what we write.
const WRITE_STALL: Duration = Duration::from_secs(20);
/// hyper's buffer for one HTTP/1 head: twice what `head` lets through, so that what is somewhat too long gets our answer.
const HEAD_BUFFER: usize = 64 * 1024;

/// What every HTTP/2 connection begins with (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the end of an HTTP/1 peer's side says while its request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// That it has said all and waits: a sender. And hyper does not look for more meanwhile, into a new buffer of eight
    /// kilobytes for each request, while the head of this one is held.
    WhenAnswered,
    /// That it is gone: whoever hears a stream, which has no end, may say nothing else before the next line is written.
    AtOnce,
}

/// Serves a connection to its end.
///
/// # Errors
/// [`ProxyRefused::Unexpected`] when it begins with a PROXY preamble. On a listener that requires one, that was read
/// before; here it is a proxy that is configured otherwise.
pub(crate) async fn serve<IO, S, B>(
    io: IO,
    watch: Arc<Watch>,
    service: S,
    lifecycle: &Lifecycle,
    leaving: Leaving,
) -> Result<Ending, ProxyRefused>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut io = io;
    let first = tokio::select! {
        first = read_preface(&mut io, watch.began + HEAD) => first,
        () = lifecycle.last_call() => return Ok(Ending::Stopped),
    };
    let Ok((buffer, length)) = first else {
        return Ok(Ending::Waited("conn.idle"));
    };
    if length == 0 {
        return Ok(Ending::Done);
    }
    if proxy_protocol::is_preamble(buffer.get(..length).unwrap_or_default()) {
        return Err(ProxyRefused::Unexpected);
    }
    let multiplexed = length == PREFACE.len() && buffer == *PREFACE;
    watch.multiplexed.store(multiplexed, Ordering::Relaxed);
    watch.bytes_arrived();
    let wire = (!multiplexed).then(Wire::new);
    let socket = TokioIo::new(Socket::new(io, (buffer, length), Arc::clone(&watch), wire));
    Ok(if multiplexed {
        let connection = http2::Builder::new(Tracked(lifecycle.tracker.clone()))
            .timer(TokioTimer::new())
            .max_concurrent_streams(64)
            .max_header_list_size(16 * 1024)
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(256)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .serve_connection(socket, service);
        drive(connection, &watch, lifecycle, |c| c.graceful_shutdown()).await
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(HEAD_BUFFER)
            .half_close(leaving == Leaving::WhenAnswered)
            .serve_connection(socket, service)
            .with_upgrades();
        drive(connection, &watch, lifecycle, |c| c.graceful_shutdown()).await
    })
}

/// Polls a connection until it ends, is told to end, or has kept us waiting for too long.
async fn drive<C>(
    connection: C,
    watch: &Watch,
    lifecycle: &Lifecycle,
    graceful: impl Fn(Pin<&mut C>),
) -> Ending
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let mut timer = pin!(sleep_until(watch.deadline()));
    let mut last_call = pin!(lifecycle.last_call());
    let (mut draining, mut stalled) = (false, false);
    loop {
        let event = poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(ended));
            }
            // A stall begins while hyper writes, and its patience is shorter than that of what was waited for.
            let stalls = watch.is_stalled();
            if stalls && !stalled {
                timer.as_mut().reset(watch.deadline());
            }
            stalled = stalls;
            timer.as_mut().poll(cx).map(|()| None)
        });
        let ended = tokio::select! {
            // The connection is nearly always why this is polled; which branch is first must not be drawn by lot.
            biased;
            event = event => event,
            () = lifecycle.hard.cancelled() => return Ending::Stopped,
            // An HTTP/2 peer is told at once, and knows which of its requests are not answered. An HTTP/1 peer can only be
            // told with an answer: what it sends into a connection that was just closed is lost.
            () = lifecycle.soft.cancelled(), if !draining && !watch.is_leaving() => {
                watch.leave();
                if watch.multiplexed.load(Ordering::Relaxed) {
                    draining = true;
                    graceful(connection.as_mut());
                }
                continue;
            }
            () = last_call.as_mut(), if !draining => {
                draining = true;
                graceful(connection.as_mut());
                continue;
            }
        };
        if let Some(ended) = ended {
            return ended.map_or_else(Ending::Failed, |()| Ending::Done);
        }
        let deadline = watch.deadline();
        if deadline > Instant::now() {
            timer.as_mut().reset(deadline);
        } else if watch.multiplexed.load(Ordering::Relaxed) && !draining && !watch.is_stalled() {
            // An idle HTTP/2 peer is told so, and has as long again to go.
            draining = true;
            graceful(connection.as_mut());
            watch.restart();
            timer.as_mut().reset(watch.deadline());
        } else {
            return Ending::Waited(watch.why());
        }
    }
}

/// Reads until the first bytes are HTTP/2's preface, or are not.
async fn read_preface<IO: AsyncRead + Unpin>(
    io: &mut IO,
    deadline: Instant,
) -> io::Result<([u8; 24], usize)> {
    let mut buffer = [0; PREFACE.len()];
    let mut length = 0;
    while length < PREFACE.len() && PREFACE.starts_with(&buffer[..length]) {
        let read = timeout_at(deadline, io.read(&mut buffer[length..])).await??;
        if read == 0 {
            break;
        }
        length += read;
    }
    Ok((buffer, length))
}

/// What a connection is doing, shared by its socket, its requests and its timer.
#[derive(Debug)]
pub(crate) struct Watch {
    began: Instant,
    multiplexed: AtomicBool,
    /// Requests that were begun and not yet answered.
    in_flight: AtomicUsize,
    /// Requests that were begun.
    requests: AtomicU32,
    /// What is wrong with the head of one of them, and of which.
    fault: OnceLock<(u32, Fault)>,
    /// Milliseconds after `began`, plus one; zero for "not".
    head_since: AtomicU64,
    idle_since: AtomicU64,
    stalled_since: AtomicU64,
    /// The next answer is the last.
    leaving: AtomicBool,
    /// What is given back when its socket is closed.
    _held: Box<dyn Any + Send + Sync>,
}

impl Watch {
    pub(crate) fn new(held: impl Any + Send + Sync) -> Arc<Self> {
        Arc::new(Self {
            _held: Box::new(held),
            began: Instant::now(),
            multiplexed: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            requests: AtomicU32::new(0),
            fault: OnceLock::new(),
            head_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(1),
            stalled_since: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
        })
    }

    /// A request's head is complete; the guard lives until it is answered.
    pub(crate) fn request(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        let number = self.requests.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        InFlight { watch: Arc::clone(self), number }
    }

    fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Says in an answer that it is the last, where that is so.
    pub(crate) fn sign_off<B>(&self, answer: &mut Response<B>) {
        if self.is_leaving() && !self.multiplexed.load(Ordering::Relaxed) && answer.status() != 101 {
            answer.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn bytes_arrived(&self) {
        // An HTTP/2 peer sends pings and window updates while it idles: only its requests count.
        let between =
            self.in_flight.load(Ordering::Relaxed) == 0 && !self.multiplexed.load(Ordering::Relaxed);
        if between && self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    fn restart(&self) {
        self.idle_since.store(self.now(), Ordering::Relaxed);
    }

    fn is_stalled(&self) -> bool {
        self.stalled_since.load(Ordering::Relaxed) != 0
    }

    /// When patience ends, as things stand.
    fn deadline(&self) -> Instant {
        let after = |since: u64, patience: Duration| self.began + Duration::from_millis(since - 1) + patience;
        let stalled = self.stalled_since.load(Ordering::Relaxed);
        if stalled != 0 {
            return after(stalled, WRITE_STALL);
        }
        let head = self.head_since.load(Ordering::Relaxed);
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            // Requests have limits of their own; look again later.
            Instant::now() + HEAD
        } else if head != 0 {
            after(head, HEAD)
        } else {
            after(self.idle_since.load(Ordering::Relaxed), IDLE)
        }
    }

    fn why(&self) -> &'static str {
        if self.is_stalled() {
            STALLED
        } else if self.head_since.load(Ordering::Relaxed) != 0 {
            "http.header_timeout"
        } else {
            "conn.idle"
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct InFlight {
    watch: Arc<Watch>,
    number: u32,
}

impl InFlight {
    /// What is wrong with its head, of what hyper does not show.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.watch.fault.get().and_then(|(number, fault)| (*number == self.number).then_some(*fault))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.watch.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.watch.restart();
        }
    }
}

/// Spawns hyper's stream tasks where a drain waits for them.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}
