//! One client's stream: reads what the store has after its place, and waits for more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use hookhouse_core::delivery::{Delivery, Next};
use hookhouse_core::store::{Cursor, DeliveryQuery, EventQuery, Order, RefusalQuery};
use hookhouse_core::{Attempt, SourceName, StoreError, Timestamp};
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

use super::Kind;
use super::feed::{Live, Seat};
use super::position::Position;
use crate::admin::AdminState;
use crate::admin::view::EventView;

/// Entries that are read at once.
const PAGE: usize = 100;

/// Deliveries that are looked at for one that changed while a client was away.
const DELIVERIES: usize = 1_000;

/// How long a client hears nothing.
const BEAT: Duration = Duration::from_secs(15);

/// How long after a client should connect again.
const RECONNECT: Duration = Duration::from_secs(2);

/// Refusals come into the store with the next commit, a moment after they were told of: it is looked at for so long,
/// so often.
const REFUSALS_LAG: Duration = Duration::from_secs(5);
const REFUSALS_LOOK: Duration = Duration::from_millis(200);

/// What a client wants to hear of.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) kinds: Vec<Kind>,
    pub(super) source: Option<SourceName>,
    pub(super) event_type: Option<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) verified: Option<bool>,
    pub(super) body: bool,
}

impl Wish {
    fn wants(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    fn wants_of(&self, kind: Kind, source: &SourceName) -> bool {
        self.wants(kind) && self.source.as_ref().is_none_or(|wanted| wanted == source)
    }
}

/// A try, with what follows it.
#[derive(Debug, Serialize)]
struct Attempted<'a> {
    source: &'a SourceName,
    #[serde(flatten)]
    attempt: &'a Attempt,
    /// `done`, `retry`, `dead`, or `released` where the try does not count.
    next: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
}

/// A client's stream.
pub(super) struct Tail {
    state: Arc<AdminState>,
    wish: Wish,
    at: Position,
    frames: VecDeque<Event>,
    events: watch::Receiver<u64>,
    refusals: watch::Receiver<u64>,
    live: broadcast::Receiver<Arc<Live>>,
    /// Whether there may be events after the place.
    look_for_events: bool,
    /// Until when refusals may come into the store, and when it is looked at next.
    look_for_refusals: Option<(Instant, Instant)>,
    /// Since when deliveries may have changed unheard.
    away_since: Option<Timestamp>,
    beat: Instant,
    _seat: Seat,
}

impl Tail {
    pub(super) fn new(state: Arc<AdminState>, wish: Wish, at: Position, resumed: bool, seat: Seat) -> Self {
        let now = Instant::now();
        let mut tail = Self {
            events: state.feed.events(),
            refusals: state.feed.refusals(),
            live: state.feed.live(),
            look_for_events: wish.wants(Kind::Events),
            look_for_refusals: wish.wants(Kind::Refusals).then_some((now, now)),
            away_since: (resumed && wish.wants(Kind::Deliveries)).then(|| at.moment()),
            frames: VecDeque::new(),
            beat: now + BEAT,
            state,
            wish,
            at,
            _seat: seat,
        };
        // The first frame says where the client is, so that it can resume even if it never hears of anything.
        let first = tail.frame().retry(RECONNECT);
        tail.frames.push_back(first);
        tail
    }

