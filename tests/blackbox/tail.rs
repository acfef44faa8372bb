//! `tail`, `events wait` and `contexts`: events as they come, from a server that goes and comes back.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use serde_json::Value;

const CONFIG: &str = "[source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\n\
    [source.github]\nprovider = \"github\"\npath = \"/github\"\nsecret = { env = \"SECRET\" }\n";
const SECRET: &str = "secret-of-the-one-who-follows-01";

fn house() -> House {
    House::start(CONFIG, &[("SECRET", SECRET)])
}

fn post(house: &House, path: &str, body: &str) -> u16 {
    send(house.ingress, &request("POST", path, &[], body.as_bytes())).status
}

/// An event of GitHub's, signed.
fn push(house: &House, body: &str) {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
    let tag = sign(&Key::new(HMAC_SHA256, SECRET.as_bytes()), body.as_bytes());
    let signature = format!("sha256={}", data_encoding::HEXLOWER.encode(tag.as_ref()));
    let headers = [
        ("x-hub-signature-256", signature.as_str()),
        ("x-github-event", "push"),
        ("x-github-delivery", body),
        ("content-type", "application/json"),
    ];
    assert_eq!(send(house.ingress, &request("POST", "/github", &headers, body.as_bytes())).status, 200);
}

/// `hookhouse tail` with its lines.
struct Tail {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Tail {
    fn start(house: &House, arguments: &[&str]) -> Self {
        let mut command = house.command(&["tail", "-o", "jsonl"]);
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (seen, stdout) = (Arc::clone(&lines), child.stdout.take().expect("stdout is piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("a JSON line");
                seen.lock().expect("nobody panics with it").push(line);
            }
        });
        eventually("a stream", || (house.api("status")["streams"].as_u64()? > 0).then_some(()));
        Self { child, lines }
    }

    fn lines(&self) -> Vec<Value> {
        self.lines.lock().expect("nobody panics with it").clone()
    }

    fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} lines"), || Some(self.lines()).filter(|lines| lines.len() >= count))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bodies(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["body"].as_str()).collect()
}

#[test]
fn events_are_followed_through_a_restart_and_none_is_missed() {
    let mut house = house();
    assert_eq!(post(&house, "/inbox", "before"), 200);
    let tail = Tail::start(&house, &["--bodies"]);
    assert_eq!(post(&house, "/inbox", "one"), 200);
    tail.wait_for(1);
    house.stop();
    house.run();
    assert_eq!(post(&house, "/inbox", "two"), 200);
    assert_eq!(post(&house, "/inbox", "three"), 200);
    let lines = tail.wait_for(3);
    assert_eq!(bodies(&lines), ["one", "two", "three"]);
    assert!(lines.iter().all(|line| line["kind"] == "event"), "{lines:?}");
}

#[test]
fn filters_refusals_and_those_that_were_there_before() {
    let house = house();
    for body in ["a", "b", "c"] {
        assert_eq!(post(&house, "/inbox", body), 200);
    }
    let all = Tail::start(&house, &["--bodies", "--refused", "-n", "2"]);
    let verified = Tail::start(&house, &["--verified", "--bodies"]);
    let unverified = Tail::start(&house, &["--unverified", "--bodies", "--source", "inbox"]);
    let pushed =
        Tail::start(&house, &["--type", "push", "--source", "github", "--source", "inbox", "--bodies"]);
    eventually("four streams", || (house.api("status")["streams"].as_u64()? == 4).then_some(()));
    assert_eq!(post(&house, "/github", "{}"), 403);
    push(&house, "{\"n\":1}");
    assert_eq!(post(&house, "/inbox", "d"), 200);
    let lines = all.wait_for(5);
    assert_eq!(bodies(&lines), ["b", "c", "{\"n\":1}", "d"]);
    let refused: Vec<_> = lines.iter().filter(|line| line["kind"] == "refusal").collect();
    assert!(refused.len() == 1 && refused[0]["source"] == "github", "{lines:?}");
    assert_eq!(bodies(&verified.wait_for(1)), ["{\"n\":1}"]);
    assert_eq!(bodies(&pushed.wait_for(1)), ["{\"n\":1}"]);
    assert_eq!(bodies(&unverified.wait_for(1)), ["d"]);
}

