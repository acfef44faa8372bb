//! The circuit of a destination: whether it is worth trying.
//!
//! ```text
//!             five failures in a row                    its time has come
//!   Closed ───────────────────────────▶ Open ───────────────────────────▶ HalfOpen
//!     ▲                                  ▲  the probe failed: a longer pause  │  │
//!     │                                  └──────────────────────────────────┘  │
//!     └──────────────────────── the probe did not fail ────────────────────────┘
//! ```
//!
//! While it is open nothing is leased, so a destination that is down costs no tries and makes no exceptions in the
//! store: its events wait in the log. Then one delivery goes out as a probe.
//!
//! What counts as a failure is a matter of the destination, not of the event: no connection, no answer, 5xx, 429. Any
//! other answer shows that somebody is there. An event that fails by itself again and again counts once: a poisoned
//! event must not close the way for the others. Failures without a connection say nothing about the event, so they
//! count each time, and a probe that finds no connection does not use up a try of its delivery.
//!
//! Some destinations say that nothing at all will be taken for a while: credentials that count no longer, a day's budget
//! of calls that is used up. One such word opens the circuit, for as long as it says.

use std::time::Duration;

use hookhouse_core::{DeliveryId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// What an attempt says about the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answered.
    Up,
    /// It failed this request.
    Failing,
    /// It could not be reached at all.
    Unreachable,
    /// Nothing: the request was not sent.
    Untold,
}

/// Where a circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Everything is tried.
    Closed,
    /// Nothing is tried.
    Open,
    /// One probe is tried.
    HalfOpen,
}

/// What moves a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// An attempt found the destination well.
    Success,
    /// An attempt failed, and not yet often enough.
    Failure,
    /// An attempt failed, once too often.
    LastStraw,
    /// The pause is over.
    Due,
    /// The probe found the destination well.
    ProbeSuccess,
    /// The probe failed.
    ProbeFailure,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The phase after a signal; `None` for a signal that cannot come.
    #[must_use]
    pub fn after(self, signal: Signal) -> Option<Self> {
        use Signal as On;
        Some(match (self, signal) {
            (Self::Closed, On::Success | On::Failure) => Self::Closed,
            (Self::Closed, On::LastStraw) => Self::Open,
            (Self::Open, On::Due) => Self::HalfOpen,
            (Self::HalfOpen, On::ProbeSuccess) => Self::Closed,
            (Self::HalfOpen, On::ProbeFailure) => Self::Open,
            // Attempts that began before the circuit opened end late; the probe decides.
            (Self::Open | Self::HalfOpen, On::Success | On::Failure | On::LastStraw) => self,
            (Self::Closed | Self::HalfOpen, On::Due) => return None,
            (Self::Closed | Self::Open, On::ProbeSuccess | On::ProbeFailure) => return None,
        })
    }
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 6] =
        [Self::Success, Self::Failure, Self::LastStraw, Self::Due, Self::ProbeSuccess, Self::ProbeFailure];
}

/// A moment, on the wall and on the runtime's clock: pauses must survive a clock that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For people and for the store.
    pub wall: Timestamp,
    /// For waiting.
    pub tick: Instant,
}

impl Moment {
    fn after(self, pause: Duration) -> Self {
        Self { wall: crate::schedule::after(self.wall, pause), tick: self.tick + pause }
    }
}

/// In which role a delivery was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As one of many.
    Ordinary,
    /// To see whether the destination is back.
    Probe,
}

/// What the circuit lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Everything.
    Free,
    /// One probe.
    Probe,
    /// Nothing until then.
    Shut(Instant),
}

/// That a circuit opened, opened for longer, or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Until when it is open; `None` when it closed.
    pub open_until: Option<Timestamp>,
    /// What the last failure was, when it opened.
    pub cause: Option<String>,
}

/// A circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    phase: Phase,
    /// The deliveries that failed since the last success, one entry for each failure that counts.
    failures: Vec<DeliveryId>,
    /// How often it opened since it was closed.
    openings: u32,
    /// The end of the pause, while it is not closed.
    until: Option<Moment>,
    /// What the last failure was, while it is not closed.
    cause: Option<String>,
}

impl Circuit {
    /// A destination of which nothing bad is known.
    #[must_use]
    pub fn closed() -> Self {
        Self { phase: Phase::Closed, failures: Vec::new(), openings: 0, until: None, cause: None }
    }

