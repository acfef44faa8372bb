//! What a destination answers, and what that means.
//!
//! An answer is read within the attempt's time and up to [`MOST_BYTES`], never inflated, and kept only as a short
//! printable excerpt of a failure. A 2xx whose body does not end within those bounds is no complete answer, so it
//! counts as a failed attempt.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{AttemptOutcome, DeadReason, Timestamp};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, RETRY_AFTER, TRANSFER_ENCODING};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::Instant;

use crate::circuit::Health;

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// For the record.
    pub outcome: AttemptOutcome,
    /// What it says about the destination.
    pub health: Health,
    /// How long the destination asked to be left alone.
    pub retry_after: Option<Duration>,
    /// Trying again is of no use, for this reason.
    pub give_up: Option<DeadReason>,
    /// Nothing at all is to be sent to the destination for a while, whatever became of this delivery.
    pub pause: Option<Pause>,
}

/// How long a destination is to be left alone, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// How long.
    pub length: Duration,
    /// Why, in words.
    pub cause: String,
}

impl Tried {
    /// No answer came, for a reason in words.
    #[must_use]
    pub fn failed(error: impl Into<String>, health: Health) -> Self {
        let outcome = AttemptOutcome::Failed { error: printable(error.into().as_bytes(), MOST_EXCERPT) };
        Self { outcome, health, retry_after: None, give_up: None, pause: None }
    }

    /// Whether nothing is left to be tried: the destination took it, or its rules leave it out.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.outcome, AttemptOutcome::Delivered { .. } | AttemptOutcome::Skipped { .. })
    }
}

/// The head of an answer, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// `Retry-After`, where the status gives it a meaning here.
    pub retry_after: Option<Duration>,
}

impl Head {
    /// Reads the head of an answer that came at `now`.
    #[must_use]
    pub fn new(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Self {
        let asks = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let retry_after = headers.get(RETRY_AFTER).filter(|_| asks);
        Self { status, retry_after: retry_after.and_then(|value| retry_after_in(value.as_bytes(), now)) }
    }
}

/// How reading the body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With its end.
    Whole,
    /// At the most that is read.
    TooLong,
    /// With an error.
    Broken(String),
    /// With the attempt's time.
    TimedOut,
}

/// Judges an answer: `excerpt` is the beginning of its body, printable.
#[must_use]
pub fn judge(head: Head, excerpt: String, end: &End) -> Tried {
    let status = head.status.as_u16();
    if head.status.is_success() {
        let cut = |why: &str, health| Tried::failed(format!("answered {status}, but {why}"), health);
        return match end {
            End::Whole => Tried {
                outcome: AttemptOutcome::Delivered { status },
                health: Health::Up,
                retry_after: None,
                give_up: None,
                pause: None,
            },
            End::TooLong => cut(&format!("with a body of more than {} KiB", MOST_BYTES / 1024), Health::Up),
            End::Broken(error) => cut(&format!("the answer broke off: {error}"), Health::Failing),
            End::TimedOut => cut("the answer did not end in time", Health::Failing),
        };
    }
    let failing = head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS;
    Tried {
        outcome: AttemptOutcome::Refused { status, answer: excerpt },
        health: if failing { Health::Failing } else { Health::Up },
        retry_after: head.retry_after,
        give_up: (head.status == StatusCode::GONE).then_some(DeadReason::Gone),
        pause: None,
    }
}

/// Reads a body up to its bounds: its beginning, and how the reading ended.
pub async fn read<B>(body: B, deadline: Instant) -> (Vec<u8>, End)
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error,
{
    read_up_to(body, MOST_BYTES, deadline).await
}

/// The same with another bound.
pub(crate) async fn read_up_to<B>(mut body: B, most: usize, deadline: Instant) -> (Vec<u8>, End)
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error,
{
    let mut read = Vec::new();
    loop {
        let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
            Err(_) => return (read, End::TimedOut),
            Ok(None) => return (read, End::Whole),
            Ok(Some(Err(error))) => return (read, End::Broken(explain(&error))),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        let room = most - read.len();
        read.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            return (read, End::TooLong);
        }
    }
}

/// The printable beginning of a body, or what kind of bytes it is.
#[must_use]
pub fn excerpt(headers: &HeaderMap, body: &[u8]) -> String {
    let coding = headers.get(CONTENT_ENCODING).map(|value| printable(value.as_bytes(), 32));
    match coding.filter(|coding| !coding.eq_ignore_ascii_case("identity")) {
        Some(coding) if !body.is_empty() => format!("({} bytes of {coding}, not decoded)", body.len()),
        _ => printable(body, MOST_EXCERPT),
    }
}

/// Whether the answer's length was told twice. Whoever wrote that may mean the rest of the connection to be read as
/// another answer (RFC 9112 section 6.3), so the connection is not used again.
#[must_use]
pub fn is_ambiguous(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
}

/// An error with what caused it, in one line.
#[must_use]
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors repeat their cause in their own words.
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

/// Text that a terminal and a log line survive, of at most so many bytes: no control characters and none that turn
/// the direction of writing.
pub(crate) fn printable(bytes: &[u8], most: usize) -> String {
    let bytes = bytes.get(..most).unwrap_or(bytes);
    let shown = |c: char| if c.is_control() || TURNING.contains(&c) { ' ' } else { c };
    let mut text: String = String::from_utf8_lossy(bytes).chars().map(shown).collect();
    // A replacement character is longer than the byte it stands for.
    while text.len() > most {
        text.pop();
    }
    text.trim().to_owned()
}

/// `Retry-After` as a pause from `now`: seconds or an HTTP date (RFC 9110 section 10.2.3), at most
/// [`LONGEST_RETRY_AFTER`]. The two obsolete forms of dates are not read; the schedule decides then.
fn retry_after_in(value: &[u8], now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let pause = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are a long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        // A moment that has passed is a pause of zero.
        Duration::try_from(at.duration_since(now)).unwrap_or_default()
    };
    Some(pause.min(LONGEST_RETRY_AFTER))
}

/// The most that is read of an answer.
pub const MOST_BYTES: usize = 64 * 1024;

/// The most that is kept of an answer.
pub const MOST_EXCERPT: usize = 1024;

/// The longest `Retry-After` that is honoured: whoever asks for more gets a try a day later.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Characters that change the direction of the text after them (Unicode's explicit bidirectional controls).
const TURNING: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

#[cfg(test)]
mod tests;
