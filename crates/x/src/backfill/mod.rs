//! Has X send again what was missed: within its rules, one job at a time, oldest first.
//!
//! X's rules for `POST /2/webhooks/replay` (its webhook and Account Activity pages, read 2026-11-22): the window lies in
//! the last 24 hours, begins at least 31 and ends at least 10 minutes ago, counts in whole minutes of UTC, and should be
//! of about two hours; one job runs at a time; X challenges the webhook first; nothing is retried within a job; a
//! `replay_job_status` is posted to the webhook at its end.
//!
//! One page calls `to_date` inclusive, another exclusive. A slice therefore ends at the first minute that lies wholly
//! behind the gap, and the next slice begins with that same minute: read either way, no minute is left out, and what comes
//! twice is recognised by the event's keys, like everything else that X sends twice.
//!
//! The machine has no clock and does no I/O: it says what to do ([`Backfill::next`]) and is told what came of it.

mod gaps;
#[cfg(test)]
mod tests;

use std::time::Duration;

use hookhouse_core::Timestamp;
use jiff::SignedDuration;
use rand::Rng;
use serde::{Deserialize, Serialize};

use self::gaps::Gaps;
pub use self::gaps::Slice;
use crate::calls::webhooks::ReplayJob;
use crate::deed::Deed;
use crate::error::{Class, Error};
use crate::id::JobId;
use crate::window::{Minute, Window};

/// The machine.
#[derive(Debug, Clone, Default)]
pub struct Backfill {
    state: State,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct State {
    gaps: Gaps,
    running: Option<Running>,
    /// How often the slice at the front was asked for without an end that counts.
    attempts: u32,
    /// Refusals in a row.
    refusals: u32,
    not_before: Option<Timestamp>,
    /// Whether X said that the webhook does not answer its challenge.
    needs_healing: bool,
    /// What cannot be had any more, the newest last.
    lost: Vec<Window>,
    /// What may be incomplete, the newest last.
    doubtful: Vec<Window>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Running {
    job: JobId,
    slice: Slice,
    since: Timestamp,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is missing.
    Idle,
    /// Nothing before then, or until [`Backfill::ended`].
    Wait(Timestamp),
    /// The webhook must be valid first; then tell [`Backfill::healed`].
    Heal,
    /// Ask for this, and tell [`Backfill::asked`].
    Replay(Slice),
}

/// How far it is, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is still to be asked for.
    pub pending: Vec<Window>,
    /// What X is sending.
    pub running: Option<Window>,
    /// What cannot be had any more, the newest last.
    pub lost: Vec<Window>,
    /// What may be incomplete, the newest last.
    pub doubtful: Vec<Window>,
}

impl Backfill {
    /// The machine as it was saved; an empty one where that makes no sense.
    ///
    /// A job that was running is asked for again: X does not repeat what we were not there to take.
    #[must_use]
    pub fn resume(saved: &[u8]) -> Self {
        let mut backfill = Self { state: serde_json::from_slice(saved).unwrap_or_default() };
        backfill.interrupted();
        backfill
    }

    /// What to keep for [`resume`](Self::resume).
    #[must_use]
    pub fn saved(&self) -> Vec<u8> {
        serde_json::to_vec(&self.state).unwrap_or_default()
    }

    /// Something was missed; what of it is still to come was not.
    pub fn missed(&mut self, window: Window, now: Timestamp) {
        let to = window.to.min(now);
        self.state.gaps.add(Slice { from: Minute::of(window.from), to: Minute::of(to).plus(1) });
    }

    /// We were out of reach: what X was sending meanwhile is not whole.
    pub fn interrupted(&mut self) {
        if let Some(running) = self.state.running.take() {
            self.state.gaps.add(running.slice);
            self.state.attempts = self.state.attempts.saturating_sub(1);
        }
    }

    /// Whether X said that the webhook does not answer its challenge.
    #[must_use]
    pub fn needs_healing(&self) -> bool {
        self.state.needs_healing
    }

    /// The webhook is valid.
    pub fn healed(&mut self) {
        self.state.needs_healing = false;
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            pending: self.state.gaps.iter().map(Slice::window).collect(),
            running: self.state.running.as_ref().map(|running| running.slice.window()),
            lost: self.state.lost.clone(),
            doubtful: self.state.doubtful.clone(),
        }
    }

    /// What to do at this time. What has become too old meanwhile is given up, and said.
    pub fn next(&mut self, now: Timestamp) -> (Step, Vec<Deed>) {
        let mut deeds = Vec::new();
        if let Some(running) = &self.state.running {
            let end = later(running.since, JOB_TIME);
            // A clock that was set back must not make us wait for longer than a job may take.
            if now < end && end <= later(now, JOB_TIME) {
                return (Step::Wait(end), deeds);
            }
            let slice = running.slice;
            deeds.extend(self.failed(slice, "X did not say how it ended", now));
        }
        deeds.extend(self.give_up_the_old(now));
        if self.state.gaps.is_empty() {
            self.state.attempts = 0;
            return (Step::Idle, deeds);
        }
        if let Some(at) = self.state.not_before.filter(|at| now < *at && *at <= later(now, LONGEST_WAIT)) {
            return (Step::Wait(at), deeds);
        }
        if self.state.needs_healing {
            return (Step::Heal, deeds);
        }
        let step = match self.state.gaps.first_slice(now) {
            Ok(slice) => Step::Replay(slice),
            Err(ripe) => Step::Wait(ripe),
        };
        (step, deeds)
    }

