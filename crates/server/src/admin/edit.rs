//! What operators ask for when they edit an event for a replay, and what becomes of it.
//!
//! An edit is said as changes, because signatures and credentials are never shown and so could not be sent back: headers
//! to set, headers to leave out, another body. The provider's signature is left out in any case. It vouches for bytes
//! that are not sent; a destination with `sign` gets a new one.

use std::collections::HashSet;

use bytes::Bytes;
use data_encoding::BASE64;
use hookhouse_core::{Edit, Edited, Headers, StoredEvent};
use hookhouse_delivery::request::is_dropped;

use super::view::{EditRequest, is_signature};
use super::{AdminState, Principal};

/// Header fields that an edit may set.
const MOST_HEADERS: usize = 100;

/// The longest body, as the API takes them in.
pub(crate) const LONGEST_BODY: usize = 3 << 20;

/// Why an edit is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EditError {
    #[error("nothing was changed: a replay without an edit sends the stored bytes")]
    Nothing,
    #[error("`body` and `body_base64` are both there")]
    TwoBodies,
    #[error("`body_base64` is not base64")]
    Base64,
    #[error("the body is longer than {LONGEST_BODY} bytes")]
    TooLong,
    #[error("at most {MOST_HEADERS} headers can be set")]
    TooMany,
    #[error("`{0}` is not a header that HTTP can carry")]
    Header(String),
    #[error("`{0}` is not sent on: the delivery makes its own, or leaves it out")]
    NotSent(String),
}

/// What is sent in the place of the stored bytes.
pub(crate) fn edit(event: &StoredEvent, asked: &EditRequest, mark: Edited) -> Result<Edit, EditError> {
    let body = match (&asked.body, &asked.body_base64) {
        (Some(_), Some(_)) => return Err(EditError::TwoBodies),
        (Some(text), None) => Bytes::from(text.clone()),
        (None, Some(base64)) => Bytes::from(BASE64.decode(base64.as_bytes()).map_err(|_| EditError::Base64)?),
        (None, None) => event.body().clone(),
    };
    if body.len() > LONGEST_BODY && body != event.body() {
        return Err(EditError::TooLong);
    }
    if asked.headers.len() > MOST_HEADERS {
        return Err(EditError::TooMany);
    }
    let mut touched = HashSet::new();
    for name in asked.headers.iter().map(|(name, _)| name).chain(&asked.remove_headers) {
        let name = name.to_ascii_lowercase();
        if is_dropped(&name) {
            return Err(EditError::NotSent(name));
        }
        touched.insert(name);
    }
    // What a delivery leaves out or makes anew is no part of what is sent.
    let is_sent = |name: &str| !is_signature(name) && !is_dropped(name);
    let kept = event.headers().iter().filter(|(name, _)| is_sent(name) && !touched.contains(*name));
    let set = asked.headers.iter().map(|(name, value)| (name.as_str(), value.trim().as_bytes()));
    for (name, value) in set.clone() {
        Headers::from_pairs([(name, value)]).map_err(|_| EditError::Header(name.to_owned()))?;
    }
    let headers =
        Headers::from_pairs(kept.chain(set)).map_err(|error| EditError::Header(error.to_string()))?;
    let before = event.headers().iter().filter(|(name, _)| is_sent(name));
    if body == event.body() && before.eq(headers.iter()) {
        return Err(EditError::Nothing);
    }
    Ok(Edit { mark, headers, body })
}

/// Who edits, and when.
pub(crate) fn mark(state: &AdminState, principal: &Principal) -> Edited {
    let named = state.access.tokens.list().into_iter().find(|token| token.id == principal.token);
    let by = match named {
        Some(token) => format!("{} ({})", token.name, token.id),
        None => principal.token.clone(),
    };
    Edited { by, at: state.clock.now() }
}

#[cfg(test)]
mod tests {
    use hookhouse_core::event::Record;
    use hookhouse_core::{EventId, Provenance, Request, Sequence, Timestamp};

