//! Delivery, seen from outside: what a destination receives, and what happens when it is not there.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use hookhouse_testkit::blackbox::House;
use hookhouse_testkit::blackbox::eventually;
use hookhouse_testkit::blackbox::{request, send};
use hookhouse_testkit::receiver::{Behaviour, Receiver};

fn config(address: SocketAddr, more: &str) -> String {
    format!(
        "[source.in]\nprovider = \"none\"\npath = \"/in\"\nmethods = [\"POST\", \"PUT\"]\ndeliver = [\"app\"]\n\
         [destination.app]\nurl = \"http://{address}/hooks?from=house\"\nallow_loopback = true\n{more}\n"
    )
}

#[test]
fn a_destination_that_is_down_gets_everything_afterwards_in_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // A port of ours that nobody listens on yet.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let schedule = "concurrency = 1\nretry = { schedule = [\"100ms\", \"200ms\", \"400ms\", \"1s\", \"1s\", \"1s\", \"1s\"], jitter = 0.0 }";
    let house = House::start(&config(address, schedule), &[]);
    for n in 0..60 {
        let answer = send(house.ingress, &request("POST", "/in", &[], format!("{n}").as_bytes()));
        assert_eq!(answer.status, 200, "a destination that is down is no reason to refuse");
    }
    eventually("a failed attempt", || {
        let waiting = house.api("status")["destinations"][0]["waiting"].as_u64()?;
        (waiting > 0).then_some(())
    });
    let receiver = runtime.block_on(Receiver::start_at(address)).unwrap();
    let arrived = eventually("everything", || {
        let bodies: Vec<u32> = receiver
            .received()
            .iter()
            .map(|request| std::str::from_utf8(&request.body).unwrap().parse().unwrap())
            .collect();
        (bodies.iter().collect::<BTreeSet<_>>().len() == 60).then_some(bodies)
    });
    assert_eq!(arrived.len(), 60, "each once: {arrived:?}");
    // What was never tried while it was down comes in the order of the log.
    let tried: BTreeSet<u32> = house
        .ask(&["deliveries", "ls", "-n", "100"])
        .iter()
        .filter(|delivery| delivery["attempts"].as_u64() > Some(1))
        .map(|delivery| delivery["id"].as_str().unwrap().to_owned())
        .filter_map(|id| body_of(&house, id.split(':').next().unwrap()))
        .collect();
    let untried: Vec<_> = arrived.iter().filter(|n| !tried.contains(n)).collect();
    assert!(untried.is_sorted(), "{arrived:?}");
    assert!(!untried.is_empty(), "the circuit kept most of them from being tried in vain");
}

fn body_of(house: &House, id: &str) -> Option<u32> {
    let (code, out, _) = house.tell(&["events", "raw", id]);
    (code == 0).then(|| out.parse().ok())?
}

#[test]
fn a_destination_receives_the_event_as_it_was_with_our_headers_added() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let signing = "sign = { standard_webhooks = { env = \"SIGNING\" } }";
    let house = House::start(
        &config(receiver.address(), signing),
        &[("SIGNING", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
    );
    let headers = [
        ("X-Custom", "kept"),
        ("x-custom", "twice"),
        ("Connection", "x-hop"),
        ("X-Hop", "stripped"),
        ("Hookhouse-Verified", "forged"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("webhook-signature", "v1,forged"),
    ];
    let body = b"\x00\xff bytes";
    assert_eq!(send(house.ingress, &request("PUT", "/in?a=%2F&b", &headers, body)).status, 200);
    let received = runtime.block_on(receiver.wait_for(1)).remove(0);
    assert_eq!((received.method.as_str(), received.target.as_str()), ("PUT", "/hooks?from=house&a=%2F&b"));
    assert_eq!(&received.body[..], body);
    let custom: Vec<_> =
        received.headers.iter().filter(|(name, _)| name == "x-custom").map(|(_, v)| v.clone()).collect();
    assert_eq!(custom, ["kept", "twice"]);
    assert_eq!(received.header("x-hop"), None);
    assert_eq!(received.header("hookhouse-source"), Some("in"));
    assert_eq!(received.header("hookhouse-attempt"), Some("1"));
    assert_eq!(received.header("hookhouse-verified"), Some("none"));
    assert_eq!(received.header("x-forwarded-for"), Some("127.0.0.1"));
    let id = received.header("hookhouse-event-id").unwrap().to_owned();
    assert_eq!(house.events()[0]["id"], id.as_str());
    assert_eq!(received.header("webhook-id"), Some(id.as_str()));

    // The signature is one that any Standard Webhooks library takes.
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let mut verify =
        house.command(&["verify", "standard-webhooks", "--secret-env", "SIGNING", "--body", "body"]);
    std::fs::write(house.folder().join("body"), body).unwrap();
    for name in names {
        verify.args(["-H", &format!("{name}: {}", received.header(name).unwrap())]);
    }
    let output = verify.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    // A replay is another delivery of the same event.
    let (code, out, said) = house.tell(&["replay", &id]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(out.trim(), format!("{id}:app:1"));
    let again = runtime.block_on(receiver.wait_for(2)).remove(1);
    assert_eq!(again.body, received.body);
    assert_eq!(again.header("hookhouse-attempt"), Some("1"));
}

#[test]
fn gone_is_final_and_a_promised_time_is_kept() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let quick = "retry = { schedule = [\"50ms\", \"50ms\"], jitter = 0.0 }";
    let house = House::start(&config(receiver.address(), quick), &[]);
    receiver.next(Behaviour::status(410));
    assert_eq!(send(house.ingress, &request("POST", "/in", &[], b"gone")).status, 200);
    let dead = eventually("a dead delivery", || {
        house.api("deliveries?state=dead")["data"].as_array()?.first().cloned()
    });
    assert_eq!((dead["attempts"].as_u64(), dead["reason"].as_str()), (Some(1), Some("gone")));

    receiver.next(Behaviour::status(429).header("retry-after", "3600"));
    assert_eq!(send(house.ingress, &request("POST", "/in", &[], b"later")).status, 200);
    let waiting = eventually("a waiting delivery", || {
        house.api("deliveries?state=waiting")["data"].as_array()?.first().cloned()
    });
    let due: jiff::Timestamp = waiting["due_at"].as_str().unwrap().parse().unwrap();
    let tried: jiff::Timestamp = waiting["last_attempt"]["started_at"].as_str().unwrap().parse().unwrap();
    assert!(due.duration_since(tried) >= jiff::SignedDuration::from_hours(1), "{waiting}");
    assert_eq!(receiver.received().len(), 2);
}

#[test]
fn a_flood_of_idle_connections_does_not_stop_a_good_request() {
    let house = House::start("[source.in]\nprovider = \"none\"\npath = \"/in\"\n", &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let idle = runtime.block_on(async {
        let mut idle = Vec::new();
        for n in 0..2_000_u32 {
            // From a hundred addresses of this machine.
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            let from = std::net::Ipv4Addr::new(127, 0, 1, u8::try_from(n % 100 + 1).unwrap());
            socket.bind((from, 0).into()).unwrap();
            idle.push(socket.connect(house.ingress).await.unwrap());
        }
        idle
    });
    for _ in 0..20 {
        assert_eq!(send(house.ingress, &request("POST", "/in", &[], b"hello")).status, 200);
    }
    assert_eq!(idle.len(), 2_000);
}
