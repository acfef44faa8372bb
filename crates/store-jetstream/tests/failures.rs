//! Two gateways on three servers, under load, while servers and gateways are killed, frozen and cut off.
//!
//! What senders were told is kept must be there and be delivered; what nobody sent must not be; and what comes twice
//! must be the same event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookhouse_core::delivery::{Next, Settlement};
use hookhouse_core::store::{EventQuery, LeaseRequest, Order, Receipt};
use hookhouse_core::{
    Attempt, AttemptNumber, AttemptOutcome, Clock, EventId, EventStore, Lease, SystemClock,
};
use hookhouse_store_jetstream::{JetStreamStore, Options};
use hookhouse_testkit::nats::Cluster;
use hookhouse_testkit::store_contract::{Bed, Place, Settings, destination, wants};
use tokio::task::JoinSet;

/// `ROUNDS` says how often something is broken.
fn rounds() -> usize {
    std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// How many ways there are to break something; with three servers and two gateways each meets each.
const KINDS: usize = 5;
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Senders at each gateway.
const SENDERS: usize = 4;

/// What senders and the destination know.
#[derive(Debug, Default)]
struct Ledger {
    next: u32,
    /// What was sent, whether or not it was answered.
    sent: BTreeSet<u32>,
    /// What a sender was told is kept, and as which event.
    acknowledged: BTreeMap<u32, BTreeSet<EventId>>,
    /// What the destination got.
    delivered: BTreeMap<u32, BTreeSet<EventId>>,
}

type Shared = Arc<Mutex<Ledger>>;

/// A gateway: its store, its senders and its workers, which end with it.
struct Gateway {
    store: Arc<JetStreamStore>,
    senders: JoinSet<()>,
    workers: JoinSet<()>,
}

/// Nothing is opened here; it is the bed's way of making events that is wanted.
struct Nowhere;

#[async_trait::async_trait]
impl Place for Nowhere {
    async fn open(&self, _: Settings) -> Arc<dyn EventStore> {
        unreachable!("no rule runs here")
    }

    async fn crash(&self, _: Arc<dyn EventStore>) {}
}

impl Gateway {
    async fn start(cluster: &Cluster, bed: &Arc<Bed>, ledger: &Shared) -> Self {
        let options = Options {
            prefix: "failures".to_owned(),
            takeover: Duration::from_secs(2),
            ..Options::new(cluster.urls())
        };
        // A gateway that finds no quorum is started again, as its service manager would do.
        let store = loop {
            match JetStreamStore::open(options.clone(), Arc::new(SystemClock)).await {
                Ok(store) => match store.subscribe(&[wants("app", &["x"])]).await {
                    Ok(()) => break Arc::new(store),
                    Err(error) => eprintln!("a gateway starts again: {error}"),
                },
                Err(error) => eprintln!("a gateway starts again: {error}"),
            }
        };
        let (mut senders, mut workers) = (JoinSet::new(), JoinSet::new());
        for _ in 0..SENDERS {
            senders.spawn(send(Arc::clone(&store), Arc::clone(bed), Arc::clone(ledger)));
        }
        workers.spawn(deliver(Arc::clone(&store), Arc::clone(ledger)));
        Self { store, senders, workers }
    }

    /// Ends as its process would: in the middle of whatever it does.
    async fn crash(mut self) {
        self.senders.shutdown().await;
        self.workers.shutdown().await;
        drop(self.store);
    }
}

/// Sends one event after the other, each until it is answered.
async fn send(store: Arc<JetStreamStore>, bed: Arc<Bed>, ledger: Shared) {
    loop {
        let number = {
            let mut ledger = ledger.lock().expect("nobody panics with it");
            ledger.next += 1;
            let number = ledger.next;
            ledger.sent.insert(number);
            number
        };
        loop {
            let id = match store.append(bed.signed("x", number, WEEK)).await {
                Ok(Receipt::Stored { event, .. }) => event.id(),
                Ok(Receipt::Duplicate { of }) => of,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let mut ledger = ledger.lock().expect("nobody panics with it");
            ledger.acknowledged.entry(number).or_default().insert(id);
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The number in an event's body.
fn number(body: &[u8]) -> u32 {
    let text = std::str::from_utf8(body).expect("the senders send text");
    let digits = text.split("\"id_str\":\"").nth(1).and_then(|rest| rest.split('"').next());
    digits.and_then(|digits| digits.parse().ok()).expect("the senders send numbers")
}

/// Delivers, and fails the first try of every fifth event.
async fn deliver(store: Arc<JetStreamStore>, ledger: Shared) {
    let request = LeaseRequest {
        destination: destination("app"),
        max: 16,
        wait: Duration::from_millis(500),
        hold: Duration::from_secs(20),
    };
    loop {
        let Ok(leases) = store.lease(&request).await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let settlements: Vec<_> = leases.iter().map(|lease| outcome(lease, &ledger)).collect();
        // Told again while the leases last, as the engine does.
        for _ in 0..10 {
            if store.settle(settlements.clone()).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn outcome(lease: &Lease, ledger: &Shared) -> Settlement {
    let number = number(lease.event.body());
    let fails = number.is_multiple_of(5) && lease.attempt == AttemptNumber(1);
    let outcome = if fails {
        AttemptOutcome::Failed { error: "not yet".to_owned() }
    } else {
        let mut ledger = ledger.lock().expect("nobody panics with it");
        ledger.delivered.entry(number).or_default().insert(lease.event.id());
        AttemptOutcome::Delivered { status: 200 }
    };
    let now = SystemClock.now();
    let attempt = Attempt {
        delivery: lease.delivery.clone(),
        number: lease.attempt,
        started_at: now,
        duration_ms: 1,
        outcome,
    };
    let next = if fails { Next::RetryAt(now) } else { Next::Done };
    Settlement { delivery: lease.delivery.clone(), token: lease.token, attempt: Some(attempt), next }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::start(3, "");
    let bed = Arc::new(Bed::new(Nowhere));
    bed.settings.clock.set(SystemClock.now());
    let ledger = Shared::default();
    let mut gateways = Vec::new();
    for _ in 0..2 {
        gateways.push(Gateway::start(&cluster, &bed, &ledger).await);
    }
    for round in 0..rounds() {
        let (server, gateway) = (round % 3, round % 2);
        let before = ledger.lock().expect("nobody panics with it").acknowledged.len();
        match round % KINDS {
            0 => cluster.kill(server),
            1 => cluster.freeze(server, true),
            2 => {
                gateways.remove(gateway).crash().await;
                gateways.push(Gateway::start(&cluster, &bed, &ledger).await);
            }
            3 => cluster.isolate(server, true),
            _ => {
                cluster.kill(server);
                gateways.remove(gateway).crash().await;
            }
        }
        // Two of three are enough: senders are answered while one is away.
        eventually("senders are answered", || {
            ledger.lock().expect("nobody panics with it").acknowledged.len() > before + 20
        })
        .await;
        match round % KINDS {
            0 => cluster.run(server),
            1 => cluster.freeze(server, false),
            2 => {}
            3 => cluster.isolate(server, false),
            _ => {
                gateways.push(Gateway::start(&cluster, &bed, &ledger).await);
                cluster.run(server);
            }
        }
        cluster.wait_until_ready(server);
        println!("round {round}: {before} acknowledged before it");
    }

    // Nobody sends any more; what is left is delivered. Whoever delivers goes on: a process that breaks off in the middle of a
    // settlement is gone altogether.
    for gateway in &mut gateways {
        gateway.senders.shutdown().await;
    }
    eventually("everything acknowledged is delivered", || {
        let ledger = ledger.lock().expect("nobody panics with it");
        ledger.acknowledged.keys().all(|number| ledger.delivered.contains_key(number))
    })
    .await;

    let mut stored = BTreeMap::<u32, BTreeSet<EventId>>::new();
    let mut query = EventQuery { order: Order::OldestFirst, limit: 500, ..EventQuery::default() };
    loop {
        let page = gateways[0].store.events(&query).await.expect("the cluster is whole again");
        for event in page.items {
            stored.entry(number(event.body())).or_default().insert(event.id());
        }
        let Some(next) = page.next else { break };
        query.cursor = Some(next);
    }
    let ledger = ledger.lock().expect("nobody panics with it");
    println!(
        "{} sent, {} acknowledged, {} stored, {} delivered",
        ledger.sent.len(),
        ledger.acknowledged.len(),
        stored.len(),
        ledger.delivered.len()
    );
    let twice: Vec<_> = stored.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(twice.is_empty(), "one event has one id: {twice:?}");
    let lost: Vec<_> =
        ledger.acknowledged.iter().filter(|(number, ids)| stored.get(number) != Some(ids)).collect();
    assert!(lost.is_empty(), "what was acknowledged is there, as what it was acknowledged: {lost:?}");
    let phantoms: Vec<_> = stored.keys().filter(|number| !ledger.sent.contains(number)).collect();
    assert!(phantoms.is_empty(), "nothing is there that nobody sent: {phantoms:?}");
    let strange: Vec<_> =
        ledger.delivered.iter().filter(|(number, ids)| stored.get(number) != Some(ids)).collect();
    assert!(strange.is_empty(), "what comes twice is the same event: {strange:?}");
}

/// The server goes on to talk to its clients, and knows of nobody else: whoever stays with it waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_server_is_cut_off_goes_to_another_one() {
    let cluster = Cluster::start(3, "");
    let bed = Bed::new(Nowhere);
    bed.settings.clock.set(SystemClock.now());
    let options = Options {
        prefix: "alone".to_owned(),
        takeover: Duration::from_secs(2),
        patience: Duration::from_secs(2),
        // The others are learnt from this one.
        ..Options::new(cluster.urls()[..1].to_vec())
    };
    let store = JetStreamStore::open(options, Arc::new(SystemClock)).await.expect("the cluster is whole");
    assert!(matches!(store.append(bed.signed("x", 1, WEEK)).await, Ok(Receipt::Stored { .. })));
    cluster.isolate(0, true);
    let until = tokio::time::Instant::now() + Duration::from_secs(120);
    while store.append(bed.signed("x", 2, WEEK)).await.is_err() {
        assert!(tokio::time::Instant::now() < until, "it stays where it is");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(120), wait).await.is_ok(), "in vain: {what}");
}
