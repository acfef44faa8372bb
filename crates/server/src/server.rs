//! A running server: listeners, delivery and admin around one store, until something stops it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hookhouse_core::store::Subscription;
use hookhouse_core::{Clock, EventStore, Observer, SourceName, StoreError};
use hookhouse_delivery::engine::{Engine, EngineParts};
use hookhouse_delivery::guard::Guard;
use hyper::service::service_fn;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::admin::{self, AdminState, Token};
use crate::config::{Config, Limits, Source};
use crate::ingest::Ingress;
use crate::lifecycle::{DRAIN, Lifecycle};
use crate::listener::{self, Intake, Seats};
use crate::origin::forwarded::Trust;
use crate::relay::Relays;
use crate::runtime::Runtime;

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
}

/// Sockets that listen but are not served yet.
#[derive(Debug)]
pub struct Bound {
    /// For senders.
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
        for address in &config.server.listen {
            ingress.push(bind(*address).await?);
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
    store: Arc<dyn EventStore>,
    lifecycle: Lifecycle,
}

/// Starts everything: consumers, delivery, admin, ingress, in that order, so that nothing is taken that nobody would
/// deliver.
///
/// # Errors
/// When the store refuses its consumers, or the admin token cannot be kept.
pub async fn start(wiring: Wiring) -> Result<Running, ServeError> {
    let Wiring { mut config, bound, store, clock, observer, lifecycle } = wiring;
    store.subscribe(&subscriptions(&config)).await.map_err(ServeError::Store)?;

    let address = |listener: &TcpListener| {
        listener.local_addr().map_err(|source| ServeError::Bind { address: config.admin.listen, source })
    };
    let admin_address = address(&bound.admin)?;
    let ingress_addresses = bound.ingress.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    let own = ingress_addresses.iter().copied().chain([admin_address]).collect();

    let sources: Vec<_> = std::mem::take(&mut config.sources).into_iter().map(Arc::new).collect();
    let destinations = std::mem::take(&mut config.destinations);
    let signers = sources
        .iter()
        .filter_map(|source| Some((source.name.clone(), source.signer.as_ref()?.signer.clone())))
        .collect();
    let names = destinations.iter().map(|destination| destination.name.clone()).collect();
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

    let state = AdminState {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        token: Token::keep(&config.store.path)?,
        hosts: config.admin.allowed_hosts.clone(),
        sources: sources.clone(),
        destinations: names,
        engine,
        started_at: clock.now(),
        stopping: lifecycle.soft.clone(),
    };
    let public_url = config.server.public_url.as_ref().map(ToString::to_string);
    Runtime { admin: admin_address, ingress: ingress_addresses.clone(), public_url }
        .keep(&config.store.path)
        .map_err(|source| ServeError::Folder { file: "runtime.json", source })?;

    let router = admin::router(Arc::new(state));
    let (intake, seats) = (Arc::new(Intake::default()), Seats::new(Limits::default()));
    lifecycle.tracker.spawn(listener::run(bound.admin, intake, seats, lifecycle.clone(), move |_, watch| {
        let (router, watch) = (TowerToHyperService::new(router.clone()), Arc::clone(watch));
        service_fn(move |request| {
            let in_flight = watch.request();
            let answer = hyper::service::Service::call(&router, request);
            async move {
                let answer = answer.await;
                drop(in_flight);
                answer
            }
        })
    }));

    let ingress = Arc::new(Ingress::new(
        &config,
        sources.clone(),
        Arc::clone(&store),
        clock,
        observer,
        lifecycle.tracker.clone(),
        relays,
    ));
    let seats = Seats::new(config.server.limits);
    let intake = Arc::new(Intake {
        trust: Trust::new(config.server.trusted_proxies.clone()),
        proxy_protocol: config.server.proxy_protocol,
    });
    for socket in bound.ingress {
        let (ingress, intake, seats) = (Arc::clone(&ingress), Arc::clone(&intake), Arc::clone(&seats));
        lifecycle.tracker.spawn(listener::run(
            socket,
            intake,
            seats,
            lifecycle.clone(),
            move |peer: IpAddr, watch| {
                let (ingress, watch) = (Arc::clone(&ingress), Arc::clone(watch));
                service_fn(move |request| {
                    let (ingress, watch) = (Arc::clone(&ingress), Arc::clone(&watch));
                    async move {
                        let _in_flight = watch.request();
                        Ok(ingress.handle(request, peer).await)
                    }
                })
            },
        ));
    }
    Ok(Running { ingress: ingress_addresses, admin: admin_address, sources, store, lifecycle })
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
