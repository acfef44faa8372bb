//! How many events a second become durable, and how long one takes.
//!
//! ```text
//! cargo run --release -p hookhouse-store-sqlite --example append_rate [SECONDS [FOLDER]]
//! ```
//!
//! Each row is a new store in a folder of its own under FOLDER (the folder for temporary files, unless given) and
//! some tasks that append events of 1.2 KB as fast as they are acknowledged: events that nothing vouches for, signed
//! ones whose repeats are recognised, and signed ones that a destination takes at the same time. The events are made,
//! signed and verified on the same processors. Publish it beside the disk's own fsync time: that is most of what it
//! measures.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::delivery::{Next, Settlement};
use hookhouse_core::store::{LeaseRequest, Subscription};
use hookhouse_core::{
    Arrival, Attempt, AttemptOutcome, Clock, Event, EventStore, Repeats, Request, Secret, SourceName,
    SystemClock, Timestamp,
};
use hookhouse_store_sqlite::{Options, SqliteStore};
use hookhouse_verify::danger::Unsigned;
use hookhouse_verify::{Key, Verdict, Verifier, x};
use tokio::time::Instant;

const BODY_BYTES: usize = 1239;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let seconds: f64 = args.next().map_or(Ok(3.0), |text| text.parse())?;
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    print("tasks     events  stored/s  delivered/s  p50 µs  p99 µs  p99.9 µs  max µs");
    for tasks in [1, 32, 256] {
        for kind in [Kind::Unsigned, Kind::Signed, Kind::Delivered] {
            let place = tempfile::tempdir_in(&folder)?;
            let length = Duration::from_secs_f64(seconds);
            let (mut times, delivered) = runtime.block_on(run(place.path().into(), tasks, kind, length))?;
            times.sort_unstable();
            let at = |share: f64| times.get((times.len() as f64 * share) as usize).or(times.last()).copied();
            let micros = |share| at(share).unwrap_or_default().as_micros();
            print(&format!(
                "{tasks:5}  {:>9}  {:8.0}  {:11.0}  {:6}  {:6}  {:8}  {:6}",
                format!("{kind:?}").to_lowercase(),
                times.len() as f64 / seconds,
                delivered as f64 / seconds,
                micros(0.5),
                micros(0.99),
                micros(0.999),
                micros(1.0),
            ));
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Unsigned,
    Signed,
    Delivered,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn run(place: PathBuf, tasks: u64, kind: Kind, length: Duration) -> Outcome<(Vec<Duration>, usize)> {
    let store = Arc::new(SqliteStore::open(Options::new(place), Arc::new(SystemClock))?);
    let sender = Arc::new(Sender::new(kind != Kind::Unsigned)?);
    let end = Instant::now() + length;
    let mut deliveries = tokio::task::JoinSet::new();
    if kind == Kind::Delivered {
        let subscription = Subscription { destination: "app".parse()?, sources: vec!["x".parse()?] };
        store.subscribe(&[subscription]).await?;
        deliveries.spawn(deliver(Arc::clone(&store), end));
    }
    let mut appends = tokio::task::JoinSet::new();
    for task in 0..tasks {
        appends.spawn(append(Arc::clone(&store), Arc::clone(&sender), task << 40, end));
    }
    let mut times = Vec::new();
    while let Some(of_one) = appends.join_next().await {
        times.extend(of_one??);
    }
    let mut delivered = 0;
    while let Some(count) = deliveries.join_next().await {
        delivered += count??;
    }
    store.close().await;
    Ok((times, delivered))
}

async fn append(
    store: Arc<SqliteStore>,
    sender: Arc<Sender>,
    mut number: u64,
    end: Instant,
) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    while Instant::now() < end {
        number += 1;
        let event = sender.event(number);
        let start = Instant::now();
        store.append(event).await?;
        times.push(start.elapsed());
    }
    Ok(times)
}

/// A destination that takes everything at once.
async fn deliver(store: Arc<SqliteStore>, end: Instant) -> Outcome<usize> {
    let request = LeaseRequest {
        destination: "app".parse()?,
        max: 256,
        wait: Duration::from_millis(100),
        hold: Duration::from_secs(60),
    };
    let mut delivered = 0;
    while Instant::now() < end {
        let leases = store.lease(&request).await?;
        let done = leases.into_iter().map(|lease| Settlement {
            attempt: Some(Attempt {
                delivery: lease.delivery.clone(),
                number: lease.attempt,
                started_at: SystemClock.now(),
                duration_ms: 1,
                outcome: AttemptOutcome::Delivered { status: 200 },
            }),
            delivery: lease.delivery,
            token: lease.token,
            next: Next::Done,
        });
        delivered += store.settle(done.collect()).await?.len();
    }
    Ok(delivered)
}

/// Makes events.
struct Sender {
    source: SourceName,
    secret: Option<Secret>,
    verifier: Verifier,
    filler: String,
}

impl Sender {
    fn new(signs: bool) -> Outcome<Self> {
        let secret = Secret::new("a consumer secret")?;
        let settings = x::Settings {
            consumer: vec![Key::new("consumer_secret", secret.clone())],
            ..x::Settings::default()
        };
        Ok(Self {
            source: "x".parse()?,
            secret: signs.then_some(secret),
            verifier: Verifier::X(x::Verifier::new(settings)?),
            filler: "x".repeat(BODY_BYTES),
        })
    }

    fn event(&self, number: u64) -> Event {
        let mut body =
            format!(r#"{{"for_user_id":"1","tweet_create_events":[{{"id_str":"{number}","text":""#);
        body += &self.filler[..BODY_BYTES - body.len() - 4];
        body += r#""}]}"#;
        let signature = self.secret.as_ref().map(|secret| x::sign_post(secret, body.as_bytes()));
        let headers = [
            ("host", "hooks.example.com"),
            ("user-agent", "TwitterBot/1.0"),
            ("content-type", "application/json"),
            ("content-length", "1239"),
            ("accept", "*/*"),
            (x::SIGNATURE_HEADER, signature.as_deref().unwrap_or("sha256=")),
        ];
        let request = Request::new("POST", "/webhooks/twitter", &headers, Bytes::from(body));
        let request = request.expect("every header above is plain text");
        let now: Timestamp = SystemClock.now();
        let arrival = Arrival {
            source: self.source.clone(),
            received_at: now,
            peer: Some([192, 0, 2, 7].into()),
            dedupe_window: Duration::from_secs(7 * 86_400),
            repeats: Repeats::Acknowledge,
        };
        if self.secret.is_none() {
            return Event::accept(Unsigned::accept(request), arrival);
        }
        match self.verifier.verify(request, now) {
            Verdict::Verified(verified) => Event::accept(verified, arrival),
            other => unreachable!("it was signed a moment ago: {other:?}"),
        }
    }
}

#[expect(clippy::print_stdout, reason = "an example's output")]
fn print(line: &str) {
    println!("{line}");
}
