//! A store in which a million events wait: how soon a server that was killed takes events again, and delivers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use hookhouse_core::store::Subscription;
use hookhouse_core::{Arrival, Clock, Event, EventStore, Repeats, Request, SystemClock};
use hookhouse_store_sqlite::{Options, SqliteStore};
use hookhouse_verify::Headers;
use hookhouse_verify::danger::Unsigned;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::campaign::Campaign;
use crate::http::{Connection, signed};
use crate::latency::{Asks, Client, Waits};
use crate::server::{self, PATIENCE};

/// A server whose store has a backlog.
#[derive(Debug)]
pub struct Backlog {
    campaign: Campaign,
    /// Events that wait.
    pub pending: u64,
}

/// How soon it is back.
#[derive(Debug)]
pub struct Restarts {
    /// From the start of the process to the first acknowledgement.
    pub accepting: Waits,
    /// From the start of the process to the first delivery.
    pub delivering: Waits,
}

/// Tasks that append: as many events are in one commit, about.
const TASKS: u64 = 512;

impl Backlog {
    /// Fills a store.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn fill(binary: &Path, pending: u64, seed: u64) -> anyhow::Result<Self> {
        let campaign = Campaign::new(binary, None, seed)?;
        let mut setup = campaign.setup();
        setup.listen = Some(server::free_address()?);
        campaign.server.configure(&setup)?;
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(fill(campaign.server.store(), pending))?;
        Ok(Self { campaign, pending })
    }

    /// Kills and starts it so many times, and measures.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn restart(&mut self, times: u32) -> anyhow::Result<Restarts> {
        let (mut accepting, mut delivering) = (Vec::new(), Vec::new());
        let server = &mut self.campaign.server;
        let address = {
            server.start()?;
            server.ingress
        };
        for _ in 0..times {
            server.kill();
            let before = self.campaign.application.requests();
            let (number, body) = self.campaign.ledger.next();
            let request = signed(&body);
            let began = Instant::now();
            server.spawn()?;
            accepting.push(first(address, &request, began).with_context(|| format!("event {number}"))?);
            while self.campaign.application.requests() == before {
                ensure!(began.elapsed() < PATIENCE, "nothing is delivered:\n{}", server.last_words());
                std::thread::sleep(Duration::from_micros(500));
            }
            delivering.push(began.elapsed());
            // A server that is killed while it starts is another measurement.
            ensure!(eventually(|| server.finds_itself()), "the server does not say where it is");
        }
        Ok(Restarts { accepting: Waits::of(accepting), delivering: Waits::of(delivering) })
    }

    /// Asks the running server for answers to challenges.
    ///
    /// # Errors
    /// When it does not start.
    pub fn challenges(&mut self, length: Duration) -> anyhow::Result<Waits> {
        if self.campaign.server.pid().is_err() {
            self.campaign.server.start()?;
        }
        Client::run(self.campaign.server.ingress, Asks::Challenges, length)
    }
}

/// Tries until an event is acknowledged.
fn first(address: SocketAddr, request: &[u8], began: Instant) -> anyhow::Result<Duration> {
    loop {
        if let Ok(answer) = Connection::open(address).and_then(|mut connection| connection.exchange(request))
            && answer.status == 200
        {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < PATIENCE, "nothing is acknowledged");
        std::thread::sleep(Duration::from_micros(500));
    }
}

fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

async fn fill(folder: &Path, pending: u64) -> anyhow::Result<()> {
    let store = Arc::new(SqliteStore::open(Options::new(folder), Arc::new(SystemClock))?);
    store.subscribe(&[Subscription { destination: "app".parse()?, sources: vec!["x".parse()?] }]).await?;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        let share = pending / TASKS + u64::from(task < pending % TASKS);
        tasks.spawn(async move {
            for number in 0..share {
                store.append(event(task, number)?).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    store.close().await;
    Ok(())
}

fn event(task: u64, number: u64) -> anyhow::Result<Event> {
    let body = format!(r#"{{"backlog":{task},"number":{number},"text":"{}"}}"#, "x".repeat(120));
    let request = Request {
        method: "POST".into(),
        target: crate::server::PATH.to_owned(),
        headers: Headers::from_pairs([("content-type", b"application/json".as_slice())])?,
        body: Bytes::from(body),
    };
    let arrival = Arrival {
        source: "x".parse()?,
        received_at: SystemClock.now(),
        peer: None,
        dedupe_window: Duration::ZERO,
        repeats: Repeats::Acknowledge,
    };
    Ok(Event::accept(Unsigned::accept(request), arrival))
}
