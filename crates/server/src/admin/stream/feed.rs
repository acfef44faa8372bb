//! Tells streams that there is something new: where to look for what the store has, and what it has no log of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookhouse_core::delivery::Next;
use hookhouse_core::{Attempt, Delivery, Notice, Observer, SourceName};
use tokio::sync::{broadcast, watch};

/// Streams at once.
pub(crate) const MOST_CLIENTS: usize = 64;

/// What a client may be behind with what the store has no log of. One that is further behind is cut off, and resumes.
const BUFFER: usize = 1024;

/// Something that happened to a delivery.
#[derive(Debug)]
pub(crate) enum Live {
    /// It was tried.
    Attempted { source: SourceName, attempt: Attempt, next: Next },
    /// An operator changed it.
    Changed(Delivery),
}

/// Where streams hear of news.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The newest event that was told of.
    events: watch::Sender<u64>,
    /// How many refusals were told of. They are in the store a little later.
    refusals: watch::Sender<u64>,
    live: broadcast::Sender<Arc<Live>>,
    clients: Arc<AtomicUsize>,
}

impl Feed {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            events: watch::Sender::new(0),
            refusals: watch::Sender::new(0),
            live: broadcast::Sender::new(BUFFER),
            clients: Arc::default(),
        })
    }

    /// An observer that tells streams, then `next`.
    pub(crate) fn before(self: &Arc<Self>, next: Arc<dyn Observer>) -> Arc<dyn Observer> {
        Arc::new(Watched { feed: Arc::clone(self), next })
    }

    /// How many streams there are.
    pub(crate) fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// A place for one more stream; `None` where there are enough.
    pub(super) fn seat(&self) -> Option<Seat> {
        let seat = Seat(Arc::clone(&self.clients));
        // The seat is given back when it is dropped, also here.
        (self.clients.fetch_add(1, Ordering::Relaxed) < MOST_CLIENTS).then_some(seat)
    }

    pub(super) fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    pub(super) fn refusals(&self) -> watch::Receiver<u64> {
        self.refusals.subscribe()
    }

    pub(super) fn live(&self) -> broadcast::Receiver<Arc<Live>> {
        self.live.subscribe()
    }

    /// An operator changed a delivery.
    pub(crate) fn changed(&self, delivery: Delivery) {
        self.tell(|| Live::Changed(delivery));
    }

    fn tell(&self, news: impl FnOnce() -> Live) {
        if self.live.receiver_count() > 0 {
            // Whoever listened may have gone; then nobody hears it.
            let _ = self.live.send(Arc::new(news()));
        }
    }

    fn hear(&self, notice: &Notice) {
        match notice {
            Notice::Accepted { event, .. } if self.events.receiver_count() > 0 => {
                let sequence = event.sequence().0;
                self.events.send_modify(|newest| *newest = (*newest).max(sequence));
            }
            Notice::Refused { .. } if self.refusals.receiver_count() > 0 => {
                self.refusals.send_modify(|count| *count = count.wrapping_add(1));
            }
            Notice::Attempted { source, attempt, next } => self.tell(|| Live::Attempted {
                source: source.clone(),
                attempt: attempt.clone(),
                next: next.clone(),
            }),
            _ => {}
        }
    }
}

/// Tells streams, and passes on.
#[derive(Debug)]
struct Watched {
    feed: Arc<Feed>,
    next: Arc<dyn Observer>,
}

impl Observer for Watched {
    fn notice(&self, notice: Notice) {
        self.feed.hear(&notice);
        self.next.notice(notice);
    }
}

/// A stream's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_only_so_many_seats_and_they_are_given_back() {
        let feed = Feed::new();
        let mut seats: Vec<_> = (0..MOST_CLIENTS).map(|_| feed.seat().unwrap()).collect();
        assert!(feed.seat().is_none());
        assert_eq!(feed.clients(), MOST_CLIENTS);
        seats.pop();
        assert!(feed.seat().is_some());
        drop(seats);
        assert_eq!(feed.clients(), 0);
    }
}
