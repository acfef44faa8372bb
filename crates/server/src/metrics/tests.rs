mod page;

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use hookhouse_core::delivery::Next;
use hookhouse_core::event::Record;
use hookhouse_core::store::{Backlog, StoreStatus};
use hookhouse_core::{
    Attempt, AttemptNumber, AttemptOutcome, DeadReason, DeliveryId, EventId, Provenance, Refusal, Request,
    Sequence, StoredEvent,
};
use hookhouse_delivery::Standing;
use hookhouse_delivery::circuit::Phase;

use super::*;
use crate::config::{Config, Environment, parse};
use crate::tls::{Certificate, Issued};

const CONFIG: &str = r#"
[source.x-prod]
provider        = "x"
path            = "/x"
consumer_secret = { env = "X" }
deliver         = ["app"]

[source.calls]
provider = "none"
path     = "/calls"
relay    = { to = "app" }

[destination.app]
url = "http://app.example.com/hooks"
"#;

struct Variables;

impl Environment for Variables {
    fn var(&self, _: &str) -> Option<String> {
        Some("a secret of the consumer's".to_owned())
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn config() -> Config {
    parse(CONFIG, "hookhouse.toml", Path::new("."), &Variables)
        .map_err(|errors| format!("{errors:?}"))
        .unwrap()
        .config
}

fn metrics(config: &Config) -> Arc<Metrics> {
    Metrics::new(&config.sources, config.destinations.iter().map(|destination| &destination.name))
}

fn answered(status: u16, ms: u64) -> Answered {
    let elapsed = Duration::from_millis(ms);
    let stored_in = (status == 200).then_some(elapsed / 2);
    Answered { method: "POST", status, bytes: 2, elapsed, stored_in, trace: None }
}

fn accepted(source: &str, answered: Option<Answered>) -> Notice {
    let record = Record {
        source: source.parse().unwrap(),
        received_at: at(0),
        peer: None,
        request: Request::new("POST", "/x", &[("host", "example.com")], &b"{}"[..]).unwrap(),
        provenance: Provenance {
            redacted: Vec::new(),
            provider: "x".into(),
            scheme: Some("x-post-hmac-sha256".into()),
            key: Some("consumer_secret".to_owned()),
            variant: None,
            edited: None,
        },
        event_type: (source == "x-prod").then(|| "post.create".to_owned()),
    };
    let event = Arc::new(StoredEvent::from_store(id(), Sequence(1), record));
    Notice::Accepted { event, repeat_of: None, answered }
}

fn id() -> EventId {
    EventId::with_position(at(0), 1, 1)
}

fn refused(source: Option<&str>, code: &str) -> Notice {
    let refusal = Refusal {
        request_id: "req_1".to_owned(),
        at: at(0),
        source: source.map(|source| source.parse().unwrap()),
        peer: None,
        method: "POST".to_owned(),
        path: "/a-path-of-the-senders".to_owned(),
        status: 403,
        code: code.to_owned(),
        reason: "in words".to_owned(),
        body_bytes: 2,
    };
    Notice::Refused { refusal, body: Bytes::new(), answered: Some(answered(403, 1)) }
}

fn challenge() -> Notice {
    Notice::Handshake {
        source: "x-prod".parse().unwrap(),
        at: at(7),
        kind: "crc",
        key: "consumer_secret".to_owned(),
        signed: true,
        sent_at: None,
        notes: Vec::new(),
        answered: Answered { stored_in: None, ..answered(200, 1) },
    }
}

fn relayed(failure: Option<&str>) -> Notice {
    Notice::Relayed {
        source: "calls".parse().unwrap(),
        event: id(),
        destination: "app".parse().unwrap(),
        at: at(0),
        duration_ms: 700,
        status: 200,
        failure: failure.map(str::to_owned),
        late: failure.is_some(),
        answered: answered(200, 701),
    }
}

fn tunnelled() -> Notice {
    Notice::Tunnelled {
        source: "calls".parse().unwrap(),
        event: id(),
        destination: "app".parse().unwrap(),
        at: at(0),
        duration_ms: 1,
        up: 1,
        down: 1,
        end: "closed",
    }
}

fn attempted(outcome: AttemptOutcome, next: Next) -> Notice {
    let attempt = Attempt {
        delivery: DeliveryId { event: id(), destination: "app".parse().unwrap(), round: 0 },
        number: AttemptNumber(1),
        started_at: at(3),
        duration_ms: 20,
        outcome,
    };
    Notice::Attempted { source: "x-prod".parse().unwrap(), attempt, next }
}

fn reading(config: Config) -> Reading {
    let app: DestinationName = "app".parse().unwrap();
    let backlog =
        Backlog { destination: app.clone(), pending: 3, waiting: 2, dead: 1, oldest: Some(at(-90)) };
    Reading {
        streams: 0,
        now: at(0),
        started_at: at(-1_000),
        store: Some(StoreStatus {
            kind: "sqlite".to_owned(),
            writable: true,
            problem: None,
            events: 12,
            head: Sequence(12),
            bytes: 4_096,
            free_bytes: Some(1 << 30),
            refusals_dropped: 5,
        }),
        reserve: 32_000_000,
        backlogs: vec![backlog],
        standings: BTreeMap::from([(
            app,
            Standing { phase: Phase::Open, open_until: None, cause: None, paused: false },
        )]),
        connections: vec![Connections { listener: "ingress", open: 4, turned_away: 9 }],
        sources: config.sources.into_iter().map(Arc::new).collect(),
        certificates: vec![
            issued(&["hooks.example.com", "*.example.com"], 7_000),
            issued(&["hooks.example.com"], 5_000),
        ],
    }
}

fn issued(names: &[&str], ends: i64) -> Issued {
    let certificate = Certificate {
        names: names.iter().map(ToString::to_string).collect(),
        algorithm: "ecdsa".to_owned(),
        not_before: at(0),
        not_after: at(ends),
    };
    Issued { from: "cert.pem".to_owned(), certificates: vec![certificate], problem: None }
}

/// Everything that there is, once at least.
fn full_page() -> String {
    let config = config();
    let metrics = metrics(&config);
    let watched = metrics.before(Arc::new(hookhouse_core::notice::Unwatched));
    let gone = AttemptOutcome::Refused { status: 410, answer: String::new() };
    for notice in [
        accepted("x-prod", Some(answered(200, 3))),
        accepted("calls", None),
        Notice::Duplicate { source: "x-prod".parse().unwrap(), of: id(), answered: answered(200, 1) },
        refused(Some("x-prod"), "crc.sig_mismatch"),
        refused(None, "route.unknown"),
        challenge(),
        relayed(None),
        relayed(Some("no answer in time")),
        tunnelled(),
        attempted(AttemptOutcome::Delivered { status: 200 }, Next::Done),
        attempted(AttemptOutcome::Failed { error: "refused".to_owned() }, Next::RetryAt(at(9))),
        attempted(AttemptOutcome::Skipped { reason: "filter".to_owned() }, Next::Done),
        attempted(gone, Next::GiveUp(DeadReason::Gone)),
    ] {
        watched.notice(notice);
    }
    metrics.set_webhook_valid(&"x-prod".parse().unwrap(), true);
    metrics.page(&reading(config)).unwrap()
}

/// The samples of some metrics, as they are written.
fn samples<'a>(page: &'a str, of: &[&str]) -> Vec<&'a str> {
    let begins = |line: &&str| of.iter().any(|name| line.starts_with(name));
    let mut found: Vec<_> = page.lines().filter(begins).collect();
    found.sort_unstable();
    found
}

