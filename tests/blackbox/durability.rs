//! No acknowledged event is lost: the server is killed under load, again and again, and a ledger that the senders keep
//! is held against the store and the destination.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookhouse_testkit::blackbox::request;
use hookhouse_testkit::blackbox::{Connection, House, eventually};
use hookhouse_testkit::receiver::Receiver;
use hookhouse_verify::Secret;
use hookhouse_verify::x::sign_post;

const SECRET: &str = "consumer-secret-of-this-test-0001";
const KILLS: usize = 10;
const SENDERS: usize = 8;

/// What the senders know: everything they ever sent, and what was acknowledged.
#[derive(Default)]
struct Ledger {
    next: AtomicU64,
    sent: Mutex<BTreeSet<u64>>,
    acknowledged: Mutex<BTreeSet<u64>>,
}

fn config(receiver: SocketAddr) -> String {
    format!(
        r#"
[source.x]
provider = "x"
path = "/webhooks/twitter"
consumer_secret = {{ env = "SECRET" }}
deliver = ["app"]

[destination.app]
url = "http://{receiver}/hooks"
allow_loopback = true
retry = {{ schedule = ["100ms", "200ms", "1s", "1s", "1s"], jitter = 0.2 }}
"#
    )
}

/// Sends until told to stop, or until the server is gone.
fn send(ingress: SocketAddr, ledger: &Ledger, stop: &AtomicBool) {
    let secret = Secret::new(SECRET).expect("not empty");
    let Ok(mut connection) = Connection::open(ingress) else { return };
    while !stop.load(Ordering::Relaxed) {
        let number = ledger.next.fetch_add(1, Ordering::Relaxed);
        let body = format!(r#"{{"number":{number},"padding":"{}"}}"#, "x".repeat(1_000));
        let signature = sign_post(&secret, body.as_bytes());
        let headers = [("x-twitter-webhooks-signature", signature.as_str())];
        ledger.sent.lock().expect("nobody panics with it").insert(number);
        match connection.exchange(&request("POST", "/webhooks/twitter", &headers, body.as_bytes())) {
            Ok(answer) if answer.status == 200 => {
                ledger.acknowledged.lock().expect("nobody panics with it").insert(number);
            }
            // Overload is an answer; a connection that broke is the kill.
            Ok(answer) => assert_eq!(answer.status, 503),
            Err(_) => return,
        }
    }
}

fn number(body: &[u8]) -> u64 {
    let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    body["number"].as_u64().expect("a number")
}

#[test]
fn ten_kills_under_load_lose_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let ledger = Arc::new(Ledger::default());
    let mut house = House::start(&config(receiver.address()), &[("SECRET", SECRET)]);
    for round in 0..KILLS {
        let stop = Arc::new(AtomicBool::new(false));
        let before = ledger.acknowledged.lock().unwrap().len();
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (ledger, stop, ingress) = (Arc::clone(&ledger), Arc::clone(&stop), house.ingress);
                std::thread::spawn(move || send(ingress, &ledger, &stop))
            })
            .collect();
        // A different moment each round, but only once something was acknowledged in it.
        eventually("an acknowledgement", || {
            (ledger.acknowledged.lock().unwrap().len() > before + 100).then_some(())
        });
        std::thread::sleep(Duration::from_millis(37 * round as u64));
        house.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().unwrap();
        }
        house.run();
    }

    let sent = ledger.sent.lock().unwrap().clone();
    let acknowledged = ledger.acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() > KILLS * 100);

    let mut stored = BTreeMap::<u64, usize>::new();
    for event in house.events() {
        *stored.entry(number(event["body"].as_str().unwrap().as_bytes())).or_default() += 1;
    }
    let lost: Vec<_> = acknowledged.iter().filter(|n| !stored.contains_key(n)).collect();
    assert!(lost.is_empty(), "acknowledged and not stored: {lost:?}");
    let doubled: Vec<_> = stored.iter().filter(|(_, count)| **count != 1).collect();
    assert!(doubled.is_empty(), "stored more than once: {doubled:?}");
    let phantoms: Vec<_> = stored.keys().filter(|n| !sent.contains(n)).collect();
    assert!(phantoms.is_empty(), "stored and never sent: {phantoms:?}");

    let wanted: BTreeSet<u64> = stored.keys().copied().collect();
    eventually("every stored event at the destination", || {
        let arrived: BTreeSet<u64> =
            receiver.received().iter().map(|request| number(&request.body)).collect();
        wanted.is_subset(&arrived).then_some(())
    });
}

#[test]
fn sigterm_drains_and_a_stopped_servers_store_can_be_read() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let ledger = Arc::new(Ledger::default());
    let mut house = House::start(&config(receiver.address()), &[("SECRET", SECRET)]);
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (ledger, stop, ingress) = (Arc::clone(&ledger), Arc::clone(&stop), house.ingress);
            std::thread::spawn(move || send(ingress, &ledger, &stop))
        })
        .collect();
    eventually("acknowledgements", || (ledger.acknowledged.lock().unwrap().len() > 200).then_some(()));
    let status = house.stop();
    assert!(status.success(), "{status}");
    for sender in senders {
        sender.join().unwrap();
    }
    let stored: BTreeSet<u64> =
        house.events().iter().map(|event| number(event["body"].as_str().unwrap().as_bytes())).collect();
    let acknowledged = ledger.acknowledged.lock().unwrap().clone();
    assert!(acknowledged.is_subset(&stored));

    // And a command that needs a server says so.
    let (code, _, said) = house.tell(&["replay", "--since", "1h"]);
    assert_eq!(code, 6, "{said}");
}

#[test]
fn a_second_server_on_the_same_store_is_refused() {
    let house = House::start("[source.in]\nprovider = \"none\"\npath = \"/in\"\n", &[]);
    let (code, _, said) = house.tell(&["serve"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("another"), "{said}");
}
