//! What a newcomer does: `dev`, and what the public samples do with it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use hookhouse_testkit::blackbox::eventually;
use hookhouse_testkit::blackbox::hookhouse;
use hookhouse_testkit::blackbox::{request, send};
use hookhouse_verify::Secret;
use hookhouse_verify::x::{crc_response, sign_post};
use tempfile::TempDir;

const SECRET: &str = "any-old-consumer-secret";

/// `hookhouse dev` in a folder of its own.
struct Dev {
    folder: TempDir,
    child: Child,
    out: Arc<Mutex<Vec<String>>>,
    ingress: SocketAddr,
}

impl Dev {
    fn start(variable: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = hookhouse();
        command.current_dir(folder.path()).arg("dev").args(arguments).env(variable, SECRET);
        // Any free ports: tests run side by side.
        command.args(["--port", "0", "--admin-port", "0", "--x-port", "0"]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let out = Arc::new(Mutex::new(Vec::new()));
        let (lines, stdout) = (Arc::clone(&out), child.stdout.take().expect("stdout is piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                lines.lock().expect("nobody panics with it").push(line);
            }
        });
        let runtime = folder.path().join(".hookhouse/runtime.json");
        let ingress = eventually("runtime.json", || {
            let runtime: serde_json::Value = serde_json::from_slice(&std::fs::read(&runtime).ok()?).ok()?;
            runtime["ingress"][0].as_str()?.parse().ok()
        });
        Self { folder, child, out, ingress }
    }

