//! A running server: listeners, delivery and admin around one store, until something stops it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use hookhouse_core::{Clock, EventStore, Observer, StoreError, Timestamp};
use hookhouse_delivery::Transport;
use hookhouse_delivery::engine::{Engine, EngineParts};
use hookhouse_delivery::guard::Guard;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admin::health::AllSeats;
use crate::admin::view::ConfigView;
use crate::admin::{
    self, Access, AdminState, Feed, Idempotency, Peer, Replays, Sessions, Throttle, Token, Tokens,
};
use crate::care::{Pace, Watching};
use crate::config::{Config, Endpoint, Limits, Listen, Source};
use crate::current::Current;
use crate::descriptors::{self, Spare};
use crate::handover::{self, Couriers};
use crate::inheritance::{Inheritance, Opening};
use crate::lifecycle::{DRAIN, Lifecycle};
use crate::listener::{self, Intake, Seats};
use crate::metrics::Metrics;
use crate::notify;
use crate::relay::Relays;
use crate::reload::{self, Ground, InForce, Reception, Reloader};
use crate::socket::Socket;
use crate::store::{Awaited, Unopened};
use crate::tls::{Fronts, TlsError, Wanted};
use crate::ui::Pulse;
use crate::vault::Vault;

/// What a server is made of. The listeners are bound already, so that whoever builds the configuration can know the
/// ports it speaks of.
#[derive(Debug)]
pub struct Wiring {
    /// The checked configuration.
    pub config: Config,
    /// The ingress and admin sockets.
    pub bound: Bound,
    /// Where events are kept.
    pub store: Arc<dyn EventStore>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// What stops the server.
    pub lifecycle: Lifecycle,
    /// How often webhooks are looked at.
    pub pace: Pace,
}

/// Sockets that listen but are not served yet.
#[derive(Debug)]
pub struct Bound {
    /// For senders: what `[server]` listens on, then each `[listener.NAME]`, in file order. A place has several where the
    /// service manager gave several one name.
    ingress: Vec<Vec<Socket>>,
    /// For operators.
    admin: Socket,
    /// What is left for a reload.
    inheritance: Inheritance,
}

impl Bound {
    /// Binds every place of a configuration, or none. What was inherited is not opened again.
    ///
    /// # Errors
    /// [`ServeError::Bind`] for the first place that is not to be had.
    pub fn bind(config: &Config, inheritance: Inheritance) -> Result<Self, ServeError> {
        let mut opening = Opening::from(&inheritance);
        let refuse = |place: &Listen, source| ServeError::Bind { place: place.clone(), source };
        let mut ingress = Vec::new();
        for Endpoint { address, .. } in config.endpoints() {
            ingress.push(opening.open(address).map_err(|source| refuse(address, source))?);
        }
        let place = &config.admin.listen;
        let admin = opening.open_admin(place).map_err(|source| refuse(place, source))?;
        Ok(Self { ingress, admin, inheritance: inheritance.for_reloads() })
    }

    /// One listener for senders, and one for operators.
    #[must_use]
    pub fn of(ingress: TcpListener, admin: TcpListener) -> Self {
        Self { ingress: vec![vec![ingress.into()]], admin: admin.into(), inheritance: Inheritance::default() }
    }
}

/// Binds an address.
///
/// # Errors
/// [`ServeError::Bind`] when it is taken or not ours.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let refuse = |source| ServeError::Bind { place: address.into(), source };
    TcpListener::bind(address).await.map_err(refuse)
}

