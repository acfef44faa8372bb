//! A running server: listeners, delivery and admin around one store, until something stops it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hookhouse_core::store::Subscription;
use hookhouse_core::{Clock, EventStore, Observer, SourceName, StoreError, Timestamp};
use hookhouse_delivery::engine::{Engine, EngineParts};
use hookhouse_delivery::guard::Guard;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admin::health::{AllSeats, Listening};
use crate::admin::view::ConfigView;
use crate::admin::{
    self, Access, AdminState, Feed, Idempotency, Peer, Replays, Sessions, Throttle, Token, Tokens,
};
use crate::care::{CareParts, Pace, Watching};
use crate::config::{Config, Limits, Source};
use crate::ingest::Ingress;
use crate::lifecycle::{DRAIN, Lifecycle};
use crate::listener::{self, Intake, Seats};
use crate::metrics::Metrics;
use crate::origin::forwarded::Trust;
use crate::relay::Relays;
use crate::runtime::Runtime;
use crate::tls::{self, TlsError};
use crate::ui::Pulse;

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
    /// For senders: what `[server]` listens on, then each `[listener.NAME]`, in file order.
    pub ingress: Vec<TcpListener>,
    /// For operators.
    pub admin: TcpListener,
}

impl Bound {
    /// Binds every address of a configuration, or none.
    ///
    /// # Errors
    /// [`ServeError::Bind`] for the first address that is not to be had.
    pub async fn bind(config: &Config) -> Result<Self, ServeError> {
        let mut ingress = Vec::new();
        for endpoint in config.endpoints() {
            ingress.push(bind(endpoint.address).await?);
        }
        Ok(Self { ingress, admin: bind(config.admin.listen).await? })
    }
}

/// Binds an address.
///
/// # Errors
/// [`ServeError::Bind`] when it is taken or not ours.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })
}

