//! The query strings of the admin API.

use std::fmt;

use hookhouse_core::DeliveryState;
use hookhouse_core::store::{Cursor, DeliveryQuery, EventQuery, Order, RefusalQuery};

/// A query string.
#[derive(Debug, Default)]
pub(crate) struct Parameters(String);

impl Parameters {
    pub(super) fn of_events(query: &EventQuery, body: bool) -> Self {
        let mut ask = Self::default();
        ask.add("source", query.source.as_ref());
        ask.add("type", query.event_type.as_ref());
        ask.add("since", query.since);
        ask.add("until", query.until);
        ask.order(query.order);
        ask.page(query.cursor, query.limit);
        ask.add("body", Some(body));
        ask
    }

    pub(super) fn of_refusals(query: &RefusalQuery) -> Self {
        let mut ask = Self::default();
        ask.add("source", query.source.as_ref());
        ask.order(query.order);
        ask.page(query.cursor, query.limit);
        ask
    }

    pub(super) fn of_deliveries(query: &DeliveryQuery) -> Self {
        let mut ask = Self::default();
        ask.add("event", query.event);
        ask.add("destination", query.destination.as_ref());
        ask.add("state", query.state.map(DeliveryState::as_str));
        ask.page(query.cursor, query.limit);
        ask
    }

    fn order(&mut self, order: Order) {
        self.add("order", matches!(order, Order::OldestFirst).then_some("oldest_first"));
    }

    fn page(&mut self, cursor: Option<Cursor>, limit: usize) {
        self.add("cursor", cursor.map(|Cursor(at)| at));
        self.add("limit", Some(limit));
    }

    pub(crate) fn add(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(name);
            self.0.push('=');
            self.0.extend(form_urlencoded::byte_serialize(value.to_string().as_bytes()));
        }
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
