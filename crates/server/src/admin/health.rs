//! What machines ask: is the process alive, is it ready, how is it doing.
//!
//! `/livez` and `/readyz` never ask for a login: an orchestrator has none, and learns little. `/metrics` wants the same
//! token as the API, because it names sources, paths and destinations.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hookhouse_core::store::StoreStatus;
use http::{HeaderValue, StatusCode, header};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::AdminState;
use super::problem::Problem;
use crate::listener::Seats;
use crate::metrics::{Connections, Metrics, Reading};

/// How long the store may take to say how it is. Whoever asks gives up soon after.
const PATIENCE: Duration = Duration::from_secs(5);

/// The accept loops of the ingress.
#[derive(Debug, Default)]
pub(crate) struct Listening(RwLock<Vec<AbortHandle>>);

impl Listening {
    /// These run now.
    pub(crate) fn set(&self, loops: Vec<AbortHandle>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = loops;
    }

    /// Whether they run, all of them, and there are any.
    fn is_whole(&self) -> bool {
        let loops = self.0.read().unwrap_or_else(PoisonError::into_inner);
        !loops.is_empty() && loops.iter().all(|accepting| !accepting.is_finished())
    }
}

/// The seats of both listeners.
#[derive(Debug)]
pub(crate) struct AllSeats {
    pub(crate) ingress: Arc<Seats>,
    pub(crate) admin: Arc<Seats>,
}

/// The process answers.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// 200 once the store takes events and the ingress accepts connections, until the server begins to stop.
pub(super) async fn readyz(State(state): State<Arc<AdminState>>) -> Result<&'static str, Problem> {
    let not = |why: String| Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why));
    if state.stopping.is_cancelled() {
        return not("the server is stopping".to_owned());
    }
    if !state.listening.is_whole() {
        return not("the ingress does not accept connections".to_owned());
    }
    match timeout(PATIENCE, state.store.status()).await {
        Ok(Ok(StoreStatus { writable: true, .. })) => Ok("ok\n"),
        Ok(Ok(status)) => not(status.problem.unwrap_or_else(|| "the store takes no events".to_owned())),
        Ok(Err(error)) => not(error.to_string()),
        Err(_) => not("the store does not say how it is".to_owned()),
    }
}

/// Everything that is measured, as OpenMetrics text.
pub(super) async fn metrics(State(state): State<Arc<AdminState>>) -> Result<Response, Problem> {
    // What the store does not say is left out; that it takes nothing is said in any case.
    let store = timeout(PATIENCE, state.store.status()).await.ok().and_then(Result::ok);
    let backlogs = timeout(PATIENCE, state.store.backlogs()).await.ok().and_then(Result::ok);
    let reading = Reading {
        now: state.clock.now(),
        started_at: state.started_at,
        store,
        reserve: state.reserve,
        backlogs: backlogs.unwrap_or_default(),
        standings: state.engine.standings(),
        connections: [("ingress", &state.seats.ingress), ("admin", &state.seats.admin)]
            .map(|(listener, seats)| Connections {
                listener,
                open: seats.open(),
                turned_away: seats.turned_away(),
            })
            .to_vec(),
        streams: state.feed.clients(),
        sources: state.in_force().sources.clone(),
        certificates: state.certificates.list(),
    };
    let page = state.metrics.page(&reading).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the metrics cannot be written out")
    })?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(Metrics::CONTENT_TYPE))], page).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_ingress_listens_once_it_began_and_while_every_loop_runs() {
        let mut tasks = tokio::task::JoinSet::new();
        let (ends, goes_on) = (tasks.spawn(std::future::ready(())), tasks.spawn(std::future::pending()));
        let listening = Listening::default();
        assert!(!listening.is_whole(), "not begun");
        listening.set(vec![goes_on.clone(), goes_on]);
        assert!(listening.is_whole());
        tasks.join_next().await;
        let broken = Listening::default();
        broken.set(vec![ends]);
        assert!(!broken.is_whole());
    }
}
