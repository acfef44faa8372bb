//! `hookhouse serve`: the server that a configuration describes, until SIGTERM.

use std::sync::Arc;

use hookhouse_core::{Clock, SystemClock};
use hookhouse_server::care::Pace;
use hookhouse_server::{Bound, Lifecycle, Wiring, store};

use crate::Global;
use crate::exit::{Code, Failure, Outcome};
use crate::{locate, log, token};

/// Run the server that a configuration describes
///
/// SIGTERM and SIGINT drain: nothing new begins, what is in flight is finished or handed back. A second one ends at once.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to log: a level, or per part, as RUST_LOG takes it
    #[arg(long, env = "HOOKHOUSE_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let config = locate::load(&locate::required_config(global)?)?.config;
    log::start(&args.log).map_err(|error| Failure::with_code(error, Code::Usage))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let lifecycle = Lifecycle::default();
        lifecycle.stop_on_signals()?;
        lifecycle.reload_on_hangup()?;
        let store = store::open(&config.store, Arc::clone(&clock))?;
        let folder = config.store.path.clone();
        let bound = Bound::bind(&config).await?;
        let (observer, pace) = (Arc::new(log::Log::default()), Pace::default());
        let wiring = Wiring { config, bound, store, clock, observer, lifecycle, pace };
        let running = hookhouse_server::start(wiring).await?;
        for address in &running.ingress {
            tracing::info!(event = "listening", %address, "taking webhooks");
        }
        for source in &running.sources {
            tracing::info!(event = "source", source = %source.name, provider = source.provider, path = source.path);
        }
        token::introduce(&running, &folder);
        tracing::info!(event = "ready", admin = %running.admin);
        running.finish().await?;
        tracing::info!(event = "stopped", "everything acknowledged is stored");
        Ok(())
    })
}
