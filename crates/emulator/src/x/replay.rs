//! Replay: everything that was delivered or attempted in a window of the last day, once more.
//!
//! The window is of whole minutes, begins at least 31 minutes ago and ends at least 10 minutes ago. One job runs at a
//! time; its bodies come oldest minute first, in no order within a minute, and none of them is tried twice. The end is
//! announced by a `replay_job_status`.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::agenda::Task;
use super::clock::later;
use super::delivery::{Attempted, Outgoing, Stage};
use super::ids::{JobId, WebhookId};
use super::ledger::{Entry, Purpose};
use super::problem::{Problem, Reason};
use super::state::State;

/// A job that runs.
#[derive(Debug)]
pub(super) struct ReplayJob {
    pub(super) id: JobId,
    /// The numbers of the deliveries that it still has to send.
    left: VecDeque<u64>,
    failed: u64,
}

/// Minutes, the first and the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplayWindow {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl ReplayWindow {
    /// Reads `yyyymmddhhmm` twice, and checks the rules.
    pub(super) fn parse(from: &str, to: &str, inclusive: bool, now: Timestamp) -> Result<Self, Problem> {
        let refuse = |details: &str| Problem::because(Reason::QueryParamInvalid, details);
        let read = |text| minute(text).ok_or_else(|| refuse("dates must be in the form yyyymmddhhmm"));
        let (from, to) = (read(from)?, read(to)?);
        let until = if inclusive { later(to, MINUTE) } else { to };
        let ago = |minutes: i64| later(now, -jiff::SignedDuration::from_mins(minutes));
        if from >= until {
            return Err(refuse("from_date must be before to_date"));
        }
        // Dates have no seconds: the oldest minute is the one that 24 hours ago lay in.
        if later(from, MINUTE) <= ago(24 * 60) {
            return Err(refuse("from_date must be within the past 24 hours"));
        }
        if from > ago(31) {
            return Err(refuse("from_date must be at least 31 minutes ago"));
        }
        if to > ago(10) {
            return Err(refuse("to_date must be at least 10 minutes ago"));
        }
        Ok(Self { from, until })
    }
}

fn minute(text: &str) -> Option<Timestamp> {
    if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from, to| text.get(from..to)?.parse::<i8>().ok();
    let year = text.get(..4)?.parse().ok()?;
    let at = DateTime::new(year, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, 0, 0).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

impl State {
    /// Begins a job, unless one runs.
    pub(super) fn replay(
        &mut self,
        webhook: WebhookId,
        window: ReplayWindow,
        now: Timestamp,
    ) -> Option<JobId> {
        if self.jobs.contains_key(&webhook) {
            return None;
        }
        let withheld = self.options.replay.covers_withheld;
        let covered = self.deliveries.iter().filter(|(_, delivery)| {
            let sent = match delivery.stage {
                Stage::Tried | Stage::Done => true,
                Stage::Withheld => withheld,
                Stage::New => false,
            };
            let inside = delivery.at >= window.from && delivery.at < window.until;
            delivery.webhook == webhook && delivery.purpose == Purpose::Event && sent && inside
        });
        let mut covered: Vec<_> =
            covered.map(|(number, delivery)| (delivery.at.as_second().div_euclid(60), *number)).collect();
        covered.shuffle(&mut self.rng);
        covered.sort_by_key(|(minute, _)| *minute);
        let left: VecDeque<_> = covered.into_iter().map(|(_, number)| number).collect();
        let id = JobId(self.ids.next(now));
        self.tell(Entry::ReplayBegins { at: now, job: id, bodies: left.len() });
        self.jobs.insert(webhook, ReplayJob { id, left, failed: 0 });
        self.agenda.add(now, Task::Replay { webhook });
        Some(id)
    }

    /// What a job sends next, up to `most` bodies.
    pub(super) fn replay_next(&mut self, webhook: WebhookId, most: usize) -> Vec<Outgoing> {
        let mut next = Vec::new();
        while next.len() < most {
            let Some(number) = self.jobs.get_mut(&webhook).and_then(|job| job.left.pop_front()) else {
                break;
            };
            match self.outgoing(number, true) {
                Some(outgoing) => next.push(outgoing),
                // Forgotten in the meantime, or the webhook is not there to take it.
                None => {
                    if let Some(job) = self.jobs.get_mut(&webhook) {
                        job.failed += 1;
                    }
                }
            }
        }
        next
    }

    /// Writes down what became of them, and goes on or ends.
    pub(super) fn replayed(&mut self, webhook: WebhookId, attempts: &[Attempted], now: Timestamp) {
        let failed = attempts.iter().filter(|attempt| !self.attempted(attempt, now)).count();
        let Some(job) = self.jobs.get_mut(&webhook) else { return };
        job.failed += failed as u64;
        if !job.left.is_empty() {
            return self.agenda.add(now, Task::Replay { webhook });
        }
        let (id, failed) = (job.id, job.failed);
        self.jobs.remove(&webhook);
        self.tell(Entry::ReplayEnds { at: now, job: id, failed });
        let body = replay_status(webhook, &id.to_string(), failed == 0);
        self.publish_control(webhook, "replay_job_status", body, now);
    }
}

/// The body at the end of a replay job.
fn replay_status(webhook: WebhookId, job: &str, complete: bool) -> Value {
    let (state, description) = if complete {
        ("Complete", "Job completed successfully")
    } else {
        ("Incomplete", "Job failed to deliver all events, please retry your replay job")
    };
    json!({ "replay_job_status": {
        "webhook_id": webhook.to_string(),
        "job_state": state,
        "job_state_description": description,
        "job_id": job,
    } })
}

const MINUTE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_for_windows() {
        let now: Timestamp = "2026-11-22T12:00:30Z".parse().unwrap();
        let cases = [
            ("202611221000", "202611221100", true),
            ("202611221128", "202611221150", true),
            ("202611221129", "202611221150", true),
            ("202611221130", "202611221150", false),
            ("202611221000", "202611221151", false),
            ("202611211200", "202611211300", true),
            ("202611211159", "202611211300", false),
            ("202611221100", "202611221000", false),
            ("202611221000", "202611221000", true),
            ("20261122100", "202611221100", false),
            ("2026112210000", "202611221100", false),
            ("202613221000", "202611221100", false),
            ("202611222500", "202611221100", false),
            ("2026-11-22T10", "202611221100", false),
            ("+02611221000", "202611221100", false),
            ("", "", false),
        ];
        for (from, to, fine) in cases {
            assert_eq!(ReplayWindow::parse(from, to, true, now).is_ok(), fine, "{from} {to}");
        }
        let of = |inclusive| ReplayWindow::parse("202611221000", "202611221001", inclusive, now).unwrap();
        assert_eq!(of(true).until, "2026-11-22T10:02:00Z".parse().unwrap());
        assert_eq!(of(false).until, "2026-11-22T10:01:00Z".parse().unwrap());
        assert!(ReplayWindow::parse("202611221000", "202611221000", false, now).is_err(), "an empty window");
    }
}
