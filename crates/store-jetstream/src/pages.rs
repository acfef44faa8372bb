//! Lists of events and refusals: stretches of a stream, filtered here.
//!
//! The cluster has no index but subjects, so a list by anything else is a walk, in bounded steps: a page may be short
//! and still have a next one. What was acknowledged before a list is asked for is in it: the newest message is asked
//! of the leader, and a replica that does not have it yet is asked again.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::store::{Cursor, EventQuery, Order, Page, RefusalQuery};
use hookhouse_core::{Refusal, Sequence, StoreError, StoredEvent, StoredRefusal};

use crate::link::Raw;
use crate::shared::Shared;

/// At most so many messages are looked at for one page.
const MOST_LOOKED_AT: u64 = 5_000;
/// So many are read at once, at first and at most.
const STRETCH: (u64, u64) = (64, 1_024);
/// How often a replica may be behind, and the pause between.
const BEHIND: (u32, Duration) = (100, Duration::from_millis(10));

/// Events, a page at a time.
pub(crate) async fn events(
    shared: &Shared,
    query: &EventQuery,
) -> Result<Page<Arc<StoredEvent>>, StoreError> {
    let subject = query.source.as_ref().map_or_else(|| shared.names.all_events(), |s| shared.names.event(s));
    let walk = Walk::begin(shared, &shared.names.events, subject).await?;
    let pick = |raw: &Raw| {
        let event = shared.read(raw.sequence, &raw.payload)?;
        query.passes(&event).then_some(event)
    };
    walk.page(query.order, query.cursor, query.limit, pick).await
}

/// Refusals, a page at a time.
pub(crate) async fn refusals(
    shared: &Shared,
    query: &RefusalQuery,
) -> Result<Page<StoredRefusal>, StoreError> {
    let names = &shared.names;
    let subject = query.source.as_ref().map_or_else(|| names.all_refusals(), |s| names.refusal(Some(s)));
    let walk = Walk::begin(shared, &names.refusals, subject).await?;
    let pick = |raw: &Raw| {
        let refusal: Refusal = serde_json::from_slice(&raw.payload).ok()?;
        Some(StoredRefusal { sequence: Sequence(raw.sequence), refusal })
    };
    walk.page(query.order, query.cursor, query.limit, pick).await
}

/// A walk over the messages of a subject.
pub(crate) struct Walk<'a> {
    shared: &'a Shared,
    stream: &'a str,
    subject: String,
    /// The first and the last message; `None` where there is none.
    ends: Option<(u64, u64)>,
}

impl<'a> Walk<'a> {
    pub(crate) async fn begin(
        shared: &'a Shared,
        stream: &'a str,
        subject: String,
    ) -> Result<Self, StoreError> {
        shared.open()?;
        let last = shared.link.last(stream, &subject).await?;
        let first = match last {
            Some(_) => shared.link.next(stream, &subject, 1).await?,
            None => None,
        };
        let ends = first.zip(last).map(|(first, last)| (first.sequence, last.sequence));
        Ok(Self { shared, stream, subject, ends })
    }

    /// The messages that `pick` makes something of, after a cursor.
    pub(crate) async fn page<T>(
        &self,
        order: Order,
        cursor: Option<Cursor>,
        limit: usize,
        mut pick: impl FnMut(&Raw) -> Option<T>,
    ) -> Result<Page<T>, StoreError> {
        let mut items = Vec::new();
        let Some((first, last)) = self.ends else { return Ok(Page { items, next: None }) };
        // What is not looked at yet.
        let (mut low, mut high) = match (order, cursor) {
            (_, None) => (first, last),
            (Order::OldestFirst, Some(Cursor(after))) => (first.max(after.saturating_add(1)), last),
            (Order::NewestFirst, Some(Cursor(before))) => (first, last.min(before.saturating_sub(1))),
        };
        let (mut looked_at, mut step) = (0, STRETCH.0);
        while low <= high {
            let (from, to) = match order {
                Order::OldestFirst => (low, high.min(low.saturating_add(step - 1))),
                Order::NewestFirst => (low.max(high.saturating_sub(step - 1)), high),
            };
            let mut some = self.stretch(from, to).await?;
            if order == Order::NewestFirst {
                some.reverse();
            }
            for raw in &some {
                if let Some(item) = pick(raw) {
                    items.push(item);
                }
                let is_last = match order {
                    Order::OldestFirst => raw.sequence >= last,
                    Order::NewestFirst => raw.sequence <= first,
                };
                if items.len() >= limit {
                    return Ok(Page { items, next: (!is_last).then_some(Cursor(raw.sequence)) });
                }
            }
            match order {
                Order::OldestFirst => low = to + 1,
                Order::NewestFirst => high = from - 1,
            }
            looked_at += some.len() as u64;
            // Where few messages lie in a stretch, the next one is longer.
            step = (step * 2).min(STRETCH.1);
            if looked_at >= MOST_LOOKED_AT && low <= high {
                let at = if order == Order::OldestFirst { to } else { from };
                return Ok(Page { items, next: Some(Cursor(at)) });
            }
        }
        Ok(Page { items, next: None })
    }

    /// The messages from one place to another, in order.
    async fn stretch(&self, from: u64, to: u64) -> Result<Vec<Raw>, StoreError> {
        let (mut all, mut next, mut behind) = (Vec::new(), from, 0);
        let last = self.ends.map_or(0, |(_, last)| last);
        while next <= to {
            let most = usize::try_from(to - next + 1).unwrap_or(usize::MAX).min(STRETCH.1 as usize);
            let some = self.shared.link.stretch(self.stream, &self.subject, next, most).await?;
            let Some(end) = some.last().map(|raw| raw.sequence) else {
                // Nothing from here on. If the newest message should be there, the replica is behind, or somebody
                // removed it meanwhile.
                if to < last || behind >= BEHIND.0 || self.is_gone(last).await? {
                    break;
                }
                behind += 1;
                tokio::time::sleep(BEHIND.1).await;
                continue;
            };
            all.extend(some.into_iter().take_while(|raw| raw.sequence <= to));
            next = end + 1;
        }
        Ok(all)
    }

    async fn is_gone(&self, sequence: u64) -> Result<bool, StoreError> {
        Ok(self.shared.link.at(self.stream, sequence).await?.is_none())
    }
}
