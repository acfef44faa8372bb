//! Going on with another configuration: what takes over, what stays, what is refused, and what is said about it.

use std::process::Command;
use std::time::Duration;

use hookhouse_testkit::blackbox::{Answer, Connection, House, Traffic, eventually, request, send};
use hookhouse_testkit::receiver::Receiver;
use hookhouse_verify::Secret;
use hookhouse_verify::x::sign_post;
use serde_json::Value;

const INBOX: &str = "[source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\n";

fn post(house: &House, path: &str) -> Answer {
    send(house.ingress, &request("POST", path, &[], b"{}"))
}

/// Asks for a reload through the API.
fn reload(house: &House) -> (u16, Value) {
    let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("Host", "localhost"), ("Authorization", bearer.as_str())];
    let answer = send(house.admin, &request("POST", "/api/v1/config/reload", &headers, b""));
    (answer.status, serde_json::from_slice(&answer.body).expect("JSON"))
}

#[test]
fn sources_come_go_and_change_and_the_answer_says_which() {
    let other = "[source.other]\nprovider = \"none\"\npath = \"/other\"\n";
    let house = House::start(&format!("{INBOX}{other}"), &[]);
    assert_eq!((post(&house, "/inbox").status, post(&house, "/new").status), (200, 404));
    let mut open = Connection::open(house.ingress).expect("a connection");
    let ask = |path| request("POST", path, &[], b"{}");
    assert_eq!(open.exchange(&ask("/other")).expect("an answer").status, 200);

    house.configure(
        "[source.inbox]\nprovider = \"none\"\npath = \"/moved\"\n[source.new]\nprovider = \"none\"\npath = \"/new\"\n",
    );
    let (status, done) = reload(&house);
    assert_eq!(status, 200, "{done}");
    let changes = &done["changes"];
    assert_eq!(
        changes["sources"],
        serde_json::json!({"added": ["new"], "removed": ["other"], "changed": ["inbox"]})
    );
    assert_eq!(changes["destinations"], serde_json::json!({"added": [], "removed": [], "changed": []}));
    assert_eq!(changes["listeners"], serde_json::json!({"added": [], "removed": [], "changed": []}));
    for (path, status) in [("/moved", 200), ("/new", 200), ("/inbox", 404), ("/other", 404)] {
        assert_eq!(post(&house, path).status, status, "{path}");
        // A refusal that was not read to its end closes its connection.
        if status == 200 {
            assert_eq!(open.exchange(&ask(path)).expect("the connection goes on").status, 200, "{path}");
        }
    }
    let names: Vec<_> = house.api("sources")["data"].as_array().expect("a list").clone();
    assert_eq!(names.iter().map(|source| &source["name"]).collect::<Vec<_>>(), ["inbox", "new"]);
    let listed = house.api("config")["settings"].to_string();
    assert!(listed.contains("/moved") && !listed.contains("/other"), "{listed}");

    let (status, done) = reload(&house);
    assert_eq!((status, &done["changes"]["sources"]["changed"]), (200, &serde_json::json!([])));
    let (code, out, err) = house.reload();
    assert_eq!((code, out.trim()), (0, "reloaded; changed: nothing"), "{err}");
}

#[test]
fn a_file_with_mistakes_changes_nothing_and_every_mistake_has_its_caret() {
    let house = House::start(INBOX, &[]);
    house.configure("[source.inbox]\nprovider = \"nobody\"\npath = \"moved\"\n");
    let (status, problem) = reload(&house);
    assert_eq!(status, 422, "{problem}");
    assert_eq!(problem["type"], "urn:hookhouse:problem:config-rejected");
    let codes: Vec<_> =
        problem["diagnostics"].as_array().expect("a list").iter().map(|found| &found["code"]).collect();
    assert_eq!(codes, ["config.unknown_provider", "config.value"]);
    let (code, out, err) = house.reload();
    assert_eq!((code, out.as_str()), (3, ""));
    for said in [
        "config.unknown_provider",
        "hookhouse.toml:4:12",
        "config.value",
        "hookhouse.toml:5:8",
        "path = \"moved\"",
    ] {
        assert!(err.contains(said), "{said}: {err}");
    }
    assert_eq!(post(&house, "/inbox").status, 200);
    eventually("both are in the log", || {
        let rejected = |line: &&String| line.contains("config.rejected");
        (house.log().iter().filter(rejected).count() == 2).then_some(())
    });
}

