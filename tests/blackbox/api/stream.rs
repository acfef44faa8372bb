//! The stream: it begins where the client was, tells what happens, and goes on after a restart.

use std::io::Read;

use hookhouse_testkit::blackbox::{Connection, House, eventually, request, send};
use serde_json::Value;

use super::{HOUSE, ask, json, receive, root, settled};

/// What a client was sent.
#[derive(Debug, Clone)]
struct Frame {
    id: String,
    event: String,
    data: Value,
}

/// A client of the stream.
struct Client {
    connection: Connection,
    text: String,
}

impl Client {
    fn open(house: &House, query: &str, last: Option<&str>) -> Self {
        let bearer = format!("Bearer {}", root(house));
        let mut headers = vec![("Host", "localhost"), ("Authorization", bearer.as_str())];
        headers.extend(last.map(|id| ("Last-Event-ID", id)));
        let mut connection = Connection::open(house.admin).expect("the server accepts connections");
        let target = format!("/api/v1/stream{query}");
        connection.write(&request("GET", &target, &headers, b"")).expect("it reads");
        let mut client = Self { connection, text: String::new() };
        client.read_until("\r\n\r\n");
        assert!(client.text.starts_with("HTTP/1.1 200"), "{}", client.text);
        client
    }

    fn read_until(&mut self, end: &str) {
        while !self.text.contains(end) {
            let mut bytes = [0; 16 * 1024];
            let count = self.connection.stream().read(&mut bytes).expect("it goes on");
            assert!(count > 0, "the stream ended: {}", self.text);
            self.text.push_str(std::str::from_utf8(&bytes[..count]).expect("frames are UTF-8"));
        }
    }

    /// The next frame that has something to say.
    fn next(&mut self) -> Frame {
        loop {
            // Frames end with an empty line; the lengths of HTTP's chunks, which end with CR LF, lie between them.
            self.read_until("\n\n");
            let (frame, rest) = self.text.split_once("\n\n").expect("it was just read");
            let field = |name: &str| {
                let line = frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.unwrap_or_default().to_owned()
            };
            let (id, event, data) = (field("id"), field("event"), field("data"));
            self.text = rest.to_owned();
            if !event.is_empty() {
                return Frame { id, event, data: serde_json::from_str(&data).expect("JSON") };
            }
        }
    }

    fn events(&mut self, count: usize) -> Vec<Frame> {
        let frames: Vec<_> = (0..count).map(|_| self.next()).collect();
        assert!(frames.iter().all(|frame| frame.event == "event.received"), "{frames:?}");
        frames
    }
}

/// As many as may listen at once.
const MOST: usize = 64;

#[test]
fn whoever_leaves_makes_room_though_nothing_happens() {
    let house = House::start(HOUSE, &[]);
    let bearer = format!("Bearer {}", root(&house));
    let ask = request("GET", "/api/v1/stream", &[("Host", "localhost"), ("Authorization", &bearer)], b"");
    let heard = || {
        let mut connection = Connection::open(house.admin).expect("the server accepts connections");
        connection.write(&ask).expect("it reads");
        let mut head = [0; 12];
        connection.stream().read_exact(&mut head).expect("it answers");
        (&head == b"HTTP/1.1 200").then_some(connection)
    };
    // More often than lines that keep a stream alive, which would show it too, fit into a test's time.
    for _ in 0..12 {
        let clients: Vec<_> = (0..MOST).map(|_| eventually("a place", heard)).collect();
        assert!(heard().is_none(), "one more than may listen");
        drop(clients);
    }
}

fn numbers(frames: &[Frame]) -> Vec<String> {
    frames.iter().map(|frame| frame.data["body"].as_str().expect("a body").to_owned()).collect()
}

