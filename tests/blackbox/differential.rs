//! The same bytes sent to us, to nginx in front of us, and to haproxy in front of us: nobody sees another request than we do.
//!
//! `conformance/raw.json` has the bytes and what becomes of them by each way. Whatever the file says: through a proxy we see
//! no request that the proxy did not mean to send, and as many as it brought answers back for. Where a proxy has us see
//! something else than the bytes have us see directly, the file says why that is harmless.
//!
//! `UPDATE_RAW=1` writes down what became of the bytes, and leaves the reasons to be written by hand.

mod edge;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use hookhouse_testkit::blackbox::{Answer, Connection, House, PATIENCE, eventually, request, send};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::edge::Edge;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/raw.json");

const HOUSE: &str = r#"
[server]
listen = ["127.0.0.1:0"]
trusted_proxies = ["127.0.0.0/8"]

[source.in]
provider = "none"
path = "/in"
"#;

/// How long a row whose answers are not known may say nothing.
const QUIET: Duration = Duration::from_millis(700);

/// A row of the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Row {
    name: String,
    /// What is sent: characters up to U+00FF are bytes.
    raw: Vec<Part>,
    #[serde(default)]
    direct: Outcome,
    #[serde(default)]
    nginx: Outcome,
    #[serde(default)]
    haproxy: Outcome,
    /// By proxy, why it may have us see something else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    why: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
enum Part {
    Once(String),
    Often { text: String, times: usize },
}

/// What became of a row: the statuses that came back, and the requests that we saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
struct Outcome {
    answers: Vec<u16>,
    seen: Vec<String>,
}

impl Row {
    fn bytes(&self) -> Vec<u8> {
        let bytes = |text: &str| -> Vec<u8> {
            text.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect()
        };
        self.raw
            .iter()
            .flat_map(|part| match part {
                Part::Once(text) => bytes(text),
                Part::Often { text, times } => bytes(text).repeat(*times),
            })
            .collect()
    }
}

/// Whether an answer is ours, and not the proxy's or the parser's.
fn is_ours(answer: &Answer) -> bool {
    answer.header("cache-control") == Some("no-store")
}

/// Sends a row's bytes, and reads as many answers as are expected of it; all that come, where that is not known.
fn answers(address: SocketAddr, bytes: &[u8], expected: Option<usize>) -> Vec<Answer> {
    let mut connection = Connection::open(address).expect("accepted");
    // Where it is closed early, the rest finds nobody.
    let _ = connection.write(bytes);
    let patience = if expected.is_some() { PATIENCE } else { QUIET };
    connection.stream().set_read_timeout(Some(patience)).expect("a timeout");
    let mut answers = Vec::new();
    while expected.is_none_or(|expected| answers.len() < expected) {
        let Ok(answer) = connection.read() else { break };
        answers.push(answer);
    }
    answers
}

/// The refusals, oldest first. One whose request broke off has nobody to be answered.
fn refusals(house: &House) -> Vec<Value> {
    let refusals = house.refusals();
    refusals.into_iter().rev().filter(|refusal| refusal["code"] != "body.truncated").collect()
}

fn events(house: &House) -> usize {
    house.api("events?limit=1000")["data"].as_array().expect("a list").len()
}

fn shown(event: &Value) -> String {
    let method = event["method"].as_str().expect("a method");
    let target = event["target"].as_str().expect("a target");
    let body = event["body"].as_str().map(str::to_owned).unwrap_or_else(|| event["body_base64"].to_string());
    let body = if body.len() > 100 { format!("{} bytes", body.len()) } else { format!("{body:?}") };
    format!("{method} {target} {body}")
}

/// The values of the field that a proxy marks its requests with.
fn marks(event: &Value) -> Vec<String> {
    let fields = event["headers"].as_array().expect("a list of fields");
    let marks = fields.iter().filter(|field| field[0] == "x-edge");
    marks.map(|field| field[1].as_str().expect("text").to_owned()).collect()
}

