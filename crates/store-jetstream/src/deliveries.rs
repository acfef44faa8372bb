//! Lists of deliveries, attempts and backlogs: put together from the log, the exceptions and the attempts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use hookhouse_core::store::{Backlog, Cursor, DeliveryQuery, EventQuery, Page};
use hookhouse_core::{
    Attempt, Delivery, DeliveryState, DestinationName, EventId, StoreError, StoredEvent, Timestamp,
};

use crate::exceptions::{Entry, id};
use crate::names::Key;
use crate::settle::Tried;
use crate::shared::Shared;
use crate::subscribe::{self, ConsumerInfo};
use crate::{operators, pages};

/// So many events are looked at in one step, and so many steps are taken for a page.
const EVENTS: usize = 64;
const STEPS: usize = 32;
/// So many deliveries are looked up at once.
const AT_ONCE: usize = 16;
/// More attempts of one event than this are not listed.
const MOST_ATTEMPTS: usize = 1_000;
/// A cursor has the place of an event and, in these bits, that of a delivery among its own.
const BITS: u32 = 12;

/// A delivery that may be listed.
struct Row {
    cursor: u64,
    destination: DestinationName,
    key: Key,
    entry: Option<Entry>,
    event: Arc<StoredEvent>,
}

/// Deliveries, newest first.
pub(crate) async fn deliveries(shared: &Shared, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
    shared.open()?;
    let consumers = consumers(shared).await?;
    let mut items = Vec::new();
    // The place of the last event that was looked at.
    let mut before = query.cursor.map(|Cursor(cursor)| (cursor >> BITS).saturating_add(1));
    for _ in 0..STEPS {
        let events = next_events(shared, query, before).await?;
        let Some(last) = events.last().map(|event| event.sequence().0) else {
            return Ok(Page { items, next: None });
        };
        for event in &events {
            let rows = rows(shared, event).into_iter().filter(|row| {
                query.cursor.is_none_or(|Cursor(cursor)| row.cursor < cursor)
                    && query.destination.as_ref().is_none_or(|wanted| *wanted == row.destination)
            });
            let rows: Vec<_> = rows.collect();
            let shown = rows.into_iter().map(|row| async {
                let cursor = row.cursor;
                Ok::<_, StoreError>((cursor, show(shared, row, query.state, &consumers).await?))
            });
            let mut shown = stream::iter(shown).buffered(AT_ONCE);
            while let Some(shown) = shown.next().await {
                let (cursor, delivery) = shown?;
                items.extend(delivery);
                if items.len() >= query.limit {
                    return Ok(Page { items, next: Some(Cursor(cursor)) });
                }
            }
        }
        before = Some(last);
        if query.event.is_some() {
            return Ok(Page { items, next: None });
        }
    }
    let next = before.map(|before| Cursor(before << BITS));
    Ok(Page { items, next })
}

/// The next events that may have what is asked for, newest first.
async fn next_events(
    shared: &Shared,
    query: &DeliveryQuery,
    before: Option<u64>,
) -> Result<Vec<Arc<StoredEvent>>, StoreError> {
    if let Some(event) = query.event {
        return Ok(shared.event(event).await?.into_iter().collect());
    }
    match query.state {
        // These are exceptions, and in memory.
        Some(state @ (DeliveryState::Waiting | DeliveryState::Dead | DeliveryState::Cancelled)) => {
            let places = {
                let before = before.unwrap_or(u64::MAX);
                shared.index().events_with(state, query.destination.as_ref(), before, EVENTS)
            };
            let events = stream::iter(places).map(|place| shared.event_at(place)).buffered(AT_ONCE);
            let events: Vec<_> = events.collect().await;
            events.into_iter().filter_map(Result::transpose).collect()
        }
        _ => {
            let query = EventQuery { cursor: before.map(Cursor), limit: EVENTS, ..EventQuery::default() };
            Ok(pages::events(shared, &query).await?.items)
        }
    }
}

/// The deliveries of an event, newest first.
fn rows(shared: &Shared, event: &Arc<StoredEvent>) -> Vec<Row> {
    let sequence = event.sequence().0;
    let source = &event.record().source;
    let mut all = BTreeMap::new();
    for lane in shared.lanes() {
        let state = lane.state();
        if state.held.contains_key(&sequence) || (state.wants(source) && sequence >= lane.start) {
            all.insert((0, lane.name.clone()), None);
        }
    }
    let exceptions = shared.index().of_event(sequence);
    for (destination, key, entry) in exceptions {
        if entry.event == event.id() {
            all.insert((key.1, destination), Some(entry));
        }
    }
    let numbered = all.into_iter().enumerate();
    let rows = numbered.map(|(n, ((round, destination), entry))| Row {
        cursor: (sequence << BITS) | (n as u64).min((1 << BITS) - 1),
        destination,
        key: (sequence, round),
        entry,
        event: Arc::clone(event),
    });
    let mut rows: Vec<_> = rows.collect();
    rows.reverse();
    rows
}