#[test]
fn a_test_waits_for_what_it_sent() {
    let house = house();
    let (code, out, err) = house.tell(&["events", "wait", "--source", "inbox", "--timeout", "200ms"]);
    assert_eq!((code, out.as_str()), (9, ""), "{err}");
    assert!(err.contains("0 of 1 events"), "{err}");
    assert_eq!(post(&house, "/inbox", "one"), 200);
    push(&house, "{\"n\":2}");
    // What came a moment ago counts where it is asked for.
    let found = house.ask(&["events", "wait", "--since", "10m", "--type", "push"]);
    assert_eq!(bodies(&found), ["{\"n\":2}"]);
    let (code, out, _) =
        house.tell(&["events", "wait", "--since", "10m", "-n", "3", "--timeout", "300ms", "-o", "jsonl"]);
    assert_eq!((code, out.lines().count()), (9, 2), "{out}");
    let waiting = std::thread::scope(|threads| {
        let waiting =
            threads.spawn(|| house.ask(&["events", "wait", "--source", "inbox", "--timeout", "60s"]));
        eventually("a stream", || (house.api("status")["streams"].as_u64()? > 0).then_some(()));
        assert_eq!(post(&house, "/inbox", "now"), 200);
        waiting.join().expect("it ends")
    });
    assert_eq!(bodies(&waiting), ["now"]);
}

#[test]
fn contexts_name_servers_elsewhere() {
    let house = house();
    assert_eq!(post(&house, "/inbox", "far away"), 200);
    let settings = house.folder().join("settings");
    let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
    let tell = |arguments: &[&str]| {
        let mut command = house.command(arguments);
        command
            .current_dir("/")
            .env("XDG_CONFIG_HOME", &settings)
            .env("FAR", token.trim())
            .env("NOT", "wrong");
        let output = command.output().expect("the binary starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!out.contains(token.trim()) && !err.contains(token.trim()), "{out}{err}");
        (output.status.code().unwrap_or(-1), out.into_owned(), err.into_owned())
    };
    let url = format!("http://{}", house.admin);
    assert_eq!(tell(&["contexts", "add", "far", "--url", &url, "--token-env", "FAR"]).0, 0);
    assert_eq!(tell(&["contexts", "add", "closed", "--url", &url, "--token-env", "NOT"]).0, 0);
    assert_eq!(tell(&["contexts", "add", "gone", "--url", "http://127.0.0.1:1", "--token-env", "FAR"]).0, 0);
    let (code, _, err) =
        tell(&["contexts", "add", "open", "--url", "http://10.0.0.1:4040", "--token-env", "FAR"]);
    assert!(code == 2 && err.contains("in the clear"), "{err}");
    let file = settings.join("hookhouse/contexts.toml");
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert!(!std::fs::read_to_string(&file).expect("it is ours").contains(token.trim()));

    let listed = |arguments: &[&str]| tell(arguments).1.lines().count();
    assert_eq!(listed(&["--context", "far", "events", "ls", "-o", "jsonl"]), 1);
    assert_eq!(tell(&["--context", "closed", "events", "ls"]).0, 5);
    assert_eq!(tell(&["--context", "gone", "events", "ls"]).0, 6);
    assert_eq!(tell(&["--context", "unknown", "events", "ls"]).0, 4);
    assert_eq!(tell(&["--context", "far", "trigger", "x"]).0, 2, "that needs the secrets of the server");
    assert_eq!(tell(&["contexts", "use", "far"]).0, 0);
    assert_eq!(listed(&["events", "export", "-o", "jsonl"]), 1);
    assert_eq!(listed(&["sources", "ls", "-o", "jsonl"]), 2);
    let (code, out, _) = tell(&["doctor", "-o", "jsonl"]);
    assert!(code == 0 && out.contains("takes events"), "{out}");
    let config = house.config_file().display().to_string();
    assert_eq!(tell(&["--context", "gone", "--config", &config, "events", "ls"]).0, 0, "--config wins");
    let (_, out, _) = tell(&["contexts", "ls", "-o", "jsonl"]);
    let current: Vec<bool> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["current"] == true)
        .collect();
    assert_eq!(current, [false, true, false], "closed, far, gone");
    assert_eq!(tell(&["contexts", "rm", "far"]).0, 0);
    assert_eq!(tell(&["contexts", "rm", "far"]).0, 4);
    assert_eq!(tell(&["events", "ls"]).0, 6, "nothing is in use any more");
}
