//! What the tests of several schemes need.

use bytes::Bytes;
use jiff::Timestamp;

use crate::request::Request;
use crate::secret::{Key, Secret};
use crate::verdict::{Evidence, Handshake, Reject, Verdict};

/// The moment at which the tests happen.
pub(crate) const NOW: i64 = 1_795_305_600;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

pub(crate) fn key(name: &str, text: &str) -> Key {
    Key::new(name, secret(text))
}

/// A key that ended a second before [`now`].
pub(crate) fn retired(name: &str, text: &str) -> Key {
    Key { not_after: Some(Timestamp::from_second(NOW - 1).unwrap()), ..key(name, text) }
}

pub(crate) fn get(target: &str, headers: &[(&str, &str)]) -> Request {
    Request::new("GET", target, headers, Bytes::new()).unwrap()
}

pub(crate) fn post(target: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request {
    Request::new("POST", target, headers, body).unwrap()
}

pub(crate) fn evidence(verdict: Verdict) -> Evidence {
    match verdict {
        Verdict::Verified(verified) => verified.into_parts().1,
        other => panic!("not verified: {other:?}"),
    }
}

pub(crate) fn handshake(verdict: Verdict) -> Handshake {
    match verdict {
        Verdict::Handshake(handshake) => handshake,
        other => panic!("no handshake: {other:?}"),
    }
}

pub(crate) fn reject(verdict: Verdict) -> Reject {
    match verdict {
        Verdict::Rejected { reject, .. } => reject,
        other => panic!("not rejected: {other:?}"),
    }
}

/// The reason's stable word.
pub(crate) fn code(verdict: Verdict) -> &'static str {
    reject(verdict).code()
}
