//! Going on with another configuration, in one step or not at all.
//!
//! ```text
//! file ─▶ checked as at the start ─▶ everything new is made beside the old ─▶ the store knows the destinations ─▶ swap
//!              │                                │                                          │
//!              └────────────────────────────────┴──────── what fails leaves the old as it was ┘
//! ```
//!
//! A request is judged by what is in force when its head is there, and goes on with that. What did not change goes on
//! as it is: its counters, its connections, its tickets, its nonces. What a running server cannot change, the reader
//! of the file refuses at its key.

mod changes;
mod door;
mod following;
mod in_force;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookhouse_core::{Clock, DestinationName, EventStore, Observer, StoreError};
use hookhouse_delivery::guard::Guard;
use hookhouse_delivery::{Destination, Engine, Transport};

use crate::admin::Replays;
use crate::admin::health::Listening;
use crate::admin::view::ConfigView;
use crate::care::{CareParts, Pace, Watching};
use crate::config::{self, Config, Diagnostics, Listen, ProcessEnv, Running, Source};
use crate::current::Current;
use crate::descriptors;
use crate::handover::Couriers;
use crate::ingest::Ingress;
use crate::inheritance::{Inheritance, Opening};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::notify;
use crate::relay::Relays;
use crate::runtime::Runtime;
use crate::socket::Socket;
use crate::tls::{Front, Fronts, Prepared, TlsError, Wanted};
use crate::ui::Pulse;
use crate::vault::Vault;

pub use changes::{Changes, Difference};
pub(crate) use door::{Door, Reception};
use following::looks_after_others;
pub(crate) use following::{routes, signers, subscriptions};
pub(crate) use in_force::InForce;

/// What outlives a reload.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) pace: Pace,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) watching: Arc<Watching>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) replays: Arc<Replays>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) fronts: Fronts,
    pub(crate) listening: Arc<Listening>,
    pub(crate) inheritance: Inheritance,
    /// The store's.
    pub(crate) folder: PathBuf,
    /// What gateways of a cluster share.
    pub(crate) vault: Option<Vault>,
    /// Where operators reach the server.
    pub(crate) admin: SocketAddr,
    pub(crate) admin_socket: Arc<Socket>,
    /// Who delivers.
    pub(crate) couriers: Couriers,
    pub(crate) reception: Reception,
    /// What operators see.
    pub(crate) in_force: Arc<Current<InForce>>,
}

/// Reloads, one at a time.
#[derive(Debug)]
pub(crate) struct Reloader {
    pub(crate) ground: Ground,
    /// What cannot change.
    running: Running,
    file: Option<PathBuf>,
    /// Held while a reload is under way.
    turn: tokio::sync::Mutex<Known>,
    /// Looked at for a few lines.
    doors: Mutex<Vec<Door>>,
    /// Who waits for this process to end.
    successor: Mutex<Option<UnixStream>>,
}

/// What is known of the configuration in force, for comparison.
#[derive(Debug)]
struct Known {
    prints: config::Prints,
}

/// A socket, and where the configuration has it.
pub(crate) type Placed = (Listen, Arc<Socket>);

/// What everything is kept in, told the time by, and told to.
pub(crate) type Told<'a> = (&'a Arc<dyn EventStore>, &'a Arc<dyn Clock>, &'a Arc<dyn Observer>);

