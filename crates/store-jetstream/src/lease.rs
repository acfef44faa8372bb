//! Leasing: due exceptions, then events that were pulled.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::store::LeaseRequest;
use hookhouse_core::{AttemptNumber, DeliveryState, Lease, LeaseToken, StoreError};
use tokio::time::Instant;

use crate::exceptions::{Entry, Exception, id};
use crate::lane::{Lane, Local, Retry};
use crate::link::Refused;
use crate::names::Key;
use crate::shared::Shared;
use crate::{gateways, operators, settle};

/// How often a waiting lease looks at the clock, whatever happens: one that tests set wakes nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Takes due deliveries.
pub(crate) async fn lease(shared: &Shared, request: &LeaseRequest) -> Result<Vec<Lease>, StoreError> {
    let deadline = Instant::now() + request.wait;
    loop {
        shared.open()?;
        // Armed before the look, so that what happens between look and wait is not missed.
        let mut changed = std::pin::pin!(shared.changed.notified());
        changed.as_mut().enable();
        let lane = shared.lane(&request.destination).filter(|lane| lane.state().active);
        let mut next = None;
        if let Some(lane) = &lane {
            let _looking = lane.looking.lock().await;
            let leases = take(shared, lane, request).await?;
            if !leases.is_empty() {
                return Ok(leases);
            }
            next = next_moment(shared, lane);
        }
        let now = Instant::now();
        if deadline <= now {
            return Ok(Vec::new());
        }
        let until = deadline.min(now + LOOK_AGAIN).min(next.unwrap_or(deadline));
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep_until(until) => {}
            () = shared.closed.cancelled() => return Err(StoreError::Closed),
        }
    }
}

/// When there may be work without anybody saying so.
fn next_moment(shared: &Shared, lane: &Lane) -> Option<Instant> {
    let due = shared.index().next_due(&lane.name).map(|due| {
        let left = Duration::try_from(due.duration_since(shared.now())).unwrap_or_default();
        Instant::now() + left.max(Duration::from_millis(1))
    });
    let state = lane.state();
    let gathered = state.gathering.filter(|until| Instant::now() < *until);
    [due, gathered, state.next_expiry()].into_iter().flatten().min()
}

async fn take(shared: &Shared, lane: &Lane, request: &LeaseRequest) -> Result<Vec<Lease>, StoreError> {
    let now = Instant::now();
    {
        let mut state = lane.state();
        state.expire(now);
        (state.wanted, state.asked) = (request.max, now);
        lane.room.notify_one();
    }
    let mut leases = Vec::new();
    for (key, entry) in candidates(shared, lane, request.max) {
        if leases.len() >= request.max {
            break;
        }
        leases.extend(claim(shared, lane, key, &entry, request.hold).await?);
    }
    let until = Instant::now() + request.hold;
    let mut state = lane.state();
    while leases.len() < request.max && state.active && !state.is_gathering(now) {
        let token = LeaseToken(shared.token());
        let Some(event) = state.take(Local { token, until, settling: false }) else { break };
        let delivery = id(&lane.name, (event.sequence().0, 0), event.id());
        leases.push(Lease { delivery, token, attempt: AttemptNumber(1), event });
    }
    Ok(leases)
}

/// Exceptions that may be tried: those that are due, and those whose holder is gone.
fn candidates(shared: &Shared, lane: &Lane, most: usize) -> Vec<(Key, Entry)> {
    let (mut due, leased) = {
        let index = shared.index();
        (index.due(&lane.name, shared.now(), most), index.leased(&lane.name))
    };
    let is_free = |key: &Key, entry: &Entry| match &entry.holder {
        // We leased it once, and the lease ran out, or its outcome was lost on the way.
        Some(holder) if *holder == shared.gateway => !lane.state().retries.contains_key(key),
        Some(holder) => gateways::is_gone(shared, holder),
        None => true,
    };
    due.extend(leased.into_iter().filter(|(key, entry)| is_free(key, entry)));
    due
}

/// Writes our name into an exception; `None` where somebody else was faster, or the event is gone.
async fn claim(
    shared: &Shared,
    lane: &Lane,
    key: Key,
    entry: &Entry,
    hold: Duration,
) -> Result<Option<Lease>, StoreError> {
    let Some(event) = shared.event_at(key.0).await?.filter(|event| event.id() == entry.event) else {
        settle::forget(shared, &lane.name, key, entry.revision).await?;
        return Ok(None);
    };
    // An exception whose last outcome was written and whose message was not is done.
    let exception = match shared.look_again(&lane.name, key).await? {
        Some((revision, exception)) if revision == entry.revision => exception,
        _ => return Ok(None),
    };
    let attempts = exception.attempts;
    let event = match &exception.edit {
        None => event,
        Some(name) => match operators::read(shared, key.0, name).await? {
            Some(edit) => Arc::new(edit.of(&event)),
            None => {
                // The bytes that were received are not what an operator wanted to send.
                tracing::error!(event = %event.id(), "an edit is gone; its delivery rests");
                return Ok(None);
            }
        },
    };
    let leased =
        Exception { state: DeliveryState::Leased, holder: Some(shared.gateway.clone()), ..exception };
    match shared.write(&lane.name, key, &leased, entry.revision, &shared.nonce()).await {
        Ok(revision) => {
            let token = LeaseToken(shared.token());
            let lease = Local { token, until: Instant::now() + hold, settling: false };
            lane.state().retries.insert(key, Retry { event: Arc::clone(&event), revision, lease });
            let delivery = id(&lane.name, key, event.id());
            Ok(Some(Lease { delivery, token, attempt: AttemptNumber(attempts.saturating_add(1)), event }))
        }
        Err(Refused::Conflict) => Ok(None),
        Err(Refused::Store(error)) => Err(error),
    }
}

/// Says of every event that is here that it is, and gives back what nobody wants here.
pub(crate) async fn renew(shared: &Shared) {
    let now = Instant::now();
    for lane in shared.lanes() {
        // All of them, in their order: should we fall silent, the cluster hands them out again in that order.
        let replies: Vec<_> = {
            let mut state = lane.state();
            state.expire(now);
            state.held.values().map(|held| held.reply.clone()).collect()
        };
        for reply in replies {
            // What does not arrive is handed out again, and recognised here if it comes back to us.
            let sent = shared.link.client.publish(reply, "+WPI".into()).await;
            if let Err(error) = sent {
                tracing::debug!(%error, "an event under way was not renewed");
            }
        }
        let is_asked = lane.state().asked.elapsed() < shared.options.takeover;
        if !is_asked {
            settle::give_back(shared, &lane).await;
        }
    }
}
