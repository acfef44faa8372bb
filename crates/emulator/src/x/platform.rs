//! The handle: starts a platform, turns its clock, acts in it, reads its ledger, stops it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::Secret;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::act::{Act, ActError, Performed};
use super::clock::EmulatedClock;
use super::credentials::{Credentials, UserTokens, secret};
use super::driver::{Driver, TURNS, Turn};
use super::ids::WebhookId;
use super::ledger::Ledger;
use super::options::Options;
use super::routes;
use super::state::World;
use super::users::User;

/// A running platform. It ends when it is dropped.
#[derive(Debug)]
pub struct Platform {
    pub(super) world: Arc<World>,
    address: SocketAddr,
    turns: mpsc::Sender<Turn>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Platform {
    /// Starts one. Its server answers from now on, and its driver works.
    ///
    /// # Errors
    /// When the address is not loopback's, or taken.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        if !options.listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(options.listen));
        }
        let bind = |source| StartError::Bind { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let world = Arc::new(World::new(options));
        let (turns, asked) = mpsc::channel(TURNS);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(Driver::new(Arc::clone(&world), asked).run(stop.clone()));
        let router = routes::router(Arc::clone(&world), turns.clone());
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        // What can fail here fails for one connection.
        tasks.spawn(async move { drop(served.await) });
        Ok(Self { world, address, turns, stop, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What stands for `https://api.x.com`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its time, to be shared with whoever is to live in it.
    #[must_use]
    pub fn clock(&self) -> Arc<EmulatedClock> {
        Arc::clone(&self.world.clock)
    }

    /// The app's keys as they are now.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.world.lock().credentials.clone()
    }

    /// What the users' authorisations are worth, in the order of the options.
    #[must_use]
    pub fn tokens(&self) -> Vec<UserTokens> {
        self.world.lock().tokens.clone()
    }

    /// The tokens of a user, by handle.
    #[must_use]
    pub fn tokens_of(&self, handle: &str) -> Option<UserTokens> {
        let state = self.world.lock();
        let user = state.users.by_handle(handle)?.id;
        state.tokens.iter().find(|tokens| tokens.user == user).cloned()
    }

    /// Limits what a user's OAuth 2.0 token allows.
    pub fn grant(&self, handle: &str, scopes: &[&str]) {
        let mut state = self.world.lock();
        let Some(user) = state.users.by_handle(handle).map(|user| user.id) else { return };
        if let Some(tokens) = state.tokens.iter_mut().find(|tokens| tokens.user == user) {
            tokens.scopes = scopes.iter().map(ToString::to_string).collect();
        }
    }

    /// Everybody, oldest id first.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        self.world.lock().users.iter().cloned().collect()
    }

    /// The registered webhooks, and whether each is valid.
    #[must_use]
    pub fn webhooks(&self) -> Vec<(WebhookId, String, bool)> {
        let state = self.world.lock();
        state.webhooks.values().map(|webhook| (webhook.id, webhook.url.clone(), webhook.valid)).collect()
    }

    /// Somebody does something. With a clock that runs, who is to be told is told at once; with a stopped one, when the
    /// time is next turned.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn act(&self, act: &Act) -> Result<Performed, ActError> {
        let performed = self.world.lock().act(act, self.world.now())?;
        self.world.changed.notify_one();
        Ok(performed)
    }

    /// Turns the clock, and does on the way what falls due.
    pub async fn advance(&self, by: Duration) {
        turn(&self.turns, by).await;
    }

    /// Does what is due now, and all that comes of it now.
    pub async fn settle(&self) {
        self.advance(Duration::ZERO).await;
    }

    /// Regenerates the consumer secret, as the developer console does: from now on it signs and is expected.
    #[must_use]
    pub fn rotate_consumer_secret(&self) -> Secret {
        let mut state = self.world.lock();
        let new = secret(&mut state.rng, 38);
        state.credentials.consumer_secret = new.clone();
        new
    }

    /// Lets the next calls of an endpoint (`webhooks.list`, `*` for any) fail with a status.
    pub fn fail_calls(&self, endpoint: &str, status: StatusCode, times: u32) {
        if times > 0 {
            self.world.lock().faults.push((endpoint.to_owned(), status, times));
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.world.lock().ledger.clone()
    }

    /// Reads the ledger where a copy would be too much. The platform waits meanwhile.
    pub fn with_ledger<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.world.lock().ledger)
    }

    /// Stops listening and sending.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // Connections that a client keeps open end with the tasks.
        drop(tokio::time::timeout(PATIENCE, all).await);
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Asks the driver.
pub(super) async fn turn(turns: &mpsc::Sender<Turn>, by: Duration) {
    let (done, is_done) = oneshot::channel();
    if turns.send((by, done)).await.is_ok() {
        // A driver that stopped has nothing more to do.
        let _ = is_done.await;
    }
}

/// Why there is no platform.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Others could reach it, and its keys are known to whoever can.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// Somebody else listens there.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// How long a stop may take.
const PATIENCE: Duration = Duration::from_secs(2);
