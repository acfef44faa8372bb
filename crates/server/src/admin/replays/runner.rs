//! Does a replay: counts its events, then makes a delivery of each, the oldest first.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::store::Cursor;
use hookhouse_core::{EventId, EventStore, Sequence, StoreError, StoredEvent};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Replays;
use super::job::{self, Job};
use crate::admin::view::{EventCount, ReplayFilter, ReplayState};

/// Events that are read at once, and after which it is noted how far the job has come.
const PAGE: usize = 100;

/// Pages that are looked at while somebody waits for a count.
pub(super) const PAGES: usize = 100;

/// How long to wait when the store has too much to do.
const PAUSE: Duration = Duration::from_secs(1);

/// How old what is noted may be, while there is something to note.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Why a job does not go on.
enum Stop {
    /// Somebody called it off, and that is noted.
    Cancelled,
    /// The server stops: the next one goes on.
    Later,
    /// The store says why.
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed | StoreError::Failed(_) => Self::Later,
            error => Self::Failed(error),
        }
    }
}

/// Does a job to its end, or until the server stops.
pub(super) async fn run(replays: &Arc<Replays>, number: u64) {
    let Some((mut job, cancel)) = replays.get(number) else { return };
    let stopping = replays.stopping.clone();
    let place = tokio::select! {
        place = replays.places.acquire() => place,
        () = cancel.cancelled() => return,
        () = stopping.cancelled() => return,
    };
    let Ok(_place) = place else { return };
    let now = Instant::now();
    let mut work = Work { replays, job: &mut job, cancel: &cancel, pace: now, noted: now };
    let ended = work.go().await;
    match ended {
        Ok(()) => job.finish(ReplayState::Done, replays.clock.now()),
        Err(Stop::Failed(error)) => {
            tracing::error!(event = "replay.failed", replay = job::name(number), %error);
            job.error = Some(error.to_string());
            job.finish(ReplayState::Failed, replays.clock.now());
        }
        Err(Stop::Cancelled) => return,
        Err(Stop::Later) => {}
    }
    if replays.note(&job)
        && let Err(error) = replays.keep(&job).await
    {
        tracing::warn!(replay = job::name(number), %error, "how far a replay has come could not be noted");
    }
}

struct Work<'a> {
    replays: &'a Replays,
    job: &'a mut Job,
    cancel: &'a CancellationToken,
    /// When the next event may be dealt with.
    pace: Instant,
    /// When it was last noted how far the job has come.
    noted: Instant,
}

impl Work<'_> {
    async fn go(&mut self) -> Result<(), Stop> {
        if self.job.total.is_none() {
            self.job.state = ReplayState::Counting;
            self.note().await?;
            let counting = count(&*self.replays.store, &self.job.filter, Some(self.job.until), None);
            let counted = tokio::select! {
                counted = counting => counted?,
                () = self.cancel.cancelled() => return Err(Stop::Cancelled),
                () = self.replays.stopping.cancelled() => return Err(Stop::Later),
            };
            self.job.total = Some(counted.events);
        }
        self.job.state = ReplayState::Running;
        self.note().await?;
        if self.job.filter.events.is_empty() { self.all().await } else { self.named().await }
    }

    /// The events that are named.
    async fn named(&mut self) -> Result<(), Stop> {
        let names = self.job.filter.events.clone();
        let begun = usize::try_from(self.job.position).unwrap_or(usize::MAX);
        for (n, id) in names.iter().enumerate().skip(begun) {
            self.turn().await?;
            let event = self.replays.store.event(*id).await?;
            self.redeliver(*id, event.as_deref()).await?;
            self.job.position = n as u64 + 1;
            if (n + 1).is_multiple_of(PAGE) {
                self.note().await?;
            }
        }
        Ok(())
    }

    /// The events that pass.
    async fn all(&mut self) -> Result<(), Stop> {
        let mut query = self.job.filter.query(PAGE);
        loop {
            query.cursor = (self.job.position > 0).then_some(Cursor(self.job.position));
            let page = self.replays.store.events(&query).await?;
            for event in &page.items {
                if event.sequence() > self.job.until {
                    return Ok(());
                }
                self.turn().await?;
                self.redeliver(event.id(), Some(event)).await?;
                self.job.position = event.sequence().0;
            }
            let Some(Cursor(looked_at)) = page.next else { return Ok(()) };
            self.job.position = looked_at;
            if looked_at >= self.job.until.0 {
                return Ok(());
            }
            self.note().await?;
        }
    }

    async fn redeliver(&mut self, id: EventId, event: Option<&StoredEvent>) -> Result<(), Stop> {
        let destinations = match (&self.job.destination, event) {
            (_, None) => Vec::new(),
            (Some(destination), _) => vec![destination.clone()],
            (None, Some(event)) => self.replays.routes_of(&event.record().source),
        };
        let mut made = 0;
        for destination in &destinations {
            let delivery = loop {
                match self.replays.store.redeliver(id, destination).await {
                    Err(StoreError::Overloaded | StoreError::Full(_)) => self.pause().await?,
                    other => break other?,
                }
            };
            made += u64::from(delivery.is_some());
        }
        self.job.processed += 1;
        self.job.deliveries += made;
        self.job.skipped += u64::from(made == 0);
        Ok(())
    }

    /// Waits until the next event may be dealt with.
    async fn turn(&mut self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        if self.replays.stopping.is_cancelled() {
            return Err(Stop::Later);
        }
        if self.noted.elapsed() >= NOTE_EVERY {
            self.note().await?;
        }
        let Some(rate) = self.job.rate else { return Ok(()) };
        let due = self.pace;
        // What was missed while the store was busy is not made up for.
        self.pace = due.max(Instant::now()) + Duration::from_secs(1) / rate.max(1);
        self.unless_stopped(sleep_until(due)).await
    }

    async fn pause(&self) -> Result<(), Stop> {
        self.unless_stopped(sleep(PAUSE)).await
    }

    async fn unless_stopped(&self, wait: impl Future<Output = ()>) -> Result<(), Stop> {
        tokio::select! {
            () = wait => Ok(()),
            () = self.cancel.cancelled() => Err(Stop::Cancelled),
            () = self.replays.stopping.cancelled() => Err(Stop::Later),
        }
    }

    /// Notes how far the job has come.
    async fn note(&mut self) -> Result<(), Stop> {
        self.noted = Instant::now();
        if !self.replays.note(self.job) {
            return Err(Stop::Cancelled);
        }
        Ok(self.replays.keep(self.job).await?)
    }
}

/// Counts what a filter means: up to an event, and in so many pages of the log, if that is said.
pub(super) async fn count(
    store: &dyn EventStore,
    filter: &ReplayFilter,
    until: Option<Sequence>,
    most_pages: Option<usize>,
) -> Result<EventCount, StoreError> {
    if !filter.events.is_empty() {
        return Ok(EventCount { events: filter.events.len() as u64, complete: true });
    }
    let mut query = filter.query(1_000);
    let (mut events, mut pages) = (0, 0);
    loop {
        let page = store.events(&query).await?;
        let meant = page.items.iter().filter(|event| until.is_none_or(|until| event.sequence() <= until));
        events += meant.count() as u64;
        pages += 1;
        query.cursor = page.next;
        let Some(Cursor(looked_at)) = query.cursor else { return Ok(EventCount { events, complete: true }) };
        if until.is_some_and(|until| looked_at >= until.0) {
            return Ok(EventCount { events, complete: true });
        }
        if most_pages.is_some_and(|most| pages >= most) {
            return Ok(EventCount { events, complete: false });
        }
    }
}
