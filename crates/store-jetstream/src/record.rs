//! Events and answers as messages, and back.
//!
//! A message is a byte for the form, the length of a JSON head, the head, then the headers and the body as they were
//! received. The head is small and readable in any tool; the bytes that were signed are not touched.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::{BufMut, Bytes, BytesMut};
use hookhouse_core::event::Record;
use hookhouse_core::{
    Answer, DestinationName, Edit, Edited, EventId, Headers, Passed, Provenance, Request, Sequence,
    SourceName, StoredEvent, Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The form of what is written below.
const FORM: u8 = 1;

/// What makes an event's id, with its place: chosen by the gateway that appended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// When it was appended, in milliseconds.
    pub(crate) ms: i64,
    /// Random bits.
    pub(crate) random: u32,
}

impl Mark {
    pub(crate) fn id(self, sequence: u64) -> Option<EventId> {
        let at = Timestamp::from_millisecond(self.ms).ok()?;
        (sequence <= hookhouse_core::id::MAX_POSITION)
            .then(|| EventId::with_position(at, sequence, self.random))
    }
}

#[derive(Serialize, Deserialize)]
struct EventHead<'a> {
    mark: Mark,
    source: SourceName,
    received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer: Option<IpAddr>,
    provenance: Cow<'a, Provenance>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<Cow<'a, str>>,
    method: Cow<'a, str>,
    target: Cow<'a, str>,
    headers: usize,
}

/// An event as a message.
pub(crate) fn write_event(record: &Record, mark: Mark) -> Bytes {
    let request = &record.request;
    let head = EventHead {
        mark,
        source: record.source.clone(),
        received_at: record.received_at,
        peer: record.peer,
        provenance: Cow::Borrowed(&record.provenance),
        event_type: record.event_type.as_deref().map(Cow::Borrowed),
        method: Cow::Borrowed(&request.method),
        target: Cow::Borrowed(&request.target),
        headers: request.headers.as_bytes().len(),
    };
    frame(&head, request.headers.as_bytes(), &request.body)
}

/// An event from its message; `None` for what never was one.
pub(crate) fn read_event(sequence: u64, payload: &Bytes) -> Option<(StoredEvent, Mark)> {
    let (head, rest) = unframe::<EventHead<'static>>(payload)?;
    let (headers, body) = split(rest, head.headers)?;
    let record = Record {
        source: head.source,
        received_at: head.received_at,
        peer: head.peer,
        request: Request {
            method: Cow::Owned(head.method.into_owned()),
            target: head.target.into_owned(),
            headers,
            body,
        },
        provenance: head.provenance.into_owned(),
        event_type: head.event_type.map(Cow::into_owned),
    };
    let event = StoredEvent::from_store(head.mark.id(sequence)?, Sequence(sequence), record);
    Some((event, head.mark))
}

#[derive(Serialize, Deserialize)]
struct AnswerHead {
    event: EventId,
    destination: DestinationName,
    asked_at: Timestamp,
    duration_ms: u64,
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repeat_of: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passed: Option<PassedHead>,
    headers: usize,
}

#[derive(Serialize, Deserialize)]
struct PassedHead {
    up: u64,
    down: u64,
    end: String,
}

/// An answer as a message.
pub(crate) fn write_answer(answer: &Answer) -> Bytes {
    let passed = answer.passed.as_ref();
    let head = AnswerHead {
        event: answer.event,
        destination: answer.destination.clone(),
        asked_at: answer.asked_at,
        duration_ms: answer.duration_ms,
        status: answer.status,
        failure: answer.failure.clone(),
        repeat_of: answer.repeat_of,
        passed: passed.map(|passed| PassedHead { up: passed.up, down: passed.down, end: passed.end.clone() }),
        headers: answer.headers.as_bytes().len(),
    };
    frame(&head, answer.headers.as_bytes(), &answer.body)
}

/// An answer from its message.
pub(crate) fn read_answer(payload: &Bytes) -> Option<Answer> {
    let (head, rest) = unframe::<AnswerHead>(payload)?;
    let (headers, body) = split(rest, head.headers)?;
    Some(Answer {
        event: head.event,
        destination: head.destination,
        asked_at: head.asked_at,
        duration_ms: head.duration_ms,
        status: head.status,
        headers,
        body,
        failure: head.failure,
        repeat_of: head.repeat_of,
        passed: head.passed.map(|passed| Passed { up: passed.up, down: passed.down, end: passed.end }),
    })
}

#[derive(Serialize, Deserialize)]
struct EditHead {
    mark: Edited,
    headers: usize,
}

/// An edit as a message.
pub(crate) fn write_edit(edit: &Edit) -> Bytes {
    let head = EditHead { mark: edit.mark.clone(), headers: edit.headers.as_bytes().len() };
    frame(&head, edit.headers.as_bytes(), &edit.body)
}

/// An edit from its message.
pub(crate) fn read_edit(payload: &Bytes) -> Option<Edit> {
    let (head, rest) = unframe::<EditHead>(payload)?;
    let (headers, body) = split(rest, head.headers)?;
    Some(Edit { mark: head.mark, headers, body })
}

fn frame(head: &impl Serialize, headers: &[u8], body: &[u8]) -> Bytes {
    let head = serde_json::to_vec(head).expect("plain fields have a JSON form");
    let mut bytes = BytesMut::with_capacity(5 + head.len() + headers.len() + body.len());
    bytes.put_u8(FORM);
    bytes.put_u32_le(u32::try_from(head.len()).unwrap_or(u32::MAX));
    bytes.put_slice(&head);
    bytes.put_slice(headers);
    bytes.put_slice(body);
    bytes.freeze()
}

fn unframe<T: DeserializeOwned>(payload: &Bytes) -> Option<(T, Bytes)> {
    let length = payload.get(1..5).filter(|_| payload.first() == Some(&FORM))?;
    let end = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?.checked_add(5)?;
    let head = serde_json::from_slice(payload.get(5..end)?).ok()?;
    Some((head, payload.slice(end..)))
}

fn split(rest: Bytes, headers: usize) -> Option<(Headers, Bytes)> {
    if headers > rest.len() {
        return None;
    }
    let block = rest.slice(..headers);
    Some((Headers::parse(block).ok()?, rest.slice(headers..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_event_is_not_read_as_one() {
        let long = [&[FORM, 255, 255, 255, 255][..], b"{}"].concat();
        for bytes in [&b""[..], b"\x01", b"\x01\x02\0\0\0{}", b"\x02\x02\0\0\0{}", &long] {
            assert!(read_event(1, &Bytes::copy_from_slice(bytes)).is_none());
            assert!(read_answer(&Bytes::copy_from_slice(bytes)).is_none());
        }
    }
}
