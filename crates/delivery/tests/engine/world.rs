//! What the engine lives in: a store, a clock, a network, and somebody who watches.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use hookhouse_core::delivery::{Delivery, Next};
use hookhouse_core::event::{Arrival, Event};
use hookhouse_core::store::{DeliveryQuery, Receipt, Subscription};
use hookhouse_core::{
    Attempt, AttemptOutcome, Clock, DeliveryState, EventId, EventStore, Notice, Observer, Repeats,
    SourceName, Timestamp,
};
use hookhouse_delivery::connect::{self, Dialled, Network};
use hookhouse_delivery::{Destination, Engine, EngineParts, Guard, Kind, RetrySchedule, Transport};
use hookhouse_testkit::memory::MemoryStore;
use hookhouse_testkit::receiver::Receiver;
use hookhouse_verify::Request;
use hookhouse_verify::danger::Unsigned;
use hookhouse_verify::sign::Signer;
use rustls::RootCertStore;
use tokio::io::{AsyncRead, DuplexStream, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A wall clock that goes with the runtime's.
#[derive(Debug)]
pub(crate) struct RuntimeClock {
    began: Instant,
}

impl RuntimeClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now() })
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        start + self.began.elapsed()
    }
}

/// Remembers every notice.
#[derive(Debug)]
pub(crate) struct Watcher(watch::Sender<Vec<Notice>>);

impl Observer for Watcher {
    fn notice(&self, notice: Notice) {
        self.0.send_modify(|all| all.push(notice));
    }
}

/// What an address leads to.
#[derive(Clone)]
pub(crate) enum Host {
    Up(Arc<Receiver>),
    /// Up behind TLS.
    Tls(TlsAcceptor, Arc<Receiver>),
    /// Takes no connection and refuses none.
    Silent,
    /// Takes connections and reads nothing.
    Blind,
}

/// A network in memory: names with successive answers, addresses that lead to receivers or nowhere.
#[derive(Default)]
pub(crate) struct FakeNetwork {
    names: Mutex<HashMap<String, VecDeque<Vec<SocketAddr>>>>,
    hosts: Mutex<HashMap<SocketAddr, Host>>,
    handshakes: TaskTracker,
    unread: Mutex<Vec<DuplexStream>>,
    pub(crate) lookups: Mutex<Vec<String>>,
    pub(crate) dialled: Mutex<Vec<SocketAddr>>,
}

impl fmt::Debug for FakeNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeNetwork").field("dialled", &self.dialled).finish_non_exhaustive()
    }
}

impl FakeNetwork {
    /// What a name stands for, look-up by look-up; the last answer stays.
    pub(crate) fn name(&self, name: &str, answers: &[&[&str]]) {
        let answers = answers.iter().map(|one| one.iter().map(|a| a.parse().unwrap()).collect()).collect();
        self.names.lock().unwrap().insert(name.to_owned(), answers);
    }

    pub(crate) fn put(&self, address: &str, host: Host) {
        self.hosts.lock().unwrap().insert(address.parse().unwrap(), host);
    }

    /// How many connections are open that nothing reads.
    pub(crate) fn unread(&self) -> usize {
        let is_open = |io: &mut DuplexStream| {
            let mut cx = Context::from_waker(Waker::noop());
            loop {
                let mut bytes = [0; 4096];
                let mut buffer = ReadBuf::new(&mut bytes);
                match Pin::new(&mut *io).poll_read(&mut cx, &mut buffer) {
                    Poll::Pending => return true,
                    // At its end a read is done and gives nothing.
                    Poll::Ready(_) if buffer.filled().is_empty() => return false,
                    Poll::Ready(_) => {}
                }
            }
        };
        self.unread.lock().unwrap().iter_mut().map(is_open).filter(|is_open| *is_open).count()
    }

    /// From now on nothing listens there.
    pub(crate) fn take_down(&self, address: &str) {
        self.hosts.lock().unwrap().remove(&address.parse().unwrap());
    }

    pub(crate) fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

#[async_trait]
impl Network for FakeNetwork {
    async fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        self.lookups.lock().unwrap().push(host.to_owned());
        let mut names = self.names.lock().unwrap();
        let answers = names.get_mut(host).ok_or_else(|| io::Error::other("no such name"))?;
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Ok(answer.unwrap_or_default())
    }

    async fn dial(&self, peer: SocketAddr) -> io::Result<Dialled> {
        self.dialled.lock().unwrap().push(peer);
        let host = self.hosts.lock().unwrap().get(&peer).cloned();
        let io = match host {
            Some(Host::Up(receiver)) => receiver.connect(),
            Some(Host::Tls(acceptor, receiver)) => {
                let (near, far) = tokio::io::duplex(64 * 1024);
                self.handshakes.spawn(async move {
                    // A client that does not like the certificate has gone.
                    if let Ok(io) = acceptor.accept(far).await {
                        receiver.serve(io);
                    }
                });
                near
            }
            Some(Host::Blind) => {
                let (near, far) = tokio::io::duplex(1024);
                self.unread.lock().unwrap().push(far);
                near
            }
            Some(Host::Silent) => std::future::pending().await,
            None => return Err(io::ErrorKind::ConnectionRefused.into()),
        };
        Ok(Dialled { io: Box::new(io), local: format!("{OWN_ADDRESS}:50000").parse().unwrap(), peer })
    }
}

