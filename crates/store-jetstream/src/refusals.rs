//! Noting refusals: a bounded queue, published beside everything else. What does not fit is counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hookhouse_core::Refusal;
use tokio::sync::mpsc;

use crate::link::Outgoing;
use crate::shared::Shared;

/// Refusals that may wait; more are counted and not kept.
pub(crate) const QUEUE: usize = 1024;
/// So many are on their way at once.
const AT_ONCE: usize = 64;

/// Publishes refusals until nobody notes any.
pub(crate) async fn publish(shared: Arc<Shared>, mut queue: mpsc::Receiver<Refusal>) {
    loop {
        let Some(Some(first)) = shared.closed.run_until_cancelled(queue.recv()).await else { break };
        let mut batch = vec![first];
        while batch.len() < AT_ONCE
            && let Ok(more) = queue.try_recv()
        {
            batch.push(more);
        }
        publish_some(&shared, batch).await;
    }
}

async fn publish_some(shared: &Shared, batch: Vec<Refusal>) {
    // They are sent in their order, and acknowledged in any.
    let mut under_way: FuturesUnordered<_> = batch
        .iter()
        .filter_map(|refusal| {
            let payload = serde_json::to_vec(refusal).ok()?;
            let message = Outgoing::new(shared.names.refusal(refusal.source.as_ref()), payload);
            Some(message.with_id(&shared.nonce()))
        })
        .map(|message| async move { shared.link.publish(&message).await })
        .collect();
    while let Some(published) = under_way.next().await {
        if published.is_err() {
            shared.refusals_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
