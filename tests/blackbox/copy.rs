//! `db copy`: from the embedded store to a cluster, through an interruption.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use hookhouse_testkit::blackbox::{House, Traffic, eventually, request, send};
use hookhouse_testkit::nats::Cluster;
use hookhouse_testkit::receiver::{Behaviour, Receiver};
use serde_json::Value;
use tokio::runtime::Runtime;

const EVENTS: u64 = 1_500;
const FEW: usize = 20;

/// The sources and destinations: one that takes everything, one that says never, one that says later, one that is held.
fn routes(receivers: &[Receiver]) -> String {
    let mut text = String::from(
        "[source.in]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
         [source.few]\nprovider = \"none\"\npath = \"/few\"\ndeliver = [\"gone\", \"later\", \"held\"]\n",
    );
    for (name, receiver) in NAMES.iter().zip(receivers) {
        text += &format!(
            "[destination.{name}]\nurl = \"http://{}/\"\nallow_loopback = true\nretry = {{ schedule = [\"12h\"] }}\n",
            receiver.address()
        );
    }
    text
}

const NAMES: [&str; 4] = ["app", "gone", "later", "held"];

fn count(house: &House, state: &str) -> usize {
    house.ask(&["deliveries", "ls", "--state", state, "--limit", "1000"]).len()
}

fn bodies(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["body"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn a_copy_that_is_killed_goes_on_and_nothing_is_lost_or_delivered_again() {
    let runtime = Runtime::new().unwrap();
    let receivers = NAMES.map(|_| runtime.block_on(Receiver::start()).unwrap());
    let [app, gone, later, held] = &receivers;
    gone.always(Behaviour::status(410));
    later.always(Behaviour::status(503));
    let routes = routes(&receivers);
    let mut house = House::start(&format!("{routes}[store]\npath = \"store\"\n"), &[]);
    assert_eq!(house.tell(&["destinations", "pause", "held"]).0, 0);
    for n in 0..FEW {
        let event = request("POST", "/few", &[], format!("few {n}").as_bytes());
        assert_eq!(send(house.ingress, &event).status, 200);
    }
    let traffic = Traffic::begin(house.ingress, 8, Duration::ZERO, |n| {
        request("POST", "/in", &[], format!("in {n}").as_bytes())
    });
    traffic.answered(EVENTS);
    let sent = traffic.end().good();
    // A circuit opens after five failures: some wait, and the others are owed, too.
    eventually("everything is delivered", || (app.received().len() as u64 == sent).then_some(()));
    eventually("some were given up, some wait", || {
        (count(&house, "dead") == FEW && count(&house, "waiting") > 0).then_some(())
    });
    assert!(house.stop().success());
    let before = bodies(&house.events());
    let waiting = count(&house, "waiting");
    assert_eq!(before.len() as u64, sent + FEW as u64);
    let seen = (gone.received().len(), later.received().len());

    let cluster = Cluster::start(1, "");
    let there = format!(
        "[store]\npath = \"there\"\nurl = {:?}\nmonitor = {:?}\nreplicas = 1\nretention = {{ size = \"256MB\" }}\n{routes}",
        cluster.urls(),
        cluster.monitors()
    );
    house.configure(&there);
    let copy = ["db", "copy", "--from", "store", "--config", "hookhouse.toml"];
    let stored = || cluster.ask(0, "/jsz")?["messages"].as_u64();
    let mut first =
        house.command(&copy).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    // About half of it: there is a try for each event.
    eventually("a part is copied", || stored().filter(|stored| *stored > EVENTS));
    first.kill().expect("it is our child");
    let ended = first.wait().expect("it is our child");
    assert!(ended.code().is_none(), "it was killed in the middle: {ended}");

    let mut again: Vec<&str> = copy.to_vec();
    again.extend(["-o", "json"]);
    let (code, out, err) = house.tell(&again);
    assert_eq!(code, 0, "{err}");
    let copied: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(copied["events"], before.len());
    let resumed = copied["resumed"].as_u64().expect("a number");
    assert!(resumed > 0 && resumed < before.len() as u64, "{copied}");
    assert_eq!(
        (&copied["deliveries"]["dead"], &copied["deliveries"]["waiting"]),
        (&FEW.into(), &waiting.into())
    );
    let (code, again, _) = house.tell(&again);
    assert_eq!(
        (code, serde_json::from_str::<Value>(&again).expect("JSON")["events"].clone()),
        (0, before.len().into())
    );

    // The gateway has everything, and delivers what was owed and nothing else.
    let config = there.replace("path = \"there\"", "path = \"store\"");
    std::fs::rename(house.store(), house.folder().join("old")).expect("it is ours");
    later.always(Behaviour::status(200));
    house.configure(&config);
    house.run();
    let after = house.events();
    assert_eq!((after.len(), bodies(&after)), (before.len(), before));
    assert_eq!((count(&house, "dead"), count(&house, "waiting")), (FEW, waiting));
    assert_eq!(held.received().len(), 0, "what was held is held");
    assert_eq!(house.tell(&["destinations", "resume", "held"]).0, 0);
    eventually("what was held is delivered", || (held.received().len() == FEW).then_some(()));
    let waiting = house.ask(&["deliveries", "ls", "--state", "waiting"]);
    let ids = waiting.iter().map(|delivery| delivery["id"].as_str().expect("an id"));
    let (code, _, err) = house.tell(&["deliveries", "retry"].into_iter().chain(ids).collect::<Vec<_>>());
    assert_eq!(code, 0, "{err}");
    eventually("what waited is delivered", || (later.received().len() >= seen.1 + FEW).then_some(()));
    assert_eq!(send(house.ingress, &request("POST", "/in", &[], b"new")).status, 200);
    eventually("what is new is delivered", || (app.received().len() as u64 == sent + 1).then_some(()));
    assert_eq!(gone.received().len(), seen.0, "what was given up stays so");

    // Where a gateway runs or other events are, nothing is copied.
    let (code, _, err) = house.tell(&["db", "copy", "--from", "old", "--config", "hookhouse.toml"]);
    assert!(code != 0 && err.contains("a gateway runs on the cluster"), "{err}");
}
