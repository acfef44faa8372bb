//! What `serve` writes: one line per thing that happened, for people on a terminal, as JSON otherwise.
//!
//! Every request that is answered has one line with `outcome`, `status`, `ms` and `bytes`, the source, the id of its event
//! or refusal, and its trace where it names one. No line holds a body, a query, a signature or a secret, and nothing of
//! what a sender says can end a line, command a terminal or be long.

mod flood;
mod line;
mod outbox;

use std::borrow::Cow;
use std::fmt::Write;
use std::io::{self, IsTerminal};

use anstream::{AutoStream, ColorChoice};
use hookhouse_core::delivery::Next;
use hookhouse_core::notice::Answered;
use hookhouse_core::{AttemptOutcome, Notice, Observer, StoredEvent, TraceId, address_text};
use tracing::field::display;
use tracing_subscriber::EnvFilter;

use self::flood::Flood;
use self::line::Lines;
use self::outbox::{Outbox, Rest};

/// Turns logging on; `filter` is what `RUST_LOG` takes. The last lines are written when what it gives back is dropped.
pub(crate) fn start(filter: &str) -> anyhow::Result<Option<Rest>> {
    let filter = EnvFilter::try_new(filter)?;
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let (begun, rest) = if io::stderr().is_terminal() {
        let ansi = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
        (base.with_ansi(ansi).with_writer(io::stderr).try_init(), None)
    } else {
        let (outbox, rest) = Outbox::open(io::stderr())?;
        (base.with_writer(outbox).json().event_format(Lines::default()).try_init(), Some(rest))
    };
    begun.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))?;
    Ok(rest)
}

/// Writes notices to the log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    flood: Flood,
}

impl Log {
    /// Says what was left out, for each code that it is true of.
    pub(crate) fn tell_suppressed(&self) {
        for (code, lines) in self.flood.take_suppressed() {
            tracing::warn!(event = "log.suppressed", code, lines, "came too fast to be written one by one");
        }
    }
}

