//! Edits: what an operator sends in the place of what was received.
//!
//! An edit belongs to one delivery, a replay. The event stays as it was received and verified; what the delivery's
//! destination gets is a [`StoredEvent`] of the same name whose [provenance](crate::Provenance) says who edited it, and
//! which nothing vouches for. There is no way from here into the log.

use std::fmt;

use bytes::Bytes;
use hookhouse_verify::{Headers, Request};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Provenance, Record, StoredEvent};

/// Headers and a body in the place of an event's own.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// Who edited it, and when.
    pub mark: Edited,
    /// All headers, those that were not touched included.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// Who edited something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Edited {
    /// The operator's token: its name and its id.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Edit {
    /// The event as it is sent. Nothing vouches for it: what was signed is not what is sent.
    #[must_use]
    pub fn of(&self, event: &StoredEvent) -> StoredEvent {
        let record = event.record();
        let provenance = Provenance {
            provider: record.provenance.provider.clone(),
            scheme: None,
            key: None,
            variant: None,
            edited: Some(self.mark.clone()),
            redacted: record.provenance.redacted.clone(),
        };
        let request = Request {
            method: record.request.method.clone(),
            target: record.request.target.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        };
        let record = Record {
            source: record.source.clone(),
            received_at: record.received_at,
            peer: record.peer,
            request,
            provenance,
            event_type: record.event_type.clone(),
        };
        StoredEvent::from_store(event.id(), event.sequence(), record)
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.body.len() + self.headers.as_bytes().len() + self.mark.by.len() + 64
    }
}

/// Prints no words of anybody.
impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit")
            .field("mark", &self.mark)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::id::{EventId, Sequence};

    #[test]
    fn what_is_edited_keeps_its_name_and_loses_its_proof() {
        let request = Request::new("POST", "/x?a=1", &[("content-type", "text/plain")], "as signed").unwrap();
        let provenance = Provenance {
            redacted: Vec::new(),
            provider: Cow::Borrowed("x"),
            scheme: Some(Cow::Borrowed("x-post-hmac-sha256")),
            key: Some("consumer_secret".to_owned()),
            variant: None,
            edited: None,
        };
        let record = Record {
            source: "x".parse().unwrap(),
            received_at: Timestamp::UNIX_EPOCH,
            peer: None,
            request,
            provenance,
            event_type: Some("post.create".to_owned()),
        };
        let id = EventId::with_position(Timestamp::UNIX_EPOCH, 7, 7);
        let stored = StoredEvent::from_store(id, Sequence(7), record);
        let mark = Edited { by: "root".to_owned(), at: Timestamp::UNIX_EPOCH };
        let edit = Edit {
            mark: mark.clone(),
            headers: Headers::from_pairs([("x-new", &b"1"[..])]).unwrap(),
            body: Bytes::from_static(b"as edited"),
        };
        let sent = edit.of(&stored);
        assert_eq!((sent.id(), sent.sequence()), (id, Sequence(7)));
        assert_eq!((&sent.body()[..], sent.headers()), (&b"as edited"[..], &edit.headers));
        assert_eq!(sent.record().request.target, "/x?a=1");
        let provenance = &sent.record().provenance;
        assert!(!provenance.is_verified() && provenance.key.is_none());
        assert_eq!((&*provenance.provider, &provenance.edited), ("x", &Some(mark)));
        assert_eq!(&stored.body()[..], b"as signed");
        assert!(!format!("{edit:?}").contains("as edited"));
    }
}