/// Sends every row by one way. `marked`: whether a proxy marks what it sends.
fn run(
    house: &House,
    address: SocketAddr,
    rows: &[Row],
    expected: impl Fn(&Row) -> Option<usize>,
    marked: bool,
) -> Vec<Outcome> {
    let mut came = Vec::new();
    let mut ours = 0;
    for row in rows {
        let answers = answers(address, &row.bytes(), expected(row));
        let own = answers.iter().filter(|answer| is_ours(answer)).count();
        ours += own;
        let (stored, refused) = eventually(&format!("a record of every answer to {:?}", row.name), || {
            let now = (events(house), refusals(house).len());
            (now.0 + now.1 >= ours).then_some(now)
        });
        assert_eq!(stored + refused, ours, "{:?}: a request that nobody has an answer for", row.name);
        came.push((answers, stored, refused));
    }
    // What was hidden in one of them and took its time would be in front of this one.
    assert_eq!(send(house.ingress, &request("GET", "/last", &[], b"")).status, 404);
    eventually("the last one on record", || (house.refusals()[0]["path"] == "/last").then_some(()));
    let (stored, refused) = (house.events(), refusals(house));
    assert_eq!(stored.len() + refused.len(), ours + 1, "a request that nobody has an answer for");
    if marked {
        let mut all: Vec<_> = stored.iter().flat_map(marks).collect();
        assert!(stored.iter().all(|event| marks(event).len() == 1), "a request that the proxy did not send");
        assert!(all.iter().all(|mark| mark.len() >= 32), "a mark that is not the proxy's: {all:?}");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), stored.len(), "one request of the proxy is two of ours");
    }
    let (mut event, mut refusal) = (0, 0);
    came.into_iter()
        .map(|(answers, stored_then, refused_then)| {
            let mut seen: Vec<_> = stored[event..stored_then].iter().map(shown).collect();
            seen.extend(refused[refusal..refused_then].iter().map(|refusal| {
                format!(
                    "{} {}",
                    refusal["method"].as_str().expect("text"),
                    refusal["code"].as_str().expect("text")
                )
            }));
            (event, refusal) = (stored_then, refused_then);
            Outcome { answers: answers.iter().map(|answer| answer.status).collect(), seen }
        })
        .collect()
}

#[test]
fn nobody_sees_another_request_than_we_do() {
    let mut rows: Vec<Row> =
        serde_json::from_slice(&std::fs::read(FILE).expect("the file is there")).expect("it is JSON");
    let update = std::env::var_os("UPDATE_RAW").is_some();
    let count = |outcome: &Outcome| (!update).then_some(outcome.answers.len());

    let (direct, behind_nginx, behind_haproxy) = std::thread::scope(|scope| {
        let direct = scope.spawn(|| {
            let house = House::start(HOUSE, &[]);
            run(&house, house.ingress, &rows, |row| count(&row.direct), false)
        });
        let nginx = scope.spawn(|| {
            let house = House::start(HOUSE, &[]);
            let edge = Edge::nginx(house.ingress);
            run(&house, edge.address, &rows, |row| count(&row.nginx), true)
        });
        let haproxy = scope.spawn(|| {
            let house = House::start(HOUSE, &[]);
            let edge = Edge::haproxy(house.ingress);
            run(&house, edge.address, &rows, |row| count(&row.haproxy), true)
        });
        let ended = |way: std::thread::ScopedJoinHandle<'_, _>| {
            way.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        (ended(direct), ended(nginx), ended(haproxy))
    });

    let mut wrong = Vec::new();
    for (((row, direct), nginx), haproxy) in rows.iter_mut().zip(direct).zip(behind_nginx).zip(behind_haproxy)
    {
        for (way, seen) in [("nginx", &nginx.seen), ("haproxy", &haproxy.seen)] {
            let otherwise = !direct.seen.starts_with(seen);
            if otherwise != row.why.contains_key(way) {
                wrong
                    .push(format!("{:?} by {way}: directly {:?}, and there {seen:?}", row.name, direct.seen));
            }
        }
        for (way, was, is) in [
            ("direct", &mut row.direct, direct),
            ("nginx", &mut row.nginx, nginx),
            ("haproxy", &mut row.haproxy, haproxy),
        ] {
            if *was != is && !update {
                wrong.push(format!("{:?} by {way}: {was:?} in the file, {is:?} now", row.name));
            }
            *was = is;
        }
    }
    if update {
        let lines: Vec<_> = rows.iter().map(|row| serde_json::to_string(row).expect("JSON")).collect();
        std::fs::write(FILE, format!("[\n  {}\n]\n", lines.join(",\n  "))).expect("the file is written");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