/// Why a server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A place to listen on is not to be had.
    #[error("cannot listen on {place}: another process has it, or it is not this machine's")]
    Bind {
        /// The place.
        place: Listen,
        /// What the system said.
        source: io::Error,
    },
    /// The store refused.
    #[error("the store refused")]
    Store(#[source] StoreError),
    /// The store did not open.
    #[error("the store cannot be opened")]
    Open(#[source] Unopened),
    /// A file of the store's folder could not be written.
    #[error("cannot write {file} in the store's folder")]
    Folder {
        /// Which.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The socket for operators that was inherited can be reached from elsewhere, and nothing says that it may.
    #[error(
        "the admin listener refuses to be public: {0} is not loopback, and `allowed_hosts` in [admin] is empty"
    )]
    AdminPublic(SocketAddr),
    /// The socket for operators that was inherited has no address.
    #[error("the admin listener must be a TCP socket")]
    AdminPlace,
    /// A certificate cannot be used.
    #[error("a listener cannot speak TLS")]
    Tls(#[from] TlsError),
    /// The store failed while running: durability can no longer be promised.
    #[error("the store failed, and the server stopped so that it can be started again: {0}")]
    StoreFailed(String),
}

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where senders reach it.
    pub ingress: Vec<SocketAddr>,
    /// Where operators reach it.
    pub admin: SocketAddr,
    /// Its endpoints.
    pub sources: Vec<Arc<Source>>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// When it last noted in the store that it is alive; `None` where it looks after no webhooks.
    pub alive: Option<watch::Receiver<Option<Timestamp>>>,
    /// The token that opens the admin side, where it was made now: to be shown once.
    pub first_token: Option<String>,
    store: Arc<dyn EventStore>,
    lifecycle: Lifecycle,
}

/// Has the pictures of the last hour filled from the store, beside everything else.
fn recall(pulse: &Arc<Pulse>, store: &Arc<dyn EventStore>, now: Timestamp, lifecycle: &Lifecycle) {
    let (pulse, store, soft) = (Arc::clone(pulse), Arc::clone(store), lifecycle.soft.clone());
    lifecycle.tracker.spawn(async move {
        if let Some(Err(error)) = soft.run_until_cancelled(pulse.recall(&*store, now)).await {
            tracing::warn!(%error, "the pictures of the last hour begin with this start");
        }
    });
}

/// What opening a store comes to.
type Opened = Result<Arc<dyn EventStore>, Unopened>;

/// A store that another process still has, and how it is opened once it is free.
pub struct Coming {
    /// What is asked until then waits here. It is the store of the [`Wiring`].
    pub awaited: Arc<Awaited>,
    /// Resolves when the store is open.
    pub opening: Pin<Box<dyn Future<Output = Opened> + Send>>,
}

impl fmt::Debug for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coming").finish_non_exhaustive()
    }
}

/// Starts everything: consumers, delivery, admin, ingress, in that order, so that nothing is taken that nobody would
/// deliver.
///
/// # Errors
/// When the store refuses its consumers, or the admin token cannot be kept.
pub async fn start(wiring: Wiring) -> Result<Running, ServeError> {
    assemble(wiring, None).await
}

/// The same, while another process still has the store: challenges are answered at once, events wait for it.
///
/// # Errors
/// Those of [`start`], and when the store does not open.
pub async fn start_early(wiring: Wiring, coming: Coming) -> Result<Running, ServeError> {
    assemble(wiring, Some(coming)).await
}

