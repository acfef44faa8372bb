//! Too many: connections, descriptors, requests, lines in the log.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hookhouse_testkit::blackbox::{Answer, Connection, House, eventually, request, send};
use hookhouse_verify::x::sign_post;
use serde_json::Value;

use crate::x::{BODY, PATH, SECRET, SIGNATURE, secret};
use crate::{Case, Driver, nothing_stored};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[("L10", l10), ("L11", l11), ("L12", l12), ("L15", l15)];

const SOURCE: &str = r#"
[source.x]
provider = "x"
path = "/webhooks/twitter"
consumer_secret = { env = "SECRET" }
"#;

fn challenge() -> Vec<u8> {
    request("GET", &format!("{PATH}?crc_token=foo"), &[], b"")
}

/// The lines of the log with an event.
fn lines(house: &House, event: &str) -> Vec<Value> {
    let log = house.log();
    let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == event).collect()
}

/// How often something happened that has a line a second, by what the lines say.
fn told(lines: &[Value]) -> u64 {
    lines.iter().map(|line| 1 + line["others"].as_u64().expect("a count")).sum()
}

/// A connection from an address of our choice, loopback like all of 127.0.0.0/8.
fn connect_from(from: [u8; 4], to: SocketAddr) -> Connection {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("loopback");
        socket.connect(to).await.expect("accepted, or in the backlog").into_std().expect("a stream")
    });
    stream.set_nonblocking(false).expect("a blocking stream");
    Connection::over(stream).expect("a stream")
}

/// Whether a challenge on it is answered; closed is the other outcome.
fn is_served(connection: &mut Connection) -> bool {
    connection.exchange(&challenge()).is_ok_and(|answer| answer.status == 200)
}

fn l10(case: &Case) {
    const OWN: usize = 20;
    const ALL: usize = 50;
    let limits = format!("limits = {{ connections = {ALL}, per_address = {OWN} }}\n");
    let config = format!("[server]\nlisten = [\"127.0.0.1:0\"]\n{limits}{SOURCE}");
    let house = House::start(&config, &[("SECRET", SECRET)]);
    let mut kept: Vec<_> = (0..OWN).map(|_| connect_from([127, 0, 0, 2], house.ingress)).collect();
    assert!(kept.iter_mut().all(is_served));
    for _ in 0..100 {
        assert!(
            !is_served(&mut connect_from([127, 0, 0, 2], house.ingress)),
            "one more than an address may have"
        );
    }
    // Others have places of their own, until there are none.
    kept.extend((0..OWN).map(|_| connect_from([127, 0, 0, 3], house.ingress)));
    kept.extend((0..ALL - 2 * OWN).map(|_| connect_from([127, 0, 0, 4], house.ingress)));
    assert!(kept.iter_mut().all(is_served), "those who were there are served as before");
    for _ in 0..100 {
        assert!(
            !is_served(&mut connect_from([127, 0, 0, 5], house.ingress)),
            "one more than there are places"
        );
    }
    assert!(kept.iter_mut().all(is_served), "those who were there are served as before");
    let lines = lines(&house, case.code());
    assert!(lines.iter().all(|line| line["level"] == "WARN"), "{lines:?}");
    let told = told(&lines);
    assert!(told <= 200 && lines.len() < 100, "{} lines speak of {told}", lines.len());
    // A place that is given back is somebody else's.
    drop(kept);
    eventually("a place", || is_served(&mut connect_from([127, 0, 0, 5], house.ingress)).then_some(()));
}

fn l11(case: &Case) {
    let limit = "limits = { connections = 5000, per_address = 5000 }\n";
    let config = format!("[server]\nlisten = [\"127.0.0.1:0\"]\n{limit}{SOURCE}");
    let house = House::start_with_descriptors(64, &config, &[("SECRET", SECRET)]);
    let warned = &lines(&house, "limits.descriptors")[0];
    assert_eq!((&warned["wanted"], &warned["descriptors"]), (&5_000.into(), &64.into()), "{warned}");

    // More than there are descriptors for. Who is not accepted waits in the system's queue.
    let crowd: Vec<_> = (0..200).map(|_| connect_from([127, 0, 0, 2], house.ingress)).collect();
    let alive = || {
        let answer = send(house.admin, &request("GET", "/livez", &[("Host", "localhost")], b""));
        assert_eq!((answer.status, answer.text()), (200, "ok\n"));
    };
    let seen = eventually("the loop pauses, and says so again", || {
        alive();
        Some(lines(&house, case.code())).filter(|lines| lines.len() >= 3)
    });
    for line in &seen {
        assert_eq!(line["level"], "ERROR");
        // A pause of 50 ms lets it fail 20 times a second, of each listener; a loop that spins does so tens of thousands of
        // times. A busy machine may take some seconds from one line to the next.
        assert!(line["others"].as_u64().is_some_and(|others| others <= 2_000), "{line}");
    }
    (0..20).for_each(|_| alive());
    // Those who say nothing are sent away in time, and then there is room.
    drop(crowd);
    eventually("somebody else is served", || {
        let mut connection = Connection::open(house.ingress).ok()?;
        connection.exchange(&challenge()).ok().filter(|answer| answer.status == 200)
    });
    assert_eq!(post(&house, &sign_post(&secret(SECRET), BODY)).status, 200, "and what is stored is stored");
    alive();
}