    /// The next frame; `None` where the stream ends.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                self.beat = Instant::now() + BEAT;
                return Some(frame);
            }
            if self.state.stopping.is_cancelled() {
                return None;
            }
            if let Err(error) = self.read().await {
                tracing::debug!(%error, "a stream ends");
                return None;
            }
            if self.frames.is_empty() && !self.look_for_events {
                self.wait().await?;
            }
        }
    }

    /// An empty frame with the place of the client.
    fn frame(&mut self) -> Event {
        // Until it knows what changed while it was away, it is where it was.
        if self.away_since.is_none() {
            self.at.millis = self.state.clock.now().as_millisecond();
        }
        Event::default().id(self.at.to_string())
    }

    fn push(&mut self, name: &str, data: &impl Serialize) {
        // What is shown here is made of strings and numbers: it is JSON.
        if let Ok(data) = serde_json::to_string(data) {
            let frame = self.frame().event(name).data(data);
            self.frames.push_back(frame);
        }
    }

    /// Reads what the store has after the place, a page at most.
    async fn read(&mut self) -> Result<(), StoreError> {
        if self.look_for_events {
            return self.read_events().await;
        }
        if let Some(since) = self.away_since {
            self.read_deliveries(since).await?;
            self.away_since = None;
        }
        let now = Instant::now();
        if let Some((until, next)) = self.look_for_refusals
            && next <= now
        {
            self.look_for_refusals = (now < until).then_some((until, now + REFUSALS_LOOK));
            self.read_refusals().await?;
        }
        Ok(())
    }

    async fn read_events(&mut self) -> Result<(), StoreError> {
        // Everything up to here is looked at, whatever passes.
        let head = self.state.store.status().await?.head.0;
        let query = EventQuery {
            source: self.wish.source.clone(),
            event_type: self.wish.event_type.clone(),
            since: self.wish.since,
            verified: self.wish.verified,
            order: Order::OldestFirst,
            cursor: (self.at.event > 0).then_some(Cursor(self.at.event)),
            limit: PAGE,
            ..EventQuery::default()
        };
        let page = self.state.store.events(&query).await?;
        for event in &page.items {
            self.at.event = event.sequence().0;
            self.push("event.received", &EventView::of(event, self.wish.body));
        }
        match page.next {
            Some(Cursor(looked_at)) => self.at.event = looked_at,
            None => {
                self.at.event = self.at.event.max(head);
                self.look_for_events = false;
            }
        }
        Ok(())
    }

    async fn read_refusals(&mut self) -> Result<(), StoreError> {
        let query = RefusalQuery {
            source: self.wish.source.clone(),
            order: Order::OldestFirst,
            cursor: Some(Cursor(self.at.refusal)),
            limit: PAGE,
        };
        let page = self.state.store.refusals(&query).await?;
        for refusal in &page.items {
            self.at.refusal = refusal.sequence.0;
            self.push("event.refused", refusal);
        }
        if let Some(Cursor(looked_at)) = page.next {
            self.at.refusal = looked_at;
            let now = Instant::now();
            self.look_for_refusals = Some((now + REFUSALS_LAG, now));
        }
        Ok(())
    }

    /// How the newest deliveries stand that were tried meanwhile.
    async fn read_deliveries(&mut self, since: Timestamp) -> Result<(), StoreError> {
        let mut query = DeliveryQuery { limit: PAGE, ..DeliveryQuery::default() };
        let mut changed = Vec::new();
        for _ in 0..DELIVERIES / PAGE {
            let page = self.state.store.deliveries(&query).await?;
            changed.extend(page.items.into_iter().filter(|delivery| ended_after(delivery, since)));
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        for delivery in changed.iter().rev() {
            if self.wish.wants_of(Kind::Deliveries, &delivery.source) {
                self.push("delivery.changed", delivery);
            }
        }
        Ok(())
    }

    /// Waits for news; `None` where the stream ends.
    async fn wait(&mut self) -> Option<()> {
        let look = self.look_for_refusals.map_or(self.beat, |(_, next)| next);
        let (events, refusals) = (self.wish.wants(Kind::Events), self.wish.wants(Kind::Refusals));
        tokio::select! {
            biased;
            () = self.state.stopping.cancelled() => return None,
            heard = self.events.changed(), if events => {
                heard.ok()?;
                self.look_for_events = true;
            }
            heard = self.refusals.changed(), if refusals => {
                heard.ok()?;
                let now = Instant::now();
                self.look_for_refusals = Some((now + REFUSALS_LAG, now));
            }
            // Who is too far behind is cut off, and resumes.
            heard = self.live.recv() => self.tell(&*heard.ok()?),
            () = sleep_until(look), if self.look_for_refusals.is_some() => {}
            () = sleep_until(self.beat) => {
                let beat = self.frame().comment("");
                self.frames.push_back(beat);
            }
        }
        Some(())
    }

    fn tell(&mut self, news: &Live) {
        match news {
            Live::Attempted { source, attempt, next } if self.wish.wants_of(Kind::Attempts, source) => {
                let (next, retry_at) = match next {
                    Next::Done => ("done", None),
                    Next::RetryAt(at) => ("retry", Some(*at)),
                    Next::GiveUp(_) => ("dead", None),
                    Next::Release => ("released", None),
                };
                self.push("delivery.attempted", &Attempted { source, attempt, next, retry_at });
            }
            Live::Changed(delivery) if self.wish.wants_of(Kind::Deliveries, &delivery.source) => {
                self.push("delivery.changed", delivery);
            }
            _ => {}
        }
    }
}

/// Whether the last try of a delivery ended after a moment.
fn ended_after(delivery: &Delivery, since: Timestamp) -> bool {
    delivery.last_attempt.as_ref().is_some_and(|attempt| {
        attempt
            .started_at
            .checked_add(Duration::from_millis(attempt.duration_ms))
            .is_ok_and(|ended| ended >= since)
    })
}
