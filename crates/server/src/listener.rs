//! Accepting connections: as many as the limits allow, from wherever, without ever giving up.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use rustix::io::Errno;
use tokio::time::Instant;

use crate::config::Limits;
use crate::connection::{self, Leaving, Watch};
use crate::current::Current;
use crate::descriptors::Spare;
use crate::ingest::Ingress;
use crate::lifecycle::Lifecycle;
use crate::origin::forwarded::Trust;
use crate::origin::proxy_protocol::{self, ProxyRefused};
use crate::socket::Socket;
use crate::sparse::Sparse;
use crate::tls::Front;

/// How long to wait after an accept that failed, for want of descriptors most of all: neither spinning nor giving up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a connection passes before its first request: who it is from, and TLS.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// Who may speak for others.
    pub(crate) trust: Trust,
    /// Whether each connection begins with a PROXY preamble: required or not, never guessed.
    pub(crate) proxy_protocol: bool,
    /// What speaks TLS behind that; `None` for plain HTTP.
    pub(crate) front: Option<Arc<Front>>,
    /// Who records connections that are closed for a preamble's sake.
    pub(crate) ingress: Option<Arc<Current<Ingress>>>,
    /// How often that was.
    pub(crate) closed: Sparse,
}

impl Intake {
    /// Whether connections pass the same things in both.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same_front = match (&self.front, &other.front) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same_front && self.proxy_protocol == other.proxy_protocol
    }

    /// A connection is closed without a word: whoever sends no preamble is no proxy of ours, and whoever sends one that
    /// is not expected speaks no HTTP.
    fn close(&self, peer: IpAddr, why: &ProxyRefused) {
        if let Some(others) = self.closed.may_speak() {
            tracing::warn!(event = proxy_protocol::CODE, %peer, %why, others, "closed");
        }
        if let Some(ingress) = self.ingress.as_ref().filter(|_| why.is_worth_a_record()) {
            ingress.get().closed(peer, why);
        }
    }
}

/// Accepts until the soft stop; `service` makes what answers a connection.
pub(crate) async fn run<M, S, B>(
    listener: Arc<Socket>,
    intake: Arc<Current<Intake>>,
    seats: Arc<Seats>,
    lifecycle: Lifecycle,
    spare: Spare,
    service: M,
) where
    M: Fn(IpAddr, &Arc<Watch>, &Intake) -> S + Send + Sync + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (service, spare) = (Arc::new(service), Arc::new(spare));
    let failures = Sparse::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = lifecycle.soft.cancelled() => return,
        };
        let (mut stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                let exhausted = is_exhausted(&error);
                if let Some(others) = failures.may_speak() {
                    let event = if exhausted { "accept.emfile" } else { "accept.failed" };
                    tracing::error!(event, %error, others, "pausing");
                }
                if !exhausted || !spare.give_up() {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                continue;
            }
        };
        let refill = Refill(Arc::clone(&spare));
        let peer = canonical(address);
        // What a connection begins with it goes on with, but for what is looked up with each request.
        let intake = intake.get();
        let Some(seat) = seats.take(peer, intake.trust.trusts(peer)) else {
            if let Some(others) = seats.full.may_speak() {
                tracing::warn!(event = "conn.limit", %peer, others, "closed: too many connections");
            }
            continue;
        };
        let (service, shared) = (Arc::clone(&service), lifecycle.clone());
        lifecycle.tracker.spawn(async move {
            // Given back with the last of the connection, which may be a tunnel that outlives what is served here.
            let held = (seat, refill);
            let mut peer = peer;
            if intake.proxy_protocol {
                let deadline = Instant::now() + proxy_protocol::PATIENCE;
                match proxy_protocol::accept(&mut stream, address, &intake.trust, deadline).await {
                    Ok(named) => peer = canonical(named),
                    Err(why) => return intake.close(peer, &why),
                }
            }
            // Senders are answered once; operators hear streams.
            let leaving = if intake.ingress.is_some() { Leaving::WhenAnswered } else { Leaving::AtOnce };
            let served = match &intake.front {
                None => {
                    let watch = Watch::new(held);
                    let service = service(peer, &watch, &intake);
                    connection::serve(stream, watch, service, &shared, leaving).await
                }
                Some(front) => {
                    let shaken = tokio::select! {
                        shaken = front.accept(stream, peer) => shaken,
                        () = shared.last_call() => return,
                    };
                    let Some(stream) = shaken else { return };
                    let watch = Watch::new(held);
                    let service = service(peer, &watch, &intake);
                    connection::serve(stream, watch, service, &shared, leaving).await
                }
            };
            match served {
                Ok(ending) => ending.tell(peer),
                Err(why) => intake.close(peer, &why),
            }
        });
    }
}

