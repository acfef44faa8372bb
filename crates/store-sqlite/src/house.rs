//! What the writer does between batches.

use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use crate::fault::{Fault, begin, roll_back};
use crate::retention::{Now, Removed};
use crate::time::to_nanos;
use crate::writer::Writer;
use crate::{checkpoint, ops};

/// How long the writer sleeps at most: retention and the free space are looked at then.
const TICK: Duration = Duration::from_secs(1);

/// How long retention rests between slices while there is other work.
const RETENTION_PAUSE: Duration = Duration::from_millis(10);

impl Writer {
    /// Until when there is nothing to do, unless somebody asks for something.
    pub(crate) fn sleep_until(&self) -> Instant {
        if self.should_remove() { self.next_slice } else { Instant::now() + TICK }
    }

    /// Whether there are events to remove, or pages to give back.
    fn should_remove(&self) -> bool {
        let wall = self.timepiece.believed(to_nanos(self.shared.clock.now()));
        self.retention.is_due(wall, self.room.is_over_size()) || self.room.should_shrink()
    }

    /// What has to be done beside writing: the log's restart, retention, a look at the disk.
    pub(crate) fn keep_house(&mut self) -> Result<(), Fault> {
        if self.shared.checkpoints.wants_restart() {
            // Without space in the database the pages stay in the log.
            checkpoint::checkpoint(&self.conn)
                .map(drop)
                .or_else(|error| Fault::from(error).unless_fatal())?;
        }
        self.mind_the_clock()?;
        self.look_around(false)?;
        if Instant::now() < self.next_slice || !self.should_remove() {
            return Ok(());
        }
        self.remove().or_else(|fault| {
            self.next_slice = Instant::now() + TICK;
            fault.unless_fatal()
        })
    }

    /// One slice of retention.
    fn remove(&mut self) -> Result<(), Fault> {
        let wall = self.timepiece.believed(to_nanos(self.shared.clock.now()));
        let now = Now {
            wall,
            head: self.head,
            over: self.room.is_over_size(),
            deduped_through: self.seen.through(),
            dedupe_since: wall.saturating_sub(self.seen.longest()),
        };
        let removed = match self.slice(now) {
            Ok(removed) => removed,
            Err(error) => {
                self.retention.begin_anew();
                return Err(roll_back(&self.conn, Fault::from(error)));
            }
        };
        for (destination, state) in &removed.exceptions {
            if let Some(consumer) = self.shared.consumers.with_id(*destination) {
                consumer.lock().counts.remove(*state);
            }
        }
        self.shared.ring.forget(&removed.events);
        self.shared.gauges().removed += removed.events.len() as u64;
        self.shared.checkpoints.committed(removed.events.len() as i64 + 1);
        self.next_slice = Instant::now() + RETENTION_PAUSE;
        self.look_around(true)
    }

    fn slice(&mut self, now: Now) -> rusqlite::Result<Removed> {
        begin(&self.conn)?;
        let removed = self.retention.slice(&self.conn, &self.shared.consumers.all(), now)?;
        if self.room.should_shrink() {
            shrink(&self.conn)?;
        }
        self.conn.execute_batch("COMMIT")?;
        Ok(removed)
    }

    /// Measures what there is, and says how the store is.
    pub(crate) fn look_around(&mut self, at_once: bool) -> Result<(), Fault> {
        self.room.probe();
        self.room.measure(&self.conn, at_once).or_else(|error| Fault::from(error).unless_fatal())?;
        self.tell();
        Ok(())
    }

    /// Says how the store is.
    pub(crate) fn tell(&self) {
        let problem = self.room.problem(self.retention.is_stuck());
        let mut gauges = self.shared.gauges();
        match (&gauges.problem, &problem) {
            (None, Some(why)) => tracing::error!(why, "store.full: events are refused"),
            (Some(_), None) => tracing::info!("store.writable: events are taken again"),
            _ => {}
        }
        gauges.used = self.room.used();
        gauges.free = self.room.free();
        gauges.problem = problem;
    }

    /// Keeps how far every destination has come.
    pub(crate) fn leave(&self) {
        let keep = || {
            begin(&self.conn)?;
            for consumer in self.shared.consumers.all() {
                let row = consumer.lock().row();
                if let Some((position, owed)) = row {
                    ops::keep_position(&self.conn, consumer.id, position, &owed)?;
                }
            }
            self.conn.execute_batch("COMMIT")
        };
        if let Err(error) = keep() {
            // Destinations then look at some foreign events again after the next start; nothing else is lost.
            tracing::warn!(%error, "store.positions_not_kept");
        }
    }
}

/// Gives some unused pages back to the file system.
fn shrink(conn: &Connection) -> rusqlite::Result<()> {
    let mut vacuum = conn.prepare_cached("PRAGMA incremental_vacuum(64)")?;
    let mut freed = vacuum.query([])?;
    while freed.next()?.is_some() {}
    Ok(())
}
