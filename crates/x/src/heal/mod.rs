//! Keeps a webhook valid: looks, has X challenge it, looks again, and never storms.
//!
//! ```text
//!            ┌────────────── valid ──────────────┐
//!            ▼                                   │
//!   Look ──▶ valid, nothing wanted: in 15 min    │
//!     │                                          │
//!     ├────▶ invalid ─┐                          │
//!     ├────▶ missing ─┼─▶ Probe ─▶ Validate ─▶ Confirm ─ not yet ─▶ Confirm ─ no ─▶ pause, Look
//!     └────▶ wanted ──┘    │       (Register)
//!                          └ fatal, and still valid: postponed
//! ```
//!
//! *Wanted* is a challenge of a webhook that is valid: after an outage of our own, and when none was answered for
//! [`Policy::refresh_after`]. X's pages disagree on how often it challenges by itself (hourly, daily); asking before the
//! day is over makes silence mean something, and [`ALERT_AFTER`] a sign of trouble rather than of an idle day.
//!
//! At most [`MOST_CALLS_AN_HOUR`] calls are made in any hour, whatever happens; with a healthy webhook it is about four
//! an hour and two more a day. The machine has no clock and does no I/O: it says what to do ([`Healer::next`]) and is told what
//! came of it.

mod health;
mod policy;
mod state;
#[cfg(test)]
mod tests;

pub use self::health::{Alert, Condition, Health};
pub use self::policy::{ALERT_AFTER, INVALIDATED_AFTER, MOST_CALLS_AN_HOUR, Policy};
use self::state::{Phase, State, Trouble, Want};

use std::time::Duration;

use hookhouse_core::Timestamp;
use jiff::SignedDuration;
use rand::Rng;

use crate::calls::webhooks::Webhook;
use crate::deed::Deed;
use crate::error::{Class, Error};
use crate::id::WebhookId;
use crate::probe::ProbeFault;
use crate::rules;
use crate::window::{Window, span};

/// The machine.
#[derive(Debug, Clone)]
pub struct Healer {
    policy: Policy,
    url: String,
    state: State,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing before then.
    Wait(Timestamp),
    /// List the webhooks, and tell [`Healer::looked`].
    Look,
    /// Challenge the URL ourselves, and tell [`Healer::probed`].
    Probe,
    /// Have X challenge it, and tell [`Healer::validated`].
    Validate(WebhookId),
    /// Register the URL, and tell [`Healer::registered`].
    Register,
}

/// What came of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// What is worth a line.
    pub deeds: Vec<Deed>,
    /// When X sent nothing: to be filled.
    pub gap: Option<Window>,
}

impl From<Deed> for Effects {
    fn from(deed: Deed) -> Self {
        Self { deeds: vec![deed], gap: None }
    }
}

impl Healer {
    /// A machine for a URL of which nothing is known.
    #[must_use]
    pub fn new(policy: Policy, url: String, now: Timestamp) -> Self {
        Self { state: State::new(&url, now), policy, url }
    }

    /// The machine as it was saved; a new one where that was about another URL, or makes no sense.
    #[must_use]
    pub fn resume(policy: Policy, url: String, saved: &[u8], now: Timestamp) -> Self {
        match serde_json::from_slice::<State>(saved) {
            Ok(state) if state.url == url => {
                let mut healer = Self { policy, url, state };
                // Whatever was under way ended with the process: begin with a look, unless a pause was on.
                if healer.state.phase != Phase::Look {
                    healer.state.phase = Phase::Look;
                }
                healer.state.due = healer.state.due.min(now + healer.policy.longest_pause);
                healer
            }
            _ => Self::new(policy, url, now),
        }
    }

    /// What to keep for [`resume`](Self::resume).
    #[must_use]
    pub fn saved(&self) -> Vec<u8> {
        serde_json::to_vec(&self.state).unwrap_or_default()
    }

    /// The webhook's id, once it was seen.
    #[must_use]
    pub fn webhook(&self) -> Option<&WebhookId> {
        self.state.webhook.as_ref()
    }

