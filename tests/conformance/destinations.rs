//! Destinations: where events must not go, and what a bad one must not do to us.
//!
//! S02 (a name that resolves to something else the second time) needs a resolver that lies, so the delivery engine's own
//! tests drive it: `crates/delivery/tests/engine/ssrf.rs`.

use std::time::Duration;

use hookhouse_testkit::receiver::{Behaviour, Receiver};
use serde_json::Value;

use crate::{Case, Driver};
use hookhouse_testkit::blackbox::hookhouse;
use hookhouse_testkit::blackbox::{House, eventually};
use hookhouse_testkit::blackbox::{request, send};

pub(crate) const DRIVERS: &[(&str, Driver)] =
    &[("S01", s01), ("S03", s03), ("S04", s04), ("S05", s05), ("S06", s06)];

/// A house whose inbox delivers to receivers, each with this many quick retries.
struct Town {
    runtime: tokio::runtime::Runtime,
    receivers: Vec<Receiver>,
    house: House,
}

impl Town {
    fn build(receivers: usize, timeout: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let receivers: Vec<_> =
            (0..receivers).map(|_| runtime.block_on(Receiver::start()).expect("a port")).collect();
        let names: Vec<_> = (0..receivers.len()).map(|n| format!("\"d{n}\"")).collect();
        let mut config =
            format!("[source.in]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [{}]\n", names.join(", "));
        for (n, receiver) in receivers.iter().enumerate() {
            config += &format!(
                "[destination.d{n}]\nurl = \"http://{}/hooks\"\nallow_loopback = true\ntimeout = \"{timeout}\"\n\
                 concurrency = 2\nretry = {{ schedule = [\"50ms\", \"50ms\"], jitter = 0.0 }}\n",
                receiver.address()
            );
        }
        Self { house: House::start(&config, &[]), runtime, receivers }
    }

    fn send(&self, body: &str) {
        let answer = send(self.house.ingress, &request("POST", "/in", &[], body.as_bytes()));
        assert_eq!(answer.status, 200);
    }

    /// Waits until a destination has a delivery in this state.
    fn wait(&self, destination: &str, state: &str) -> Value {
        let path = format!("deliveries?destination={destination}&state={state}");
        eventually(&format!("a {state} delivery to {destination}"), || {
            self.house.api(&path)["data"].as_array()?.first().cloned()
        })
    }
}

fn s01(case: &Case) {
    let admin = "http://127.0.0.1:4040/";
    let urls = [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://127.0.0.1:9/",
        admin,
    ];
    for url in urls {
        // The admin port is denied even where loopback is allowed.
        let loopback = if url == admin { "allow_loopback = true\n" } else { "" };
        let config = format!(
            "[source.in]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
             [destination.app]\nurl = \"{url}\"\n{loopback}[admin]\nlisten = \"127.0.0.1:4040\"\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("hookhouse.toml"), config).expect("ours");
        let output = hookhouse().current_dir(folder.path()).arg("check").output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{url}: {said}");
        assert!(said.contains(&case.public), "{url}: {said}");
    }
}

fn s03(case: &Case) {
    assert_eq!(case.status, "failed attempt");
    let town = Town::build(2, "5s");
    let elsewhere = town.receivers[1].url("/elsewhere");
    for target in [elsewhere.as_str(), "http://169.254.169.254/", "file:///etc/passwd", "gopher://x/"] {
        town.receivers[0].next(Behaviour::status(302).header("location", target));
    }
    town.receivers[0].always(Behaviour::status(307).header("location", elsewhere));
    town.send("redirected");
    let dead = town.wait("d0", "dead");
    assert_eq!(dead["last_attempt"]["outcome"], "refused", "{dead}");
    town.runtime.block_on(town.receivers[1].wait_for(1));
    assert!(town.receivers[1].received().iter().all(|request| request.target == "/hooks"), "nobody followed");
}

fn s04(case: &Case) {
    assert_eq!(case.status, "failed attempt");
    let town = Town::build(3, "2s");
    town.receivers[0].always(Behaviour::Endless { status: 200 });
    town.receivers[1].always(Behaviour::Trickle { status: 200, every: Duration::from_millis(200) });
    let bomb = Behaviour::status(500).header("content-encoding", "gzip").body(&b"\x1f\x8b\x08bomb"[..]);
    town.receivers[2].always(bomb);
    town.send("answered at length");
    for destination in ["d0", "d1", "d2"] {
        let dead = town.wait(destination, "dead");
        assert_eq!(dead["attempts"], 3, "{dead}");
    }
    let asked = &town.receivers[2].received()[0];
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
}

fn s05(_: &Case) {
    let town = Town::build(3, "600s");
    town.receivers[0].always(Behaviour::Hang);
    for n in 0..100 {
        town.send(&format!("event {n}"));
    }
    for receiver in &town.receivers[1..] {
        assert_eq!(town.runtime.block_on(receiver.wait_for(100)).len(), 100);
    }
    // The one that hangs has its two attempts under way, and nothing of anybody else's.
    assert_eq!(town.receivers[0].received().len(), 2);
}

fn s06(case: &Case) {
    assert_eq!(case.status, "dead-lettered");
    let town = Town::build(1, "5s");
    town.receivers[0].decide(|request| Behaviour::status(if request.body == "poison" { 500 } else { 200 }));
    town.send("poison");
    for n in 0..20 {
        town.send(&format!("event {n}"));
    }
    let dead = town.wait("d0", "dead");
    assert_eq!((&dead["reason"], &dead["attempts"]), (&Value::from("exhausted"), &Value::from(3)), "{dead}");
    let arrived = eventually("the others", || {
        let others: Vec<_> =
            town.receivers[0].received().into_iter().filter(|r| r.body != "poison").collect();
        (others.len() == 20).then_some(others)
    });
    assert_eq!(arrived.len(), 20);
    // An operator retries it once it is cured.
    town.receivers[0].always(Behaviour::status(200));
    let id = dead["id"].as_str().expect("an id").to_owned();
    let (code, _, said) = town.house.tell(&["deliveries", "retry", &id]);
    assert_eq!(code, 0, "{said}");
    let cured = eventually("the cure", || {
        let delivered = town.house.api("deliveries?destination=d0&state=delivered&limit=100");
        delivered["data"].as_array()?.iter().find(|d| d["id"] == id.as_str()).cloned()
    });
    assert_eq!(cured["attempts"], 4);
}
