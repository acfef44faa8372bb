//! Subscribing: a durable consumer of the log for every destination, and pulling from it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use futures_util::StreamExt as _;
use hookhouse_core::store::Subscription;
use hookhouse_core::{DestinationName, SourceName, StoreError};
use serde::Deserialize;
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::lane::{Held, Lane};
use crate::link::Asked;
use crate::names::Names;
use crate::shared::Shared;
use crate::{gateways, settle, streams};

/// Events that may be under way to a destination, in all gateways.
const WINDOW: i64 = 4096;
/// How long one question for events may wait in the cluster.
const PULL: Duration = Duration::from_secs(5);
/// The pause after a pull that broke off.
const PAUSE: Duration = Duration::from_millis(100);

/// Says which destinations there are.
pub(crate) async fn subscribe(
    shared: &Arc<Shared>,
    tracker: &TaskTracker,
    subscriptions: &[Subscription],
) -> Result<(), StoreError> {
    shared.open()?;
    for wanted in subscriptions {
        let start = ensure_consumer(shared, &wanted.destination, &wanted.sources).await?;
        if let Some(lane) = shared.lane(&wanted.destination) {
            let mut state = lane.state();
            state.active = true;
            state.sources.clone_from(&wanted.sources);
            drop(state);
            lane.room.notify_one();
            continue;
        }
        let lane = Arc::new(Lane::new(wanted.destination.clone(), start, wanted.sources.clone()));
        let mut lanes = shared.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.insert(wanted.destination.clone(), Arc::clone(&lane));
        drop(lanes);
        tracker.spawn(pull(Arc::clone(shared), lane));
    }
    for lane in shared.lanes() {
        if !subscriptions.iter().any(|wanted| wanted.destination == lane.name) {
            lane.state().active = false;
            settle::give_back(shared, &lane).await;
        }
    }
    gateways::sign(shared).await?;
    gateways::look(shared).await?;
    shared.changed.notify_waiters();
    Ok(())
}

/// What a consumer is, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ConsumerInfo {
    pub(crate) config: Config,
    pub(crate) ack_floor: Floor,
    pub(crate) num_ack_pending: u64,
    pub(crate) num_pending: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Floor {
    pub(crate) stream_seq: u64,
}

impl ConsumerInfo {
    /// The first place that is its own.
    pub(crate) fn start(&self) -> u64 {
        match self.config.deliver_policy {
            DeliverPolicy::ByStartSequence { start_sequence } => start_sequence,
            _ => 1,
        }
    }

    pub(crate) fn wants(&self, names: &Names, source: &SourceName) -> bool {
        let subject = names.event(source);
        self.config.filter_subject == subject || self.config.filter_subjects.contains(&subject)
    }
}

/// The consumer of a destination; `None` where it has none.
pub(crate) async fn consumer(
    shared: &Shared,
    destination: &DestinationName,
) -> Result<Option<ConsumerInfo>, StoreError> {
    let what = format!("CONSUMER.INFO.{}.{}", shared.names.events, Names::consumer(destination));
    match shared.link.ask(&what, &json!({})).await {
        Ok(info) => Ok(Some(info)),
        Err(Asked::Refused(error)) if error.error_code() == jetstream::ErrorCode::CONSUMER_NOT_FOUND => {
            Ok(None)
        }
        Err(other) => Err(other.into()),
    }
}

/// Makes the consumer of a destination that is to begin at a place, with the events of every source: whose it gets is
/// said when it is subscribed. One that is there stays as it is.
pub(crate) async fn begin_at(
    shared: &Shared,
    destination: &DestinationName,
    start: u64,
) -> Result<(), StoreError> {
    if consumer(shared, destination).await?.is_some() {
        return Ok(());
    }
    create(shared, config(shared, destination, start, vec![shared.names.all_events()])).await
}

fn config(
    shared: &Shared,
    destination: &DestinationName,
    start: u64,
    filter_subjects: Vec<String>,
) -> Config {
    let name = Names::consumer(destination);
    Config {
        durable_name: Some(name.clone()),
        name: Some(name),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: start },
        ack_policy: AckPolicy::Explicit,
        ack_wait: shared.options.takeover,
        max_ack_pending: WINDOW,
        max_deliver: -1,
        filter_subjects,
        ..Config::default()
    }
}

async fn create(shared: &Shared, config: Config) -> Result<(), StoreError> {
    let Shared { link, names, .. } = shared;
    let what =
        format!("CONSUMER.CREATE.{}.{}", names.events, config.durable_name.as_deref().unwrap_or_default());
    let request = json!({ "stream_name": names.events, "config": config });
    link.ask::<serde_json::Value>(&what, &request).await?;
    Ok(())
}