/// A delivery as operators see it; `None` where it is not in the state that is asked for.
async fn show(
    shared: &Shared,
    row: Row,
    wanted: Option<DeliveryState>,
    consumers: &HashMap<DestinationName, ConsumerInfo>,
) -> Result<Option<Delivery>, StoreError> {
    let Row { destination, key, entry, event, .. } = row;
    let source = event.record().source.clone();
    let id = id(&destination, key, event.id());
    if entry.as_ref().is_some_and(|entry| wanted.is_some_and(|wanted| wanted != entry.state)) {
        return Ok(None);
    }
    if entry.is_some()
        && let Some((_, exception)) = shared.look_again(&destination, key).await?
    {
        let is_wanted = wanted.is_none_or(|wanted| wanted == exception.state);
        return Ok(is_wanted.then(|| Delivery {
            id,
            source,
            state: exception.state,
            attempts: exception.attempts,
            due_at: (exception.state == DeliveryState::Waiting).then_some(exception.due),
            reason: exception.reason.filter(|_| exception.state == DeliveryState::Dead),
            last_attempt: exception.last,
            edited: exception.edit.map(|edit| edit.mark),
        }));
    }
    let Some(lane) = shared.lane(&destination).filter(|_| key.1 == 0) else { return Ok(None) };
    let floor = consumers.get(&destination).map_or(0, |info| info.ack_floor.stream_seq);
    let state = operators::fresh_state(shared, &lane, key.0, &source, floor).await?;
    let Some(state) = state.filter(|state| wanted.is_none_or(|wanted| wanted == *state)) else {
        return Ok(None);
    };
    let last_attempt = match state {
        DeliveryState::Delivered => {
            let raw =
                shared.link.last(&shared.names.attempts, &shared.names.attempt(&destination, key)).await?;
            raw.and_then(|raw| serde_json::from_slice::<Tried>(&raw.payload).ok()?.attempt)
        }
        _ => None,
    };
    let attempts = last_attempt.as_ref().map_or(0, |attempt| attempt.number.0);
    Ok(Some(Delivery { id, source, state, attempts, due_at: None, reason: None, last_attempt, edited: None }))
}

async fn consumers(shared: &Shared) -> Result<HashMap<DestinationName, ConsumerInfo>, StoreError> {
    let lanes = shared.lanes();
    let active = lanes.iter().filter(|lane| lane.state().active).map(|lane| lane.name.clone());
    shared.let_replicas_catch_up().await;
    subscribe::consumers(shared, active.collect::<Vec<_>>()).await
}

/// Every attempt to deliver an event, oldest first.
pub(crate) async fn attempts(shared: &Shared, event: EventId) -> Result<Vec<Attempt>, StoreError> {
    shared.open()?;
    let mut attempts = Vec::new();
    let Some(found) = shared.event(event).await? else { return Ok(attempts) };
    let subject = shared.names.attempts_of(found.sequence().0);
    let mut from = 1;
    while attempts.len() < MOST_ATTEMPTS
        && let Some(raw) = shared.link.next(&shared.names.attempts, &subject, from).await?
    {
        from = raw.sequence + 1;
        let tried = serde_json::from_slice::<Tried>(&raw.payload).ok();
        attempts.extend(tried.and_then(|tried| tried.attempt).filter(|a| a.delivery.event == event));
    }
    Ok(attempts)
}

/// How far behind each destination is.
pub(crate) async fn backlogs(shared: &Shared) -> Result<Vec<Backlog>, StoreError> {
    shared.open()?;
    let mut backlogs = Vec::new();
    for (destination, info) in consumers(shared).await?.into_iter().collect::<BTreeMap<_, _>>() {
        let (count, ahead, exception) = {
            let index = shared.index();
            let count = |state| index.count(&destination, state);
            let open = count(DeliveryState::Pending) + count(DeliveryState::Leased);
            let counts = (open, count(DeliveryState::Waiting), count(DeliveryState::Dead));
            (counts, index.ahead(&destination), index.oldest_open(&destination))
        };
        let in_log = (info.num_pending + info.num_ack_pending).saturating_sub(ahead);
        let fresh = match in_log {
            0 => None,
            _ => first_open(shared, &destination, &info).await?,
        };
        let oldest = match exception {
            Some(sequence) => {
                let event = shared.event_at(sequence).await?;
                event.map(|event| event.record().received_at).into_iter().chain(fresh).min()
            }
            None => fresh,
        };
        let (open, waiting, dead) = count;
        backlogs.push(Backlog { destination, pending: in_log + open, waiting, dead, oldest });
    }
    Ok(backlogs)
}

/// When the first event after a consumer's floor was received.
async fn first_open(
    shared: &Shared,
    destination: &DestinationName,
    info: &ConsumerInfo,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(lane) = shared.lane(destination) else { return Ok(None) };
    let sources = lane.state().sources.clone();
    let mut first: Option<Arc<StoredEvent>> = None;
    for source in sources {
        let subject = shared.names.event(&source);
        let mut from = (info.ack_floor.stream_seq + 1).max(lane.start);
        // Few events after the floor have an exception: those that were called off before they came.
        while let Some(raw) = shared.link.next(&shared.names.events, &subject, from).await? {
            from = raw.sequence + 1;
            let is_exception = shared.index().entry(destination, (raw.sequence, 0)).is_some();
            let event = shared.read(raw.sequence, &raw.payload).filter(|_| !is_exception);
            if let Some(event) = event {
                let is_first = first.as_ref().is_none_or(|first| event.sequence() < first.sequence());
                first = if is_first { Some(event) } else { first };
                break;
            }
        }
    }
    Ok(first.map(|event| event.record().received_at))
}
