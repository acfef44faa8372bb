//! Noticing that the wall clock was set.
//!
//! When a retry is due is a time of the wall clock, since it must outlast the process. A clock that is set forward makes
//! retries due early, each once. One that is set back would have them wait for as long as it was set back: so they are
//! moved with it.

use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use crate::checkpoint::ROW_PAGES;
use crate::fault::{Fault, begin, roll_back};
use crate::time::{length_nanos, to_nanos};
use crate::writer::Writer;

/// Less than this is a clock that is kept right, or a process that had to wait.
const JUMP: Duration = Duration::from_secs(10);

/// More than this at once, and nothing is removed for being so old: a clock that was set wrong would empty the store. A clock
/// that is right after all is believed from the next start on.
const BELIEVABLE: Duration = Duration::from_secs(30 * 86_400);

/// What the wall clock showed when the monotonic clock showed something.
#[derive(Debug)]
pub(crate) struct Timepiece {
    wall: i64,
    at: Instant,
    /// How far ahead it is of a clock that is to be believed.
    ahead: i64,
}

/// The wall clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jump {
    /// What it would show.
    from: i64,
    /// What it shows.
    to: i64,
}

impl Timepiece {
    /// Begins at what the wall clock shows, or at the newest thing that happened: the clock was set back since, then.
    pub(crate) fn new(wall: i64, newest: i64) -> Self {
        Self { wall: wall.max(newest), at: Instant::now(), ahead: 0 }
    }

    /// What time it is for whoever removes things by their age.
    pub(crate) fn believed(&self, wall: i64) -> i64 {
        wall.saturating_sub(self.ahead)
    }

    /// Goes on from here.
    fn go_on(&mut self, wall: i64, now: Instant, jump: Option<Jump>) {
        let by = jump.map_or(0, |jump| jump.to.saturating_sub(jump.from));
        if by < 0 || by > length_nanos(BELIEVABLE) {
            self.ahead = self.ahead.saturating_add(by).max(0);
        }
        (self.wall, self.at) = (wall, now);
    }

    fn look(&self, wall: i64, now: Instant) -> Option<Jump> {
        let from = self.wall.saturating_add(length_nanos(now.saturating_duration_since(self.at)));
        (wall.abs_diff(from) >= length_nanos(JUMP).unsigned_abs()).then_some(Jump { from, to: wall })
    }
}

impl Jump {
    fn seconds(self) -> i64 {
        self.to.saturating_sub(self.from) / 1_000_000_000
    }

    /// Moves what waits along with a clock that was set back. What was put down since the jump lies nearer to the new
    /// time than to the old one, and stays.
    fn follow(self, conn: &Connection) -> rusqlite::Result<usize> {
        let middle = self.to / 2 + self.from / 2;
        begin(conn)?;
        let moved = conn
            .prepare_cached("UPDATE exceptions SET due = due + ?1 WHERE due IS NOT NULL AND due > ?2")?
            .execute([self.to.saturating_sub(self.from), middle])?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(moved)
    }
}

impl Writer {
    /// Looks whether the wall clock was set, and does what that asks for.
    pub(crate) fn mind_the_clock(&mut self) -> Result<(), Fault> {
        let (wall, now) = (to_nanos(self.shared.clock.now()), Instant::now());
        let jump = self.timepiece.look(wall, now);
        if let Some(jump) = jump {
            let mut moved = 0;
            if jump.to < jump.from {
                // Without space it is noticed again, until it can be done.
                moved = match jump.follow(&self.conn) {
                    Ok(moved) => moved,
                    Err(error) => return roll_back(&self.conn, Fault::from(error)).unless_fatal(),
                };
                self.shared.checkpoints.committed((moved as i64).saturating_mul(ROW_PAGES));
                for consumer in self.shared.consumers.all() {
                    consumer.lock().due_at(i64::MIN);
                    consumer.wake();
                }
            }
            let seconds = jump.seconds();
            tracing::warn!(
                seconds,
                moved,
                "clock.jump: the wall clock was set; retries that waited were moved back with it"
            );
        }
        self.timepiece.go_on(wall, now, jump);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_clock_that_goes_on_does_not_jump() {
        let piece = Timepiece::new(1_000 * SECOND, 0);
        let later = piece.at + Duration::from_secs(3_600);
        assert_eq!(piece.look(4_600 * SECOND, later), None);
        assert_eq!(piece.look(4_595 * SECOND, later), None, "an NTP step is none");
        let back = piece.look(4_000 * SECOND, later);
        assert_eq!(back.map(Jump::seconds), Some(-600));
        let ahead = piece.look(9_999_999 * SECOND, later);
        assert_eq!(ahead.map(Jump::seconds), Some(9_995_399));
    }

    #[test]
    fn a_year_at_once_is_not_believed_and_an_hour_is() {
        let mut piece = Timepiece::new(1_000 * SECOND, 0);
        let at = piece.at;
        let mut jump = |to: i64| {
            let jumped = piece.look(to * SECOND, at);
            piece.go_on(to * SECOND, at, jumped);
            piece.believed(to * SECOND) / SECOND
        };
        assert_eq!(jump(4_600), 4_600, "somebody set it right by an hour");
        assert_eq!(jump(31_540_600), 4_600, "a year ahead");
        assert_eq!(jump(4_600), 4_600, "and back");
        assert_eq!(jump(-5_000), -5_000, "behind is believed: nothing is removed too early");
    }

    #[test]
    fn what_happened_later_than_now_was_before_the_clock_was_set() {
        let piece = Timepiece::new(1_000 * SECOND, 2_000 * SECOND);
        assert_eq!(piece.look(1_000 * SECOND, piece.at).map(Jump::seconds), Some(-1_000));
    }
}