/// Why a server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address is not to be had.
    #[error("cannot listen on {address}: another process has it, or it is not this machine's")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The store refused.
    #[error("the store refused")]
    Store(#[source] StoreError),
    /// A file of the store's folder could not be written.
    #[error("cannot write {file} in the store's folder")]
    Folder {
        /// Which.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
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

/// Starts everything: consumers, delivery, admin, ingress, in that order, so that nothing is taken that nobody would
/// deliver.
///
/// # Errors
/// When the store refuses its consumers, or the admin token cannot be kept.
pub async fn start(wiring: Wiring) -> Result<Running, ServeError> {
    let Wiring { mut config, bound, store, clock, observer, lifecycle, pace } = wiring;
    store.subscribe(&subscriptions(&config)).await.map_err(ServeError::Store)?;

    let address = |listener: &TcpListener| {
        listener.local_addr().map_err(|source| ServeError::Bind { address: config.admin.listen, source })
    };
    let admin_address = address(&bound.admin)?;
    let ingress_addresses = bound.ingress.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    let own = ingress_addresses.iter().copied().chain([admin_address]).collect();

    let in_force = ConfigView::of(&config);
    let sources: Vec<_> = std::mem::take(&mut config.sources).into_iter().map(Arc::new).collect();
    let destinations = std::mem::take(&mut config.destinations);
    let signers = sources
        .iter()
        .filter_map(|source| Some((source.name.clone(), source.signer.as_ref()?.signer.clone())))
        .collect();
    let names: Vec<_> = destinations.iter().map(|destination| destination.name.clone()).collect();
    let metrics = Metrics::new(sources.iter().map(Arc::as_ref), &names);
    let pulse = Pulse::new(sources.iter().map(|source| &source.name), &names, Arc::clone(&clock));
    let feed = Feed::new();
    let watching = Watching::new(feed.before(pulse.before(metrics.before(observer))));
    let observer: Arc<dyn Observer> = Arc::clone(&watching) as _;
    let listening = Arc::new(Listening::default());
    let seats = AllSeats { ingress: Seats::new(config.server.limits), admin: Seats::new(Limits::default()) };
    let (ingress_seats, admin_seats) = (Arc::clone(&seats.ingress), Arc::clone(&seats.admin));
    let guard = Arc::new(Guard::new(own));
    let relays = Arc::new(Relays::new(
        &destinations,
        &guard,
        Arc::clone(&store),
        Arc::clone(&clock),
        Arc::clone(&observer),
        lifecycle.clone(),
    ));
    let engine = Engine::start(EngineParts {
        store: Arc::clone(&store),
        destinations,
        signers,
        clock: Arc::clone(&clock),
        observer: Arc::clone(&observer),
        guard,
        tracker: lifecycle.tracker.clone(),
        soft: lifecycle.soft.clone(),
        hard: lifecycle.hard.clone(),
    });

    let endpoints = config.endpoints();
    let tls::Started { fronts, certificates, challenges } = tls::start(tls::Parts {
        listeners: endpoints.iter().map(|endpoint| endpoint.tls).collect(),
        names: config.server.names(),
        connections: config.server.limits.connections,
        folder: config.store.path.clone(),
        clock: Arc::clone(&clock),
        lifecycle: lifecycle.clone(),
    })?;

    let (root, first_token) = Token::keep(&config.store.path)?;
    let tokens = Arc::new(Tokens::load(&store).await.map_err(ServeError::Store)?);
    let routes: HashMap<_, _> =
        sources.iter().map(|source| (source.name.clone(), source.deliver.clone())).collect();
    let replays = {
        let (tracker, soft) = (lifecycle.tracker.clone(), lifecycle.soft.clone());
        Replays::load(&store, &clock, routes, tracker, soft).await.map_err(ServeError::Store)?
    };
    replays.resume();
    let state = AdminState {
        access: Access {
            root,
            tokens,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            open: config.admin.open,
        },
        hosts: config.admin.allowed_hosts.clone(),
        config: in_force,
        config_base: config.origins.base.clone(),
        sources: sources.clone(),
        destinations: names,
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
        listening: Arc::clone(&listening),
        seats,
        certificates,
        reserve: config.store.reserve,
        pulse,
        ingress: ingress_addresses.clone(),
        address: admin_address,
    };
    let public_url = config.server.public_url.as_ref().map(ToString::to_string);
    let secure = ingress_addresses.iter().zip(&fronts).filter(|(_, front)| front.is_some());
    let secure = secure.map(|(address, _)| *address).collect();
    Runtime { admin: admin_address, ingress: ingress_addresses.clone(), secure, public_url }
        .keep(&config.store.path)
        .map_err(|source| ServeError::Folder { file: "runtime.json", source })?;

    let router = admin::router(Arc::new(state));
    let (intake, seats) = (Arc::new(Intake::default()), admin_seats);
    lifecycle.tracker.spawn(listener::run(
        bound.admin,
        intake,
        seats,
        lifecycle.clone(),
        move |peer, watch| {
            let (router, watch) = (TowerToHyperService::new(router.clone()), Arc::clone(watch));
            service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
                let in_flight = watch.request();
                request.extensions_mut().insert(Peer(peer));
                let answer = hyper::service::Service::call(&router, request);
                async move {
                    // An answer that goes on for hours, as a stream does, is under way until its end.
                    let held = move |frame| {
                        let _ = &in_flight;
                        frame
                    };
                    answer.await.map(|answer| answer.map(|body| body.map_frame(held)))
                }
            })
        },
    ));

    let care = CareParts {
        sources: &sources,
        store: &store,
        clock: &clock,
        observer: &observer,
        metrics: &metrics,
        lifecycle: &lifecycle,
        pace,
    };
    let rounds = watching.prepare(&care).await;
    let ingress = Arc::new(Ingress::new(
        &config,
        sources.clone(),
        Arc::clone(&store),
        Arc::clone(&clock),
        Arc::clone(&observer),
        lifecycle.tracker.clone(),
        relays,
    ));
    let trust = Trust::new(config.server.trusted_proxies.clone());
    let mut loops = Vec::new();
    for ((socket, endpoint), front) in bound.ingress.into_iter().zip(endpoints).zip(fronts) {
        let secure = front.is_some();
        let intake = Arc::new(Intake {
            trust: trust.clone(),
            proxy_protocol: endpoint.proxy_protocol,
            front,
            ingress: Some(Arc::clone(&ingress)),
        });
        let (ingress, challenges, seats) =
            (Arc::clone(&ingress), Arc::clone(&challenges), Arc::clone(&ingress_seats));
        let accepting = lifecycle.tracker.spawn(listener::run(
            socket,
            intake,
            seats,
            lifecycle.clone(),
            move |peer: IpAddr, watch| {
                let (ingress, challenges, watch) =
                    (Arc::clone(&ingress), Arc::clone(&challenges), Arc::clone(watch));
                service_fn(move |request| {
                    let (ingress, watch) = (Arc::clone(&ingress), Arc::clone(&watch));
                    let probe = challenges.answer(&request);
                    async move {
                        let _in_flight = watch.request();
                        let mut reply = match probe {
                            Some(answer) => answer,
                            None => ingress.handle(request, peer).await,
                        };
                        if secure {
                            tls::hsts::demand(&mut reply);
                        }
                        Ok(reply)
                    }
                })
            },
        ));
        loops.push(accepting.abort_handle());
    }
    listening.begin(loops);
    watching.begin(rounds, &care).await;
    Ok(Running {
        ingress: ingress_addresses,
        admin: admin_address,
        sources,
        metrics,
        alive: watching.alive(),
        first_token,
        store,
        lifecycle,
    })
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
        if !self.lifecycle.drain(DRAIN).await {
            tracing::warn!(event = "drain.cut", "what was still in flight was handed back");
        }
        self.store.close().await;
        match failed {
            Some(why) => Err(ServeError::StoreFailed(why)),
            None => Ok(()),
        }
    }
}

/// Every destination with the sources that name it; one that none names is there for replays.
fn subscriptions(config: &Config) -> Vec<Subscription> {
    let mut wanted: BTreeMap<_, Vec<SourceName>> =
        config.destinations.iter().map(|destination| (destination.name.clone(), Vec::new())).collect();
    for source in &config.sources {
        for destination in &source.deliver {
            wanted.entry(destination.clone()).or_default().push(source.name.clone());
        }
    }
    wanted.into_iter().map(|(destination, sources)| Subscription { destination, sources }).collect()
}
