//! What a body of X says: its product, its kinds of event, and the elements by which a repeat is known.
//!
//! Three products and X itself send to one webhook, and nothing in the request but the body tells them apart:
//!
//! | the body has | family | event type | elements |
//! |---|---|---|---|
//! | `data.event_type` | [X Activity](Family::Activity) | that: `post.create` | `data`, or each object of an array there |
//! | `matching_rules` | [filtered stream](Family::FilteredStream) | `matching` | the post, with the rules that it matched |
//! | `for_user_id` or `user_event` | [Account Activity](Family::AccountActivity) | the key of the event array: `tweet_create_events` | those of every array |
//! | `replay_job_status` | [control](Family::Control) | `replay_job_status` | the job and its state |
//! | none of these | [unknown](Family::Unknown) | none | none |
//!
//! The first line that fits counts. Source: X's payload pages
//! (<https://docs.x.com/x-api/activity/event-payloads>, <https://docs.x.com/x-api/account-activity/introduction>,
//! <https://docs.x.com/x-api/webhooks/stream/introduction>), read in August 2026.
//!
//! # What makes two elements one
//!
//! | element | is known by |
//! |---|---|
//! | of X Activity | event type, filter and `event_uuid` (which may be the post's id, so it says little alone) |
//! | post, deleted post, like, direct message | `for_user_id`, key and its own id |
//! | follow, block, mute and their ends | `for_user_id`, key, `type`, `created_timestamp`, `source.id` and `target.id` |
//! | revocation | its time, app and user |
//! | matched post | its id and the ids of the rules |
//! | the end of a replay | `job_id` and `job_state` |
//! | any other of X Activity or Account Activity | all that it says, whatever the order of its keys, blanks and escapes |
//!
//! The user and the filter are part of it because X sends one post once to each subscription, and each is an event. The
//! app is not: a source is one app.
//!
//! A repeat that is taken for a new event costs a second delivery; a new event that is taken for a repeat is lost. So
//! where anything is in doubt there are no elements, and the body is known by its whole: an element that cannot be
//! written in one way, more than [`MOST_ELEMENTS`], another structure at the top than X documents, a key
//! that is there twice.

mod account;
mod activity;
mod control;
mod stream;

use std::borrow::Cow;

use super::cost::Cost;
use crate::batch::MOST_ELEMENTS;
use crate::json::{self, Object};
use crate::verdict::Identity;

/// What a body says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which product sent it.
    pub family: Family,
    /// X's name for the kind of event; of several, the first in the body.
    pub event_type: Option<String>,
    /// The further kinds in the same body, in its order.
    pub more_types: Vec<String>,
    /// Whose event it is: `for_user_id`, or the user of the subscription's filter.
    pub user: Option<String>,
    /// The events in the body, if each can be told from every other.
    pub elements: Vec<Element>,
}

/// Which product sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// The X Activity API.
    Activity,
    /// The Account Activity API.
    AccountActivity,
    /// A filtered stream that is linked to the webhook.
    FilteredStream,
    /// X, about the webhook itself.
    Control,
    /// Nothing that is known here.
    Unknown,
}

/// One of the events in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// What kind it is, in the words of [`Reading::event_type`].
    pub kind: String,
    /// Equal for elements that are the same event.
    pub identity: Identity,
    /// What X charges for it, where X says so.
    pub cost: Option<Cost>,
}

/// Reads the body of an event.
#[must_use]
pub fn read(body: &[u8]) -> Reading {
    of_object(body).unwrap_or(Reading::new(Family::Unknown))
}

/// Reads a body that must be a JSON object; `None` for anything else.
pub(crate) fn of_object(body: &[u8]) -> Option<Reading> {
    let families = [activity::read, stream::read, account::read, control::read];
    let object = std::str::from_utf8(body)
        .ok()
        .and_then(|json| Object::read_with_lists(json, account::is_list, MOST_ELEMENTS));
    let Some(object) = object else {
        // Whatever reads as members is an object. What does not may be one all the same: with bytes that are not UTF-8
        // in it, with a key twice, with more members than anybody looks at.
        return json::is_object(body).then_some(Reading::new(Family::Unknown));
    };
    let reading = families.iter().find_map(|read| read(&object));
    Some(reading.unwrap_or(Reading::new(Family::Unknown)))
}

impl Reading {
    fn new(family: Family) -> Self {
        Self { family, event_type: None, more_types: Vec::new(), user: None, elements: Vec::new() }
    }

    /// Notes a kind of event that is in the body.
    fn add_type(&mut self, name: &str) {
        let Some(name) = json::label(name) else { return };
        match &self.event_type {
            None => self.event_type = Some(name),
            Some(first) if *first == name || self.more_types.contains(&name) => {}
            Some(_) => self.more_types.push(name),
        }
    }

    /// The reading with these elements, if there are not too many of them, and if nothing else in the body could be one:
    /// every member but the known ones is a plain value.
    fn with_elements(
        mut self,
        body: &Object<'_>,
        is_known: impl Fn(&str) -> bool,
        elements: Option<Vec<Element>>,
    ) -> Self {
        let others = body.iter().any(|(key, value)| !is_known(key) && value.is_composite());
        self.elements =
            elements.filter(|elements| !others && elements.len() <= MOST_ELEMENTS).unwrap_or_default();
        self
    }
}

impl Element {
    /// An element of X, known by these parts. `kind` must be fit for a label.
    fn new(kind: &str, parts: &[&[u8]]) -> Option<Self> {
        let identity = Identity::within(b"x", parts);
        Some(Self { kind: json::label(kind)?, identity, cost: Cost::of(kind) })
    }
}

/// A text that is there.
fn present(text: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    text.filter(|text| !text.is_empty())
}