/// Whether there are no descriptors left, in this process or on this machine.
fn is_exhausted(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|none| error.raw_os_error() == Some(none.raw_os_error()))
}

/// A descriptor is free again when a connection is dropped: time to hold a spare one.
struct Refill(Arc<Spare>);

impl Drop for Refill {
    fn drop(&mut self) {
        self.0.refill();
    }
}

/// The peer's address, IPv4 as IPv4 also where it came through an IPv6 socket.
fn canonical(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

/// How many connections there are, in all and from each address.
#[derive(Debug)]
pub(crate) struct Seats {
    connections: AtomicUsize,
    per_address: AtomicUsize,
    taken: AtomicUsize,
    turned_away: AtomicU64,
    full: Sparse,
    /// A few lines under the lock, and one entry per address that is connected.
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Seats {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            connections: AtomicUsize::new(limits.connections),
            per_address: AtomicUsize::new(limits.per_address),
            taken: AtomicUsize::new(0),
            turned_away: AtomicU64::new(0),
            full: Sparse::new(),
            by_address: Mutex::new(HashMap::new()),
        })
    }

    /// Other limits from now on. Connections that are open stay.
    pub(crate) fn limit(&self, limits: Limits) {
        self.connections.store(limits.connections, Ordering::Relaxed);
        self.per_address.store(limits.per_address, Ordering::Relaxed);
    }

    /// How many are taken.
    pub(crate) fn open(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many connections found none.
    pub(crate) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// A seat for a connection, if there is one.
    ///
    /// A trusted proxy stands for many senders, so it may have as many as there are.
    fn take(self: &Arc<Self>, peer: IpAddr, trusted: bool) -> Option<Seat> {
        let address = group(peer);
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_insert(0);
        let most = self.connections.load(Ordering::Relaxed);
        let own = if trusted { most } else { self.per_address.load(Ordering::Relaxed) };
        if *count >= own || self.taken.load(Ordering::Relaxed) >= most {
            if *count == 0 {
                by_address.remove(&address);
            }
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *count += 1;
        self.taken.fetch_add(1, Ordering::Relaxed);
        Some(Seat { seats: Arc::clone(self), address })
    }
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Ordering::Relaxed);
        let mut by_address = self.seats.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Who counts as one peer: an IPv4 address, or the /64 that one IPv6 subscriber has.
pub(crate) fn group(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_per_address_and_in_all_and_given_back() {
        let seats = Seats::new(Limits { connections: 3, per_address: 2 });
        let (a, b): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let same_64: IpAddr = "2001:db8::2".parse().unwrap();
        let first = seats.take(a, false).unwrap();
        let _second = seats.take(a, false).unwrap();
        assert!(seats.take(a, false).is_none(), "two from one address");
        drop(seats.take(a, true).expect("a proxy may have more"));
        drop(first);
        let _third = seats.take(b, false).unwrap();
        let _fourth = seats.take(same_64, false).unwrap();
        assert!(seats.take("10.9.9.9".parse().unwrap(), true).is_none(), "three in all");
        assert_eq!(seats.by_address.lock().unwrap().len(), 2);
        assert_eq!((seats.open(), seats.turned_away()), (3, 2));
    }
}
