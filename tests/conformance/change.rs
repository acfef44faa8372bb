//! Reloads and restarts under load.

use std::path::PathBuf;
use std::time::Duration;

use hookhouse_soak::campaign::{Budget, Campaign};
use hookhouse_soak::change::{self, Change};
use hookhouse_soak::server::SECRET as SOAK_SECRET;
use hookhouse_soak::traffic;
use hookhouse_testkit::blackbox::{House, Traffic, eventually, hookhouse, request};
use hookhouse_testkit::receiver::Behaviour;
use hookhouse_verify::x::sign_post;

use crate::x::{CONFIG, PATH, SECRET, SIGNATURE, VARIABLES, secret};
use crate::{Case, Driver};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[("D05", d05), ("D06", d06)];

/// Signed events, each another one, from a few connections at once.
fn events(house: &House) -> Traffic {
    Traffic::begin(house.ingress, 4, Duration::from_millis(2), |number| {
        let body = format!(r#"{{"for_user_id":"1","number":{number}}}"#);
        let signature = sign_post(&secret(SECRET), body.as_bytes());
        request("POST", PATH, &[(SIGNATURE, &signature)], body.as_bytes())
    })
}

/// Challenges, from a connection of their own.
fn challenges(house: &House) -> Traffic {
    Traffic::begin(house.ingress, 1, Duration::from_millis(5), |number| {
        let target = format!("{PATH}?crc_token=token-of-this-test-{number:06}&nonce=MTc5NTMxODk2NjEyMw");
        request("GET", &target, &[], b"")
    })
}

/// Every event that was acknowledged is stored, once.
fn all_stored(house: &House, acknowledged: &[u64]) {
    let number = |event: &serde_json::Value| {
        let body: serde_json::Value = serde_json::from_str(event["body"].as_str()?).ok()?;
        body["number"].as_u64()
    };
    let mut stored: Vec<_> = house.events().iter().filter_map(number).collect();
    let mut acknowledged = acknowledged.to_vec();
    stored.sort_unstable();
    acknowledged.sort_unstable();
    assert_eq!(stored, acknowledged);
}

const RELOADS: usize = 40;

fn d05(case: &Case) {
    let house = House::start(CONFIG, VARIABLES);
    let (events, challenges) = (events(&house), challenges(&house));
    events.answered(50);
    for round in 0..RELOADS {
        // Another endpoint comes and goes beside those that are used; every other file is no good.
        let extra = format!("{CONFIG}[source.extra]\nprovider = \"none\"\npath = \"/extra/{round}\"\n");
        house.configure(&match round % 4 {
            0 => extra,
            1 => format!("{CONFIG}pathh = \"/x\"\n"),
            2 => CONFIG.to_owned(),
            _ => CONFIG.replace("\"SECRET\"", "\"NOT_SET\""),
        });
        let (code, out, err) = house.reload();
        let bad = round % 2 == 1;
        assert_eq!(code, if bad { 3 } else { 0 }, "{round}: {out}{err}");
        events.answered(5);
    }
    let (events, challenges) = (events.end(), challenges.end());
    events.assert_all_good();
    challenges.assert_all_good();
    let rejected = |line: &String| line.contains(&format!("\"event\":\"{}\"", case.code()));
    eventually("the lines in the log", || {
        (house.log().iter().filter(|line| rejected(line)).count() == RELOADS / 2).then_some(())
    });
    let level = house.log().into_iter().find(rejected).expect("it was just seen");
    assert!(level.contains("\"level\":\"ERROR\""), "{level}");
    all_stored(&house, &events.acknowledged);
    harness(Change::Configuration);
    harness(Change::Secret);
}

/// A few rounds of what `cargo xtask soak` does fifty times, at a rate that a busy machine keeps up with.
fn harness(change: Change) {
    let seed = rand::random();
    let seen = change::run(&binary(), change, 320, &Budget::times(4), seed);
    let seen = seen.unwrap_or_else(|error| panic!("{change:?}, seed {seed}: {error:#}"));
    assert_eq!((seen.rounds, &seen.tally.failures), (4, &Vec::new()), "{change:?}, seed {seed}");
    assert!(seen.findings.is_clean(), "{change:?}, seed {seed}: {}", seen.findings);
    assert_eq!(seen.tally.waits.count(), seen.findings.acknowledged);
}

fn binary() -> PathBuf {
    PathBuf::from(hookhouse().get_program())
}

const RESTARTS: usize = 3;

fn d06(case: &Case) {
    let receiver = Receiver::slow();
    let config = format!(
        "{CONFIG}\n[destination.app]\nurl = \"http://{}/\"\nallow_loopback = true\n",
        receiver.address
    )
    .replace("path = \"/webhooks/twitter\"", "path = \"/webhooks/twitter\"\ndeliver = [\"app\"]");
    let mut house = House::start(&config, VARIABLES);
    let (events, challenges) = (events(&house), challenges(&house));
    events.answered(50);
    for _ in 0..RESTARTS {
        let before = house.pid();
        assert!(house.take_over().success(), "the former server ends well");
        assert_ne!(house.pid(), before);
        events.answered(50);
        challenges.answered(10);
    }
    let (events, challenges) = (events.end(), challenges.end());
    events.assert_all_good();
    challenges.assert_all_good();
    let drained = |line: &&String| line.contains(&format!("\"event\":\"{}\"", case.code()));
    let drained: Vec<_> = house.log().into_iter().filter(|line| drained(&line)).collect();
    assert_eq!(drained.len(), RESTARTS);
    assert!(drained.iter().all(|line| line.contains("\"level\":\"INFO\"")), "{drained:?}");
    all_stored(&house, &events.acknowledged);
    harness(Change::Process);
    a_restart_that_hands_nothing_over_fails_requests();
}

/// The same senders see it when the server is only stopped and started: a harness that cannot find a failure shows nothing.
fn a_restart_that_hands_nothing_over_fails_requests() {
    let mut campaign = Campaign::new(&binary(), None, rand::random()).expect("a campaign");
    campaign.server.start().unwrap_or_else(|error| panic!("{error:#}"));
    let traffic = traffic::Traffic::start(campaign.server.ingress, &campaign.ledger, 100, SOAK_SECRET);
    traffic.go_on(2).expect("answers");
    campaign.server.stop().unwrap_or_else(|error| panic!("{error:#}"));
    // It ends as soon as there is a failure.
    traffic.go_on(100_000).expect("a failure");
    assert!(!traffic.end().expect("a tally").failures.is_empty());
}

/// An application whose every answer takes a moment, so that deliveries are under way at any time.
struct Receiver {
    address: std::net::SocketAddr,
    _runtime: tokio::runtime::Runtime,
    _receiver: hookhouse_testkit::receiver::Receiver,
}

impl Receiver {
    fn slow() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let receiver = runtime.block_on(hookhouse_testkit::receiver::Receiver::start()).expect("a port");
        receiver.always(Behaviour::status(200).after(Duration::from_millis(200)));
        Self { address: receiver.address(), _runtime: runtime, _receiver: receiver }
    }
}
