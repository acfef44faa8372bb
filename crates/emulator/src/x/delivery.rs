//! Bodies on their way to a webhook: attempts, retries, duplicates.
//!
//! Success is exactly 200. A body is tried at once and again after each pause of the options; after the last failure it
//! is dropped, and stays for a day for a replay. Nothing is sent to an invalid webhook.

mod attempt;

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use serde_json::{Map, Value};

use super::agenda::Task;
use super::clock::later;
use super::ids::{UserId, WebhookId};
use super::json;
use super::keys::keys_in;
use super::ledger::{Entry, EventRecord, Family, Fate, Purpose};
use super::state::State;

pub(super) use attempt::{Attempted, Outgoing};

/// A body for a webhook.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) webhook: WebhookId,
    /// When what it tells happened.
    pub(super) at: Timestamp,
    pub(super) purpose: Purpose,
    pub(super) body: Bytes,
    /// The numbers of its events in the ledger.
    pub(super) events: Vec<u64>,
    pub(super) stage: Stage,
    /// Attempts so far, replays not counted.
    attempts: usize,
    /// What an Account Activity body is made of, while more may travel with it.
    account: Option<AccountBody>,
}

/// How far a body got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first attempt lies ahead.
    New,
    /// There was an attempt, and there will be another.
    Tried,
    /// It was delivered or dropped.
    Done,
    /// The webhook was invalid.
    Withheld,
}

/// The parts of an Account Activity body.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AccountBody {
    pub(super) for_user: UserId,
    pub(super) key: &'static str,
    pub(super) elements: Vec<Value>,
    /// What stands beside the elements: `users`, `apps`, `user_has_blocked`.
    pub(super) beside: Map<String, Value>,
}

impl AccountBody {
    /// The body as it is sent.
    pub(super) fn value(&self) -> Value {
        let mut body = self.beside.clone();
        body.insert("for_user_id".to_owned(), Value::String(self.for_user.to_string()));
        body.insert(self.key.to_owned(), Value::Array(self.elements.clone()));
        Value::Object(body)
    }

    /// Whether elements of the two may share a body.
    fn takes(&self, other: &Self) -> bool {
        self.for_user == other.for_user
            && self.key == other.key
            && self.beside == other.beside
            && self.elements.len() < MOST_ELEMENTS
    }
}

/// What is to be sent, before it is known where and when.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// A body of version 2.
    Plain(Family, String, Value),
    /// An element of the Account Activity API.
    Account(AccountBody),
}

impl State {
    /// Something happened that a webhook is to be told.
    pub(super) fn publish(&mut self, webhook: WebhookId, content: Content, now: Timestamp) {
        let late = self.draw(self.options.delivery.disorder);
        let due = if late { self.seconds_after(now) } else { now };
        let twice = self.draw(self.options.delivery.duplicates);
        let delivery = self.prepare(webhook, content, Purpose::Event, now);
        let joined = self.join(&delivery);
        if twice {
            self.duplicate(delivery.clone(), joined, due);
        }
        if !joined {
            self.enqueue(delivery, due);
        }
    }

    /// A word of X's own: on time, alone and once.
    pub(super) fn publish_control(
        &mut self,
        webhook: WebhookId,
        event_type: &str,
        body: Value,
        now: Timestamp,
    ) {
        let content = Content::Plain(Family::Control, event_type.to_owned(), body);
        let delivery = self.prepare(webhook, content, Purpose::Control, now);
        self.enqueue(delivery, now);
    }

