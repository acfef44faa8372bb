//! Who is alive: every gateway says so in a stream that forgets quickly, with the destinations that it delivers to.
//!
//! What a gateway that is gone had leased is taken over by others, and what a gateway's destinations wait for is kept.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{DestinationName, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::lane::State;
use crate::link::Outgoing;
use crate::shared::Shared;
use crate::{lease, retention, streams};

#[derive(Debug, Serialize, Deserialize)]
struct Sign {
    destinations: Vec<DestinationName>,
}

/// How often the store looks after itself: several times before others would think it gone.
pub(crate) fn tick(shared: &Shared) -> Duration {
    shared.options.takeover / 4
}

/// Looks after the store until it is closed: signs of life, what is held, what may go.
pub(crate) async fn keep_house(shared: Arc<Shared>) {
    let closed = shared.closed.clone();
    let mut ticks = tokio::time::interval(tick(&shared));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut silent = 0;
    loop {
        if closed.run_until_cancelled(ticks.tick()).await.is_none() {
            return;
        }
        // What is held is renewed first, and whatever becomes of the rest: others wait for it with their clocks.
        lease::renew(&shared).await;
        let rest = async {
            sign(&shared).await?;
            look(&shared).await
        };
        match closed.run_until_cancelled(rest).await {
            None => return,
            Some(Ok(())) => silent = 0,
            Some(Err(error)) => {
                tracing::debug!(%error, "the cluster was not told that we are alive");
                silent += 1;
            }
        }
        // A server that is cut off from the others goes on to talk to us, and another one may be among those that are not.
        if silent == PATIENCE {
            silent = 0;
            tracing::info!("the cluster does not answer over this server: another one is tried");
            if let Err(error) = shared.link.client.force_reconnect().await {
                tracing::debug!(%error, "no other server is tried");
            }
        }
    }
}

/// So many times in a row a server that does not answer is asked before another one is.
const PATIENCE: u32 = 2;

/// Retires what nobody needs until the store is closed: apart, since that may take longer than a tick.
pub(crate) async fn retire(shared: Arc<Shared>) {
    let closed = shared.closed.clone();
    let mut ticks = tokio::time::interval(tick(&shared));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        if closed.run_until_cancelled(ticks.tick()).await.is_none() {
            return;
        }
        // One gateway is enough; that two do it for a while does no harm.
        if !is_first(&shared) {
            continue;
        }
        match closed.run_until_cancelled(retention::run(&shared)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(%error, "retention did not come to an end"),
        }
    }
}

/// Whether this gateway is the one that does what one has to do.
fn is_first(shared: &Shared) -> bool {
    let alive = shared.alive();
    alive.gateways.iter().all(|other| *other >= shared.gateway)
}

/// Says that this gateway is alive, and what it delivers to.
pub(crate) async fn sign(shared: &Shared) -> Result<(), StoreError> {
    let is_active = |state: &State| state.active;
    let lanes = shared.lanes();
    let active = lanes.iter().filter(|lane| is_active(&lane.state()));
    let sign = Sign { destinations: active.map(|lane| lane.name.clone()).collect() };
    let payload = serde_json::to_vec(&sign).map_err(|error| StoreError::Read(error.to_string()))?;
    let subject = shared.names.gateway(&shared.gateway);
    shared.link.publish(&Outgoing::new(subject, payload)).await?;
    Ok(())
}

/// Looks who else is.
pub(crate) async fn look(shared: &Shared) -> Result<(), StoreError> {
    let Shared { link, names, .. } = shared;
    let (mut gateways, mut destinations) = (HashSet::new(), HashSet::new());
    let mut from = 1;
    while let Some(raw) = link.next(&names.gateways, &names.all_gateways(), from).await? {
        from = raw.sequence + 1;
        if let Some(id) = raw.subject.rsplit('.').next() {
            gateways.insert(id.to_owned());
        }
        let sign = serde_json::from_slice::<Sign>(&raw.payload);
        destinations.extend(sign.map(|sign| sign.destinations).unwrap_or_default());
    }
    let mut alive = shared.alive();
    alive.suspects.retain(|id, _| !gateways.contains(id));
    alive.suspects.values_mut().for_each(|looks| *looks += 1);
    alive.gateways = gateways;
    alive.destinations = destinations;
    Ok(())
}

/// Says that this gateway is gone.
pub(crate) async fn leave(shared: &Shared) -> Result<(), StoreError> {
    let Shared { link, names, .. } = shared;
    let request = json!({ "filter": names.gateway(&shared.gateway) });
    link.ask::<serde_json::Value>(&format!("STREAM.PURGE.{}", names.gateways), &request).await?;
    Ok(())
}

/// Whether what a gateway leased may be taken over: since somebody first asked, it was missing twice. Once is not enough:
/// a new gateway may be younger than the last look, and right after the cluster was away everybody seems gone.
pub(crate) fn is_gone(shared: &Shared, gateway: &str) -> bool {
    let mut alive = shared.alive();
    if gateway == shared.gateway || alive.gateways.contains(gateway) {
        return false;
    }
    *alive.suspects.entry(gateway.to_owned()).or_default() >= 2
}

/// How the cluster keeps the log, in words; `None` while everything is as it should be.
pub(crate) fn trouble(info: &streams::StreamInfo) -> Option<String> {
    let cluster = info.cluster.as_ref()?;
    if cluster.leader.is_none() {
        return Some("the log has no leader".to_owned());
    }
    let behind: Vec<_> = cluster
        .replicas
        .iter()
        .filter(|replica| !replica.current)
        .map(|replica| replica.name.as_str())
        .collect();
    (!behind.is_empty()).then(|| format!("these servers are behind or away: {}", behind.join(", ")))
}
