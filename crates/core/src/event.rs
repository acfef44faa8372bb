//! Events: a request on its way into the log, and one that is in it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_verify::danger::Unsigned;
use hookhouse_verify::{Headers, Identity, Request, Verified};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::edit::Edited;
use crate::id::{EventId, Sequence};
use crate::names::SourceName;
use crate::redaction::{Redacted, Redaction};

/// A request that may be stored: made from a [`Verified`] or from an [`Unsigned`], and from nothing else.
///
/// ```compile_fail
/// # use hookhouse_core::{Event, Arrival};
/// # use hookhouse_verify::Request;
/// fn let_anything_in(request: Request, arrival: Arrival) -> Event {
///     Event::accept(request, arrival) // a bare request proves nothing
/// }
/// ```
#[derive(Debug)]
pub struct Event {
    record: Record,
    dedupe: Option<Dedupe>,
}

/// What the event log keeps of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The endpoint that received it.
    pub source: SourceName,
    /// When its head had arrived.
    pub received_at: Timestamp,
    /// The sender's address.
    pub peer: Option<IpAddr>,
    /// Method, raw target, headers and body as received.
    pub request: Request,
    /// What vouches for it.
    pub provenance: Provenance,
    /// The provider's name for the kind of event, where known.
    pub event_type: Option<String>,
}

/// Where and when a request arrived: what the listener knows and the verifier does not.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The endpoint that received it.
    pub source: SourceName,
    /// When its head had arrived.
    pub received_at: Timestamp,
    /// The sender's address.
    pub peer: Option<IpAddr>,
    /// How long a repeat of it is recognised; zero for never.
    pub dedupe_window: Duration,
    /// What becomes of a repeat.
    pub repeats: Repeats,
}

/// What becomes of a repeat of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repeats {
    /// It is acknowledged and not stored again.
    #[default]
    Acknowledge,
    /// It is stored like any other, and named: where every request wants an answer of its own.
    Keep,
}

/// By what, and for how long, a repeat of an event is recognised: by the identity of its request, or because every
/// element of its body is known, in whichever bodies they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedupe {
    /// Equal for requests that are the same event of the same source.
    pub identity: Identity,
    /// What its body is made of; empty where the body is one whole.
    pub elements: Vec<Identity>,
    /// How long after the first one a second one counts as its repeat.
    pub window: Duration,
    /// What becomes of a repeat.
    pub repeats: Repeats,
}

/// What vouches for a stored event. Kept beside it for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Provenance {
    /// The provider of the source: `x`, `twilio`, `none`…
    pub provider: Cow<'static, str>,
    /// The scheme that proved it; `None` where nothing did.
    pub scheme: Option<Cow<'static, str>>,
    /// The name of the key that verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The spelling that matched, where the scheme knows several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Cow<'static, str>>,
    /// Who edited what is sent; never of an event in the log. What is edited is vouched for by nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Edited>,
    /// What was taken out of the request before it was stored; the scheme covered it as it had been.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<Redacted>,
}

impl Provenance {
    /// Whether a signature vouches for the event.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.scheme.is_some()
    }
}

/// The two doors into the log.
#[derive(Debug)]
pub enum Admitted {
    /// A verifier proved it.
    Verified(Verified),
    /// Its source cannot sign, and is marked so.
    Unsigned(Unsigned),
}

impl From<Verified> for Admitted {
    fn from(verified: Verified) -> Self {
        Self::Verified(verified)
    }
}

impl From<Unsigned> for Admitted {
    fn from(unsigned: Unsigned) -> Self {
        Self::Unsigned(unsigned)
    }
}

impl Event {
    /// Takes a request in.
    pub fn accept(admitted: impl Into<Admitted>, arrival: Arrival) -> Self {
        let (request, provenance, identity, elements, event_type) = match admitted.into() {
            Admitted::Verified(verified) => {
                let (request, evidence) = verified.into_parts();
                let provenance = Provenance {
                    provider: evidence.provider,
                    scheme: Some(evidence.scheme),
                    key: Some(evidence.key),
                    variant: evidence.variant,
                    edited: None,
                    redacted: Vec::new(),
                };
                (request, provenance, evidence.identity, evidence.elements, evidence.event_type)
            }
            Admitted::Unsigned(unsigned) => {
                let provenance = Provenance {
                    provider: Cow::Borrowed("none"),
                    scheme: None,
                    key: None,
                    variant: None,
                    edited: None,
                    redacted: Vec::new(),
                };
                (unsigned.into_request(), provenance, None, Vec::new(), None)
            }
        };
        let dedupe = identity.filter(|_| !arrival.dedupe_window.is_zero()).map(|identity| {
            let (window, repeats) = (arrival.dedupe_window, arrival.repeats);
            Dedupe { identity, elements, window, repeats }
        });
        let record = Record {
            source: arrival.source,
            received_at: arrival.received_at,
            peer: arrival.peer,
            request,
            provenance,
            event_type,
        };
        Self { record, dedupe }
    }

    /// Without what must not be stored. What makes a repeat of it stays what it was.
    #[must_use]
    pub fn redact(mut self, rules: &Redaction) -> Self {
        self.record.provenance.redacted = rules.apply(&mut self.record.request);
        self
    }

    /// What is to be stored.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// By what a repeat is recognised; `None` where repeats are events of their own.
    #[must_use]
    pub fn dedupe(&self) -> Option<&Dedupe> {
        self.dedupe.as_ref()
    }

    /// What is to be stored, for the store that stores it.
    #[must_use]
    pub fn into_record(self) -> Record {
        self.record
    }
}

/// An event in the log. Nothing accepts it again: there is no way from here to an [`Event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    id: EventId,
    sequence: Sequence,
    record: Record,
}

impl StoredEvent {
    /// What a store read back.
    #[must_use]
    pub fn from_store(id: EventId, sequence: Sequence, record: Record) -> Self {
        Self { id, sequence, record }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.id
    }

    /// Its place in the log.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// What was received.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The body as received.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.record.request.body
    }

    /// The headers as received.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.record.request.headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsigned_event_is_marked_and_never_a_duplicate() {
        let request = Request::new("POST", "/in", &[] as &[(&str, &str)], "hi").unwrap();
        let arrival = Arrival {
            source: "inbox".parse().unwrap(),
            received_at: Timestamp::UNIX_EPOCH,
            peer: None,
            dedupe_window: Duration::from_secs(60),
            repeats: Repeats::Acknowledge,
        };
        let event = Event::accept(Unsigned::accept(request), arrival);
        assert!(!event.record().provenance.is_verified());
        assert_eq!(event.record().provenance.provider, "none");
        assert_eq!(event.dedupe(), None);
    }
}
