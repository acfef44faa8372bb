//! A server in a runtime of its own: it can be stopped in good order, and it can be killed.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::notice::Unwatched;
use hookhouse_core::{Clock, Observer, Timestamp};
use hookhouse_server::care::Pace;
use hookhouse_server::config::{self, Environment};
use hookhouse_server::{Bound, Lifecycle, Running, Wiring, store};
use hookhouse_x::heal::Policy;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// The variables that a configuration names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables(pub(crate) HashMap<String, String>);

impl Environment for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct House {
    runtime: Option<Runtime>,
    lifecycle: Lifecycle,
    running: Option<Running>,
}

/// How a server is started.
pub(crate) struct Plan<'a> {
    pub(crate) config: &'a str,
    pub(crate) variables: &'a Variables,
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl House {
    /// Starts, waiting for the folder and the port that a killed one before it may still hold for a moment.
    pub(crate) async fn start(plan: Plan<'_>) -> Self {
        let loaded = config::parse(plan.config, "test.toml", plan.folder, plan.variables);
        let config = loaded.unwrap_or_else(|found| panic!("{}", found.render(false))).config;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let lifecycle = Lifecycle::default();
        let (told, started) = oneshot::channel();
        let (ending, clock) = (lifecycle.clone(), plan.clock);
        let observer = plan.observer.unwrap_or_else(|| Arc::new(Unwatched));
        let port = plan.port;
        runtime.spawn(async move {
            let store = persistently(|| async {
                store::open(&config.store, config.largest_body(), Arc::clone(&clock)).await.ok()
            })
            .await;
            let ingress = persistently(|| async { listen(port).await }).await;
            let bound = Bound::of(ingress, listen(0).await.unwrap());
            // Healing at the usual pace, in a time that jumps.
            let policy = Policy { jitter: 0.0, ..Policy::default() };
            // A step of the tests is no absence.
            let harmless = Duration::from_mins(45);
            let pace =
                Pace { beat: Duration::from_millis(4), harmless, nap: Duration::from_millis(4), policy };
            let wiring = Wiring { config, bound, store, clock, observer, lifecycle: ending, pace };
            let _ = told.send(hookhouse_server::start(wiring).await.unwrap());
        });
        let running = started.await.unwrap();
        Self { runtime: Some(runtime), lifecycle, running: Some(running) }
    }

    /// Waits until the server has noticed what time it is: whoever turns the clock faster makes it believe that it was away.
    pub(crate) async fn notices(&self, now: Timestamp) {
        let Some(mut alive) = self.running.as_ref().and_then(|running| running.alive.clone()) else { return };
        let noticed = alive.wait_for(|seen| seen.is_some_and(|seen| seen >= now)).await.is_ok();
        assert!(noticed, "the server lives");
    }

    /// Ends as SIGTERM would have it.
    pub(crate) async fn stop(mut self) {
        self.lifecycle.soft.cancel();
        let (running, runtime) = (self.running.take().unwrap(), self.runtime.take().unwrap());
        runtime.spawn(running.finish()).await.unwrap().unwrap();
        runtime.shutdown_background();
    }

    /// Ends as a power cut would, as far as one process can do that to itself: no task goes on, nothing is said.
    pub(crate) fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.ok()
}

async fn persistently<T, F: Future<Output = Option<T>>>(mut attempt: impl FnMut() -> F) -> T {
    for _ in 0..1_000 {
        if let Some(done) = attempt().await {
            return done;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("in vain, for ten seconds");
}