fn expected(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn a_client_that_sleeps_gets_each_event_once_and_in_order() {
    let mut house = House::start(HOUSE, &[]);
    receive(&house, expected(0..3));
    let mut client = Client::open(&house, "?from=beginning&kinds=events&body=true", None);
    let first = client.events(3);
    assert_eq!(numbers(&first), expected(0..3));
    receive(&house, expected(3..5));
    let live = client.events(2);
    assert_eq!(numbers(&live), expected(3..5));

    // It goes away after the fourth; the server is started again meanwhile, and more comes than one page holds.
    drop(client);
    receive(&house, expected(5..150));
    house.stop();
    house.run();
    receive(&house, expected(150..260));
    let mut client = Client::open(&house, "?kinds=events&body=true", Some(&live[0].id));
    assert_eq!(numbers(&client.events(256)), expected(4..260));
}

#[test]
fn it_tells_of_refusals_attempts_and_changes() {
    let house = House::start(HOUSE, &[]);
    let mut client = Client::open(&house, "", None);
    receive(&house, ["{}".to_owned()]);
    assert_eq!(client.next().event, "event.received");
    let tried = client.next();
    assert_eq!((tried.event.as_str(), tried.data["next"].as_str()), ("delivery.attempted", Some("retry")));
    assert_eq!(tried.data["outcome"], "failed");
    assert!(tried.data["retry_at"].is_string(), "{tried:?}");
    assert_eq!(send(house.ingress, &request("POST", "/nowhere", &[], b"")).status, 404);
    let refused = client.next();
    assert_eq!(
        (refused.event.as_str(), refused.data["code"].as_str()),
        ("event.refused", Some("route.unknown"))
    );
    let delivery = tried.data["delivery"].as_str().expect("an id");
    json_less(&house, &format!("deliveries/{delivery}/cancel"));
    let changed = client.next();
    assert_eq!(
        (changed.event.as_str(), changed.data["state"].as_str()),
        ("delivery.changed", Some("cancelled"))
    );
    let metrics = request(
        "GET",
        "/metrics",
        &[("Host", "localhost"), ("Authorization", &format!("Bearer {}", root(&house)))],
        b"",
    );
    let page = send(house.admin, &metrics);
    assert!(page.text().contains("hookhouse_sse_clients 1\n"), "{}", page.text());
    drop(client);
    eventually("nobody listens", || {
        send(house.admin, &metrics).text().contains("hookhouse_sse_clients 0\n").then_some(())
    });
}

fn json_less(house: &House, path: &str) {
    let answer = ask(house, &root(house), ("POST", path), &[], "");
    assert_eq!(answer.status, 204, "{}", answer.text());
}

#[test]
fn who_resumes_is_told_which_deliveries_changed_meanwhile() {
    let house = House::start(HOUSE, &[]);
    receive(&house, ["1".to_owned()]);
    settled(&house, 1);
    let mut client = Client::open(&house, "?from=beginning&kinds=events", None);
    let last = client.events(1).remove(0).id;
    drop(client);
    receive(&house, ["2".to_owned()]);
    settled(&house, 2);
    let mut client = Client::open(&house, "?kinds=deliveries", Some(&last));
    let changed = client.next();
    assert_eq!(
        (changed.event.as_str(), changed.data["state"].as_str()),
        ("delivery.changed", Some("waiting"))
    );
    assert_eq!(changed.data["attempts"], 1);
}

#[test]
fn filters_pass_what_they_say_and_what_is_no_place_is_refused() {
    let house = House::start(HOUSE, &[]);
    receive(&house, ["1".to_owned()]);
    for bad in ["?kinds=bogus", "?from=yesterday", "?bogus=1", "?verified=perhaps"] {
        assert_eq!(
            ask(&house, &root(&house), ("GET", &format!("stream{bad}")), &[], "").status,
            400,
            "{bad}"
        );
    }
    let answer = ask(&house, &root(&house), ("GET", "stream"), &[("Last-Event-ID", "x")], "");
    assert_eq!(answer.status, 400);
    let mut client = Client::open(&house, "?from=beginning&kinds=events,refusals&verified=true", None);
    assert_eq!(send(house.ingress, &request("POST", "/nowhere", &[], b"")).status, 404);
    let only = client.next();
    assert_eq!(only.event, "event.refused", "the event is not verified");
    let head = json(&house, ("GET", "status"), "")["store"]["head"].as_u64().expect("a place");
    assert!(only.id.starts_with(&format!("{head}-")), "what does not pass is behind the client all the same");
}

#[test]
fn an_open_stream_ends_with_the_server_and_does_not_hold_it_up() {
    let mut house = House::start(HOUSE, &[]);
    let mut client = Client::open(&house, "", None);
    receive(&house, ["1".to_owned()]);
    assert_eq!(client.next().event, "event.received");
    assert!(house.stop().success());
    let mut rest = String::new();
    client.connection.stream().read_to_string(&mut rest).expect("it ends in good order");
    assert!(rest.ends_with("0\r\n\r\n"), "the last chunk of HTTP/1.1: {rest:?}");
    assert!(!house.log().iter().any(|line| line.contains("drain.cut")), "{:?}", house.log());
}
