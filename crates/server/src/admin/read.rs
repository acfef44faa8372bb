//! What operators see of the running server, for the API and for pages alike.

use hookhouse_core::{DestinationName, SourceName, StoreError};
use hookhouse_delivery::circuit::Phase;

use super::AdminState;
use super::view::{DestinationView, SourceView, Status};
use crate::config::Source;

impl AdminState {
    /// How the server is.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn status(&self) -> Result<Status, StoreError> {
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            now: self.clock.now(),
            store: self.store.status().await?,
            destinations: self.destinations().await?,
            sources: self.sources(),
            tls: self.certificates.list(),
            streams: self.feed.clients(),
        })
    }

    /// Every endpoint, in the order of the configuration.
    pub(crate) fn sources(&self) -> Vec<SourceView> {
        self.in_force().sources.iter().map(|source| self.view(source)).collect()
    }

    /// One endpoint.
    pub(crate) fn source(&self, name: &SourceName) -> Option<SourceView> {
        self.in_force().sources.iter().find(|source| source.name == *name).map(|source| self.view(source))
    }

    fn view(&self, source: &Source) -> SourceView {
        SourceView {
            name: source.name.clone(),
            provider: source.provider.clone(),
            path: source.path.clone(),
            methods: source.methods.clone(),
            deliver: source.deliver.clone(),
            relay: source.relay.as_ref().map(|relay| relay.to.clone()),
            requests: self.metrics.requests(&source.name),
            addresses: source.addresses.snapshot(),
            webhook: self.webhooks.view(&source.name),
        }
    }

    /// Every destination, with how far behind it is and whether it is tried.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn destinations(&self) -> Result<Vec<DestinationView>, StoreError> {
        let mut standings = self.engine.standings();
        let view = |backlog: hookhouse_core::store::Backlog| {
            let standing = standings.remove(&backlog.destination);
            let attempts = self.metrics.attempts(&backlog.destination);
            let phase = standing.as_ref().map_or(Phase::Closed, |standing| standing.phase);
            let paused = standing.as_ref().is_some_and(|standing| standing.paused);
            let (open_until, cause) =
                standing.map_or((None, None), |standing| (standing.open_until, standing.cause));
            DestinationView {
                backlog,
                circuit: circuit(phase).to_owned(),
                open_until,
                cause,
                paused,
                attempts,
            }
        };
        Ok(self.store.backlogs().await?.into_iter().map(view).collect())
    }

    /// One destination.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn destination(
        &self,
        name: &DestinationName,
    ) -> Result<Option<DestinationView>, StoreError> {
        Ok(self.destinations().await?.into_iter().find(|view| view.backlog.destination == *name))
    }
}

fn circuit(phase: Phase) -> &'static str {
    match phase {
        Phase::Closed => "closed",
        Phase::Open => "open",
        Phase::HalfOpen => "half_open",
    }
}