async fn assemble(wiring: Wiring, coming: Option<Coming>) -> Result<Running, ServeError> {
    let Wiring { mut config, bound, store, clock, observer, lifecycle, pace } = wiring;
    let spare = Spare::some();
    config.server.limits = descriptors::provide(config.server.limits);
    let Bound { ingress: mut sockets, admin: admin_socket, inheritance } = bound;
    let admin = admin_address(&admin_socket, &config)?;
    let admin_socket = Arc::new(admin_socket);

    let view = ConfigView::of(&config);
    let sources: Vec<_> = std::mem::take(&mut config.sources).into_iter().map(Arc::new).collect();
    let destinations = std::mem::take(&mut config.destinations);
    let wanted = reload::subscriptions(&sources, &destinations);
    let names: Vec<_> = destinations.iter().map(|destination| destination.name.clone()).collect();
    let metrics = Metrics::new(sources.iter().map(Arc::as_ref), &names);
    let pulse = Pulse::new(sources.iter().map(|source| &source.name), &names, Arc::clone(&clock));
    recall(&pulse, &store, clock.now(), &lifecycle);
    let feed = Feed::new();
    let watching = Watching::new(feed.before(pulse.before(metrics.before(observer))));
    let observer: Arc<dyn Observer> = Arc::clone(&watching) as _;
    let seats = AllSeats { ingress: Seats::new(config.server.limits), admin: Seats::new(Limits::default()) };
    let own = sockets.iter().flatten().filter_map(Socket::address).chain([admin]);
    let guard = Arc::new(Guard::new(own.collect()));
    let couriers = Couriers::new(&lifecycle);
    let transport = Transport::system(&destinations);
    let relays = Arc::new(Relays::new(
        &destinations,
        &guard,
        &transport,
        Arc::clone(&store),
        Arc::clone(&clock),
        Arc::clone(&observer),
        lifecycle.clone(),
    ));
    let vault = Vault::of(&config.store, &store);
    let fronts = Fronts::new(config.store.path.clone(), vault.clone(), Arc::clone(&clock), lifecycle.clone());
    let prepared = fronts.prepare(&Wanted {
        listeners: config.endpoints().iter().map(|endpoint| endpoint.tls).collect(),
        names: config.server.names(),
        connections: config.server.limits.connections,
    })?;
    let shown = prepared.fronts.clone();
    fronts.commit(prepared);
    let told = (&store, &clock, &observer);
    let reception = Reception {
        ingress: Arc::new(Current::new(reload::ingress(&config, &sources, relays, told, &lifecycle))),
        challenges: Arc::clone(&fronts.challenges),
        seats: Arc::clone(&seats.ingress),
        lifecycle: lifecycle.clone(),
    };
    let secure = sockets.iter().zip(&shown).filter(|(_, front)| front.is_some());
    let secure: Vec<_> = secure.flat_map(|(sockets, _)| sockets).filter_map(Socket::address).collect();
    let in_force = InForce::new(&config, view, sources.clone(), names, sockets.iter().flatten(), &secure);
    let addresses = in_force.ingress.clone();

    let mut doors = Vec::new();
    match coming {
        None => store.subscribe(&wanted).await.map_err(ServeError::Store)?,
        Some(Coming { awaited, opening }) => {
            doors = reception.open(&config, std::mem::take(&mut sockets), shown.clone());
            let opened = opening.await.map_err(ServeError::Open)?;
            // What waits must not be stored before it is known who gets it.
            opened.subscribe(&wanted).await.map_err(ServeError::Store)?;
            awaited.set(opened);
        }
    }
    if let Some(vault) = &vault {
        vault.share_logins(&sources).await;
    }

    let parts = EngineParts {
        store: Arc::clone(&store),
        destinations,
        signers: reload::signers(&sources),
        clock: Arc::clone(&clock),
        observer: Arc::clone(&observer),
        guard: Arc::clone(&guard),
        tracker: couriers.tracker.clone(),
        soft: couriers.soft.clone(),
        hard: lifecycle.hard.clone(),
    };
    let engine = Arc::new(Engine::start_over(parts, &transport));

    let (root, first_token) = Token::keep(&config.store.path)?;
    let tokens = Arc::new(Tokens::load(&store).await.map_err(ServeError::Store)?);
    let replays = {
        let (tracker, soft) = (lifecycle.tracker.clone(), lifecycle.soft.clone());
        let routes = reload::routes(&sources);
        Replays::load(&store, &clock, routes, tracker, soft).await.map_err(ServeError::Store)?
    };
    replays.resume();

    let ground = Ground {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        observer: Arc::clone(&observer),
        lifecycle: lifecycle.clone(),
        pace,
        metrics: Arc::clone(&metrics),
        pulse: Arc::clone(&pulse),
        watching: Arc::clone(&watching),
        engine: Arc::clone(&engine),
        replays: Arc::clone(&replays),
        guard,
        fronts,
        listening: Arc::default(),
        inheritance,
        folder: config.store.path.clone(),
        vault,
        admin,
        admin_socket: Arc::clone(&admin_socket),
        couriers,
        reception,
        in_force: Arc::new(Current::new(in_force)),
    };
    let reloader = Reloader::new(ground, &config);
    let state = AdminState {
        access: Access {
            root,
            tokens,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            open: config.admin.open,
        },
        reloader: Arc::clone(&reloader),
        engine,
        replays,
        idempotency: Idempotency::new(&store),
        feed,
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        started_at: clock.now(),
        stopping: lifecycle.soft.clone(),
        tracker: lifecycle.tracker.clone(),
        metrics: Arc::clone(&metrics),
        webhooks: Arc::clone(&watching),
        listening: Arc::clone(&reloader.ground.listening),
        certificates: Arc::clone(&reloader.ground.fronts.certificates),
        reserve: config.store.reserve,
        pulse,
        address: admin,
        seats,
    };
    match reloader.leave_runtime(&config, addresses.clone(), secure) {
        // Challenges are answered on a full disk, too. Until the next start, commands on this machine do not find it.
        Err(full) if full.kind() == io::ErrorKind::StorageFull => {
            tracing::warn!(event = "runtime.not_kept", "the disk is full: runtime.json could not be written");
        }
        kept => kept.map_err(|source| ServeError::Folder { file: "runtime.json", source })?,
    }
    serve_operators(admin_socket, state, spare, &lifecycle);

    let rounds = watching.prepare(&reloader.care(&sources)).await;
    if doors.is_empty() {
        doors = reloader.ground.reception.open(&config, sockets, shown);
    }
    reloader.take(doors);
    watching.begin(rounds, &reloader.care(&sources)).await;
    lifecycle.tracker.spawn(Arc::clone(&reloader).let_go_at_the_end());
    lifecycle.tracker.spawn(handover::wait(Arc::clone(&reloader)));
    lifecycle.tracker.spawn(Arc::clone(&reloader).reload_when_asked(lifecycle.reload.subscribe()));
    Ok(Running {
        ingress: addresses,
        admin,
        sources,
        metrics,
        alive: watching.alive(),
        first_token,
        store,
        lifecycle,
    })
}