impl Observer for Log {
    fn notice(&self, notice: Notice) {
        match notice {
            Notice::Accepted { event, repeat_of, answered } => {
                let record = event.record();
                tracing::info!(
                    event = "event.accepted",
                    outcome = "accepted",
                    event_id = %event.id(),
                    source = %record.source,
                    status = answered.map(|answered| answered.status),
                    ms = answered.map(ms),
                    bytes = record.request.body.len(),
                    trace_id = trace_of(answered, &event).map(display),
                    peer = record.peer.map(address_text).map(display),
                    r#type = record.event_type.as_deref().map(said).as_deref(),
                    verified = record.provenance.is_verified(),
                    key = record.provenance.key,
                    variant = record.provenance.variant.as_deref(),
                    replay_suspect = repeat_of.is_some().then_some(true),
                    repeat_of = repeat_of.map(display),
                );
            }
            Notice::Duplicate { source, of, answered } => tracing::info!(
                event = "event.duplicate",
                outcome = "duplicate",
                event_id = %of,
                %source,
                status = answered.status,
                ms = ms(answered),
                bytes = answered.bytes,
                trace_id = answered.trace.map(display),
            ),
            Notice::Refused { refusal, answered, .. } => {
                if !self.flood.admit(refusal.at, &refusal.code) {
                    return;
                }
                tracing::info!(
                    event = refusal.code,
                    outcome = "refused",
                    request_id = refusal.request_id,
                    source = refusal.source.map(display),
                    status = refusal.status,
                    ms = answered.map(ms),
                    bytes = refusal.body_bytes,
                    trace_id = answered.and_then(|answered| answered.trace).map(display),
                    peer = refusal.peer.map(display),
                    method = said(&refusal.method).as_ref(),
                    path = said(&refusal.path).as_ref(),
                    reason = said(&refusal.reason).as_ref(),
                );
            }
            Notice::Handshake { source, at, kind, key, signed, sent_at, notes, answered } => {
                if !self.flood.admit(at, kind) {
                    return;
                }
                macro_rules! line {
                    ($level:ident, $how:literal) => {
                        tracing::$level!(
                            event = format!("{kind}.{}", $how),
                            outcome = kind,
                            %source,
                            status = answered.status,
                            ms = ms(answered),
                            bytes = answered.bytes,
                            trace_id = answered.trace.map(display),
                            key,
                            signed,
                            age_ms = sent_at.map(|sent_at| at.as_millisecond() - sent_at.as_millisecond()),
                            notes = notes.join(" "),
                        )
                    };
                }
                // Somebody sends again what X had signed, or a clock is wrong.
                if notes.contains(&"stale") {
                    line!(warn, "stale");
                } else if notes.contains(&"echo") {
                    line!(info, "echo");
                } else {
                    line!(info, "ok");
                }
            }
            Notice::Attempted { source, attempt, next } => {
                let (status, error, skipped) = match &attempt.outcome {
                    AttemptOutcome::Delivered { status } | AttemptOutcome::Refused { status, .. } => {
                        (Some(*status), None, None)
                    }
                    AttemptOutcome::Failed { error } => (None, Some(error.as_str()), None),
                    AttemptOutcome::Skipped { reason } => (None, None, Some(reason.as_str())),
                };
                let name = match &next {
                    Next::Done => "delivery.done",
                    Next::RetryAt(_) => "delivery.retry",
                    Next::GiveUp(_) => "delivery.dead",
                    Next::Release => "delivery.released",
                };
                tracing::info!(
                    event = name,
                    %source,
                    event_id = %attempt.delivery.event,
                    destination = %attempt.delivery.destination,
                    delivery = %attempt.delivery,
                    attempt = attempt.number.0,
                    ms = attempt.duration_ms,
                    status,
                    error,
                    skipped,
                );
            }
            Notice::Relayed {
                source,
                event,
                destination,
                duration_ms,
                status,
                failure,
                late,
                answered,
                ..
            } => {
                let (outcome, ms, bytes) = ("relayed", ms(answered), answered.bytes);
                let trace_id = answered.trace.map(display);
                match failure {
                    None => tracing::info!(
                        event = "relay.answered",
                        outcome, event_id = %event, %source, status, ms, bytes, trace_id,
                        %destination, upstream_ms = duration_ms,
                    ),
                    Some(why) => tracing::error!(
                        event = if late { "upstream.timeout" } else { "upstream.bad_response" },
                        outcome, event_id = %event, %source, status, ms, bytes, trace_id,
                        %destination, upstream_ms = duration_ms, why,
                    ),
                }
            }
            Notice::Tunnelled { source, event, destination, duration_ms, up, down, end, .. } => {
                tracing::info!(
                    event = "ws.ended", %source, event_id = %event, %destination, ms = duration_ms, up, down, end,
                )
            }
            Notice::Webhook { source, deed, trouble, .. } => {
                if trouble {
                    tracing::warn!(event = "x.webhook", %source, deed);
                } else {
                    tracing::info!(event = "x.webhook", %source, deed);
                }
            }
            Notice::Circuit { destination, open_until, cause } => match open_until {
                Some(until) => tracing::warn!(event = "delivery.circuit_open", %destination, %until, cause),
                None => tracing::info!(event = "delivery.circuit_closed", %destination),
            },
        }
    }
}

/// The trace that a request names. Whoever answered it has looked already; otherwise it is in the event.
fn trace_of(answered: Option<Answered>, event: &StoredEvent) -> Option<TraceId> {
    answered.map_or_else(|| TraceId::of_headers(event.headers()), |answered| answered.trace)
}

/// Milliseconds, to the microsecond.
fn ms(answered: Answered) -> f64 {
    answered.elapsed.as_micros() as f64 / 1_000.0
}

/// The most bytes of a sender's words in one field.
const LONGEST: usize = 256;

/// A sender's words: control characters and what turns the direction of text are escaped, and the rest is cut off. JSON
/// escapes C0 alone, and a terminal obeys C1 as well.
fn said(words: &str) -> Cow<'_, str> {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if words.len() <= LONGEST && !words.contains(hidden) {
        return Cow::Borrowed(words);
    }
    let mut out = String::with_capacity(LONGEST);
    for c in words.chars() {
        let before = out.len();
        let written = if hidden(c) { write!(out, "{}", c.escape_unicode()) } else { out.write_char(c) };
        if written.is_err() || out.len() > LONGEST - '…'.len_utf8() {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senders_words_are_short_and_command_nothing() {
        assert!(matches!(said("/webhooks/x"), Cow::Borrowed("/webhooks/x")));
        assert_eq!(
            said("a\r\n{\u{1b}[31m\u{9b}1m\u{202e}\u{2028}"),
            "a\\u{d}\\u{a}{\\u{1b}[31m\\u{9b}1m\\u{202e}\\u{2028}"
        );
        assert_eq!(said(&"x".repeat(LONGEST)).len(), LONGEST);
        for long in ["x".repeat(LONGEST + 1), "\u{1b}".repeat(LONGEST), "\u{20ac}".repeat(LONGEST)] {
            let short = said(&long);
            assert!(short.len() <= LONGEST && short.ends_with('…'), "{short}");
        }
    }
}
