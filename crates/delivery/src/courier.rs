//! Who carries the deliveries of a destination: what is different about the kinds of destinations, and nothing else.

use std::sync::Arc;

use hookhouse_core::Clock;

use crate::client::Client;
use crate::destination::{Destination, Kind};
use crate::guard::Guard;
use crate::salesforce;

/// Carries deliveries to a destination.
#[derive(Debug)]
pub(crate) enum Courier {
    /// One request for each.
    Http(Box<Client>),
    /// The records of several in one call.
    Salesforce(Box<salesforce::Sender>),
}

impl Courier {
    /// The one that a destination's kind asks for, on the destination's connections.
    pub(crate) fn new(
        destination: &Destination,
        client: Client,
        guard: Arc<Guard>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        match &destination.kind {
            Kind::Http => Self::Http(Box::new(client)),
            Kind::Salesforce(settings) => {
                let settings = Arc::clone(settings);
                let sender = salesforce::Sender::new(destination, settings, client, guard, clock);
                Self::Salesforce(Box::new(sender))
            }
        }
    }

    /// Whether what is leased together is tried together.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Salesforce(_))
    }
}