/// Where operators reach the server. Of a socket that somebody else opened, only now is seen where it listens.
fn admin_address(socket: &Socket, config: &Config) -> Result<SocketAddr, ServeError> {
    let address = socket.address().ok_or(ServeError::AdminPlace)?;
    let inherited = matches!(config.admin.listen, Listen::Inherited(_));
    if inherited && !address.ip().to_canonical().is_loopback() && config.admin.allowed_hosts.is_empty() {
        return Err(ServeError::AdminPublic(address));
    }
    Ok(address)
}

fn serve_operators(socket: Arc<Socket>, state: AdminState, spare: Spare, lifecycle: &Lifecycle) {
    let seats = Arc::clone(&state.seats.admin);
    let router = admin::router(Arc::new(state));
    let intake = Arc::new(Current::new(Intake::default()));
    lifecycle.tracker.spawn(listener::run(
        socket,
        intake,
        seats,
        lifecycle.clone(),
        spare,
        move |peer, watch, _: &Intake| {
            let (router, watch) = (TowerToHyperService::new(router.clone()), Arc::clone(watch));
            service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
                let in_flight = watch.request();
                request.extensions_mut().insert(Peer(peer));
                let answer = hyper::service::Service::call(&router, request);
                let watch = Arc::clone(&watch);
                async move {
                    // An answer that goes on for hours, as a stream does, is under way until its end.
                    let held = move |frame| {
                        let _ = &in_flight;
                        frame
                    };
                    answer.await.map(|mut answer| {
                        watch.sign_off(&mut answer);
                        answer.map(|body| body.map_frame(held))
                    })
                }
            })
        },
    ));
}

impl Running {
    /// Waits until something stops the server, then lets what is in flight finish, and closes the store.
    ///
    /// # Errors
    /// [`ServeError::StoreFailed`] when the store was the reason.
    pub async fn finish(self) -> Result<(), ServeError> {
        let failed = tokio::select! {
            why = self.store.failed() => Some(why),
            () = self.lifecycle.soft.cancelled() => None,
        };
        notify::tell("STOPPING=1");
        if self.lifecycle.drain(DRAIN).await {
            tracing::info!(event = "drain.done", "what was in flight has ended");
        } else {
            tracing::warn!(event = "drain.cut", "what was still in flight was handed back");
        }
        self.store.close().await;
        match failed {
            Some(why) => Err(ServeError::StoreFailed(why)),
            None => Ok(()),
        }
    }
}