fn post(house: &House, signature: &str) -> Answer {
    send(house.ingress, &request("POST", PATH, &[(SIGNATURE, signature)], BODY))
}

fn l12(case: &Case) {
    let config = format!(
        "{SOURCE}rate = \"3/h\"\n[source.open]\nprovider = \"none\"\npath = \"/open\"\nrate = \"2/h\"\n"
    );
    let house = House::start(&config, &[("SECRET", SECRET)]);
    let (good, forged) = (sign_post(&secret(SECRET), BODY), sign_post(&secret("another-secret-of-16"), BODY));
    for _ in 0..3 {
        assert_eq!(post(&house, &good).status, 200, "what is proven is not counted");
        assert_eq!(post(&house, &forged).status, 403);
    }
    for _ in 0..5 {
        let answer = post(&house, &forged);
        case.refused(&answer);
        let wait: u32 = answer.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
        assert!((1..=3_600).contains(&wait), "{wait}");
        assert_eq!(post(&house, &good).status, 200, "what is proven is never refused for it");
        assert_eq!(send(house.ingress, &challenge()).status, 200, "a challenge has a rate of its own");
    }
    assert_eq!(house.refusals().len(), 8);
    case.recorded(&house, 1);
    let limited = house.refusals().iter().filter(|refusal| refusal["code"] == case.code()).count();
    assert_eq!(limited, 5);
    // Where nobody signs, everybody is counted, and nothing beyond the rate is stored.
    let open = request("POST", "/open", &[], b"{}");
    let statuses: Vec<_> = (0..4).map(|_| send(house.ingress, &open).status).collect();
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(house.events().iter().filter(|event| event["source"] == "open").count(), 2);
}

fn l15(case: &Case) {
    const MINUTE: usize = 60;
    const MOST: usize = 10 << 20;
    const EACH: usize = 5_000;
    let config = format!("{SOURCE}allow_ips = [\"@x\"]\n");
    let house = House::start(&config, &[("SECRET", SECRET)]);
    // The longest words that a sender can put into a line, and the cheapest ways of being refused.
    let kinds = [
        request("GET", &format!("/{}", "\"".repeat(2_000)), &[], b""),
        request("GET", &format!("/webhooks/twitter/{}", "%22\\".repeat(500)), &[], b""),
        request("GET", &format!("{PATH}?crc_token=%00"), &[], b""),
        request("POST", PATH, &[(SIGNATURE, "sha256=x")], b""),
        request(&"M".repeat(2_000), PATH, &[], b""),
    ];
    let series = || {
        let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
        let bearer = format!("Bearer {}", token.trim());
        let headers = [("Host", "localhost"), ("Authorization", bearer.as_str())];
        let page = send(house.admin, &request("GET", "/metrics", &headers, b""));
        page.text().lines().filter(|line| !line.starts_with('#')).count()
    };
    for kind in &kinds {
        assert!((400..=501).contains(&send(house.ingress, kind).status));
    }
    eventually("the first are on record", || (house.refusals().len() >= kinds.len()).then_some(()));
    let before = series();
    for kind in &kinds {
        let mut connection = Connection::open(house.ingress).expect("accepted");
        for _ in 0..EACH / 100 {
            // A hundred at a time, on one connection: as fast as they can be sent.
            connection.write(&kind.repeat(100)).expect("sent");
            for _ in 0..100 {
                let answer = connection.read().expect("each is answered");
                assert!((400..=501).contains(&answer.status), "{}", answer.status);
            }
        }
    }
    let sent = ((EACH + 1) * kinds.len()) as u64;
    let log = eventually("the log accounts for every request", || {
        let log = house.log();
        let parsed = log.iter().filter_map(|line| Some((line.len() + 1, serde_json::from_str(line).ok()?)));
        let kept: Vec<(usize, Value)> =
            parsed.filter(|(_, line): &(_, Value)| line["level"] != "DEBUG").collect();
        let written = kept.iter().filter(|(_, line)| line["outcome"] == "refused").count() as u64;
        let missing = kept.iter().filter(|(_, line)| line["event"] == case.code());
        let missing: u64 = missing.map(|(_, line)| line["lines"].as_u64().expect("a count")).sum();
        (written + missing == sent && missing > 0).then_some(kept)
    });
    assert_eq!(series(), before, "a flood is counted, in no more series than before");
    // What a minute can hold: a hundred of the longest refusals a second, and a line for each code that was cut short.
    let mut seconds: BTreeMap<String, usize> = BTreeMap::new();
    let longest = |wanted: &dyn Fn(&Value) -> bool| {
        log.iter().filter(|(_, line)| wanted(line)).map(|(length, _)| *length).max().unwrap_or(0)
    };
    for (_, line) in log.iter().filter(|(_, line)| line["outcome"] == "refused") {
        let at = line["timestamp"].as_str().expect("a timestamp");
        *seconds.entry(at[..19].to_owned()).or_default() += 1;
    }
    let busiest = seconds.values().copied().max().unwrap_or(0);
    assert!(busiest <= 2 * 100, "{busiest} lines in a second, of which some were admitted in the one before");
    let refusal = longest(&|line| line["outcome"] == "refused");
    let other = longest(&|line| line["outcome"] != "refused");
    let most = MINUTE * (100 * refusal + (kinds.len() + 3) * other);
    assert!(most <= MOST, "{most} bytes in a minute, with lines of {refusal} and {other}");
    nothing_stored(&house);
}