#[test]
fn what_happens_is_counted_where_it_happens() {
    let page = full_page();
    let counted = [
        "hookhouse_requests_total",
        "hookhouse_refusals_total",
        "hookhouse_crc_",
        "hookhouse_x_cost_micro_dollars_total",
        "hookhouse_delivery_attempts_total",
        "hookhouse_dead_total",
        "hookhouse_relays_total",
        "hookhouse_tunnels_total",
        "hookhouse_ack_seconds_count",
        "hookhouse_ack_seconds_sum",
        "hookhouse_store_commit_seconds_count",
        "hookhouse_delivery_lag_seconds_sum",
        "hookhouse_delivery_seconds_count",
        "hookhouse_key_last_used",
        "http_server_request_duration_seconds_count",
    ];
    let without_buckets: Vec<_> =
        samples(&page, &counted).into_iter().filter(|line| !line.contains("_bucket{")).collect();
    insta::assert_snapshot!(without_buckets.join("\n"), @r#"
    hookhouse_ack_seconds_count 2
    hookhouse_ack_seconds_sum 0.004
    hookhouse_crc_challenges_total{source="x-prod",outcome="answered"} 1
    hookhouse_crc_challenges_total{source="x-prod",outcome="refused"} 1
    hookhouse_crc_last_success_timestamp_seconds{source="x-prod"} 1800000007.0
    hookhouse_crc_response_seconds_count 1
    hookhouse_crc_response_seconds_sum 0.001
    hookhouse_dead_total{destination="app",reason="exhausted"} 0
    hookhouse_dead_total{destination="app",reason="gone"} 1
    hookhouse_dead_total{destination="app",reason="rejected"} 0
    hookhouse_delivery_attempts_total{destination="app",outcome="delivered"} 1
    hookhouse_delivery_attempts_total{destination="app",outcome="failed"} 1
    hookhouse_delivery_attempts_total{destination="app",outcome="refused"} 1
    hookhouse_delivery_attempts_total{destination="app",outcome="skipped"} 1
    hookhouse_delivery_lag_seconds_sum{destination="app"} 3.02
    hookhouse_delivery_seconds_count{destination="app"} 3
    hookhouse_key_last_used_timestamp_seconds{source="calls",key="consumer_secret"} 1800000000.0
    hookhouse_key_last_used_timestamp_seconds{source="x-prod",key="consumer_secret"} 1800000007.0
    hookhouse_refusals_total{source="",reason="route.unknown"} 1
    hookhouse_refusals_total{source="x-prod",reason="crc.sig_mismatch"} 1
    hookhouse_relays_total{destination="app",outcome="answered"} 1
    hookhouse_relays_total{destination="app",outcome="broken"} 0
    hookhouse_relays_total{destination="app",outcome="late"} 1
    hookhouse_requests_total{source="",outcome="accepted"} 0
    hookhouse_requests_total{source="",outcome="duplicate"} 0
    hookhouse_requests_total{source="",outcome="handshake"} 0
    hookhouse_requests_total{source="",outcome="refused"} 1
    hookhouse_requests_total{source="calls",outcome="accepted"} 1
    hookhouse_requests_total{source="calls",outcome="duplicate"} 0
    hookhouse_requests_total{source="calls",outcome="handshake"} 0
    hookhouse_requests_total{source="calls",outcome="refused"} 0
    hookhouse_requests_total{source="x-prod",outcome="accepted"} 1
    hookhouse_requests_total{source="x-prod",outcome="crc"} 1
    hookhouse_requests_total{source="x-prod",outcome="duplicate"} 1
    hookhouse_requests_total{source="x-prod",outcome="handshake"} 0
    hookhouse_requests_total{source="x-prod",outcome="refused"} 1
    hookhouse_store_commit_seconds_count 4
    hookhouse_tunnels_total{destination="app",end="closed"} 1
    hookhouse_x_cost_micro_dollars_total{source="x-prod",event_type="post.create"} 5000
    http_server_request_duration_seconds_count{http_request_method="POST",http_route="",http_response_status_code="403"} 1
    http_server_request_duration_seconds_count{http_request_method="POST",http_route="/calls",http_response_status_code="200"} 2
    http_server_request_duration_seconds_count{http_request_method="POST",http_route="/x",http_response_status_code="200"} 3
    http_server_request_duration_seconds_count{http_request_method="POST",http_route="/x",http_response_status_code="403"} 1
    "#);
}

#[test]
fn what_is_read_is_what_there_is() {
    let page = full_page();
    let read = [
        "hookhouse_queue_",
        "hookhouse_circuit_state",
        "hookhouse_store_writable",
        "hookhouse_store_bytes",
        "hookhouse_store_free",
        "hookhouse_store_reserve",
        "hookhouse_store_events",
        "hookhouse_refusals_dropped",
        "hookhouse_connections",
        "process_start_time",
    ];
    insta::assert_snapshot!(samples(&page, &read).join("\n"), @r#"
    hookhouse_circuit_state{destination="app"} 2
    hookhouse_connections_refused_total{listener="ingress"} 9
    hookhouse_connections{listener="ingress"} 4
    hookhouse_queue_depth{destination="app",state="dead"} 1
    hookhouse_queue_depth{destination="app",state="pending"} 3
    hookhouse_queue_depth{destination="app",state="waiting"} 2
    hookhouse_queue_oldest_seconds{destination="app"} 90.0
    hookhouse_refusals_dropped_total 5
    hookhouse_store_bytes 4096
    hookhouse_store_events 12
    hookhouse_store_free_bytes 1073741824
    hookhouse_store_reserve_bytes 32000000
    hookhouse_store_writable 1
    process_start_time_seconds 1799999000.0
    "#);
}

#[test]
fn a_store_that_says_nothing_takes_nothing() {
    let config = config();
    let metrics = metrics(&config);
    let silent = Reading { store: None, ..reading(config) };
    let page = metrics.page(&silent).unwrap();
    assert_eq!(samples(&page, &["hookhouse_store_writable"]), ["hookhouse_store_writable 0"]);
    assert!(samples(&page, &["hookhouse_store_events"]).is_empty());
}

#[test]
fn the_series_are_bounded_whatever_senders_make_up() {
    let config = config();
    let metrics = metrics(&config);
    for n in 0..2_000_u16 {
        metrics.count(&refused(Some("x-prod"), &format!("made.up_{n}")));
        let answered = Answered { status: n, ..answered(403, 1) };
        let Notice::Refused { refusal, body, .. } = refused(None, "route.unknown") else { unreachable!() };
        metrics.count(&Notice::Refused { refusal, body, answered: Some(answered) });
        metrics.count(&accepted(&format!("source-{n}"), None));
    }
    let page = metrics.page(&reading(config)).unwrap();
    let reasons = samples(&page, &["hookhouse_refusals_total{source=\"x-prod\""]);
    assert_eq!(reasons.len(), 97);
    assert!(
        reasons.contains(&"hookhouse_refusals_total{source=\"x-prod\",reason=\"other\"} 1904"),
        "{reasons:?}"
    );
    let answers = samples(&page, &["http_server_request_duration_seconds_count"]);
    assert_eq!(answers.len(), 65, "64 for requests to nowhere, one for the source");
    let sources = samples(&page, &["hookhouse_requests_total"]);
    assert!(sources.iter().all(|line| !line.contains("source-")), "{sources:?}");
}

#[test]
fn a_challenge_seen_before_the_start_counts_until_there_is_a_later_one() {
    let config = config();
    let metrics = metrics(&config);
    let source: SourceName = "x-prod".parse().unwrap();
    let last = || {
        let config = self::config();
        let page = metrics.page(&reading(config)).unwrap();
        let line = samples(&page, &["hookhouse_crc_last_success_timestamp_seconds"]).concat();
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    assert_eq!(last(), 0.0);
    metrics.challenge_seen(&source, at(3));
    assert_eq!(last(), at(3).as_second() as f64);
    metrics.count(&challenge());
    metrics.challenge_seen(&source, at(4));
    assert_eq!(last(), at(7).as_second() as f64);
}
