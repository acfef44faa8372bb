//! What is still to be done, and when.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::crc::CrcReason;
use super::ids::WebhookId;

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Challenge a webhook, unless something newer replaced this plan.
    Challenge { webhook: WebhookId, epoch: u64, reason: CrcReason },
    /// Its grace is over.
    Expire { webhook: WebhookId, epoch: u64 },
    /// Try a delivery.
    Attempt { delivery: u64 },
    /// Send the next events of the webhook's replay job.
    Replay { webhook: WebhookId },
}

/// Tasks by the moment at which they fall due; those of one moment in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    due: BTreeMap<(Timestamp, u64), Task>,
    next: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: Timestamp, task: Task) {
        self.due.insert((at, self.next), task);
        self.next += 1;
    }

    /// When the next thing falls due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// The earliest tasks, up to `most` of one moment, unless that is after `until`.
    pub(super) fn take(&mut self, until: Timestamp, most: usize) -> Option<(Timestamp, Vec<Task>)> {
        let moment = self.next_due().filter(|at| *at <= until)?;
        let mut tasks = Vec::new();
        while tasks.len() < most
            && let Some(entry) = self.due.first_entry()
            && entry.key().0 == moment
        {
            tasks.push(entry.remove());
        }
        Some((moment, tasks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_come_by_moment_then_in_order() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut agenda = Agenda::default();
        for (second, delivery) in [(5, 1), (3, 2), (5, 3), (5, 4)] {
            agenda.add(at(second), Task::Attempt { delivery });
        }
        let mut taken = Vec::new();
        while let Some((moment, tasks)) = agenda.take(at(5), 2) {
            taken.push((moment.as_second(), tasks));
        }
        let attempt = |delivery| Task::Attempt { delivery };
        assert_eq!(taken, [(3, vec![attempt(2)]), (5, vec![attempt(1), attempt(3)]), (5, vec![attempt(4)])]);
        agenda.add(at(9), attempt(5));
        assert_eq!(agenda.take(at(8), 9), None);
        assert_eq!(agenda.next_due(), Some(at(9)));
    }
}