    /// Writes an event down, and makes a body of it.
    fn prepare(
        &mut self,
        webhook: WebhookId,
        content: Content,
        purpose: Purpose,
        now: Timestamp,
    ) -> Delivery {
        let (family, event_type, account, body) = match content {
            Content::Plain(family, event_type, value) => (family, event_type, None, json::plain(&value)),
            Content::Account(account) => {
                let body = json::escaped(&account.value());
                (Family::Account, account.key.to_owned(), Some(account), body)
            }
        };
        let key = keys_in(&body).into_iter().next().unwrap_or_default();
        let number = self.ledger.number();
        let record = EventRecord { number, at: now, webhook, family, event_type, key, fate: Fate::Pending };
        let watch = self.options.watch.clone();
        let record = self.ledger.event(record);
        if let Some(watch) = watch {
            watch.tell(Entry::Event(record));
        }
        Delivery {
            webhook,
            at: now,
            purpose,
            body,
            events: vec![number],
            stage: Stage::New,
            attempts: 0,
            account,
        }
    }

    /// Now and then an element travels with another one that still waits.
    fn join(&mut self, new: &Delivery) -> bool {
        let Some(account) = &new.account else { return false };
        let share = self.options.delivery.batches;
        let waiting = self.deliveries.iter_mut().rev().take(WAITING).find_map(|(_, other)| {
            let fits = other.stage == Stage::New
                && other.purpose == Purpose::Event
                && other.webhook == new.webhook
                && other.account.as_ref().is_some_and(|other| other.takes(account));
            fits.then_some(other)
        });
        let Some(waiting) = waiting else { return false };
        if share <= 0.0 || !self.rng.random_bool(share.min(1.0)) {
            return false;
        }
        if let Some(parts) = &mut waiting.account {
            parts.elements.extend(account.elements.iter().cloned());
            waiting.body = json::escaped(&parts.value());
        }
        waiting.events.extend(&new.events);
        true
    }

    /// The same bytes at the same time, or a little later, or the same element in another body.
    fn duplicate(&mut self, mut copy: Delivery, joined: bool, due: Timestamp) {
        copy.purpose = Purpose::Duplicate;
        let kind = self.rng.random_range(0..3);
        let due = if kind == 0 { due } else { self.seconds_after(due) };
        if kind == 2 || joined {
            copy.body = self.another_body(&copy);
        }
        copy.account = None;
        self.enqueue(copy, due);
    }

    /// The same element in other bytes: beside one that was sent before, else in another hand.
    fn another_body(&self, copy: &Delivery) -> Bytes {
        let Some(account) = &copy.account else {
            return serde_json::from_slice(&copy.body)
                .map_or_else(|_| copy.body.clone(), |body| json::escaped(&body));
        };
        let earlier = self.deliveries.values().rev().take(WAITING).find_map(|other| {
            let parts = other.account.as_ref().filter(|parts| parts.takes(account) && **parts != *account)?;
            (other.webhook == copy.webhook && other.purpose == Purpose::Event).then_some(parts)
        });
        let mut account = account.clone();
        match earlier.and_then(|earlier| earlier.elements.first()) {
            Some(element) if !account.elements.contains(element) => {
                account.elements.insert(0, element.clone());
                json::escaped(&account.value())
            }
            _ => json::plain(&account.value()),
        }
    }

    fn enqueue(&mut self, delivery: Delivery, due: Timestamp) {
        let number = self.ledger.number();
        self.deliveries.insert(number, delivery);
        self.agenda.add(due, Task::Attempt { delivery: number });
        self.forget(due);
    }

    /// Lets go of what no replay can reach any more.
    fn forget(&mut self, now: Timestamp) {
        let oldest = later(now, -KEPT);
        while let Some(first) = self.deliveries.first_entry()
            && first.get().at < oldest
            && matches!(first.get().stage, Stage::Done | Stage::Withheld)
        {
            first.remove();
        }
    }

    fn draw(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.random_bool(share.min(1.0))
    }

    fn seconds_after(&mut self, at: Timestamp) -> Timestamp {
        later(at, Duration::from_millis(self.rng.random_range(1_000..=5_000)))
    }
}

/// How long bodies are kept for a replay: its 24 hours, and the time that retries may take.
const KEPT: SignedDuration = SignedDuration::from_hours(25);

/// The most elements in one body.
const MOST_ELEMENTS: usize = 4;

/// How far back a waiting body is looked for.
const WAITING: usize = 64;