#[test]
fn what_cannot_change_is_refused_at_its_key() {
    let house = House::start(INBOX, &[]);
    let file = std::fs::read_to_string(house.config_file()).expect("the configuration");
    let file = file
        .replace("path = \"store\"", "path = \"elsewhere\"\nreserve = \"64MB\"")
        .replace("[admin]\nlisten = \"127.0.0.1:0\"", "[admin]\nlisten = \"127.0.0.1:4999\"");
    std::fs::write(house.config_file(), file).expect("the folder is ours");
    let (status, problem) = reload(&house);
    assert_eq!(status, 422, "{problem}");
    let found = problem["diagnostics"].as_array().expect("a list");
    let said: Vec<_> = found.iter().map(|found| (&found["code"], &found["message"])).collect();
    for key in ["store.path", "store.reserve", "admin.listen"] {
        let message = Value::from(format!("`{key}` cannot change while the server runs"));
        assert!(said.contains(&(&"config.needs_restart".into(), &message)), "{said:?}");
    }
    assert_eq!(post(&house, "/inbox").status, 200);
}

#[test]
fn a_hangup_reloads() {
    let house = House::start(INBOX, &[]);
    house.configure(&INBOX.replace("\"/inbox\"", "\"/moved\""));
    let told = Command::new("kill").args(["-HUP", &house.pid().to_string()]).status().expect("kill");
    assert!(told.success());
    eventually("the reload", || (post(&house, "/moved").status == 200).then_some(()));
    assert_eq!(post(&house, "/inbox").status, 404);
}

#[test]
fn destinations_come_go_and_move() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let receiver = || runtime.block_on(Receiver::start()).expect("a port");
    let (first, second) = (receiver(), receiver());
    let with = |deliver: &str, destinations: &[(&str, &Receiver)]| {
        let mut text = format!("{INBOX}deliver = {deliver}\n");
        for (name, receiver) in destinations {
            text += &format!(
                "[destination.{name}]\nurl = \"http://{}/\"\nallow_loopback = true\n",
                receiver.address()
            );
        }
        text
    };
    let got = |receiver: &Receiver, count: usize| {
        eventually("deliveries", || (receiver.received().len() >= count).then_some(()));
    };
    let house = House::start(&with("[\"a\"]", &[("a", &first)]), &[]);
    post(&house, "/inbox");
    got(&first, 1);
    house.configure(&with("[\"a\", \"b\"]", &[("a", &first), ("b", &second)]));
    assert_eq!(house.reload().0, 0);
    post(&house, "/inbox");
    got(&first, 2);
    got(&second, 1);
    house.configure(&with("[\"a\"]", &[("a", &second)]));
    let (code, out, err) = house.reload();
    assert_eq!((code, out.trim()), (0, "reloaded; changed: sources ~inbox; destinations -b ~a"), "{err}");
    post(&house, "/inbox");
    got(&second, 2);
    assert_eq!(first.received().len(), 2);
    let backlogs = house.api("destinations")["data"].as_array().expect("a list").clone();
    assert_eq!(backlogs.iter().map(|one| &one["destination"]).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn listeners_come_and_go() {
    let house = House::start(INBOX, &[]);
    let more = "[listener.more]\naddress = \"127.0.0.1:0\"\n";
    house.configure(&format!("{INBOX}{more}"));
    // A second port 0 beside the first is another port.
    let (status, done) = reload(&house);
    assert_eq!((status, &done["changes"]["listeners"]["added"]), (200, &serde_json::json!(["127.0.0.1:0"])));
    let runtime: Value =
        serde_json::from_slice(&std::fs::read(house.store().join("runtime.json")).expect("it is there"))
            .expect("JSON");
    let addresses = runtime["ingress"].as_array().expect("a list");
    assert_eq!(addresses.len(), 2);
    let added = addresses[1].as_str().and_then(|text| text.parse().ok()).expect("an address");
    assert_eq!(send(added, &request("POST", "/inbox", &[], b"{}")).status, 200);
    house.configure(INBOX);
    assert_eq!(reload(&house).0, 200);
    eventually("the listener to close", || Connection::open(added).is_err().then_some(()));
    assert_eq!(post(&house, "/inbox").status, 200);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    house.configure(&format!("{INBOX}[listener.more]\naddress = \"{address}\"\n"));
    let (status, problem) = reload(&house);
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains(&address.to_string())), "{problem}");
    assert_eq!(post(&house, "/inbox").status, 200);
}

