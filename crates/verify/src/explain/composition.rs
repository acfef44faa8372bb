//! Which parts a signed message may be made of, where it is not made of those that are configured.

use std::borrow::Cow;

use super::cause::Cause;
use super::explanation::{Clue, printable};
use super::trial::Guess;
use crate::descriptor::{Descriptor, Part, TimestampUnit};
use crate::request::Request;

/// As many headers as are taken for a signed time.
const MOST_TIMES: usize = 3;

/// A part of a message in configuration's words, and what it is in this request.
type Piece<'a> = (Cow<'static, str>, &'a [u8]);

/// The messages that senders sign, other than the configured one.
pub(super) fn others<'a>(
    descriptor: &Descriptor,
    request: &'a Request,
    time: Option<&'a [u8]>,
    is_described: bool,
) -> Vec<Guess<'a>> {
    let body: Piece<'a> = (Cow::Borrowed("body"), &request.body);
    let literal =
        |text: &'static str| -> Piece<'a> { (Cow::Owned(format!("literal:{text}")), text.as_bytes()) };
    let mut messages: Vec<(Option<&'a str>, Vec<Piece<'a>>)> = vec![(None, vec![body.clone()])];
    for (header, time) in times(descriptor, request, time) {
        let time: Piece<'a> = (Cow::Borrowed("timestamp"), time);
        messages.push((header, vec![time.clone(), literal("."), body.clone()]));
        messages.push((header, vec![time.clone(), body.clone()]));
        messages.push((header, vec![time.clone(), literal(":"), body.clone()]));
        messages.push((header, vec![literal("v0:"), time.clone(), literal(":"), body.clone()]));
        messages.push((header, vec![body.clone(), time.clone()]));
        if let Some(id) = request.headers.one("webhook-id").ok().flatten() {
            let id = (Cow::Borrowed("header:webhook-id"), id);
            messages.push((header, vec![id, literal("."), time, literal("."), body.clone()]));
        }
    }
    let path: Piece<'a> = (Cow::Borrowed("path"), request.path().as_bytes());
    let method: Piece<'a> = (Cow::Borrowed("method"), request.method.as_bytes());
    messages.push((None, vec![path.clone(), body.clone()]));
    messages.push((None, vec![method.clone(), path.clone(), body.clone()]));
    messages.push((None, vec![method, literal("\n"), path, literal("\n"), body]));

    let guess = |(header, message): (Option<&str>, Vec<Piece<'a>>)| {
        let names: Vec<String> =
            message.iter().map(|(name, _)| format!("\"{}\"", name.escape_default())).collect();
        let parts = format!("message = [{}]", names.join(", "));
        let clue =
            Clue::new(Cause::MessageParts, format!("other parts were signed than are configured: `{parts}`"));
        let timestamp = header.map(|name| format!(", timestamp = {{ header = \"{}\" }}", printable(name)));
        let clue = match is_described {
            true => clue.set(format!("hmac = {{ {parts}{} }}", timestamp.unwrap_or_default())),
            false => clue,
        };
        Guess {
            message: message.into_iter().map(|(_, bytes)| Cow::Borrowed(bytes)).collect(),
            clues: vec![clue],
        }
    };
    let is_configured = |(_, message): &(Option<&str>, Vec<Piece<'a>>)| {
        let parts: Vec<Cow<'_, str>> = descriptor.message.iter().map(word).collect();
        parts.iter().eq(message.iter().map(|(name, _)| name))
    };
    messages.into_iter().filter(|message| !is_configured(message)).map(guess).collect()
}

/// The configured time, or else whatever headers look like one.
fn times<'a>(
    descriptor: &Descriptor,
    request: &'a Request,
    time: Option<&'a [u8]>,
) -> Vec<(Option<&'a str>, &'a [u8])> {
    if descriptor.timestamp.is_some() {
        return time.map(|time| (None, time)).into_iter().collect();
    }
    let is_time = |value: &[u8]| {
        let digits = matches!(value.len(), 10 | 13) && value.iter().all(u8::is_ascii_digit);
        digits || TimestampUnit::Rfc3339.read(value).is_some()
    };
    let headers = request.headers.iter().filter(|(_, value)| is_time(value));
    headers.map(|(name, value)| (Some(name), value)).take(MOST_TIMES).collect()
}

fn word(part: &Part) -> Cow<'_, str> {
    match part {
        Part::Literal(text) => Cow::Owned(format!("literal:{text}")),
        Part::Timestamp => Cow::Borrowed("timestamp"),
        Part::Body => Cow::Borrowed("body"),
        Part::Header(name) => Cow::Owned(format!("header:{name}")),
        Part::Url => Cow::Borrowed("url"),
        Part::Path => Cow::Borrowed("path"),
        Part::Query => Cow::Borrowed("query"),
        Part::Method => Cow::Borrowed("method"),
    }
}