    /// X was asked for a slice.
    pub fn asked(
        &mut self,
        slice: Slice,
        answer: Result<&ReplayJob, &Error>,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> Vec<Deed> {
        match answer {
            Ok(job) => {
                self.state.gaps.remove(slice);
                (self.state.refusals, self.state.not_before) = (0, None);
                self.state.attempts = self.state.attempts.saturating_add(1);
                self.state.running = Some(Running { job: job.job_id.clone(), slice, since: now });
                vec![Deed::ReplayStarted { job: job.job_id.clone(), window: slice.window() }]
            }
            Err(error) => {
                self.state.refusals = self.state.refusals.saturating_add(1);
                let pause = pause(error, self.state.refusals, rng);
                let again = error
                    .not_before()
                    .filter(|until| *until <= later(now, LONGEST_WAIT))
                    .map_or(later(now, pause), |until| until.max(later(now, pause)));
                self.state.not_before = Some(again);
                self.state.needs_healing |=
                    matches!(error, Error::CrcFailed { .. } | Error::UnknownWebhook { .. });
                let why = format!("{} ({})", error.line(), error.advice());
                // That another job runs is no failure; it is said once.
                if matches!(error, Error::ReplayConflict { .. }) && self.state.refusals > 1 {
                    return Vec::new();
                }
                vec![Deed::ReplayFailed { window: slice.window(), why, again }]
            }
        }
    }

    /// X said that a job ended: `Complete`, or something else.
    pub fn ended(&mut self, job: &str, complete: bool, now: Timestamp) -> Vec<Deed> {
        let Some(running) = self.state.running.take_if(|running| running.job.as_str() == job) else {
            // Somebody else's job ended: the way is free.
            if self.state.running.is_none() {
                self.state.not_before = None;
            }
            return Vec::new();
        };
        if complete {
            self.state.attempts = 0;
            return vec![Deed::Replayed { job: running.job, window: running.slice.window() }];
        }
        let slice = running.slice;
        self.state.running = Some(running);
        self.failed(slice, "X says that it is incomplete", now)
    }

    /// A job ended without success: its slice is asked for again, but not for ever.
    fn failed(&mut self, slice: Slice, why: &str, now: Timestamp) -> Vec<Deed> {
        self.state.running = None;
        if self.state.attempts >= MOST_ATTEMPTS {
            self.state.attempts = 0;
            keep(&mut self.state.doubtful, slice.window());
            return vec![Deed::Doubtful { window: slice.window() }];
        }
        self.state.gaps.add(slice);
        let again = later(now, CONFLICT_PAUSE);
        self.state.not_before = Some(again);
        vec![Deed::ReplayFailed { window: slice.window(), why: why.to_owned(), again }]
    }

    fn give_up_the_old(&mut self, now: Timestamp) -> Vec<Deed> {
        // A gap may be reported twice, by the outage and by X's silence; what is lost is said once.
        let mut lost = self.state.gaps.cut_before(gaps::oldest(now));
        for known in &self.state.lost {
            lost.remove(Slice { from: Minute::of(known.from), to: Minute::of(known.to) });
        }
        let windows: Vec<_> = lost.iter().map(Slice::window).collect();
        windows
            .into_iter()
            .map(|window| {
                keep(&mut self.state.lost, window);
                Deed::Lost { window, why: "X replays the last 24 hours and nothing older".to_owned() }
            })
            .collect()
    }
}

/// Which of X's rules a slice breaks at this time, if any: for whoever asks by hand.
#[must_use]
pub fn broken_rule(slice: Slice, now: Timestamp) -> Option<&'static str> {
    let age = |minute: Minute| now.duration_since(minute.begin());
    if slice.to <= slice.from {
        Some("it ends before it begins")
    } else if age(slice.from) > SignedDuration::from_hours(24) {
        Some("it begins more than 24 hours ago, which X no longer has")
    } else if age(slice.from) < SignedDuration::from_mins(31) {
        Some("it begins less than 31 minutes ago: wait a little")
    } else if age(slice.to) < SignedDuration::from_mins(10) {
        Some("it ends less than 10 minutes ago: wait a little, or end it earlier")
    } else {
        None
    }
}

/// How long to leave X alone after a refusal.
fn pause(error: &Error, refusals: u32, rng: &mut impl Rng) -> Duration {
    let first = match error.class() {
        Class::Unreachable | Class::RateLimited => Duration::from_mins(1),
        Class::Refused | Class::NotFound => CONFLICT_PAUSE,
        Class::Auth => LONGEST_PAUSE,
    };
    let doublings = refusals.saturating_sub(1).min(31);
    first.saturating_mul(1 << doublings).min(LONGEST_PAUSE).mul_f64(0.9 + 0.2 * rng.random::<f64>())
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// Keeps the newest of a list that is shown to people.
fn keep(list: &mut Vec<Window>, window: Window) {
    list.push(window);
    if list.len() > MOST_KEPT {
        list.remove(0);
    }
}

/// How long a job may take before its silence counts as failure. A slice of two hours at X's 2,500 events a second is
/// far less, whatever account it is.
const JOB_TIME: Duration = Duration::from_mins(30);

/// While another job runs, and after one that failed.
const CONFLICT_PAUSE: Duration = Duration::from_mins(5);

const LONGEST_PAUSE: Duration = Duration::from_mins(30);

/// No wait for a rate limit is longer.
const LONGEST_WAIT: Duration = Duration::from_hours(2);

/// How often a slice is asked for that never ends well.
const MOST_ATTEMPTS: u32 = 3;

const MOST_KEPT: usize = 20;
