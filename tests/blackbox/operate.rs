//! The commands that steer a server: holding a destination, calling deliveries off, replays as jobs; and `dev` for
//! programs.

use hookhouse_testkit::blackbox::{House, eventually, hookhouse, request, send};
use hookhouse_testkit::receiver::{Behaviour, Receiver};
use serde_json::Value;

struct Place {
    house: House,
    application: Receiver,
    runtime: tokio::runtime::Runtime,
}

impl Place {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let application = runtime.block_on(Receiver::start()).expect("a port");
        application.always(Behaviour::status(200));
        let config = format!(
            "[source.in]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
             [source.kept]\nprovider = \"none\"\npath = \"/kept\"\n\
             [destination.app]\nurl = \"{}\"\nallow_loopback = true\n",
            application.url("/")
        );
        Self { house: House::start(&config, &[]), application, runtime }
    }

    fn post(&self, path: &str, body: &str) {
        assert_eq!(send(self.house.ingress, &request("POST", path, &[], body.as_bytes())).status, 200);
    }

    fn wait_for(&self, count: usize) {
        self.runtime.block_on(self.application.wait_for(count));
    }
}

#[test]
fn a_destination_is_held_a_delivery_called_off_and_taken_back() {
    let place = Place::new();
    let held = place.house.ask(&["destinations", "pause", "app"]);
    assert_eq!(held[0]["paused"], true);
    place.post("/in", "one");
    let pending =
        eventually("a delivery", || place.house.ask(&["deliveries", "ls", "--state", "pending"]).pop());
    let id = pending["id"].as_str().expect("an id").to_owned();
    assert_eq!(place.house.tell(&["deliveries", "cancel", &id]).0, 0);
    assert_eq!(place.house.ask(&["deliveries", "ls", "--state", "cancelled"]).len(), 1);
    let (code, _, said) = place.house.tell(&["deliveries", "cancel", &id]);
    assert!(code == 1 && said.contains("cancelled"), "{said}");
    assert_eq!(place.house.ask(&["destinations", "resume", "app"])[0]["paused"], false);
    place.post("/in", "two");
    place.wait_for(1);
    assert_eq!(&place.application.received()[0].body[..], b"two", "the other one was called off");
    assert_eq!(place.house.tell(&["deliveries", "retry", &id]).0, 0);
    place.wait_for(2);
    assert_eq!(place.house.tell(&["destinations", "pause", "nobody"]).0, 4);
    assert_eq!(place.house.ask(&["destinations", "ls"])[0]["destination"], "app");
    assert_eq!(place.house.ask(&["sources", "get", "in"])[0]["path"], "/in");
    assert_eq!(place.house.tell(&["sources", "get", "nobody"]).0, 4);
}

#[test]
fn a_replay_by_filter_is_a_job_that_is_followed_to_its_end() {
    let place = Place::new();
    for n in 0..5 {
        place.post("/in", &n.to_string());
    }
    place.wait_for(5);
    assert_eq!(place.house.ask(&["replay", "--since", "1h", "--dry-run"])[0]["events"], 5);
    let job = &place.house.ask(&["replay", "--since", "1h"])[0];
    assert_eq!((&job["state"], &job["deliveries"]), (&"done".into(), &5.into()), "{job}");
    place.wait_for(10);
    // One that delivers nowhere is not replayed, and that is part of the answer.
    place.post("/kept", "kept");
    let (code, out, _) = place.house.tell(&["replay", "--since", "1h", "--rate", "1000", "-o", "jsonl"]);
    let job: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &job["deliveries"], &job["skipped"]), (8, &5.into(), &1.into()), "{job}");
    let slow = &place.house.ask(&["replay", "--since", "1h", "--rate", "1", "--detach"])[0];
    let id = slow["id"].as_str().expect("an id");
    assert_eq!(place.house.ask(&["replay", "--cancel", id])[0]["state"], "cancelled");
    let (code, _, said) = place.house.tell(&["replay", "--cancel", id]);
    assert!(code == 1 && said.contains("ended"), "{said}");
    assert_eq!(place.house.tell(&["replay"]).0, 2);
}

#[test]
fn dev_prints_lines_for_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = hookhouse()
        .current_dir(folder.path())
        .args(["dev", "--demo", "--exit", "--port", "0", "--admin-port", "0", "-o", "jsonl"])
        .output()
        .expect("the binary starts");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{out}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    assert_eq!((of("event").len(), of("attempt").len()), (3, 3), "{out}");
    assert!(of("handshake").iter().any(|line| line["handshake"] == "crc"), "{out}");
    assert!(
        of("attempt").iter().all(|line| line["next"] == "done" && line["outcome"] == "delivered"),
        "{out}"
    );
}

#[test]
fn shells_and_manuals_know_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let output = hookhouse().args(["completions", shell]).output().expect("the binary starts");
        let script = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(script.contains("doctor") && script.contains("forward-to"), "{shell}: {script}");
    }
    let pages = folder.path().join("man1");
    let status = hookhouse().args(["man", "--dir"]).arg(&pages).status().expect("the binary starts");
    assert!(status.success() && pages.join("hookhouse-listen.1").is_file());
}