/// What a reload came to.
#[derive(Debug)]
pub(crate) struct Reloaded {
    pub(crate) changes: Changes,
    /// What the new configuration can live with.
    pub(crate) warnings: Diagnostics,
}

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// There is no file to read.
    #[error("this server runs without a configuration file: there is nothing to read again")]
    NoFile,
    /// The server is on its way out.
    #[error("the server is stopping")]
    Stopping,
    /// The file is not good.
    #[error("the configuration has mistakes")]
    Config(Diagnostics),
    /// A new address is not to be had.
    #[error("cannot listen on {listen}: {source}")]
    Bind { listen: Listen, source: std::io::Error },
    /// A certificate cannot be used.
    #[error("a listener cannot speak TLS: {0}")]
    Tls(#[from] TlsError),
    /// The store does not take the new destinations.
    #[error("the store refused: {0}")]
    Store(#[source] StoreError),
    /// It broke off.
    #[error("the reload broke off")]
    Broken,
}

/// Everything new, made beside the old.
struct New {
    config: Config,
    sources: Vec<Arc<Source>>,
    destinations: Vec<Destination>,
    prints: config::Prints,
    view: ConfigView,
    transport: Transport,
    fronts: Prepared,
    /// For each endpoint, its sockets where they are new.
    opened: Vec<Option<Vec<Socket>>>,
}

impl Reloader {
    /// Who reloads what runs already.
    pub(crate) fn new(ground: Ground, config: &Config) -> Arc<Self> {
        let Config { origins, .. } = config;
        Arc::new(Self {
            ground,
            running: Running::of(config),
            file: origins.file.clone(),
            turn: tokio::sync::Mutex::new(Known { prints: origins.prints.clone() }),
            doors: Mutex::default(),
            successor: Mutex::default(),
        })
    }

    /// These are open, from the start.
    pub(crate) fn take(&self, opened: Vec<Door>) {
        self.ground.listening.set(opened.iter().flat_map(Door::loops).collect());
        *self.doors() = opened;
    }

    /// Lets go of the listeners once the server is to stop: whoever knocks then is for the next one.
    pub(crate) async fn let_go_at_the_end(self: Arc<Self>) {
        self.ground.lifecycle.soft.cancelled().await;
        let _turn = self.turn.lock().await;
        self.doors().clear();
    }

    /// Reloads at each SIGHUP, and ends with the server.
    pub(crate) async fn reload_when_asked(self: Arc<Self>, mut asked: tokio::sync::watch::Receiver<u64>) {
        let soft = self.ground.lifecycle.soft.clone();
        while let Some(Ok(())) = soft.run_until_cancelled(asked.changed()).await {
            // It has said what came of it.
            drop(self.reload().await);
        }
    }

    /// Reads the file again, and goes on with it if everything about it is good. It is done to its end also where whoever
    /// asked for it goes away.
    pub(crate) async fn reload(self: &Arc<Self>) -> Result<Reloaded, ReloadError> {
        let this = Arc::clone(self);
        let reloading = self.ground.lifecycle.tracker.spawn(async move {
            let mut known = this.turn.lock().await;
            notify::reloading();
            let outcome = this.attempt(&mut known).await;
            // Certificates are files of others: they are looked at in any case.
            this.ground.fronts.recheck();
            match &outcome {
                Ok(done) => tracing::info!(event = "config.reloaded", changed = %done.changes, "in force"),
                Err(ReloadError::Config(found)) => {
                    tracing::error!(event = "config.rejected", mistakes = found.len(), why = %found, "the old one is kept");
                }
                Err(why) => tracing::error!(event = "config.rejected", %why, "the old one is kept"),
            }
            notify::tell("READY=1");
            outcome
        });
        reloading.await.unwrap_or(Err(ReloadError::Broken))
    }

    async fn attempt(&self, known: &mut Known) -> Result<Reloaded, ReloadError> {
        let file = self.file.clone().ok_or(ReloadError::NoFile)?;
        if self.ground.lifecycle.soft.is_cancelled() {
            return Err(ReloadError::Stopping);
        }
        let running = self.running.clone();
        let reading = tokio::task::spawn_blocking(move || config::load_for(&running, &file, &ProcessEnv));
        let loaded = reading.await.map_err(|_| ReloadError::Broken)?.map_err(ReloadError::Config)?;
        let new = self.prepare(loaded.config, known).await?;
        self.ground
            .store
            .subscribe(&subscriptions(&new.sources, &new.destinations))
            .await
            .map_err(ReloadError::Store)?;
        let changes = self.commit(new, known).await;
        Ok(Reloaded { changes, warnings: loaded.warnings })
    }

    /// Makes everything that is new. Whatever fails, nothing has happened.
    async fn prepare(&self, mut config: Config, known: &Known) -> Result<New, ReloadError> {
        config.server.limits = descriptors::provide(config.server.limits);
        let (prints, view) = (config.origins.prints.clone(), ConfigView::of(&config));
        let former = self.ground.in_force.get();
        let sources = std::mem::take(&mut config.sources);
        let sources: Vec<_> =
            sources.into_iter().map(|source| keep(source, &former.sources, known, &prints)).collect();
        if let Some(vault) = &self.ground.vault {
            vault.share_logins(&sources).await;
        }
        let destinations = std::mem::take(&mut config.destinations);
        let opened = self.sockets(&config)?;
        let fronts = self.ground.fronts.prepare(&Wanted {
            listeners: config.endpoints().iter().map(|endpoint| endpoint.tls).collect(),
            names: config.server.names(),
            connections: config.server.limits.connections,
        })?;
        let wanted = destinations.clone();
        let reading = tokio::task::spawn_blocking(move || Transport::system(&wanted));
        let transport = reading.await.map_err(|_| ReloadError::Broken)?;
        Ok(New { config, sources, destinations, prints, view, transport, fronts, opened })
    }

    /// Opens what is not listened on yet.
    fn sockets(&self, config: &Config) -> Result<Vec<Option<Vec<Socket>>>, ReloadError> {
        let mut opening = Opening::from(&self.ground.inheritance);
        let mut kept: Vec<Listen> = self.doors().iter().map(|door| door.listen.clone()).collect();
        let mut all = Vec::new();
        for endpoint in config.endpoints() {
            match kept.iter().position(|listen| listen == endpoint.address) {
                Some(place) => {
                    kept.swap_remove(place);
                    all.push(None);
                }
                None => {
                    let bind = |source| ReloadError::Bind { listen: endpoint.address.clone(), source };
                    all.push(Some(opening.open(endpoint.address).map_err(bind)?));
                }
            }
        }
        Ok(all)
    }

    /// Goes on with it. Nothing fails from here on.
    async fn commit(&self, new: New, known: &mut Known) -> Changes {
        let New { config, sources, destinations, prints, view, transport, fronts, opened } = new;
        let ground = &self.ground;
        let former = ground.in_force.get();
        let mut changes = Changes {
            sources: Difference::between(known.prints.sources.keys(), prints.sources.keys(), |name| {
                known.prints.sources.get(name) == prints.sources.get(name)
            }),
            destinations: Difference::between(
                known.prints.destinations.keys(),
                prints.destinations.keys(),
                |name| known.prints.destinations.get(name) == prints.destinations.get(name),
            ),
            listeners: Difference::default(),
            settings: Vec::new(),
        };
        known.prints = prints;

        let names: Vec<_> = destinations.iter().map(|destination| destination.name.clone()).collect();
        ground.metrics.change(sources.iter().map(Arc::as_ref), &names);
        ground.pulse.change(sources.iter().map(|source| &source.name), &names);
        ground.replays.route(routes(&sources));
        ground.reception.seats.limit(config.server.limits);
        let relays = Arc::new(Relays::new(
            &destinations,
            &ground.guard,
            &transport,
            Arc::clone(&ground.store),
            Arc::clone(&ground.clock),
            Arc::clone(&ground.observer),
            ground.lifecycle.clone(),
        ));
        let changed: BTreeSet<DestinationName> = names
            .iter()
            .filter(|name| changes.destinations.changed.iter().any(|one| one == name.as_str()))
            .cloned()
            .collect();
        ground.engine.change(destinations, &changed, signers(&sources), &transport);

        let made = fronts.fronts.clone();
        ground.fronts.commit(fronts);
        let told = (&ground.store, &ground.clock, &ground.observer);
        ground.reception.ingress.set(ingress(&config, &sources, relays, told, &ground.lifecycle));
        changes.listeners = self.change_doors(&config, made, opened);

        changes.settings = changes::settings(&former.view.settings, &view.settings);
        let (in_force, secure) = {
            let doors = self.doors();
            let sockets = doors.iter().flat_map(|door| &door.sockets).map(Arc::as_ref);
            let secure: Vec<_> = doors.iter().flat_map(Door::secure).collect();
            (InForce::new(&config, view, sources.clone(), names, sockets, &secure), secure)
        };
        let ingress = in_force.ingress.clone();
        self.ground.guard.set_listeners(in_force.ingress.iter().copied().chain([ground.admin]).collect());
        ground.in_force.set(in_force);
        if let Err(error) = self.leave_runtime(&config, ingress, secure) {
            tracing::warn!(event = "runtime.not_kept", %error, "commands on this machine may not find the listeners");
        }
        if looks_after_others(&former.sources, &sources) {
            ground.watching.change(&self.care(&sources)).await;
        }
        changes
    }

    fn change_doors(
        &self,
        config: &Config,
        fronts: Vec<Option<Arc<Front>>>,
        opened: Vec<Option<Vec<Socket>>>,
    ) -> Difference {
        let mut difference = Difference::default();
        let mut doors = self.doors();
        let mut former = std::mem::take(&mut *doors);
        for ((endpoint, sockets), front) in config.endpoints().into_iter().zip(opened).zip(fronts) {
            let intake = self.ground.reception.intake(config, endpoint.proxy_protocol, front);
            let kept = former.iter().position(|door| door.listen == *endpoint.address);
            match (sockets, kept) {
                (None, Some(place)) => {
                    let door = former.remove(place);
                    if !door.intake.get().is_like(&intake) {
                        difference.changed.push(door.listen.to_string());
                    }
                    door.intake.set(intake);
                    doors.push(door);
                }
                (sockets, _) => {
                    difference.added.push(endpoint.address.to_string());
                    let sockets = sockets.unwrap_or_default();
                    doors.push(Door::open(&self.ground.reception, endpoint.address.clone(), sockets, intake));
                }
            }
        }
        for door in &former {
            difference.removed.push(door.listen.to_string());
            door.close();
        }
        self.ground.listening.set(doors.iter().flat_map(Door::loops).collect());
        difference
    }

    /// What is left for commands on this machine.
    pub(crate) fn leave_runtime(
        &self,
        config: &Config,
        ingress: Vec<SocketAddr>,
        secure: Vec<SocketAddr>,
    ) -> std::io::Result<()> {
        let public_url = config.server.public_url.as_ref().map(ToString::to_string);
        Runtime { admin: self.ground.admin, ingress, secure, public_url }.keep(&self.ground.folder)
    }

    /// What care is made of.
    pub(crate) fn care<'a>(&'a self, sources: &'a [Arc<Source>]) -> CareParts<'a> {
        let ground = &self.ground;
        CareParts {
            sources,
            store: &ground.store,
            clock: &ground.clock,
            observer: &ground.observer,
            metrics: &ground.metrics,
            lifecycle: &ground.lifecycle,
            pace: ground.pace,
        }
    }

    /// Keeps a connection open for as long as this process lives.
    pub(crate) fn keep(&self, successor: UnixStream) {
        *self.successor.lock().unwrap_or_else(PoisonError::into_inner) = Some(successor);
    }

    /// Every socket, with where the configuration has it: those for senders, and the one for operators.
    pub(crate) fn listening(&self) -> (Vec<Placed>, Placed) {
        let doors = self.doors();
        let each = |door: &Door| -> Vec<_> {
            door.sockets.iter().map(|socket| (door.listen.clone(), Arc::clone(socket))).collect()
        };
        let admin = (self.running.admin().clone(), Arc::clone(&self.ground.admin_socket));
        (doors.iter().flat_map(each).collect(), admin)
    }

    fn doors(&self) -> MutexGuard<'_, Vec<Door>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What requests are judged by.
pub(crate) fn ingress(
    config: &Config,
    sources: &[Arc<Source>],
    relays: Arc<Relays>,
    (store, clock, observer): Told<'_>,
    lifecycle: &Lifecycle,
) -> Ingress {
    let (store, clock, observer) = (Arc::clone(store), Arc::clone(clock), Arc::clone(observer));
    Ingress::new(config, sources.to_vec(), store, clock, observer, lifecycle.tracker.clone(), relays)
}

/// The source that was there before, if it is the same; else the new one, which counts on where the other was.
fn keep(mut source: Source, former: &[Arc<Source>], known: &Known, prints: &config::Prints) -> Arc<Source> {
    let name = source.name.as_str();
    let Some(before) = former.iter().find(|other| other.name == source.name) else { return Arc::new(source) };
    if known.prints.sources.get(name) == prints.sources.get(name) {
        return Arc::clone(before);
    }
    source.addresses = Arc::clone(&before.addresses);
    Arc::new(source)
}