/// Makes the consumer, or brings its filter to what is wanted now; its position stays. Answers where it began.
async fn ensure_consumer(
    shared: &Shared,
    destination: &DestinationName,
    sources: &[SourceName],
) -> Result<u64, StoreError> {
    let Shared { link, names, .. } = shared;
    let known = consumer(shared, destination).await?;
    let start = match &known {
        Some(info) => info.start(),
        None => streams::info(link, &names.events, None).await?.state.last_seq + 1,
    };
    let filter_subjects = match sources {
        [] => vec![names.no_event()],
        sources => sources.iter().map(|source| names.event(source)).collect(),
    };
    let config = config(shared, destination, start, filter_subjects);
    let is_right = known.is_some_and(|info| {
        let is = |config: &Config| {
            let mut filters = config.filter_subjects.clone();
            filters.extend(Some(config.filter_subject.clone()).filter(|filter| !filter.is_empty()));
            filters.sort();
            (filters, config.ack_wait)
        };
        is(&info.config) == is(&config)
    });
    if !is_right {
        create(shared, config).await?;
    }
    Ok(start)
}

/// Pulls what is wanted here, until the store is closed.
async fn pull(shared: Arc<Shared>, lane: Arc<Lane>) {
    let closed = shared.closed.clone();
    loop {
        // A destination that nobody asks for work for leaves its events to other gateways.
        let room = {
            let state = lane.state();
            let is_asked = state.asked.elapsed() < shared.options.takeover;
            if is_asked { state.room() } else { 0 }
        };
        let turn = async {
            if room == 0 {
                tokio::select! {
                    () = lane.room.notified() => {}
                    () = tokio::time::sleep(shared.options.takeover) => {}
                }
            } else if let Err(error) = pull_once(&shared, &lane, room).await {
                tracing::debug!(destination = %lane.name, %error, "pulling events broke off; it begins again");
                tokio::time::sleep(PAUSE).await;
            }
        };
        if closed.run_until_cancelled(turn).await.is_none() {
            return;
        }
    }
}

async fn pull_once(shared: &Shared, lane: &Lane, room: usize) -> Result<(), async_nats::Error> {
    let context = jetstream::new(shared.link.client.clone());
    let name = Names::consumer(&lane.name);
    let consumer: Consumer<Config> =
        context.get_consumer_from_stream(name, shared.names.events.clone()).await?;
    // As long as the consumer is there, one handle asks again and again.
    let mut room = room;
    while room > 0 {
        let batch = consumer.batch().max_messages(room).expires(PULL).heartbeat(PULL / 4);
        let mut messages = batch.messages().await?;
        while let Some(message) = messages.next().await {
            arrived(shared, lane, message?).await?;
            if !lane.state().active {
                settle::give_back(shared, lane).await;
                return Ok(());
            }
        }
        let state = lane.state();
        room = if state.asked.elapsed() < shared.options.takeover { state.room() } else { 0 };
    }
    Ok(())
}

/// An event came for a destination.
async fn arrived(shared: &Shared, lane: &Lane, message: jetstream::Message) -> Result<(), async_nats::Error> {
    let (sequence, is_again) = {
        let info = message.info()?;
        (info.stream_sequence, info.delivered > 1)
    };
    let Some(reply) = message.reply.clone() else { return Ok(()) };
    if is_again {
        lane.state().gather();
    }
    if let Some(held) = lane.state().held.get_mut(&sequence) {
        // It was handed out again while we had it: what counts from now on is where this copy is acknowledged.
        held.reply = reply;
        return Ok(());
    }
    let key = (sequence, 0);
    let mut exception = shared.index().entry(&lane.name, key).map(|entry| (entry.revision, entry.ahead));
    let mut is_done = false;
    if is_again {
        // Whoever had it may have written down what became of it, and no more.
        exception = shared.look_again(&lane.name, key).await?.map(|(revision, e)| (revision, e.ahead));
        let attempt = shared.names.attempt(&lane.name, key);
        is_done = exception.is_none() && settle::is_done(shared, &attempt).await?;
    }
    if let Some((revision, is_ahead)) = exception {
        settle::acknowledge(shared, &reply).await?;
        if is_ahead {
            settle::passed_over(shared, &lane.name, key, revision).await;
        }
        return Ok(());
    }
    let event = shared.read(sequence, &message.payload);
    let Some(event) = event.filter(|_| !is_done) else {
        settle::acknowledge(shared, &reply).await?;
        return Ok(());
    };
    let mut state = lane.state();
    if is_again {
        state.gather();
    }
    state.held.insert(sequence, Held { event, reply, lease: None });
    drop(state);
    shared.changed.notify_waiters();
    Ok(())
}

/// The consumers of some destinations.
pub(crate) async fn consumers(
    shared: &Shared,
    destinations: impl IntoIterator<Item = DestinationName>,
) -> Result<HashMap<DestinationName, ConsumerInfo>, StoreError> {
    let mut all = HashMap::new();
    for destination in destinations {
        if let Some(info) = consumer(shared, &destination).await? {
            all.insert(destination, info);
        }
    }
    Ok(all)
}
