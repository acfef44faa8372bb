//! Following the stream of exceptions, so that the index knows what every gateway writes.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use futures_util::StreamExt as _;
use hookhouse_core::StoreError;

use crate::exceptions::Exception;
use crate::link::Raw;
use crate::names::delivery_of;
use crate::shared::Shared;
use crate::streams;

/// So many messages of the stream are asked for at once, at the start.
const STRETCH: usize = 1000;
/// How long to wait before following again, where that broke off.
const PAUSE: Duration = Duration::from_millis(250);

/// Reads all that is there.
pub(crate) async fn load(shared: &Shared) -> Result<(), StoreError> {
    let Shared { link, names, .. } = shared;
    let last = streams::info(link, &names.deliveries, None).await?.state.last_seq;
    let mut from = 1;
    let mut behind = 0;
    while from <= last {
        let some = link.stretch(&names.deliveries, &names.everything("deliveries"), from, STRETCH).await?;
        match some.last() {
            Some(raw) => from = raw.sequence + 1,
            // The replica is behind, or what is left was removed.
            None if behind >= 20 => break,
            None => {
                behind += 1;
                tokio::time::sleep(PAUSE / 10).await;
                continue;
            }
        }
        some.iter().for_each(|raw| note(shared, raw));
    }
    shared.index().seen = last;
    Ok(())
}

/// Follows until the store is closed.
pub(crate) async fn follow(shared: Arc<Shared>) {
    let closed = shared.closed.clone();
    loop {
        let followed = closed.run_until_cancelled(follow_once(&shared)).await;
        match followed {
            None => return,
            Some(Err(error)) => tracing::debug!(%error, "following deliveries broke off; it begins again"),
            Some(Ok(())) => {}
        }
        if closed.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}

async fn follow_once(shared: &Shared) -> Result<(), async_nats::Error> {
    let from = shared.index().seen + 1;
    let mut messages = ordered(shared, from).await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let sequence = message.info()?.stream_sequence;
        let headers = message.headers.as_ref();
        let raw = Raw {
            subject: message.subject.to_string(),
            sequence,
            payload: message.payload.clone(),
            nonce: None,
            is_marker: headers.is_some_and(|headers| headers.get("KV-Operation").is_some()),
        };
        note(shared, &raw);
        shared.index().seen = sequence;
        shared.changed.notify_waiters();
    }
    Ok(())
}

async fn ordered(shared: &Shared, from: u64) -> Result<Ordered, async_nats::Error> {
    let context = jetstream::new(shared.link.client.clone());
    let stream = context.get_stream_no_info(&shared.names.deliveries).await?;
    let config = OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
        ..OrderedConfig::default()
    };
    Ok(stream.create_consumer(config).await?.messages().await?)
}

fn note(shared: &Shared, raw: &Raw) {
    let Some((destination, key)) = delivery_of(&raw.subject) else { return };
    if raw.is_marker {
        shared.index().remove(&destination, key, raw.sequence);
        return;
    }
    match serde_json::from_slice::<Exception>(&raw.payload) {
        Ok(exception) => shared.index().put(&destination, key, &exception, raw.sequence),
        Err(error) => tracing::error!(subject = raw.subject, %error, "a delivery cannot be read"),
    }
}
