//! What must not be stored of a request: taken out after it was verified, before anybody keeps it.
//!
//! A value is replaced where it stands and every other byte stays as it was received: JSON is not written anew, a form
//! is not encoded again. What is stored is also what is delivered and shown, and the event's [provenance] says what
//! kind of thing is missing. Repeats are recognised by the request as it was received.
//!
//! Where a rule is for the body and the body is not what the rule can read, nothing of the body is kept: what might be
//! in it is what somebody did not want stored.
//!
//! [provenance]: crate::event::Provenance

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use hookhouse_verify::{Headers, Request};
use serde::{Deserialize, Serialize};

mod json;

pub use json::{Pointer, PointerError};

/// What stands in place of a value.
pub const MARK: &str = "[redacted]";

/// The same in a query or a form.
const ENCODED_MARK: &str = "%5Bredacted%5D";

/// What kind of thing was taken out of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Redacted {
    /// Values of headers.
    Headers,
    /// Values of the query.
    Query,
    /// Values in a JSON body.
    Json,
    /// Values in a form.
    Form,
    /// The whole body: no rule could read it.
    Body,
}

impl Redacted {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Query => "query",
            Self::Json => "json",
            Self::Form => "form",
            Self::Body => "body",
        }
    }
}

/// The rules of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Headers, by their names in lower case.
    pub headers: Vec<String>,
    /// Names in the query, decoded.
    pub query: Vec<String>,
    /// Places in a JSON body.
    pub json: Vec<Pointer>,
    /// Names in a form, decoded.
    pub form: Vec<String>,
}

impl Redaction {
    /// Takes out of a request what must not be stored; what kinds of things that were, in order.
    pub(crate) fn apply(&self, request: &mut Request) -> Vec<Redacted> {
        let mut done = Vec::new();
        if self.headers.iter().any(|name| request.headers.all(name).next().is_some()) {
            request.headers = self.without_headers(&request.headers);
            done.push(Redacted::Headers);
        }
        if let Some(query) = request.query()
            && let Some(redacted) = pairs(query.as_bytes(), &self.query)
        {
            let path = request.path();
            request.target = format!("{path}?{}", String::from_utf8_lossy(&redacted));
            done.push(Redacted::Query);
        }
        if (!self.json.is_empty() || !self.form.is_empty())
            && !request.body.is_empty()
            && let Some((body, kind)) = self.body(request)
        {
            request.body = body;
            done.push(kind);
        }
        done
    }

    fn without_headers(&self, headers: &Headers) -> Headers {
        let kept = headers.iter().map(|(name, value)| {
            let hidden = self.headers.iter().any(|hidden| hidden == name);
            (name, if hidden { MARK.as_bytes() } else { value })
        });
        // Names and values that were headers are headers; if ever they were not, none of them is kept.
        Headers::from_pairs(kept).unwrap_or_default()
    }

    /// The body without what must not be stored; `None` where it has nothing of that.
    fn body(&self, request: &Request) -> Option<(Bytes, Redacted)> {
        if !self.form.is_empty() && is_form(&request.headers) {
            return pairs(&request.body, &self.form).map(|body| (body.into(), Redacted::Form));
        }
        let found = if self.json.is_empty() { None } else { json::find(&request.body, &self.json) };
        match found {
            Some(places) if places.is_empty() => None,
            Some(places) => {
                let mark = format!("\"{MARK}\"");
                Some((replaced(&request.body, &places, mark.as_bytes()).into(), Redacted::Json))
            }
            None => Some((Bytes::from_static(MARK.as_bytes()), Redacted::Body)),
        }
    }
}

/// Whether a body says that it is a form.
fn is_form(headers: &Headers) -> bool {
    let essence = |value: &[u8]| {
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    };
    headers.all("content-type").any(essence)
}

/// `name=value` pairs with the values of some names replaced; `None` where there are none of these names.
fn pairs(text: &[u8], names: &[String]) -> Option<Vec<u8>> {
    if names.is_empty() {
        return None;
    }
    let mut places = Vec::new();
    let mut start = 0;
    for pair in text.split(|byte| *byte == b'&') {
        let end = start + pair.len();
        if let Some(equals) = pair.iter().position(|byte| *byte == b'=')
            && let Some(name) = pair.get(..equals)
            && names.iter().any(|hidden| *hidden == decoded(name))
        {
            places.push(start + equals + 1..end);
        }
        start = end + 1;
    }
    (!places.is_empty()).then(|| replaced(text, &places, ENCODED_MARK.as_bytes()))
}

/// A name as a form means it (<https://url.spec.whatwg.org/#urlencoded-parsing>).
fn decoded(name: &[u8]) -> Cow<'_, str> {
    form_urlencoded::parse(name).next().map_or(Cow::Borrowed(""), |(name, _)| name)
}

/// Bytes with some places, which come in order, replaced.
fn replaced(bytes: &[u8], places: &[Range<usize>], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + places.len() * by.len());
    let mut at = 0;
    for place in places {
        out.extend_from_slice(bytes.get(at..place.start).unwrap_or_default());
        out.extend_from_slice(by);
        at = place.end;
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
