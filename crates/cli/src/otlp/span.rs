//! Notices as spans.

use std::time::Duration;

use data_encoding::HEXLOWER;
use hookhouse_core::notice::Answered;
use hookhouse_core::{Attempt, AttemptOutcome, EventId, Headers, Notice, StoredEvent, Timestamp, TraceId};
use rand::RngCore;
use serde_json::{Value, json};

/// Where a span belongs: the trace of an event, and the sender's span above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    trace: String,
    parent: Option<String>,
}

impl Context {
    /// The sender's trace; one of the event's own where it named none.
    pub(super) fn of(event: &StoredEvent) -> Self {
        Self::of_headers(event.headers()).unwrap_or_else(|| Self::own(event.id()))
    }

    /// A trace of an event's own.
    pub(super) fn own(id: EventId) -> Self {
        Self { trace: HEXLOWER.encode(id.as_bytes()), parent: None }
    }

    fn of_headers(headers: &Headers) -> Option<Self> {
        let trace = TraceId::of_headers(headers)?.to_string();
        // It was a whole `traceparent` a line ago: version, trace, parent, flags.
        let parent = headers.all("traceparent").next()?.split(|byte| *byte == b'-').nth(2)?;
        Some(Self { trace, parent: Some(String::from_utf8(parent.to_vec()).ok()?) })
    }

    fn of_trace(trace: Option<TraceId>) -> Self {
        let trace = trace.map_or_else(random::<16>, |trace| trace.to_string());
        Self { trace, parent: None }
    }
}

/// The span of the request that an event arrived with. It follows from the event's id, so that whoever delivers the event
/// later knows it.
fn request_of(id: EventId) -> String {
    let [.., a, b, c, d, e, f, g, h] = *id.as_bytes();
    HEXLOWER.encode(&[a, b, c, d, e, f, g, h])
}

fn random<const N: usize>() -> String {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    HEXLOWER.encode(&bytes)
}

/// Whether anything is exported of a notice.
pub(super) fn is_one(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::Accepted { .. }
            | Notice::Duplicate { .. }
            | Notice::Refused { .. }
            | Notice::Handshake { .. }
            | Notice::Attempted { .. }
            | Notice::Relayed { .. }
    )
}

/// The spans of a notice. `context` is where its event belongs; `now` when it was told.
pub(super) fn spans(notice: &Notice, context: Option<&Context>, now: Timestamp) -> Vec<Value> {
    match notice {
        Notice::Accepted { event, answered: Some(answered), .. } => {
            let record = event.record();
            let context = Context::of(event);
            let begin = record.received_at;
            let mut spans = vec![
                Span::server(&context, request_of(event.id()), begin, later(begin, answered.elapsed))
                    .with("hookhouse.event_id", &event.id().to_string())
                    .with("hookhouse.event_type", record.event_type.as_deref().unwrap_or_default())
                    .with("hookhouse.key", record.provenance.key.as_deref().unwrap_or_default())
                    .request(record.source.as_str(), "accepted", answered),
            ];
            spans.extend(stored(&context, event.id(), later(begin, answered.elapsed), answered));
            spans
        }
        Notice::Duplicate { source, of, answered } => {
            let (begin, end) = (earlier(now, answered.elapsed), now);
            let span = Span::server(&Context::of_trace(answered.trace), random::<8>(), begin, end);
            vec![span.with("hookhouse.event_id", &of.to_string()).request(
                source.as_str(),
                "duplicate",
                answered,
            )]
        }
        Notice::Refused { refusal, answered: Some(answered), .. } => {
            let source = refusal.source.as_ref().map_or("", |source| source.as_str());
            let (begin, end) = (earlier(refusal.at, answered.elapsed), refusal.at);
            let span = Span::server(&Context::of_trace(answered.trace), random::<8>(), begin, end);
            vec![
                span.with("hookhouse.refusal", &refusal.code)
                    .with("hookhouse.request_id", &refusal.request_id)
                    .request(source, "refused", answered),
            ]
        }
        Notice::Handshake { source, at, kind, answered, .. } => {
            let span = Span::server(
                &Context::of_trace(answered.trace),
                random::<8>(),
                earlier(*at, answered.elapsed),
                *at,
            );
            vec![span.with("hookhouse.handshake", kind).request(source.as_str(), "challenge", answered)]
        }
        Notice::Relayed { source, event, destination, at, duration_ms, failure, answered, .. } => {
            let context = context.cloned().unwrap_or_else(|| Context::own(*event));
            let end = later(*at, Duration::from_millis(*duration_ms));
            let begin = earlier(end, answered.elapsed).min(*at);
            let mut relay = Span::new(&context, random::<8>(), format!("relay {destination}"), 3, *at, end)
                .below(request_of(*event))
                .with("hookhouse.destination", destination.as_str());
            if let Some(failure) = failure {
                relay = relay.failed(failure);
            }
            let mut spans = vec![
                Span::server(&context, request_of(*event), begin, end)
                    .with("hookhouse.event_id", &event.to_string())
                    .request(source.as_str(), "relayed", answered),
                relay.value(),
            ];
            spans.extend(stored(&context, *event, *at, answered));
            spans
        }
        Notice::Attempted { source, attempt, .. } => {
            let context = context.cloned().unwrap_or_else(|| Context::own(attempt.delivery.event));
            vec![tried(&context, source.as_str(), attempt)]
        }
        _ => Vec::new(),
    }
}

