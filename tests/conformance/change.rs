//! Reloads and restarts under load.

use std::time::Duration;

use hookhouse_testkit::blackbox::{House, Traffic, eventually, request};
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
