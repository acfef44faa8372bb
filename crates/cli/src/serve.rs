//! `hookhouse serve`: the server that a configuration describes, until SIGTERM.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{Clock, EventStore, Observer, SystemClock};
use hookhouse_server::care::Pace;
use hookhouse_server::config::StoreConfig;
use hookhouse_server::handover::Predecessor;
use hookhouse_server::store::{Awaited, OpenError, Unopened};
use hookhouse_server::{Bound, Coming, Inheritance, Lifecycle, Wiring, core_dump, notify, store};

use crate::Global;
use crate::exit::{Code, Failure, Outcome};
use crate::otlp::Traces;
use crate::{locate, log, otlp, token};

/// How often a store is tried whose former server is on its way out.
const TRIES: u32 = 200;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Run the server that a configuration describes
///
/// SIGTERM and SIGINT drain: nothing new begins, what is in flight is finished or handed back. A second one ends at once.
/// SIGHUP reloads the configuration, as `hookhouse reload` does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Take over from the server that runs with this store, if one does: its listeners are passed on, and no request is lost
    #[arg(long)]
    take_over: bool,
    /// What to log: a level, or per part, as RUST_LOG takes it
    #[arg(long, env = "HOOKHOUSE_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    // A secret that is never read into a dumpable process is in no dump.
    core_dump::forbid()?;
    // Before there is a second thread: it changes variables.
    let inheritance = Inheritance::from_service_manager()?;
    let config = locate::load(&locate::required_config(global)?)?.config;
    let _rest = log::start(&args.log).map_err(|error| Failure::with_code(error, Code::Usage))?;
    let collector = otlp::Settings::from_environment()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let lifecycle = Lifecycle::default();
        lifecycle.stop_on_signals()?;
        lifecycle.reload_on_hangup()?;
        let folder = config.store.path.clone();
        let predecessor = if args.take_over { Predecessor::find(&folder)? } else { None };
        let (log, pace) = (Arc::new(log::Log::default()), Pace::default());
        lifecycle.tracker.spawn(tell_suppressed(Arc::clone(&log), lifecycle.clone()));
        let (bound, store, coming) = match predecessor {
            None => {
                let store = store::open(&config.store, config.largest_body(), Arc::clone(&clock)).await?;
                (Bound::bind(&config, inheritance)?, store, None)
            }
            Some((mut predecessor, passed)) => {
                // Until here the other one goes on, whatever is wrong.
                let bound = Bound::bind(&config, passed.or(inheritance))?;
                tracing::info!(event = "handover.asked", "the server that runs is asked to go");
                let relieving = move || predecessor.relieve().map(|()| predecessor);
                let predecessor = tokio::task::spawn_blocking(relieving).await??;
                let awaited = Arc::<Awaited>::default();
                let (settings, at) = (config.store.clone(), Arc::clone(&clock));
                let opening = Box::pin(open_when_free(settings, config.largest_body(), at, predecessor));
                let store: Arc<dyn EventStore> = Arc::clone(&awaited) as _;
                (bound, store, Some(Coming { awaited, opening }))
            }
        };
        let told: Arc<dyn Observer> = Arc::clone(&log) as _;
        let traces = collector.map(|to| Traces::start(to, Arc::clone(&store), Arc::clone(&told)));
        let observer = traces.as_ref().map_or(told, Traces::observer);
        let wiring =
            Wiring { config, bound, store, clock, observer, lifecycle: lifecycle.clone(), pace };
        let running = match coming {
            None => hookhouse_server::start(wiring).await?,
            Some(coming) => hookhouse_server::start_early(wiring, coming).await?,
        };
        for address in &running.ingress {
            tracing::info!(event = "listening", %address, "taking webhooks");
        }
        for source in &running.sources {
            tracing::info!(event = "source", source = %source.name, provider = source.provider, path = source.path);
        }
        token::introduce(&running, &folder);
        tracing::info!(event = "ready", admin = %running.admin);
        notify::ready(&lifecycle);
        let finished = running.finish().await;
        if let Some(traces) = traces {
            traces.finish().await;
        }
        finished?;
        log.tell_suppressed();
        tracing::info!(event = "stopped", "everything acknowledged is stored");
        Ok(())
    })
}

/// Says once a second what the log left out.
async fn tell_suppressed(log: Arc<log::Log>, lifecycle: Lifecycle) {
    while lifecycle.soft.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
        log.tell_suppressed();
    }
}

/// The store, once the process that had it is gone altogether.
async fn open_when_free(
    config: StoreConfig,
    largest: u64,
    clock: Arc<dyn Clock>,
    predecessor: Predecessor,
) -> Result<Arc<dyn EventStore>, Unopened> {
    match tokio::task::spawn_blocking(move || predecessor.gone()).await {
        Ok(Ok(())) => {}
        // Whether it is gone, the lock on the store knows better.
        Ok(Err(error)) => tracing::warn!(event = "handover.late", %error, "the former server does not end"),
        Err(error) => tracing::warn!(event = "handover.late", %error, "the former server was not waited for"),
    }
    let mut tries = 0;
    loop {
        match store::open(&config, largest, Arc::clone(&clock)).await {
            Err(Unopened::Embedded(OpenError::Locked { .. })) if tries < TRIES => {
                tries += 1;
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            other => return other,
        }
    }
}