    /// Whether X was last seen to call the webhook valid, and nothing is under way that could change it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state.phase == Phase::Look
            && self.state.want.is_none()
            && self.state.trouble.is_none()
            && self.state.seen_valid.is_some()
    }

    /// X challenged the webhook, and was answered.
    pub fn challenged(&mut self, at: Timestamp) {
        let last = self.state.last_crc.map_or(at, |last| last.max(at));
        self.state.last_crc = Some(last);
        // X has done what was wanted of it.
        if self.state.phase == Phase::Look && self.state.trouble.is_none() {
            self.state.want = None;
        }
    }

    /// We were out of reach: a challenge is wanted, and a look at once.
    pub fn interrupted(&mut self, now: Timestamp) {
        self.want(Want::Outage, now);
    }

    /// X says that the challenge fails, in answer to something else: look at once.
    pub fn doubted(&mut self, now: Timestamp) {
        self.want(Want::Doubt, now);
    }

    fn want(&mut self, want: Want, now: Timestamp) {
        self.state.want.get_or_insert(want);
        // A pause after failures goes on: an outage is no reason to ask faster than the pauses allow.
        if self.state.phase == Phase::Look && self.state.failures == 0 {
            self.state.due = self.state.due.min(now);
        }
    }

    /// What to do at this time.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Step {
        // A clock that was set back must not make the pause longer than any pause is.
        if now < self.state.due && self.state.due.duration_since(now) <= LONGEST_WAIT {
            return Step::Wait(self.state.due);
        }
        if self.state.phase != Phase::Probe
            && let Some(until) = self.state.calls.full_until(now)
        {
            return Step::Wait(until);
        }
        match (&self.state.phase, &self.state.webhook) {
            (Phase::Probe, _) => Step::Probe,
            (Phase::Validate, Some(webhook)) => Step::Validate(webhook.clone()),
            (Phase::Register, _) => Step::Register,
            (Phase::Look | Phase::Confirm { .. } | Phase::Validate, _) => Step::Look,
        }
    }

    /// The webhooks were listed, or not.
    pub fn looked(
        &mut self,
        found: Result<&[Webhook], &Error>,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> Effects {
        self.state.calls.note(now);
        let webhooks = match found {
            Ok(webhooks) => webhooks,
            Err(error) => return self.failed("looking at the webhook", error, now, rng),
        };
        let found = webhooks.iter().find(|webhook| rules::same(&webhook.url, &self.url));
        match found {
            Some(webhook) if webhook.valid => self.found_valid(webhook, now, rng),
            Some(webhook) => self.found_invalid(webhook, now, rng),
            None => self.found_missing(now, rng),
        }
    }

    fn found_valid(&mut self, webhook: &Webhook, now: Timestamp, rng: &mut impl Rng) -> Effects {
        let mut effects = Effects::default();
        let confirmed = matches!(self.state.phase, Phase::Confirm { .. });
        self.state.webhook = Some(webhook.id.clone());
        self.state.last_error = None;
        let id = webhook.id.clone();
        match self.state.trouble.take() {
            Some(Trouble::Invalid { since }) => {
                let invalid_for = span(since, now);
                effects.deeds.push(if confirmed {
                    Deed::Revalidated { webhook: id, invalid_for }
                } else {
                    Deed::Recovered { webhook: id, invalid_for }
                });
                effects.gap = Window::new(self.state.gap_begins(webhook).unwrap_or(since), now);
                self.state.want = None;
            }
            // A new webhook has no subscriptions, and so has missed nothing.
            Some(Trouble::Missing { .. }) => self.state.want = None,
            None if confirmed => {
                if let Some(want) = self.state.want.take() {
                    effects.deeds.push(Deed::Refreshed { webhook: id, why: want.why() });
                }
            }
            // A look that finds nothing to do: whatever was wrong is over.
            None if self.state.want.is_none() => self.state.failures = 0,
            None => {}
        }
        self.state.seen_valid = Some(now);
        if self.state.want.is_none() && self.is_stale(now) {
            self.state.want = Some(Want::Stale);
        }
        if self.state.want.is_some() {
            self.go(Phase::Probe, now);
        } else {
            self.look_after(self.policy.look_every, now, rng);
        }
        effects
    }

    fn found_invalid(&mut self, webhook: &Webhook, now: Timestamp, rng: &mut impl Rng) -> Effects {
        self.state.webhook = Some(webhook.id.clone());
        if let Phase::Confirm { again } = self.state.phase {
            if again {
                // The challenge may take its three seconds, and X its time to note it.
                self.state.phase = Phase::Confirm { again: false };
                self.state.due = now + self.policy.confirm_after * 3;
                return Effects::default();
            }
            let why = self.state.last_fault.clone().unwrap_or_else(|| {
                "X's challenge was not answered rightly: compare the consumer secret with the developer console's".to_owned()
            });
            return self.paused("re-validating the webhook", why, now, rng);
        }
        let mut effects = Effects::default();
        if !matches!(self.state.trouble, Some(Trouble::Invalid { .. })) {
            self.state.trouble = Some(Trouble::Invalid { since: now });
            let last_valid = self.state.seen_valid;
            effects.deeds.push(Deed::FoundInvalid { webhook: webhook.id.clone(), last_valid });
        }
        self.go(Phase::Probe, now);
        effects
    }

    fn found_missing(&mut self, now: Timestamp, rng: &mut impl Rng) -> Effects {
        let mut effects = Effects::default();
        if matches!(self.state.phase, Phase::Confirm { .. }) {
            let why = "X does not list the webhook".to_owned();
            return self.paused("confirming the webhook", why, now, rng);
        }
        if !matches!(self.state.trouble, Some(Trouble::Missing { .. })) {
            self.state.trouble = Some(Trouble::Missing { since: now });
            effects.deeds.push(Deed::FoundMissing { url: self.url.clone() });
        }
        (self.state.webhook, self.state.seen_valid) = (None, None);
        if self.policy.register {
            self.go(Phase::Probe, now);
        } else {
            self.look_after(self.policy.look_every, now, rng);
        }
        effects
    }

    /// The URL was challenged by ourselves.
    pub fn probed(&mut self, probed: Result<(), &ProbeFault>, now: Timestamp, rng: &mut impl Rng) -> Effects {
        self.state.last_fault = probed.err().map(|fault| format!("{} ({})", fault.line(), fault.advice()));
        let gap = self.reached(probed.is_ok(), now);
        match (probed, self.state.trouble) {
            // A challenge that would go wrong can only harm a webhook that is valid. One that is not has nothing to
            // lose, and the way from here may not be the way from X.
            (Err(fault), None) if fault.is_fatal() => {
                self.state.failures = self.state.failures.saturating_add(1);
                let pause = self.policy.pause(self.state.failures, rng);
                self.state.phase = Phase::Look;
                self.state.due = now + pause;
                let why = self.state.last_fault.clone().unwrap_or_default();
                self.state.last_error = Some(why.clone());
                Deed::Postponed { why, again: self.state.due }.into()
            }
            (_, Some(Trouble::Missing { .. })) => {
                self.go(Phase::Register, now);
                Effects::default()
            }
            _ => {
                self.go(Phase::Validate, now);
                Effects { deeds: Vec::new(), gap }
            }
        }
    }

    /// Whether our own challenge got through. While it does not, X's events may not either, though X calls the webhook
    /// valid: what came to nothing since X was last known to get through is a gap, once the way is free again.
    fn reached(&mut self, through: bool, now: Timestamp) -> Option<Window> {
        if !through {
            let last = self.state.last_crc.unwrap_or(self.state.watching_since);
            self.state.cut_off_since.get_or_insert(last);
            return None;
        }
        // Of a webhook that is invalid the gap is told when it is valid again.
        let since = self.state.cut_off_since.take_if(|_| self.state.trouble.is_none())?;
        Window::new(since, now)
    }

    /// X was asked to challenge.
    pub fn validated(&mut self, asked: Result<(), &Error>, now: Timestamp, rng: &mut impl Rng) -> Effects {
        self.state.calls.note(now);
        self.state.last_asked = Some(now);
        match asked {
            Ok(()) => {
                self.state.phase = Phase::Confirm { again: true };
                self.state.due = now + self.policy.confirm_after;
                Effects::default()
            }
            Err(error) => self.failed("re-validating the webhook", error, now, rng),
        }
    }

    /// X was asked to register the URL.
    pub fn registered(
        &mut self,
        asked: Result<&Webhook, &Error>,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> Effects {
        self.state.calls.note(now);
        self.state.last_asked = Some(now);
        match asked {
            Ok(webhook) => {
                self.state.webhook = Some(webhook.id.clone());
                self.state.phase = Phase::Confirm { again: true };
                self.state.due = now + self.policy.confirm_after;
                Deed::Registered { webhook: webhook.id.clone() }.into()
            }
            Err(error) => self.failed("registering the webhook", error, now, rng),
        }
    }

    fn failed(&mut self, what: &'static str, error: &Error, now: Timestamp, rng: &mut impl Rng) -> Effects {
        let mut why = format!("{} ({})", error.line(), error.advice());
        if let (Error::CrcFailed { .. }, Some(fault)) = (error, &self.state.last_fault) {
            why = format!("{}; from here: {fault}", error.line());
        }
        // What will not mend by itself is asked for no faster than it must be.
        if matches!(error.class(), Class::Auth) || matches!(error, Error::WebhookLimit { .. }) {
            self.state.failures = self.state.failures.max(self.policy.longest_after());
        }
        let mut effects = self.paused(what, why, now, rng);
        // X's windows are a quarter of an hour; what claims more is not waited for.
        let believable = |until: &Timestamp| until.duration_since(now) <= LONGEST_WAIT;
        if let Some(until) = error.not_before().filter(|until| *until > self.state.due).filter(believable) {
            self.state.due = until;
            if let Some(Deed::HealFailed { again, .. }) = effects.deeds.last_mut() {
                *again = until;
            }
        }
        effects
    }

    fn paused(&mut self, what: &'static str, why: String, now: Timestamp, rng: &mut impl Rng) -> Effects {
        self.state.failures = self.state.failures.saturating_add(1);
        self.state.phase = Phase::Look;
        self.state.due = now + self.policy.pause(self.state.failures, rng);
        self.state.last_error = Some(format!("{what} failed: {why}"));
        Deed::HealFailed { what, why, again: self.state.due }.into()
    }

    fn is_stale(&self, now: Timestamp) -> bool {
        let quiet = |since: Timestamp, limit: Duration| {
            now.duration_since(since).unsigned_abs() >= limit && now > since
        };
        quiet(self.state.last_crc.unwrap_or(self.state.watching_since), self.policy.refresh_after)
            && self.state.last_asked.is_none_or(|asked| quiet(asked, self.policy.refresh_again))
    }

    fn go(&mut self, phase: Phase, now: Timestamp) {
        (self.state.phase, self.state.due) = (phase, now);
    }

    fn look_after(&mut self, pause: Duration, now: Timestamp, rng: &mut impl Rng) {
        self.go(Phase::Look, now + self.policy.jittered(pause, rng));
    }
}

/// No wait is longer.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(2);