/// What the store took of a request's time, up to `end`.
fn stored(context: &Context, id: EventId, end: Timestamp, answered: &Answered) -> Option<Value> {
    let took = answered.stored_in?;
    let span = Span::new(context, random::<8>(), "store append".to_owned(), 1, earlier(end, took), end);
    Some(span.below(request_of(id)).value())
}

/// A try of a delivery.
fn tried(context: &Context, source: &str, attempt: &Attempt) -> Value {
    let Attempt { delivery, number, started_at, duration_ms, outcome } = attempt;
    let end = later(*started_at, Duration::from_millis(*duration_ms));
    let span =
        Span::new(context, random::<8>(), format!("deliver {}", delivery.destination), 3, *started_at, end)
            .below(request_of(delivery.event))
            .with("hookhouse.source", source)
            .with("hookhouse.destination", delivery.destination.as_str())
            .with("hookhouse.event_id", &delivery.event.to_string())
            .with("hookhouse.delivery_id", &delivery.to_string())
            .number("hookhouse.attempt", i64::from(number.0));
    match outcome {
        AttemptOutcome::Delivered { status } => {
            span.with("hookhouse.outcome", "delivered").number(STATUS, i64::from(*status))
        }
        // What the destination said stays where operators look, like every body.
        AttemptOutcome::Refused { status, .. } => {
            let span = span.with("hookhouse.outcome", "refused").number(STATUS, i64::from(*status));
            span.failed(&format!("answered {status}"))
        }
        AttemptOutcome::Failed { error } => span.with("hookhouse.outcome", "failed").failed(error),
        AttemptOutcome::Skipped { reason } => {
            span.with("hookhouse.outcome", "skipped").with("hookhouse.reason", reason)
        }
    }
    .value()
}

const STATUS: &str = "http.response.status_code";

/// A span under construction.
struct Span {
    fields: Value,
    attributes: Vec<Value>,
}

impl Span {
    /// `kind`: 1 internal, 2 server, 3 client.
    fn new(context: &Context, id: String, name: String, kind: u8, begin: Timestamp, end: Timestamp) -> Self {
        let fields = json!({
            "traceId": context.trace,
            "spanId": id,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": nanos(begin),
            "endTimeUnixNano": nanos(end.max(begin)),
        });
        Self { fields, attributes: Vec::new() }
    }

    /// A request that came in.
    fn server(context: &Context, id: String, begin: Timestamp, end: Timestamp) -> Self {
        let span = Self::new(context, id, String::new(), 2, begin, end);
        match &context.parent {
            Some(parent) => span.below(parent.clone()),
            None => span,
        }
    }

    fn below(mut self, parent: String) -> Self {
        self.fields["parentSpanId"] = Value::String(parent);
        self
    }

    /// An attribute, unless it is empty.
    fn with(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.attributes.push(json!({ "key": key, "value": { "stringValue": value } }));
        }
        self
    }

    fn number(mut self, key: &str, value: i64) -> Self {
        // 64-bit numbers are text in OTLP's JSON.
        self.attributes.push(json!({ "key": key, "value": { "intValue": value.to_string() } }));
        self
    }

    fn failed(mut self, why: &str) -> Self {
        self.fields["status"] = json!({ "code": 2, "message": why });
        self
    }

    fn request(mut self, source: &str, outcome: &str, answered: &Answered) -> Value {
        let what = if source.is_empty() { "no source" } else { source };
        self.fields["name"] = Value::String(format!("{} {what}", answered.method));
        let span = self
            .with("hookhouse.source", source)
            .with("hookhouse.outcome", outcome)
            .with("http.request.method", answered.method)
            .number("http.request.body.size", i64::try_from(answered.bytes).unwrap_or(i64::MAX))
            .number(STATUS, i64::from(answered.status));
        // A refusal is a sender's mistake; only what is ours is an error of the server's.
        let span = if answered.status >= 500 { span.failed(outcome) } else { span };
        span.value()
    }

    fn value(self) -> Value {
        let mut fields = self.fields;
        fields["attributes"] = Value::Array(self.attributes);
        fields
    }
}

fn nanos(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(at)
}