/// A running engine, and the tokens that end it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) tracker: TaskTracker,
    pub(crate) soft: CancellationToken,
    pub(crate) hard: CancellationToken,
}

impl Running {
    /// Stops leasing and waits for what is in flight.
    pub(crate) async fn drain(self) {
        self.soft.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Breaks off what is in flight.
    pub(crate) async fn abort(self) {
        self.hard.cancel();
        self.drain().await;
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<RuntimeClock>,
    pub(crate) network: Arc<FakeNetwork>,
    /// How the sources sign.
    pub(crate) signers: HashMap<SourceName, Signer>,
    watcher: Arc<Watcher>,
    began: Instant,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(MemoryStore::new)
    }

    /// One whose store several engines have, as on a cluster.
    pub(crate) fn shared() -> Self {
        Self::with(MemoryStore::shared)
    }

    fn with(store: impl FnOnce(Arc<dyn Clock>) -> MemoryStore) -> Self {
        let clock = RuntimeClock::new();
        let store = Arc::new(store(Arc::clone(&clock) as Arc<dyn Clock>));
        let watcher = Arc::new(Watcher(watch::Sender::new(Vec::new())));
        Self {
            store,
            clock,
            network: Arc::default(),
            signers: HashMap::new(),
            watcher,
            began: Instant::now(),
        }
    }

    /// A receiver at an address, and what it got.
    pub(crate) fn receiver(&self, address: &str) -> Arc<Receiver> {
        let receiver = Arc::new(Receiver::in_memory().patient(PATIENCE));
        self.network.put(address, Host::Up(Arc::clone(&receiver)));
        receiver
    }

    /// Every destination gets everything of the source `in`, from here on.
    pub(crate) async fn subscribe(&self, destinations: &[Destination]) {
        let subscriptions: Vec<_> = destinations
            .iter()
            .map(|d| Subscription { destination: d.name.clone(), sources: vec!["in".parse().unwrap()] })
            .collect();
        self.store.subscribe(&subscriptions).await.unwrap();
    }

    pub(crate) async fn start(&self, destinations: &[Destination]) -> Running {
        self.subscribe(destinations).await;
        let roots = RootCertStore::empty();
        self.start_on(Arc::clone(&self.store) as Arc<dyn EventStore>, destinations, Guard::default(), roots)
    }

    pub(crate) fn start_on(
        &self,
        store: Arc<dyn EventStore>,
        destinations: &[Destination],
        guard: Guard,
        roots: RootCertStore,
    ) -> Running {
        let network = Arc::clone(&self.network) as Arc<dyn Network>;
        let (parts, tracker, soft, hard) = self.parts(store, destinations, guard);
        let engine = Engine::start_over(parts, &Transport { network, tls: connect::tls(roots) });
        Running { engine, tracker, soft, hard }
    }

    /// An engine on the machine's own network.
    pub(crate) async fn start_on_sockets(&self, destinations: &[Destination], guard: Guard) -> Running {
        self.subscribe(destinations).await;
        let store = Arc::clone(&self.store) as Arc<dyn EventStore>;
        let (parts, tracker, soft, hard) = self.parts(store, destinations, guard);
        Running { engine: Engine::start(parts), tracker, soft, hard }
    }

    fn parts(
        &self,
        store: Arc<dyn EventStore>,
        destinations: &[Destination],
        guard: Guard,
    ) -> (EngineParts, TaskTracker, CancellationToken, CancellationToken) {
        let (tracker, soft, hard) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let parts = EngineParts {
            store,
            destinations: destinations.to_vec(),
            signers: self.signers.clone(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            observer: Arc::clone(&self.watcher) as Arc<dyn Observer>,
            guard: Arc::new(guard),
            tracker: tracker.clone(),
            soft: soft.clone(),
            hard: hard.clone(),
        };
        (parts, tracker, soft, hard)
    }

    /// Stores an event whose body is this text.
    pub(crate) async fn event(&self, body: &str) -> EventId {
        self.event_with("/in", &[], body).await
    }

    pub(crate) async fn event_with(&self, target: &str, headers: &[(&str, &str)], body: &str) -> EventId {
        self.append(Request::new("POST", target, headers, body.to_owned()).unwrap()).await
    }

    pub(crate) async fn get(&self, target: &str) -> EventId {
        self.append(Request::new("GET", target, &[] as &[(&str, &str)], "").unwrap()).await
    }

    async fn append(&self, request: Request) -> EventId {
        let arrival = Arrival {
            source: "in".parse().unwrap(),
            received_at: self.clock.now(),
            peer: Some("203.0.113.9".parse().unwrap()),
            dedupe_window: Duration::ZERO,
            repeats: Repeats::Acknowledge,
        };
        match self.store.append(Event::accept(Unsigned::accept(request), arrival)).await.unwrap() {
            Receipt::Stored { event, .. } => event.id(),
            Receipt::Duplicate { of } => panic!("a repeat of {of}"),
        }
    }

    /// Events with the bodies `0`, `1` and so on.
    pub(crate) async fn events(&self, count: usize) -> Vec<EventId> {
        let mut ids = Vec::new();
        for n in 0..count {
            ids.push(self.event(&n.to_string()).await);
        }
        ids
    }

    /// Waits until the notices are as they should be.
    pub(crate) async fn until(&self, enough: impl Fn(&[Notice]) -> bool) {
        let mut notices = self.watcher.0.subscribe();
        if tokio::time::timeout(PATIENCE, notices.wait_for(|all| enough(all))).await.is_err() {
            panic!("it never came to that: {:#?}", self.watcher.0.borrow());
        }
    }

    /// Waits for so many attempts, and gives them with what followed.
    pub(crate) async fn attempts(&self, count: usize) -> Vec<(Attempt, Next)> {
        self.until(|notices| tried(notices).len() >= count).await;
        tried(&self.watcher.0.borrow())
    }

    pub(crate) async fn one_attempt(&self) -> (Attempt, Next) {
        self.attempts(1).await.remove(0)
    }

    /// Waits until so many deliveries have been taken.
    pub(crate) async fn delivered(&self, count: usize) {
        let done = |all: &[Notice]| tried(all).iter().filter(|(_, next)| *next == Next::Done).count();
        self.until(|notices| done(notices) >= count).await;
    }

    /// Waits until so many deliveries are recorded as taken.
    pub(crate) async fn settled(&self, count: usize) {
        let settled = async {
            while self.states().await.iter().filter(|(state, _)| *state == DeliveryState::Delivered).count()
                < count
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            panic!("it never came to that: {:#?}", self.states().await);
        }
    }

    /// The circuits' changes so far: whether each opened.
    pub(crate) fn circuit_changes(&self) -> Vec<bool> {
        let notices = self.watcher.0.borrow();
        let opened = |notice: &Notice| match notice {
            Notice::Circuit { open_until, .. } => Some(open_until.is_some()),
            _ => None,
        };
        notices.iter().filter_map(opened).collect()
    }

    /// Every delivery, oldest first.
    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let query = DeliveryQuery { limit: 10_000, ..DeliveryQuery::default() };
        let mut all = self.store.deliveries(&query).await.unwrap().items;
        all.reverse();
        all
    }

    /// State and number of tries of every delivery, oldest first.
    pub(crate) async fn states(&self) -> Vec<(DeliveryState, u32)> {
        self.deliveries().await.into_iter().map(|d| (d.state, d.attempts)).collect()
    }

    /// How long it has been, on the runtime's clock.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

fn tried(notices: &[Notice]) -> Vec<(Attempt, Next)> {
    let attempt = |notice: &Notice| match notice {
        Notice::Attempted { attempt, next, .. } => Some((attempt.clone(), next.clone())),
        _ => None,
    };
    notices.iter().filter_map(attempt).collect()
}

/// A destination with a plain schedule: one attempt at a time, ten seconds each, tries after 5 s, 30 s and 2 min.
pub(crate) fn destination(name: &str, url: &str) -> Destination {
    Destination {
        name: name.parse().unwrap(),
        kind: Kind::Http,
        url: url.parse().unwrap(),
        allow_loopback: false,
        timeout: Duration::from_secs(10),
        concurrency: 1,
        retry: RetrySchedule { pauses: [5, 30, 120].map(Duration::from_secs).to_vec(), jitter: 0.0 },
        sign: None,
    }
}

/// The error of an attempt that got no answer.
pub(crate) fn error_of(attempt: &Attempt) -> &str {
    match &attempt.outcome {
        AttemptOutcome::Failed { error } => error,
        other => panic!("{other:?}"),
    }
}

/// The bodies of requests, in order of arrival.
pub(crate) fn bodies(receiver: &Receiver) -> Vec<String> {
    receiver.received().iter().map(|r| String::from_utf8(r.body.to_vec()).unwrap()).collect()
}

/// The address that the engine's machine has in the network in memory.
pub(crate) const OWN_ADDRESS: &str = "10.0.0.99";

/// How long to wait for what should come: two days, which pass in no time.
const PATIENCE: Duration = Duration::from_secs(2 * 24 * 60 * 60);
