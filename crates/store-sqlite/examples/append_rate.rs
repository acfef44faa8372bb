//! How many events a second become durable, and how long one takes.
//!
//! ```text
//! cargo run --release -p hookhouse-store-sqlite --example append_rate [SECONDS [FOLDER]]
//! ```
//!
//! Each row is a new store in a folder of its own under FOLDER (the folder for temporary files, unless given) and
//! some tasks that append events of 1.2 KB as fast as they are acknowledged. `repeats` says whether every event has
//! an identity, as those of X have. Publish it beside the disk's own fsync time: that is most of what it measures.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::{
    Arrival, Clock, Event, EventStore, Request, Secret, SourceName, SystemClock, Timestamp,
};
use hookhouse_store_sqlite::{Options, SqliteStore};
use hookhouse_verify::danger::Unsigned;
use hookhouse_verify::{Key, Verdict, Verifier, x};
use tokio::time::Instant;

const BODY_BYTES: usize = 1239;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let seconds: f64 = args.next().map_or(Ok(3.0), |text| text.parse())?;
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    print("tasks  repeats  events/s  p50 µs  p99 µs  p99.9 µs  max µs");
    for tasks in [1, 32, 256] {
        for repeats in [false, true] {
            let place = tempfile::tempdir_in(&folder)?;
            let mut times = runtime.block_on(run(
                place.path().into(),
                tasks,
                repeats,
                Duration::from_secs_f64(seconds),
            ))?;
            times.sort_unstable();
            let at = |share: f64| times.get((times.len() as f64 * share) as usize).or(times.last()).copied();
            let micros = |share| at(share).unwrap_or_default().as_micros();
            print(&format!(
                "{tasks:5}  {:7}  {:8.0}  {:6}  {:6}  {:8}  {:6}",
                if repeats { "known" } else { "none" },
                times.len() as f64 / seconds,
                micros(0.5),
                micros(0.99),
                micros(0.999),
                micros(1.0),
            ));
        }
    }
    Ok(())
}

async fn run(
    place: PathBuf,
    tasks: u64,
    repeats: bool,
    length: Duration,
) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let store = Arc::new(SqliteStore::open(Options::new(place), Arc::new(SystemClock))?);
    let sender = Arc::new(Sender::new(repeats)?);
    let end = Instant::now() + length;
    let mut all = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let (store, sender) = (Arc::clone(&store), Arc::clone(&sender));
        all.spawn(async move {
            let mut times = Vec::new();
            let mut number = task << 40;
            while Instant::now() < end {
                number += 1;
                let event = sender.event(number);
                let start = Instant::now();
                store.append(event).await.map_err(|error| error.to_string())?;
                times.push(start.elapsed());
            }
            Ok::<_, String>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(of_one) = all.join_next().await {
        times.extend(of_one??);
    }
    store.close().await;
    Ok(times)
}

/// Makes events.
struct Sender {
    source: SourceName,
    secret: Option<Secret>,
    verifier: Verifier,
    filler: String,
}

impl Sender {
    fn new(repeats: bool) -> Result<Self, Box<dyn std::error::Error>> {
        let secret = Secret::new("a consumer secret")?;
        let settings = x::Settings {
            consumer: vec![Key::new("consumer_secret", secret.clone())],
            ..x::Settings::default()
        };
        Ok(Self {
            source: "x".parse()?,
            secret: repeats.then_some(secret),
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
