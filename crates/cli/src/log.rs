//! What `serve` writes: one line per thing that happened, for people on a terminal, as JSON otherwise.
//!
//! No line holds a body, a query, a signature or a secret.

use std::io::IsTerminal;

use hookhouse_core::delivery::Next;
use hookhouse_core::notice::Accepted;
use hookhouse_core::{AttemptOutcome, Notice, Observer};
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
#[derive(Debug)]
pub(crate) struct Log;

impl Observer for Log {
    fn notice(&self, notice: Notice) {
        match notice {
            Notice::Accepted(Accepted { id, record }) => tracing::info!(
                event = "event.accepted",
                %id,
                source = %record.source,
                r#type = record.event_type,
                verified = record.provenance.is_verified(),
                key = record.provenance.key,
                variant = record.provenance.variant.as_deref(),
                bytes = record.request.body.len(),
            ),
            Notice::Duplicate { source, of } => tracing::info!(event = "event.duplicate", %source, %of),
            Notice::Refused { refusal, .. } => tracing::info!(
                event = refusal.code,
                id = refusal.request_id,
                source = refusal.source.map(tracing::field::display),
                peer = refusal.peer.map(tracing::field::display),
                status = refusal.status,
                method = refusal.method,
                path = refusal.path,
                reason = refusal.reason,
            ),
            Notice::Handshake { source, kind, key, signed, notes, .. } => {
                tracing::info!(event = format!("{kind}.ok"), %source, key, signed, notes = notes.join(" "));
            }
            Notice::Attempted { source, attempt, next } => {
                let (status, error) = match &attempt.outcome {
                    AttemptOutcome::Delivered { status } | AttemptOutcome::Refused { status, .. } => {
                        (Some(*status), None)
                    }
                    AttemptOutcome::Failed { error } => (None, Some(error.as_str())),
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
                    delivery = %attempt.delivery,
                    attempt = attempt.number.0,
                    ms = attempt.duration_ms,
                    status,
                    error,
                );
            }
            Notice::Relayed { source, event, destination, duration_ms, status, failure, .. } => match failure
            {
                None => {
                    tracing::info!(event = "relay.answered", %source, id = %event, %destination, ms = duration_ms, status)
                }
                Some(why) => tracing::error!(
                    event = if status == 504 { "upstream.timeout" } else { "upstream.bad_response" },
                    %source, id = %event, %destination, ms = duration_ms, status, why,
                ),
            },
            Notice::Tunnelled { source, event, destination, duration_ms, up, down, end, .. } => {
                tracing::info!(
                    event = "ws.ended", %source, id = %event, %destination, ms = duration_ms, up, down, end,
                )
            }
            Notice::Circuit { destination, open_until, cause } => match open_until {
                Some(until) => tracing::warn!(event = "delivery.circuit_open", %destination, %until, cause),
                None => tracing::info!(event = "delivery.circuit_closed", %destination),
            },
        }
    }
}
