//! Retention: by age and by size, and never what a destination waits for.
//!
//! One gateway walks the log from its beginning. What is old, or too much, and done with by every destination of
//! every gateway that is alive goes: the beginning of the log in one purge, what lies behind something that is waited
//! for one by one. Two that do it at once do no harm. What belongs to events that are gone is invisible from then on, and
//! goes when everything older has.

use std::collections::HashMap;
use std::time::Duration;

use hookhouse_core::{DestinationName, StoreError, StoredEvent};

use crate::link::Raw;
use crate::names::{Key, sequence_of};
use crate::shared::Shared;
use crate::subscribe::{self, ConsumerInfo};
use crate::{settle, streams};

/// So many events are looked at in one step, and so many in one walk.
const STEP: usize = 256;
const MOST: usize = 20_000;
/// About what a message takes besides its payload.
const OVERHEAD: u64 = 128;

/// Removes what may go.
pub(crate) async fn run(shared: &Shared) -> Result<(), StoreError> {
    retire(shared, 0).await.map(drop)
}

/// Removes what may go so that there is room for so many bytes; whether anything went.
pub(crate) async fn make_room(shared: &Shared, coming: u64) -> Result<bool, StoreError> {
    let Some(size) = shared.options.retention_size else { return Ok(false) };
    // Somewhat more than this one needs: the next one comes soon.
    let coming = (coming + OVERHEAD * 4).max(size / 64);
    retire(shared, coming).await
}

async fn retire(shared: &Shared, coming: u64) -> Result<bool, StoreError> {
    let Shared { link, names, options, .. } = shared;
    if options.retention_age.is_none() && options.retention_size.is_none() {
        return Ok(false);
    }
    let _one = shared.retiring.lock().await;
    let log = streams::info(link, &names.events, None).await?;
    let mut too_much = match options.retention_size {
        Some(size) => (log.state.bytes + coming).saturating_sub(size),
        None => 0,
    };
    let mut need = Need::default();
    let (mut from, mut looked_at) = (1, 0);
    // Up to here everything is gone or goes; behind it something stays.
    let mut prefix = None;
    let mut is_prefix = true;
    let mut any = false;
    'walk: while looked_at < MOST {
        let some = link.stretch(&names.events, &names.all_events(), from, STEP).await?;
        let Some(last) = some.last().map(|raw| raw.sequence) else { break };
        for raw in &some {
            looked_at += 1;
            let Some(event) = shared.read(raw.sequence, &raw.payload) else {
                // It is damaged, and nobody will ever be handed it.
                link_delete(shared, raw).await?;
                continue;
            };
            if too_much == 0 && !is_old(shared, &event) {
                break 'walk;
            }
            if need.wants(shared, &event).await? {
                if is_prefix && let Some(end) = prefix.take() {
                    streams::purge(link, &names.events, &names.all_events(), end).await?;
                }
                is_prefix = false;
                continue;
            }
            any = true;
            forget_exceptions(shared, raw.sequence).await?;
            let was_there = if is_prefix {
                prefix = Some(raw.sequence + 1);
                true
            } else {
                link_delete(shared, raw).await?
            };
            if was_there {
                too_much = too_much.saturating_sub(raw.payload.len() as u64 + OVERHEAD);
            }
        }
        from = last + 1;
    }
    if let Some(end) = prefix {
        streams::purge(link, &names.events, &names.all_events(), end).await?;
    }
    if any {
        shared.full().take();
        sweep(shared, &names.attempts, &names.everything("attempts")).await?;
        sweep(shared, &names.answers, &names.everything("answers")).await?;
        sweep(shared, &names.answers, &names.everything("edits")).await?;
    }
    Ok(any)
}

async fn link_delete(shared: &Shared, raw: &Raw) -> Result<bool, StoreError> {
    streams::delete(&shared.link, &shared.names.events, raw.sequence).await
}

fn is_old(shared: &Shared, event: &StoredEvent) -> bool {
    let age = shared.now().duration_since(event.record().received_at);
    let is_over = |most: Duration| Duration::try_from(age).is_ok_and(|age| age > most);
    shared.options.retention_age.is_some_and(is_over)
}

/// What destinations wait for, as far as somebody asked.
#[derive(Debug, Default)]
struct Need {
    consumers: HashMap<DestinationName, Option<ConsumerInfo>>,
}

impl Need {
    /// Whether a destination of somebody who is alive waits for an event.
    async fn wants(&mut self, shared: &Shared, event: &StoredEvent) -> Result<bool, StoreError> {
        let key: Key = (event.sequence().0, 0);
        let destinations: Vec<_> = {
            let mut all = shared.alive().destinations.clone();
            all.extend(
                shared.lanes().iter().filter(|lane| lane.state().active).map(|lane| lane.name.clone()),
            );
            // What we say of ourselves is newer than what the cluster has heard.
            for lane in shared.lanes() {
                let only_ours = shared.alive().gateways.len() <= 1;
                if only_ours && !lane.state().active {
                    all.remove(&lane.name);
                }
            }
            all.into_iter().collect()
        };
        let exceptions = shared.index().of_event(key.0);
        let is_waited_for = exceptions.iter().any(|(destination, _, entry)| {
            entry.event == event.id() && entry.is_open() && destinations.contains(destination)
        });
        if is_waited_for {
            return Ok(true);
        }
        for destination in destinations {
            let has_exception =
                exceptions.iter().any(|(other, other_key, _)| *other == destination && *other_key == key);
            if !has_exception && self.waits(shared, destination, event).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a destination is still to be handed an event of the log.
    async fn waits(
        &mut self,
        shared: &Shared,
        destination: DestinationName,
        event: &StoredEvent,
    ) -> Result<bool, StoreError> {
        let key: Key = (event.sequence().0, 0);
        if !self.consumers.contains_key(&destination) {
            let info = subscribe::consumer(shared, &destination).await?;
            self.consumers.insert(destination.clone(), info);
        }
        let Some(Some(info)) = self.consumers.get(&destination) else { return Ok(false) };
        // What a consumer counts as pending is a moment old; its floor is too, and errs on the safe side.
        if key.0 < info.start()
            || key.0 <= info.ack_floor.stream_seq
            || !info.wants(&shared.names, &event.record().source)
        {
            return Ok(false);
        }
        Ok(!settle::is_done(shared, &shared.names.attempt(&destination, key)).await?)
    }
}

/// The exceptions of an event that goes.
async fn forget_exceptions(shared: &Shared, sequence: u64) -> Result<(), StoreError> {
    let exceptions = shared.index().of_event(sequence);
    for (destination, key, entry) in exceptions {
        settle::forget(shared, &destination, key, entry.revision).await?;
    }
    Ok(())
}

/// Removes the beginning of a stream that belongs to events before the first one of the log.
async fn sweep(shared: &Shared, stream: &str, subject: &str) -> Result<(), StoreError> {
    let Shared { link, names, .. } = shared;
    let first = link.next(&names.events, &names.all_events(), 1).await?.map_or(u64::MAX, |raw| raw.sequence);
    let (mut from, mut end) = (1, None);
    loop {
        let some = link.stretch(stream, subject, from, STEP).await?;
        let Some(last) = some.last().map(|raw| raw.sequence) else { break };
        let gone = some.iter().take_while(|raw| sequence_of(&raw.subject).is_none_or(|of| of < first));
        let count = gone.clone().count();
        end = gone.last().map(|raw| raw.sequence + 1).or(end);
        if count < some.len() {
            break;
        }
        from = last + 1;
    }
    match end {
        Some(end) => streams::purge(link, stream, subject, end).await,
        None => Ok(()),
    }
}