    use super::*;

    fn event() -> StoredEvent {
        let headers = [
            ("host", "hooks.example.com"),
            ("content-length", "11"),
            ("content-type", "text/plain"),
            ("x-twilio-signature", "theirs"),
            ("x-many", "1"),
            ("x-many", "2"),
        ];
        let record = Record {
            source: "inbox".parse().unwrap(),
            received_at: Timestamp::UNIX_EPOCH,
            peer: None,
            request: Request::new("POST", "/in", &headers, "as received").unwrap(),
            provenance: Provenance {
                redacted: Vec::new(),
                provider: "twilio".into(),
                scheme: Some("twilio".into()),
                key: None,
                variant: None,
                edited: None,
            },
            event_type: None,
        };
        StoredEvent::from_store(EventId::with_position(Timestamp::UNIX_EPOCH, 1, 1), Sequence(1), record)
    }

    fn edited(asked: &EditRequest) -> Result<Edit, EditError> {
        edit(&event(), asked, Edited { by: "root".to_owned(), at: Timestamp::UNIX_EPOCH })
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_is_not_touched_stays_but_for_the_signature() {
        let asked = EditRequest {
            body: Some("as edited".to_owned()),
            headers: vec![pair("X-Many", " 3 "), pair("X-New", "é")],
            ..EditRequest::default()
        };
        let edit = edited(&asked).unwrap();
        assert_eq!(edit.body, "as edited");
        let headers: Vec<_> = edit.headers.iter().collect();
        let expected: [(&str, &[u8]); 3] =
            [("content-type", b"text/plain"), ("x-many", b"3"), ("x-new", "é".as_bytes())];
        assert_eq!(headers, expected);
        let removed =
            EditRequest { remove_headers: vec!["Content-Type".to_owned()], ..EditRequest::default() };
        let edit = edited(&removed).unwrap();
        assert_eq!((edit.body, edit.headers.one("content-type")), ("as received".into(), Ok(None)));
        let binary = EditRequest { body_base64: Some("AP8=".to_owned()), ..EditRequest::default() };
        assert_eq!(&edited(&binary).unwrap().body[..], b"\0\xff");
    }

    #[test]
    fn what_is_no_edit_is_refused() {
        let text = |text: &str| Some(text.to_owned());
        for (asked, why) in [
            (EditRequest::default(), EditError::Nothing),
            (EditRequest { body: text("as received"), ..EditRequest::default() }, EditError::Nothing),
            (
                EditRequest { body: text("a"), body_base64: text("YQ=="), ..EditRequest::default() },
                EditError::TwoBodies,
            ),
            (EditRequest { body_base64: text("?"), ..EditRequest::default() }, EditError::Base64),
            (
                EditRequest { body: Some("x".repeat(LONGEST_BODY + 1)), ..EditRequest::default() },
                EditError::TooLong,
            ),
        ] {
            assert_eq!(edited(&asked), Err(why));
        }
        for name in ["Host", "hookhouse-verified", "Transfer-Encoding", "X-Forwarded-For"] {
            let set = EditRequest { headers: vec![pair(name, "1")], ..EditRequest::default() };
            let removed = EditRequest { remove_headers: vec![name.to_owned()], ..EditRequest::default() };
            for asked in [set, removed] {
                assert_eq!(edited(&asked), Err(EditError::NotSent(name.to_ascii_lowercase())));
            }
        }
        for (name, value) in [("a b", "1"), ("", "1"), ("x-a", "1\r\nx-b: 2"), ("x-a", "\0")] {
            let asked = EditRequest { headers: vec![pair(name, value)], ..EditRequest::default() };
            assert_eq!(edited(&asked), Err(EditError::Header(name.to_owned())));
        }
        let asked =
            EditRequest { headers: vec![pair("x-a", "1"); MOST_HEADERS + 1], ..EditRequest::default() };
        assert_eq!(edited(&asked), Err(EditError::TooMany));
    }
}