const OLD: &str = "consumer-secret-before-the-rotation";
const NEW: &str = "consumer-secret-after-the-rotation";

fn x(current: &str, former: Option<&str>) -> String {
    let former =
        former.map(|file| format!("previous_secrets = [{{ file = \"{file}\" }}]\n")).unwrap_or_default();
    format!(
        "[source.x]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = {{ file = \"{current}\" }}\n{former}"
    )
}

/// Signed with the old key by some and with the new one by others, as long as both count; nobody is refused.
#[test]
fn a_secret_is_rotated_under_load_and_nobody_is_refused() {
    let house = House::start("[source.x]\nprovider = \"none\"\npath = \"/x\"\n", &[]);
    std::fs::write(house.folder().join("old"), OLD).expect("the folder is ours");
    std::fs::write(house.folder().join("new"), NEW).expect("the folder is ours");
    let go_on = |config: &str| {
        house.configure(config);
        let (code, _, err) = house.reload();
        assert_eq!(code, 0, "{err}");
    };
    let signed = |key: &'static str, who: u64| {
        Traffic::begin(house.ingress, 2, Duration::from_millis(2), move |number| {
            let body = format!(r#"{{"who":{who},"number":{number}}}"#);
            let secret = Secret::new(key).expect("not empty");
            let signature = sign_post(&secret, body.as_bytes());
            let headers = [("x-twitter-webhooks-signature", signature.as_str())];
            request("POST", "/x", &headers, body.as_bytes())
        })
    };
    go_on(&x("old", None));
    let old = signed(OLD, 1);
    old.answered(20);
    // The new key is made known first; then the provider changes over, while the old one still counts.
    go_on(&x("new", Some("old")));
    old.answered(20);
    let new = signed(NEW, 2);
    for _ in 0..5 {
        go_on(&x("new", Some("old")));
        go_on(&x("old", Some("new")));
        new.answered(10);
        old.answered(10);
    }
    go_on(&x("new", Some("old")));
    let old = old.end();
    go_on(&x("new", None));
    new.answered(20);
    let new = new.end();
    old.assert_all_good();
    new.assert_all_good();
    assert_eq!(house.refusals(), Vec::<Value>::new());
    assert_eq!(house.events().len() as u64, old.good() + new.good());

    // A key that was taken out counts no more, and one that was replaced in its file is another key.
    let try_with = |key: &str| {
        let signature = sign_post(&Secret::new(key).expect("not empty"), b"{\"last\":1}");
        let headers = [("x-twitter-webhooks-signature", signature.as_str())];
        send(house.ingress, &request("POST", "/x", &headers, b"{\"last\":1}")).status
    };
    assert_eq!(try_with(OLD), 403);
    std::fs::write(house.folder().join("new"), OLD).expect("the folder is ours");
    let (status, done) = reload(&house);
    assert_eq!((status, &done["changes"]["sources"]["changed"]), (200, &serde_json::json!(["x"])));
    assert_eq!((try_with(OLD), try_with(NEW)), (200, 403));
    assert!(!done.to_string().contains("consumer-secret"), "{done}");
}

#[test]
fn metrics_of_what_is_gone_are_gone() {
    let house = House::start(INBOX, &[]);
    assert_eq!(post(&house, "/inbox").status, 200);
    let metrics = || {
        let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
        let bearer = format!("Bearer {}", token.trim());
        let headers = [("Host", "localhost"), ("Authorization", bearer.as_str())];
        send(house.admin, &request("GET", "/metrics", &headers, b"")).text().to_owned()
    };
    assert!(metrics().contains("source=\"inbox\"") && metrics().contains("http_route=\"/inbox\""));
    for round in 0..3 {
        house.configure(&format!("[source.in{round}]\nprovider = \"none\"\npath = \"/in\"\n"));
        assert_eq!(house.reload().0, 0);
        assert_eq!(post(&house, "/in").status, 200);
    }
    let page = metrics();
    assert!(!page.contains("inbox") && !page.contains("in0\"") && !page.contains("in1\""), "{page}");
    assert!(page.contains("source=\"in2\""));
}
