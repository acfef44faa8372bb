//! What an operator's machines see: metrics, health, the log; and what is shipped to read them.

mod otlp;
mod prometheus;
mod scrape;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use hookhouse_testkit::blackbox::{Connection, House, MOMENT, eventually, request, send};
use hookhouse_testkit::certificate::{Authority, Wanted};
use hookhouse_testkit::receiver::{Behaviour, Receiver};
use hookhouse_verify::Secret;
use hookhouse_verify::x::sign_post;
use serde_json::Value;

use self::prometheus::Prometheus;
use self::scrape::{Scrape, ask, page, scrape};

const SECRET: &str = "canary-consumer-secret-0123456789";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const BODY: &[u8] = br#"{"for_user_id":"1","canary":"of-the-body"}"#;

/// A file of `deploy`.
fn deploy(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy")).join(file)
}

/// A house with a source of each kind, and an application that is there.
struct Lived {
    house: House,
    /// What the log must show of each request: its outcome, and its status.
    sent: Vec<(&'static str, u16)>,
    _runtime: tokio::runtime::Runtime,
}

/// Sends a request of each kind, and waits until everything that follows from it has been counted.
fn lived() -> Lived {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let application = runtime.block_on(Receiver::start()).expect("an application");
    application.decide(|received| match received.target.as_str() {
        "/gone?why=canary-of-the-query" => Behaviour::status(410),
        _ => Behaviour::status(200),
    });
    let address = application.address();
    let (cert, key) = (tempfile::NamedTempFile::new(), tempfile::NamedTempFile::new());
    let (cert, key) = (cert.expect("a file"), key.expect("a file"));
    Authority::new().issue(&Wanted::good(&["hooks.example.com"])).write(cert.path(), key.path());
    let house = House::start(
        &format!(
            "[listener.secure]\naddress = \"127.0.0.1:0\"\ntls = {{ cert = {:?}, key = {:?} }}\n\
             [source.x-prod]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = {{ env = \"SECRET\" }}\n\
             [source.in]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
             [source.going]\nprovider = \"none\"\npath = \"/going\"\ndeliver = [\"gone\"]\n\
             [source.calls]\nprovider = \"none\"\npath = \"/calls\"\nrelay = {{ to = \"app\", deadline = \"60s\" }}\n\
             [destination.app]\nurl = \"http://{address}/\"\nallow_loopback = true\n\
             [destination.gone]\nurl = \"http://{address}/gone\"\nallow_loopback = true\n",
            cert.path(),
            key.path()
        ),
        &[("SECRET", SECRET)],
    );
    let signature = sign_post(&Secret::new(SECRET).expect("a secret"), BODY);
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let traced = [("traceparent", parent.as_str()), ("tracestate", "vendor=1")];
    let signed = [("x-twitter-webhooks-signature", signature.as_str())];
    let query = "why=canary-of-the-query";
    let requests = [
        ("accepted", request("POST", &format!("/in?{query}"), &traced, BODY)),
        ("accepted", request("POST", "/x", &signed, BODY)),
        ("duplicate", request("POST", "/x", &signed, BODY)),
        ("refused", request("POST", &format!("/x?{query}"), &signed, b"{\"forged\":true}")),
        ("crc", request("GET", "/x?crc_token=canary-of-the-token", &[], b"")),
        ("refused", request("GET", "/x", &[], b"")),
        ("relayed", request("POST", "/calls", &[], BODY)),
        ("accepted", request("POST", &format!("/going?{query}"), &[], BODY)),
        ("refused", request("POST", &format!("/a-path-of-nobody?{query}"), &[], BODY)),
        ("refused", request("BREW", "/in", &[], b"")),
    ];
    let sent = requests.map(|(outcome, bytes)| (outcome, send(house.ingress, &bytes).status)).to_vec();
    eventually("every count", || {
        let seen = scrape(&house);
        let attempts = seen.value("hookhouse_delivery_attempts_total", &[("outcome", "delivered")])?;
        let dead = seen.value("hookhouse_queue_depth", &[("state", "dead")])?;
        let refused = seen.value("hookhouse_requests_total", &[("outcome", "refused")])?;
        (attempts == 1.0 && dead == 1.0 && refused == 4.0).then_some(())
    });
    let delivered = application.received().into_iter().find(|received| received.target.contains("canary"));
    let delivered = delivered.expect("it was delivered");
    assert_eq!(delivered.header("traceparent"), Some(parent.as_str()), "the trace goes on");
    assert_eq!(delivered.header("tracestate"), Some("vendor=1"));
    Lived { house, sent, _runtime: runtime }
}

#[test]
fn each_kind_of_request_is_counted() {
    let lived = lived();
    assert_eq!(
        lived.sent.iter().map(|(_, status)| *status).collect::<Vec<_>>(),
        [200, 200, 200, 403, 200, 400, 200, 200, 404, 501]
    );
    let seen = scrape(&lived.house);
    let is = |name: &str, labels: &[(&str, &str)], expected: f64| {
        assert_eq!(seen.value(name, labels), Some(expected), "{name} {labels:?}: {seen:#?}");
    };
    let requests = |source, outcome, expected| {
        is("hookhouse_requests_total", &[("source", source), ("outcome", outcome)], expected);
    };
    requests("x-prod", "accepted", 1.0);
    requests("x-prod", "duplicate", 1.0);
    requests("x-prod", "crc", 1.0);
    requests("x-prod", "refused", 2.0);
    requests("in", "accepted", 1.0);
    requests("calls", "accepted", 1.0);
    requests("", "refused", 2.0);
    let refusals = |source, reason| {
        is("hookhouse_refusals_total", &[("source", source), ("reason", reason)], 1.0);
    };
    refusals("x-prod", "sig.mismatch");
    refusals("", "route.unknown");
    is("hookhouse_crc_challenges_total", &[("source", "x-prod"), ("outcome", "answered")], 1.0);
    is("hookhouse_crc_challenges_total", &[("source", "x-prod"), ("outcome", "refused")], 1.0);
    is("hookhouse_crc_response_seconds_count", &[], 1.0);
    is("hookhouse_ack_seconds_count", &[], 4.0);
    is("hookhouse_store_commit_seconds_count", &[], 5.0);
    is("http_server_request_duration_seconds_count", &[], 10.0);
    let (method, route, status) = ("http_request_method", "http_route", "http_response_status_code");
    is(
        "http_server_request_duration_seconds_count",
        &[(method, "POST"), (route, "/x"), (status, "200")],
        2.0,
    );
    is(
        "http_server_request_duration_seconds_count",
        &[(method, "_OTHER"), (route, ""), (status, "501")],
        1.0,
    );
    is("hookhouse_delivery_attempts_total", &[("destination", "app"), ("outcome", "delivered")], 1.0);
    is("hookhouse_delivery_attempts_total", &[("destination", "gone"), ("outcome", "refused")], 1.0);
    is("hookhouse_delivery_lag_seconds_count", &[("destination", "app")], 1.0);
    is("hookhouse_dead_total", &[("destination", "gone"), ("reason", "gone")], 1.0);
    is("hookhouse_relays_total", &[("destination", "app"), ("outcome", "answered")], 1.0);
    is("hookhouse_circuit_state", &[("destination", "app")], 0.0);
    is("hookhouse_store_writable", &[], 1.0);
    is("hookhouse_store_events", &[], 4.0);
    is("hookhouse_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    for (name, at_least) in [
        ("process_start_time_seconds", 1e9),
        ("process_resident_memory_bytes", 1e5),
        ("process_open_fds", 3.0),
    ] {
        assert!(seen.value(name, &[]).is_some_and(|value| value > at_least), "{name}");
    }
    let challenged = seen.value("hookhouse_crc_last_success_timestamp_seconds", &[("source", "x-prod")]);
    assert!(challenged >= seen.value("process_start_time_seconds", &[]), "{challenged:?}");
}

#[test]
fn two_thousand_paths_and_peers_make_no_series_of_their_own() {
    let house = House::start(
        "[server]\nlisten = [\"127.0.0.1:0\"]\ntrusted_proxies = [\"127.0.0.0/8\"]\n\
         [source.in]\nprovider = \"none\"\npath = \"/in\"\nallow_ips = [\"10.0.0.0/8\"]\n",
        &[],
    );
    let mut connection = Connection::open(house.ingress).expect("accepted");
    let mut flood = |numbers: std::ops::Range<u32>| {
        for n in numbers {
            let peer = format!("203.0.{}.{}", n / 250, n % 250);
            let trace = format!("00-{n:032x}-{n:016x}-01");
            let headers =
                [("X-Forwarded-For", peer.as_str()), ("traceparent", &trace), ("User-Agent", &peer)];
            for (method, target) in [
                ("POST", format!("/made-up-{n}?q={n}")),
                ("POST", format!("/in?q={n}")),
                ("PATCH", format!("/in?{n}")),
            ] {
                let bytes = request(method, &target, &headers, b"");
                // A refusal before the body is read may close the connection.
                let answer = connection.exchange(&bytes).or_else(|_| {
                    connection = Connection::open(house.ingress)?;
                    connection.exchange(&bytes)
                });
                let answer = answer.expect("an answer");
                assert!(answer.status >= 400, "{}", answer.text());
                if answer.header("connection") == Some("close") {
                    connection = Connection::open(house.ingress).expect("accepted");
                }
            }
        }
    };
    flood(1..2);
    let settled = |requests: f64| {
        eventually("every count", || {
            let seen = scrape(&house);
            (seen.value("hookhouse_requests_total", &[("outcome", "refused")]) == Some(requests))
                .then_some(seen)
        })
    };
    let before = settled(3.0).series();
    flood(2..2_001);
    let after = settled(6_000.0);
    assert_eq!(after.series(), before);
    let ignored = |name: &str| after.value(name, &[("source", "in"), ("reason", "ip.denied")]);
    assert_eq!(ignored("hookhouse_refusals_total"), Some(2_000.0), "what is not counted apart is counted");
    // The log leaves some of such a flood out, and says how much: what is written and what is not come to all of it.
    let mut sent = 6_000;
    let unknown = request("POST", "/once-more", &[], b"");
    let suppressed = eventually("the log accounts for every request", || {
        assert_eq!(send(house.ingress, &unknown).status, 404);
        sent += 1;
        std::thread::sleep(MOMENT);
        let log: Vec<Value> = house.log().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let written = log.iter().filter(|line| line["outcome"] == "refused").count() as u64;
        let left_out = log.iter().filter(|line| line["event"] == "log.suppressed");
        let left_out: u64 = left_out.map(|line| line["lines"].as_u64().expect("a number")).sum();
        (written + left_out == sent).then_some(left_out)
    });
    assert!(suppressed < sent, "some are written");
}

#[test]
fn no_secret_no_body_and_no_query_is_in_the_metrics_or_the_log() {
    let lived = lived();
    let token = std::fs::read_to_string(lived.house.store().join("admin.token")).expect("a token");
    let log = lived.house.log().join("\n");
    for (what, text) in [("the metrics", page(&lived.house)), ("the log", log)] {
        assert!(!text.contains("canary"), "{what}: {text}");
        assert!(!text.contains(token.trim()), "{what}");
    }
}

#[test]
fn metrics_are_for_whoever_has_the_token() {
    let house = House::start("[source.in]\nprovider = \"none\"\npath = \"/in\"\n", &[]);
    for headers in [&[][..], &[("Authorization", "Bearer not-the-token")], &[("Authorization", "Basic eA==")]]
    {
        let answer = ask(&house, headers);
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
        assert!(!answer.text().contains("hookhouse_requests"), "{}", answer.text());
    }
    let elsewhere = request("GET", "/metrics", &[("Host", "attacker.example")], b"");
    assert_eq!(send(house.admin, &elsewhere).status, 421);
    assert_eq!(send(house.ingress, &request("GET", "/metrics", &[], b"")).status, 404, "not for senders");
}

#[test]
fn a_full_store_is_alive_and_not_ready_and_answers_challenges() {
    let house = House::start_unready(
        "[store]\npath = \"store\"\nreserve = \"900TB\"\n\
         [source.x-prod]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = { env = \"SECRET\" }\n",
        &[("SECRET", SECRET)],
    );
    let admin = |path| send(house.admin, &request("GET", path, &[("Host", "localhost")], b""));
    assert_eq!(admin("/livez").status, 200);
    // Until its listeners accept, that is the reason.
    eventually("the full store as the reason", || {
        let not = admin("/readyz");
        assert_eq!((not.status, not.header("content-type")), (503, Some("application/problem+json")));
        let problem: Value = serde_json::from_slice(&not.body).expect("JSON");
        assert_eq!(problem["type"], "urn:hookhouse:problem:not-ready");
        problem["detail"].as_str().is_some_and(|why| why.contains("reserve")).then_some(())
    });

    assert_eq!(send(house.ingress, &request("GET", "/x?crc_token=t0ken", &[], b"")).status, 200);
    let seen = eventually("the challenge", || {
        let seen = scrape(&house);
        (seen.value("hookhouse_requests_total", &[("outcome", "crc")]) == Some(1.0)).then_some(seen)
    });
    assert_eq!(seen.value("hookhouse_store_writable", &[]), Some(0.0));
    assert_eq!(seen.value("hookhouse_store_reserve_bytes", &[]), Some(900e12));
}

#[test]
fn every_request_has_one_line_with_what_it_came_to() {
    let lived = lived();
    let lines: Vec<Value> = lived
        .house
        .log()
        .iter()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .filter(|line: &Value| !line["outcome"].is_null() && !line["status"].is_null())
        .collect();
    let mut told: Vec<_> = lines
        .iter()
        .map(|line| (line["outcome"].as_str().expect("a word"), line["status"].as_u64().expect("a status")))
        .collect();
    let mut sent: Vec<_> =
        lived.sent.iter().map(|(outcome, status)| (*outcome, u64::from(*status))).collect();
    told.sort_unstable();
    sent.sort_unstable();
    assert_eq!(told, sent);
    for line in &lines {
        assert!(line["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
        assert!(
            line["bytes"].is_u64() && line["event"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
        match line["outcome"].as_str() {
            Some("refused") => {
                assert!(line["request_id"].as_str().is_some_and(|id| id.starts_with("req_")), "{line}");
                assert!(line["reason"].is_string(), "{line}");
            }
            Some("crc") => assert_eq!(line["source"], "x-prod"),
            _ => assert!(line["event_id"].as_str().is_some_and(|id| id.starts_with("evt_")), "{line}"),
        }
    }
    let traced: Vec<_> = lines.iter().filter(|line| !line["trace_id"].is_null()).collect();
    assert_eq!(traced.len(), 1);
    assert_eq!((&traced[0]["trace_id"], &traced[0]["source"]), (&Value::from(TRACE), &Value::from("in")));
    assert_eq!(traced[0]["bytes"], BODY.len());
}

#[test]
fn the_alert_rules_hold_and_fire_when_they_should() {
    let promtool = |arguments: &[&str]| {
        let output = Command::new("promtool").current_dir(deploy("prometheus")).args(arguments).output();
        let output =
            output.expect("promtool is installed (Debian: prometheus); `cargo xtask test` does that");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    };
    promtool(&["check", "rules", "rules.yml"]);
    promtool(&["test", "rules", "rules.test.yml"]);
}

#[test]
fn every_query_of_the_dashboard_and_the_rules_runs_on_a_real_prometheus() {
    let lived = lived();
    let prometheus = Prometheus::watching(&lived.house);
    let seen = scrape(&lived.house);

    let rules = eventually("every rule evaluated", || {
        let rules = prometheus.rules();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    });
    assert!(rules.len() >= 10);
    for rule in &rules {
        assert_eq!((&rule["health"], &rule["lastError"]), (&Value::from("ok"), &Value::Null), "{rule}");
        is_about_what_there_is(&seen, rule["query"].as_str().expect("a query"));
    }

    let dashboard = std::fs::read(deploy("grafana/hookhouse.json")).expect("it is there");
    let dashboard: Value = serde_json::from_slice(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "each has an id of its own");
    let mut queries = 0;
    for target in panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten() {
        let query = target["expr"].as_str().expect("a query");
        is_about_what_there_is(&seen, query);
        let filled = query
            .replace("$__rate_interval", "1m")
            .replace("$instance", ".*")
            .replace("$source", ".*")
            .replace("$destination", ".*");
        assert!(!filled.contains('$'), "a variable that nobody sets: {filled}");
        eventually(&format!("something to show for {filled}"), || {
            let answer = prometheus.query(&filled);
            (!answer["result"].as_array()?.is_empty()).then_some(())
        });
        queries += 1;
    }
    assert!(queries > 30, "{queries}");
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        if let Some(definition) = variable["definition"].as_str() {
            is_about_what_there_is(&seen, definition);
        }
    }
}

/// Every metric that a query names is one that a scrape has.
fn is_about_what_there_is(seen: &Scrape, query: &str) {
    let names = seen.names();
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let own =
        |word: &&str| ["hookhouse_", "process_", "http_server_"].iter().any(|own| word.starts_with(own));
    let used: Vec<_> = query.split(word).filter(own).collect();
    assert!(!used.is_empty() || query.starts_with("up{"), "{query}");
    for name in used {
        assert!(names.contains(name), "`{name}` of `{query}` is in no scrape: {names:?}");
    }
}