    /// Waits for a line that has all of these words.
    fn prints(&self, words: &[&str]) -> String {
        eventually(&format!("a line with {words:?}"), || {
            let lines = self.out.lock().expect("nobody panics with it");
            lines.iter().find(|line| words.iter().all(|word| line.contains(word))).cloned()
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hookhouse();
        command.current_dir(self.folder.path()).args(arguments).env("CONSUMER_SECRET", SECRET);
        command
    }

    fn tell(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output().expect("the binary starts");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_samples_challenge_is_answered_on_both_paths_and_with_both_variables() {
    for variable in ["CONSUMER_SECRET", "TWITTER_CONSUMER_SECRET"] {
        let dev = Dev::start(variable, &[]);
        let expected = crc_response(&Secret::new(SECRET).unwrap(), "foo").unwrap();
        for path in ["/webhooks", "/webhooks/twitter"] {
            let answer = send(dev.ingress, &request("GET", &format!("{path}?crc_token=foo"), &[], b""));
            assert_eq!((answer.status, answer.text()), (200, expected.as_str()));
            let missing = send(dev.ingress, &request("GET", path, &[], b""));
            assert_eq!((missing.status, missing.error().as_deref()), (400, Some("bad_request")));
            let wrong = send(dev.ingress, &request("DELETE", path, &[], b""));
            assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, POST")));
        }
        dev.prints(&["crc", "answered", "consumer_secret"]);
        dev.prints(&["405", "DELETE /webhooks", "methods"]);
    }
}

#[test]
fn a_signed_post_is_acknowledged_and_printed_and_so_is_a_refused_one() {
    let dev = Dev::start("CONSUMER_SECRET", &["--bodies"]);
    let body = br#"{"for_user_id":"1","tweet_create_events":[{"id":2080761269309813134}]}"#;
    let signature = sign_post(&Secret::new(SECRET).unwrap(), body);
    let signed = [("x-twitter-webhooks-signature", signature.as_str())];
    let answer = send(dev.ingress, &request("POST", "/webhooks/twitter", &signed, body));
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    dev.prints(&["tweet_create_events", "verified"]);
    dev.prints(&["      \"id\": 2080761269309813134"]);

    let refused =
        send(dev.ingress, &request("POST", "/webhooks/twitter", &signed, b"{\"forged\":\"words\"}"));
    assert_eq!((refused.status, refused.error().as_deref()), (403, Some("forbidden")));
    dev.prints(&["403", "/webhooks/twitter", "does not match"]);
    dev.prints(&["\"forged\": \"words\""]);
}

#[test]
fn the_inbox_takes_anything_and_shows_what_is_not_json() {
    let dev = Dev::start("CONSUMER_SECRET", &["--bodies"]);
    for method in ["POST", "PUT", "GET"] {
        let answer = send(dev.ingress, &request(method, "/webhooks/inbox", &[], b"plain words, no JSON"));
        assert_eq!(answer.status, 200);
    }
    dev.prints(&["not verified"]);
    dev.prints(&["plain words, no JSON"]);
}

#[test]
fn triggered_events_pass_and_tampered_ones_do_not() {
    let dev = Dev::start("CONSUMER_SECRET", &[]);
    for (provider, event) in [("x", "post.create"), ("twilio", "message.received")] {
        assert_eq!(dev.tell(&["trigger", provider, event]).0, Some(0));
        for what in ["signature", "body"] {
            let (code, out) = dev.tell(&["trigger", provider, event, "--tamper", what]);
            assert_eq!(code, Some(0), "a refusal is what --tamper is for");
            assert!(out.contains("answered 403"), "{out}");
        }
    }
    let (_, listed) = dev.tell(&["events", "ls", "-o", "jsonl"]);
    let events: Vec<serde_json::Value> =
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{listed}");
    assert!(events.iter().all(|event| event["verified"] == true));
    let id = events[0]["id"].as_str().unwrap();
    let (code, shown) = dev.tell(&["events", "get", id]);
    assert_eq!(code, Some(0));
    assert!(shown.contains("verified by twilio") && shown.contains("[redacted]"), "{shown}");
    let (code, raw) = dev.tell(&["events", "raw", id]);
    assert_eq!(code, Some(0));
    assert!(raw.contains("MessageSid="), "{raw}");
}

#[test]
fn the_demo_ends_with_zero_and_says_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        hookhouse()
            .current_dir(folder.path())
            .args(["dev", "--demo", "--exit", "--port", "0", "--admin-port", "0"])
            .output()
            .unwrap()
    };
    // Twice: the second time finds the first one's secrets and events.
    for _ in 0..2 {
        let output = run();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        for words in ["crc", "post.create", "twilio", "not verified", "200"] {
            assert!(out.contains(words), "no {words} in {out}");
        }
        assert!(err.contains("3 events sent, 3 acknowledged after they were stored, 3 delivered"), "{err}");
    }
}

#[test]
fn the_demo_fails_when_nobody_takes_its_events() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = hookhouse()
        .current_dir(folder.path())
        .args(["dev", "--demo", "--exit", "--port", "0", "--admin-port", "0"])
        .args(["--forward-to", &format!("http://{nobody}/")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_taken_port_means_the_next_free_one() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = hookhouse()
        .current_dir(folder.path())
        .args(["dev", "--demo", "--exit", "--port", &port, "--admin-port", "0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("a port is taken: using"));
}

#[test]
fn http_2_is_spoken_too() {
    let dev = Dev::start("CONSUMER_SECRET", &[]);
    for (path, data) in [("/webhooks?crc_token=foo", None), ("/webhooks/inbox", Some("hello"))] {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "-o",
            "/dev/null",
            "--http2-prior-knowledge",
            "-w",
            "%{http_version} %{http_code}",
        ]);
        curl.args(data.iter().flat_map(|data| ["-d", data]));
        let output = curl.arg(format!("http://{}{path}", dev.ingress)).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "2 200", "{output:?}");
    }
}

/// The whole loop on a laptop, with no account: register, challenge, subscribe, post, see it delivered, delete.
#[test]
fn the_whole_loop_with_x_runs_without_an_account() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let application = runtime.block_on(hookhouse_testkit::receiver::Receiver::start()).unwrap();
    let forward = format!("http://{}/hooks", application.address());
    let dev = Dev::start("CONSUMER_SECRET", &["--forward-to", &forward]);
    let (code, registered) = dev.tell(&["x", "webhooks", "register", "x"]);
    assert_eq!(code, Some(0), "{registered}");
    dev.prints(&["crc", "answered", "signed"]);
    let (code, listed) = dev.tell(&["-o", "json", "x", "webhooks", "list"]);
    assert!(
        code == Some(0) && listed.contains("\"valid\": true") || listed.contains("\"valid\":true"),
        "{listed}"
    );
    assert_eq!(dev.tell(&["x", "subscriptions", "add"]).0, Some(0));
    let (code, performed) =
        dev.tell(&["emulate", "x", "act", "--user", "alice", "post", "Hello from a laptop"]);
    assert_eq!(code, Some(0), "{performed}");
    dev.prints(&["tweet_create_events", "verified"]);
    runtime.block_on(application.wait_for(1));
    let delivered = application.received().remove(0);
    assert!(String::from_utf8_lossy(&delivered.body).contains("Hello from a laptop"));
    let (code, status) = dev.tell(&["x", "webhooks", "status"]);
    assert!(code == Some(0) && status.contains("valid"), "{status}");
    assert!(status.contains("the last one came") && status.contains("(signed, "), "{status}");
    let listed: serde_json::Value =
        serde_json::from_str(&dev.tell(&["-o", "json", "x", "webhooks", "list"]).1).unwrap();
    let id = listed.pointer("/data/0/id").and_then(|id| id.as_str()).unwrap_or_else(|| panic!("{listed}"));
    assert_eq!(dev.tell(&["x", "webhooks", "delete", id]).0, Some(0));
    assert_ne!(dev.tell(&["x", "webhooks", "status"]).0, Some(0), "X has nothing any more");
}

/// `dev` on a terminal of its own, with somebody who presses keys.
struct Sitting {
    folder: TempDir,
    child: Child,
    out: Arc<Mutex<Vec<u8>>>,
}

impl Sitting {
    /// `script` makes the terminal; afterwards the terminal says how it was left.
    fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = hookhouse().get_program().to_string_lossy().into_owned();
        // Ctrl-C reaches all that runs on a terminal; a shell that has a trap for it outlives it, whichever shell it is.
        let line =
            format!("trap : INT; {program} dev --port 0 --admin-port 0 --x-port 0; echo ended $?; stty -a");
        let mut command = Command::new("script");
        command.args(["-qefc", &line, "/dev/null"]).current_dir(folder.path()).env_remove("NO_COLOR");
        // Where CI is set, colours are taken to be wanted whatever the terminal is.
        command.env_remove("CI").env("TERM", "xterm-256color").envs(variables.iter().copied());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script is part of the system");
        let out = Arc::new(Mutex::new(Vec::new()));
        let (shown, mut stdout) = (Arc::clone(&out), child.stdout.take().expect("stdout is piped"));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = std::io::Read::read(&mut stdout, &mut bytes) {
                shown.lock().expect("nobody panics with it").extend_from_slice(&bytes[..count]);
            }
        });
        Self { folder, child, out }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.out.lock().expect("nobody panics with it")).into_owned()
    }

    fn sees(&self, words: &str) {
        eventually(&format!("{words:?} on the screen"), || self.shown().contains(words).then_some(()));
    }

    fn press(&mut self, key: &str) {
        let keys = self.child.stdin.as_mut().expect("stdin is piped");
        std::io::Write::write_all(keys, key.as_bytes()).expect("somebody reads it");
    }

    fn runtime(&self) -> serde_json::Value {
        let file = self.folder.path().join(".hookhouse/runtime.json");
        eventually("runtime.json", || serde_json::from_slice(&std::fs::read(&file).ok()?).ok())
    }

    fn receives(&self, body: &str) {
        let ingress =
            self.runtime()["ingress"][0].as_str().and_then(|text| text.parse().ok()).expect("an address");
        assert_eq!(send(ingress, &request("POST", "/webhooks/inbox", &[], body.as_bytes())).status, 200);
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        // Its terminal goes with it, and with that whatever runs on it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn on_a_terminal_single_keys_do_something_and_it_is_left_as_it_was() {
    let mut sitting = Sitting::start(&[]);
    sitting.sees("o  the web UI");
    sitting.receives(r#"{"first":1}"#);
    sitting.sees("not verified");
    let admin = sitting.runtime()["admin"].as_str().expect("an address").to_owned();
    let link = format!("\u{1b}]8;;http://{admin}/events/evt_");
    assert!(sitting.shown().contains(&link), "ids lead to their pages: {}", sitting.shown());
    assert!(!sitting.shown().contains("\"first\""));
    sitting.press("b");
    sitting.sees("bodies on");
    sitting.receives(r#"{"second":2}"#);
    sitting.sees("\"second\": 2");
    sitting.press("b");
    sitting.sees("bodies off");
    sitting.press("o");
    sitting.sees(&format!("\u{1b}]8;;http://{admin}\u{1b}\\http://{admin}"));
    sitting.press("r");
    sitting.sees("there is nowhere to replay to: --forward-to URL");
    sitting.press("c");
    sitting.sees("\u{1b}[H\u{1b}[2J");
    sitting.press("?z");
    eventually("the keys again", || {
        (sitting.shown().matches("r  replay the newest").count() == 2).then_some(())
    });
    sitting.press("q");
    sitting.sees("ended 0");
    eventually("the terminal as it was", || {
        let (_, left) = sitting.shown().split_once("ended 0").map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        (left.contains(" icanon") && left.contains(" echo ")).then_some(())
    });
}

#[test]
fn a_dumb_terminal_gets_neither_keys_nor_links() {
    let mut sitting = Sitting::start(&[("TERM", "dumb")]);
    sitting.sees("Waiting for requests");
    sitting.receives("{}");
    sitting.sees("not verified");
    assert!(!sitting.shown().contains('\u{1b}'), "{}", sitting.shown());
    assert!(!sitting.shown().contains("o  the web UI"));
    // Ctrl-C is what ends it.
    sitting.press("\u{3}");
    sitting.sees("ended 0");
}

#[test]
fn without_colours_there_are_no_links() {
    let mut sitting = Sitting::start(&[("NO_COLOR", "1")]);
    sitting.sees("o  the web UI");
    sitting.receives("{}");
    sitting.sees("not verified");
    assert!(!sitting.shown().contains('\u{1b}'), "{}", sitting.shown());
    sitting.press("q");
    sitting.sees("ended 0");
}
