//! One stream of posts, twice: to the tutorial's sample, and to Hookhouse in front of the same sample.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hookhouse_emulator::x::{Family, Tier, keys_in};
use hookhouse_testkit::blackbox::{eventually, request, send};
use hookhouse_verify::Secret;
use hookhouse_verify::x::{SIGNATURE_HEADER, sign_post};
use hookhouse_x::calls::{account_activity, webhooks};
use tempfile::TempDir;

use crate::world::{World, destination};

/// What a forger writes. The key is the event's, not anybody's secret.
const FORGED: &str = r#"{"for_user_id":"1","tweet_create_events":[{"id":9,"id_str":"9","text":"forged"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sample_loses() {
    let mut world = World::new(|options| {
        options.seed = 5;
        options.tier = Tier::enterprise();
        options.delivery.duplicates = 0.1;
    })
    .await;
    let secret = world.variables.0["CONSUMER_SECRET"].clone();
    let (mut bare, mut behind) = (Sample::new(&secret), Sample::new(&secret));
    bare.start();
    behind.start();
    // Nothing may wait long for a clock that stands.
    world.destination = destination(behind.address)
        + &format!("retry = {{ schedule = [{}], jitter = 0.0 }}\n", ["\"1s\""; 500].join(", "));
    world.serve("").await;
    world.until("the webhook is registered", || world.x.webhooks().iter().any(|(_, _, valid)| *valid)).await;
    let alice = world.client("alice");
    alice.send(&webhooks::create(&format!("http://{}/events", bare.address))).await.unwrap();
    for webhook in alice.send(&webhooks::list()).await.unwrap() {
        assert!(alice.send(&account_activity::subscribe(&webhook.id)).await.unwrap());
    }

    // A post every six seconds for an hour; the application is down for ten minutes of it.
    for minute in 0..60 {
        if minute == 25 {
            world.until("all is taken", || bare.taken().keys().eq(behind.taken().keys())).await;
            world.until_done().await;
            bare.stop();
            behind.stop();
        }
        if minute == 35 {
            bare.start();
            behind.start();
        }
        for n in 0..10 {
            world.post("alice", &format!("tea, cup {n} of minute {minute}"));
            world.x.advance(Duration::from_secs(6)).await;
        }
    }
    world.x.advance(Duration::from_mins(10)).await;
    world.until_done().await;

    let signature = sign_post(&Secret::new("a guess").unwrap(), FORGED.as_bytes());
    let headers = [(SIGNATURE_HEADER, signature.as_str()), ("Content-Type", "application/json")];
    let forged = |target: &str| request("POST", target, &headers, FORGED.as_bytes());
    assert_eq!(send(bare.address, &forged("/events")).status, 200);
    assert_eq!(send(world.inside(), &forged("/x")).status, 403);
    world.until_done().await;

    let posts = world.x.with_ledger(|ledger| {
        let mut keys: Vec<_> = ledger
            .events
            .iter()
            .filter(|event| event.family == Family::Account)
            .map(|event| event.key.clone())
            .collect();
        assert_eq!(keys.len(), 1_200, "600 posts, each for two webhooks");
        keys.sort_unstable();
        keys.dedup();
        keys
    });
    let [without, with] = [&bare, &behind].map(|sample| Outcome::of(&posts, &sample.taken()));
    let table = table(without, with);
    assert_eq!(with, Outcome { posts: 600, once: 600, twice: 0, lost: 0, forged: 0 }, "{table}");
    assert_eq!((without.posts, without.forged), (600, 1), "{table}");
    // A post of the first 328 s of the outage has had its last attempt, 272 s after it, before the application is back.
    assert!((50..=60).contains(&without.lost) && without.twice > 30, "{table}");
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/x.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    assert!(guide.contains(&table), "docs/guides/x.md shows another table than this:\n{table}");
}

/// What became of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    posts: usize,
    once: usize,
    twice: usize,
    lost: usize,
    forged: usize,
}

impl Outcome {
    fn of(posts: &[String], taken: &BTreeMap<String, usize>) -> Self {
        let times = |post: &String| taken.get(post).copied().unwrap_or_default();
        let with = |fits: fn(usize) -> bool| posts.iter().filter(|post| fits(times(post))).count();
        let forged = keys_in(FORGED.as_bytes()).iter().filter(|key| taken.contains_key(*key)).count();
        let (once, twice, lost) =
            (with(|times| times == 1), with(|times| times > 1), with(|times| times == 0));
        Self { posts: posts.len(), once, twice, lost, forged }
    }
}

/// As the guide has it.
fn table(without: Outcome, with: Outcome) -> String {
    let mut table = "| | the sample | Hookhouse in front of it |\n|---|---|---|\n".to_owned();
    let rows = [
        ("posts", without.posts, with.posts),
        ("received once", without.once, with.once),
        ("received more than once", without.twice, with.twice),
        ("lost", without.lost, with.lost),
        ("forged events accepted, of 1", without.forged, with.forged),
    ];
    for (what, without, with) in rows {
        writeln!(table, "| {what} | {without} | {with} |").unwrap();
    }
    table
}

/// The sample, which can be stopped and started again where it was.
struct Sample {
    address: SocketAddr,
    secret: String,
    folder: TempDir,
    process: Option<Child>,
}

impl Sample {
    fn new(secret: &str) -> Self {
        // A port of ours that nobody listens on yet.
        let address = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).unwrap();
        Self { address, secret: secret.to_owned(), folder: TempDir::new().unwrap(), process: None }
    }

    /// Starts it with the Python that `cargo xtask test` has filled.
    fn start(&mut self) {
        let test = std::env::current_exe().unwrap();
        let target = test.ancestors().nth(3).expect("tests lie in target/PROFILE/deps");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/webhooks/tutorial.py");
        let mut process = Command::new(target.join("sdk/python/bin/python"))
            .args([Path::new("-I"), &script])
            .env_clear()
            .env("CONSUMER_SECRET", &self.secret)
            .env("PORT", self.address.port().to_string())
            .env("TERMINAL", self.terminal())
            .stdin(Stdio::piped())
            .spawn()
            .expect("Flask and waitress are installed (`cargo xtask test` does so)");
        eventually("the sample", || {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "the sample ended: {ended:?}");
            TcpStream::connect(self.address).ok()
        });
        self.process = Some(process);
    }

    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn terminal(&self) -> std::path::PathBuf {
        self.folder.path().join("terminal")
    }

    /// What it has printed: each element, and how often.
    fn taken(&self) -> BTreeMap<String, usize> {
        let printed = std::fs::read_to_string(self.terminal()).unwrap_or_default();
        let mut taken = BTreeMap::new();
        for key in printed.lines().flat_map(|line| keys_in(line.as_bytes())) {
            *taken.entry(key).or_default() += 1;
        }
        taken
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
