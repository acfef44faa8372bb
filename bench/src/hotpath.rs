//! What an event costs in instructions, from the bytes of the request to its being durable: no socket, no clock.
//!
//! A count under callgrind is nearly the same in every run, whatever the machine is busy with, so a change that makes an
//! event dearer shows. `cargo xtask bench --instructions` runs this twice, with different counts, and divides the
//! difference: what comes before and after is in both. The events are signed and written out in both runs alike.
//!
//! Callgrind knows no SHA instructions, so digests are dear here and cheap on a real processor: they are about two thirds
//! of the count. It counts no system calls.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use hookhouse_core::{Arrival, Clock, Event, EventStore, Repeats, SystemClock};
use hookhouse_store_sqlite::{Options, SqliteStore};
use hookhouse_verify::{Headers, Key, Request, Secret, Verdict, Verifier, x};
use tokio::task::JoinSet;

use crate::load::{Events, Traffic};

/// Events that are prepared, whether they are needed or not.
const PREPARED: u32 = 3_000;

/// Events that are on their way at once, and become durable together.
const AT_ONCE: usize = 32;

/// Proves and stores so many events.
pub(crate) async fn run(count: u32) -> anyhow::Result<()> {
    let mut events = Events::of(Traffic::X)?;
    let requests = (0..PREPARED).map(|_| events.next()).collect::<anyhow::Result<Vec<_>>>()?;
    let place = match Path::new("/dev/shm") {
        // In memory where there is some: what a disk takes is not counted anyway.
        memory if memory.is_dir() => tempfile::tempdir_in(memory)?,
        _ => tempfile::tempdir()?,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut options = Options::new(place.path());
    options.seed = 0;
    let store = Arc::new(SqliteStore::open(options, Arc::clone(&clock))?);
    let key = Key::new("consumer_secret", Secret::new(Traffic::SECRET)?);
    let settings = x::Settings { consumer: vec![key], ..x::Settings::default() };
    let verifier = Verifier::X(x::Verifier::new(settings)?);
    let wanted = requests.get(..count as usize).context("more events than are prepared")?;
    for batch in wanted.chunks(AT_ONCE) {
        let mut appends = JoinSet::new();
        for request in batch {
            let event = prove(&verifier, request, &*clock)?;
            let store = Arc::clone(&store);
            appends.spawn(async move { store.append(event).await });
        }
        while let Some(receipt) = appends.join_next().await {
            receipt??;
        }
    }
    store.close().await;
    Ok(())
}

fn prove(
    verifier: &Verifier,
    request: &http::Request<bytes::Bytes>,
    clock: &dyn Clock,
) -> anyhow::Result<Event> {
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let received = Request {
        method: "POST".into(),
        target: request.uri().path().to_owned(),
        headers: Headers::from_pairs(headers)?,
        body: request.body().clone(),
    };
    let now = clock.now();
    match verifier.verify(received, now) {
        Verdict::Verified(verified) => Ok(Event::accept(
            verified,
            Arrival {
                source: "bench".parse()?,
                received_at: now,
                peer: Some([127, 0, 0, 1].into()),
                dedupe_window: Duration::from_secs(7 * 86_400),
                repeats: Repeats::Acknowledge,
            },
        )),
        other => bail!("an event that was signed a moment ago was not believed: {other:?}"),
    }
}