    /// A circuit as it was saved. No pause is longer than [`LONGEST_PAUSE`], whatever the clocks did since.
    #[must_use]
    pub fn restored(saved: Saved, now: Moment) -> Self {
        let Some(until) = saved.open_until else { return Self::closed() };
        let left = Duration::try_from(until.duration_since(now.wall)).unwrap_or_default();
        Self {
            phase: Phase::Open,
            failures: Vec::new(),
            openings: saved.openings,
            until: Some(now.after(left.min(LONGEST_PAUSE))),
            cause: saved.cause,
        }
    }

    /// What of it survives a restart. A probe that is under way does not: it will be sent again.
    #[must_use]
    pub fn saved(&self) -> Saved {
        Saved {
            open_until: self.until.map(|until| until.wall),
            openings: self.openings,
            cause: self.cause.clone(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What may be tried now. An open circuit whose pause is over becomes half-open by being asked.
    pub fn gate(&mut self, now: Instant) -> Gate {
        let until = self.until.map_or(now, |until| until.tick);
        if self.phase == Phase::Open && until <= now {
            self.step(Signal::Due);
        }
        match self.phase {
            Phase::Closed => Gate::Free,
            Phase::HalfOpen => Gate::Probe,
            Phase::Open => Gate::Shut(until),
        }
    }

    /// Takes note of an attempt; answers with the change that it made.
    pub fn record(&mut self, report: &Report<'_>, now: Moment) -> Option<Change> {
        let signal = self.signal(report)?;
        let before = self.phase;
        self.step(signal);
        match (before, self.phase) {
            (Phase::Closed | Phase::HalfOpen, Phase::Open) => Some(self.open(report, now)),
            (Phase::HalfOpen, Phase::Closed) => {
                *self = Self::closed();
                Some(Change { open_until: None, cause: None })
            }
            _ => None,
        }
    }

    fn signal(&mut self, report: &Report<'_>) -> Option<Signal> {
        Some(match (report.role, report.health) {
            (Role::Ordinary, _) if report.pause.is_some() => Signal::LastStraw,
            (Role::Probe, _) if report.pause.is_some() => Signal::ProbeFailure,
            (_, Health::Untold) => return None,
            (Role::Probe, Health::Up) => Signal::ProbeSuccess,
            (Role::Probe, Health::Failing | Health::Unreachable) => Signal::ProbeFailure,
            (Role::Ordinary, Health::Up) => {
                self.failures.clear();
                Signal::Success
            }
            (Role::Ordinary, health) => {
                let counts = health == Health::Unreachable || !self.failures.contains(report.delivery);
                if counts && self.phase == Phase::Closed {
                    self.failures.push(report.delivery.clone());
                }
                if self.failures.len() >= FAILURES { Signal::LastStraw } else { Signal::Failure }
            }
        })
    }

    fn open(&mut self, report: &Report<'_>, now: Moment) -> Change {
        self.failures.clear();
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.openings.min(16));
        let asked = report.retry_after.unwrap_or_default();
        let pause = doubled.max(asked).min(LONGEST_PAUSE);
        let until = now.after(report.pause.map_or(pause, |ordered| ordered.clamp(pause, LONGEST_ORDERED)));
        self.openings = self.openings.saturating_add(1);
        self.until = Some(until);
        self.cause = Some(report.cause.to_owned());
        Change { open_until: Some(until.wall), cause: self.cause.clone() }
    }

    /// A signal that cannot come changes nothing.
    fn step(&mut self, signal: Signal) {
        self.phase = self.phase.after(signal).unwrap_or(self.phase);
    }
}

/// What an attempt tells the circuit.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Which delivery was tried.
    pub delivery: &'a DeliveryId,
    /// As what.
    pub role: Role,
    /// How the destination was.
    pub health: Health,
    /// How long it asked to be left alone.
    pub retry_after: Option<Duration>,
    /// How long nothing at all is to be sent to it.
    pub pause: Option<Duration>,
    /// What went wrong, in words.
    pub cause: &'a str,
}

/// A circuit in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Until when it is open; `None` for a closed one.
    pub open_until: Option<Timestamp>,
    /// How often it opened in a row.
    pub openings: u32,
    /// What the last failure was.
    pub cause: Option<String>,
}

/// So many failures in a row open a circuit: more than a stray one, fewer than a batch.
pub const FAILURES: usize = 5;

/// How long a circuit is open for the first time; each time in a row twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// How long a circuit is open at most. A probe a minute costs a dead destination nothing and tells soon that it is
/// back; neither a long outage nor a `Retry-After` stretches that.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long it is open at most where the destination takes nothing at all. A restart shortens that to
/// [`LONGEST_PAUSE`]: whoever restarts may have mended the cause.
pub const LONGEST_ORDERED: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests;
