//! What `serve` writes: one line per thing that happened, for people on a terminal, as JSON otherwise.
//!
//! Every request that is answered has one line with `outcome`, `status`, `ms` and `bytes`, the source, the id of its event
//! or refusal, and its trace where it names one. No line holds a body, a query, a signature or a secret.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use hookhouse_core::delivery::Next;
use hookhouse_core::notice::Answered;
use hookhouse_core::{AttemptOutcome, Notice, Observer, Timestamp, TraceId};
use tracing::field::display;
use tracing_subscriber::EnvFilter;

/// Turns logging on; `filter` is what `RUST_LOG` takes.
pub(crate) fn start(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    let base =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let begun = if std::io::stderr().is_terminal() {
        base.try_init()
    } else {
        base.json().flatten_event(true).try_init()
    };
    begun.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}

/// Writes notices to the log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    flood: Flood,
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
                    trace_id = TraceId::of_headers(event.headers()).map(display),
                    peer = record.peer.map(display),
                    r#type = record.event_type,
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
                if !self.flood.lets_through(refusal.at) {
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
                    method = refusal.method,
                    path = refusal.path,
                    reason = refusal.reason,
                );
            }
            Notice::Handshake { source, at, kind, key, signed, sent_at, notes, answered } => {
                if !self.flood.lets_through(at) {
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
                if notes.contains(&"stale") { line!(warn, "stale") } else { line!(info, "ok") }
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

/// Milliseconds, to the microsecond.
fn ms(answered: Answered) -> f64 {
    answered.elapsed.as_micros() as f64 / 1_000.0
}

/// Lines that anybody can cause without a secret, refusals and challenges: so many a second are written.
///
/// A million forged requests must not fill the disk that events are to lie on. They are all counted, in the metrics and
/// in the line that says how many are missing.
#[derive(Debug, Default)]
struct Flood {
    second: AtomicI64,
    written: AtomicU32,
    suppressed: AtomicU64,
}

impl Flood {
    /// Half a kilobyte each: under ten megabytes a minute, whatever comes.
    const A_SECOND: u32 = 200;

    /// Whether the line of this moment is written; says first how many before it were not. Two that begin a second at
    /// once may count one too few; that is no harm.
    fn lets_through(&self, at: Timestamp) -> bool {
        let Some(missing) = self.admit(at) else { return false };
        if missing > 0 {
            tracing::warn!(
                event = "log.suppressed",
                lines = missing,
                "refusals and challenges came too fast"
            );
        }
        true
    }

    /// How many lines were left out before this one; `None` if this one is to be left out too.
    fn admit(&self, at: Timestamp) -> Option<u64> {
        if self.second.swap(at.as_second(), Ordering::Relaxed) != at.as_second() {
            self.written.store(0, Ordering::Relaxed);
        }
        if self.written.fetch_add(1, Ordering::Relaxed) < Self::A_SECOND {
            Some(self.suppressed.swap(0, Ordering::Relaxed))
        } else {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_written_in_part_and_says_how_much_is_missing() {
        let flood = Flood::default();
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let written = (0..1_000).filter(|ms| flood.admit(at(5_000 + ms)).is_some()).count();
        assert_eq!(written, Flood::A_SECOND as usize);
        assert_eq!(flood.admit(at(6_000)), Some(800));
        assert_eq!(flood.admit(at(6_001)), Some(0));
    }
}
