//! What gateways of a cluster have in common beside the events: pauses, care for X, logins, certificates.

use std::net::SocketAddr;
use std::sync::Arc;

use hookhouse_core::SystemClock;
use hookhouse_emulator::x::{EmulatedClock, Options, Platform, reveal};
use hookhouse_testkit::blackbox::{Answer, Balancer, House, eventually, request, send};
use hookhouse_testkit::nats::Cluster;
use hookhouse_testkit::receiver::Receiver;
use hookhouse_x::calls::webhooks;
use hookhouse_x::credentials::Credentials;
use hookhouse_x::{Client, Transport};
use serde_json::Value;
use tokio::runtime::Runtime;

/// A store on one server: what is asked here is no question of replicas.
fn store(cluster: &Cluster) -> String {
    format!(
        "[store]\npath = \"store\"\nurl = {:?}\nmonitor = {:?}\nreplicas = {}\nretention = {{ size = \"64MB\" }}\n\
         seal = {{ key = {{ env = \"SEAL\" }} }}\n",
        cluster.urls(),
        cluster.monitors(),
        cluster.size(),
    )
}

const SEAL: &str = "c2VhbHMgd2hhdCB0aGUgZ2F0ZXdheXMgc2hhcmUgMzI=";

fn app(receiver: &Receiver) -> String {
    let address = receiver.address();
    format!("[destination.app]\nurl = \"http://{address}/hooks\"\nallow_loopback = true\n")
}

fn said(house: &House, words: &[&str]) -> bool {
    house.log().iter().any(|line| words.iter().all(|word| line.contains(word)))
}

#[test]
fn a_destination_that_is_held_in_one_gateway_is_held_in_all() {
    let runtime = Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let cluster = Cluster::start(1, "");
    let config = format!(
        "{}[source.in]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n{}",
        store(&cluster),
        app(&receiver)
    );
    let houses = [House::start(&config, &[("SEAL", SEAL)]), House::start(&config, &[("SEAL", SEAL)])];
    let paused = |house: &House| {
        let list = house.api("destinations");
        list["data"][0]["paused"].as_bool().expect("it is said")
    };
    let (code, _, err) = houses[0].tell(&["destinations", "pause", "app"]);
    assert_eq!(code, 0, "{err}");
    eventually("the other one hears of it", || paused(&houses[1]).then_some(()));
    for house in &houses {
        assert_eq!(send(house.ingress, &request("POST", "/in", &[], b"held")).status, 200);
    }
    assert_eq!(receiver.received().len(), 0);
    let (code, _, err) = houses[1].tell(&["destinations", "resume", "app"]);
    assert_eq!(code, 0, "{err}");
    eventually("both go on", || (receiver.received().len() == 2 && !paused(&houses[0])).then_some(()));
}

fn client(x: &Platform) -> Client {
    let credentials = Credentials {
        bearer: Some(x.credentials().bearer.clone()),
        consumer: None,
        access: None,
        user_token: None,
    };
    Client::new(x.base_url().parse().expect("a URL"), credentials, Transport::system(), x.clock())
}

/// Has the webhook looked at, as the button of the page does.
fn look(house: &House) {
    let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
    let login = format!(r#"{{"token":"{}"}}"#, token.trim());
    let headers = [("Host", "localhost"), ("Content-Type", "application/json")];
    let session = send(house.admin, &request("POST", "/login", &headers, login.as_bytes()));
    let cookie = session.header("set-cookie").and_then(|set| set.split(';').next()).expect("a session");
    let headers = [("Host", "localhost"), ("Cookie", cookie), ("Sec-Fetch-Site", "same-origin")];
    let asked = send(house.admin, &request("POST", "/sources/x/look", &headers, b""));
    assert!(asked.status < 400, "{} {}", asked.status, asked.text());
}

/// The webhook is registered and looked after once, whichever gateway X reaches and whichever is asked; and when the one
/// that does it dies, the other one does.
#[test]
fn one_gateway_heals_and_all_of_them_show_it() {
    let runtime = Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let cluster = Cluster::start(1, "");
    let balancer = Balancer::start(&[]);
    let mut options = Options::with_clock(EmulatedClock::running(Arc::new(SystemClock)));
    options.allow_http = true;
    let x = runtime.block_on(Platform::start(options)).unwrap();
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\npublic_url = \"http://{}\"\n{}[source.x]\nprovider = \"x\"\npath = \"/x\"\n\
         consumer_secret = {{ env = \"CONSUMER_SECRET\" }}\nheal = true\n\
         api = {{ bearer = {{ env = \"BEARER\" }}, base = \"{}\" }}\ndeliver = [\"app\"]\n{}",
        balancer.address(),
        store(&cluster),
        x.base_url(),
        app(&receiver)
    );
    let keys = x.credentials();
    let variables = [
        ("SEAL", SEAL),
        ("CONSUMER_SECRET", reveal(&keys.consumer_secret)),
        ("BEARER", reveal(&keys.bearer)),
    ];
    // X can reach them before they heal: a failure would be followed by a pause.
    let idle = config.replace("heal = true", "heal = false");
    let mut houses = vec![House::start(&idle, &variables), House::start(&idle, &variables)];
    let addresses: Vec<SocketAddr> = houses.iter().map(|house| house.ingress).collect();
    balancer.set(&addresses);
    for house in &houses {
        house.configure(&config);
        let (code, _, err) = house.reload();
        assert_eq!(code, 0, "{err}");
    }
    let valid = || x.webhooks().iter().filter(|(_, _, valid)| *valid).count();
    let health = |house: &House| house.api("sources/x")["webhook"].clone();
    let shows = |house: &House, words: &str| {
        eventually(words, || {
            let webhook: Value = health(house);
            webhook.to_string().contains(words).then_some(())
        });
    };
    for house in &houses {
        look(house);
    }
    eventually("X has a valid webhook", || (valid() == 1).then_some(()));
    for house in &houses {
        shows(house, "\"condition\":\"valid\"");
        shows(house, "registered");
        // Whichever answered X's challenge.
        shows(house, "\"age_ms\"");
    }
    let at_it = |house: &House| said(house, &["duty.taken", "x/x"]);
    assert_eq!(houses.iter().filter(|house| at_it(house)).count(), 1, "one of them has the duty");
    let created = || x.ledger().counts.get("webhooks.create").copied();
    assert_eq!(created(), Some(1));

    let place = houses.iter().position(at_it).expect("one has");
    houses.remove(place).kill();
    let rest = &houses[0];
    balancer.set(&[rest.ingress]);
    eventually("the other one takes over", || at_it(rest).then_some(()));
    let client = client(&x);
    let deleted = async {
        let id = client.send(&webhooks::list()).await.unwrap().remove(0).id;
        client.send(&webhooks::delete(&id)).await.unwrap()
    };
    assert!(runtime.block_on(deleted));
    look(rest);
    eventually("it is registered again", || (valid() == 1).then_some(()));
    assert_eq!(created(), Some(2));
    runtime.block_on(x.stop());
}

/// What a sender with a password says to a challenge (RFC 7616).
struct Sender {
    nonce: String,
}

const PASSWORD: &str = "the-password-of-digest-logins";

impl Sender {
    fn challenged(house: &House) -> Self {
        let answer = send(house.ingress, &request("POST", "/calls", &[], b"one"));
        assert_eq!(answer.status, 401);
        let challenge = answer.header("www-authenticate").expect("a challenge");
        let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next());
        Self { nonce: nonce.expect("a nonce").to_owned() }
    }

    fn send(&self, house: &House, count: u32) -> Answer {
        let hash = |text: String| {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
            data_encoding::HEXLOWER.encode(digest.as_ref())
        };
        let (ha1, ha2) = (hash(format!("me:calls:{PASSWORD}")), hash("POST:/calls".to_owned()));
        let response = hash(format!("{ha1}:{}:{count:08x}:0a4f113b:auth:{ha2}", self.nonce));
        let login = format!(
            "Digest username=\"me\", realm=\"calls\", nonce=\"{}\", uri=\"/calls\", algorithm=SHA-256, qop=auth, \
             nc={count:08x}, cnonce=\"0a4f113b\", response=\"{response}\"",
            self.nonce
        );
        send(house.ingress, &request("POST", "/calls", &[("Authorization", &login)], b"one"))
    }
}

#[test]
fn a_nonce_of_one_gateway_is_good_in_the_other_and_its_count_is_spent_in_both() {
    let cluster = Cluster::start(1, "");
    let config = |store: &str| {
        format!(
            "{store}[source.calls]\nprovider = \"none\"\npath = \"/calls\"\n\
             digest_auth = {{ user = \"me\", password = {{ env = \"PASSWORD\" }} }}\n"
        )
    };
    let variables = [("SEAL", SEAL), ("PASSWORD", PASSWORD)];
    let sealed = config(&store(&cluster));
    let mut houses = [House::start(&sealed, &variables), House::start(&sealed, &variables)];
    let sender = Sender::challenged(&houses[0]);
    assert_eq!(sender.send(&houses[1], 1).status, 200, "challenged there, answered here");
    for house in &houses {
        let repeat = sender.send(house, 1);
        assert_eq!(repeat.status, 401, "nobody takes it twice");
        assert!(repeat.header("www-authenticate").is_some_and(|said| said.contains("stale=true")));
    }
    assert_eq!(sender.send(&houses[0], 2).status, 200);
    // A restart forgets nothing.
    assert!(houses[0].stop().success());
    houses[0].run();
    assert_eq!(sender.send(&houses[0], 2).status, 401);
    assert_eq!(sender.send(&houses[0], 3).status, 200);

    // Without a key to seal with, each gateway has nonces of its own, and says so.
    let open = config(&store(&cluster).replace("seal =", "# seal ="));
    let lonely = House::start(&open, &variables);
    eventually("that is said", || said(&lonely, &["login.nonces_not_shared"]).then_some(()));
    let challenged_again = sender.send(&lonely, 4);
    assert_eq!(challenged_again.status, 401);
    assert!(challenged_again.header("www-authenticate").is_some_and(|said| said.contains("stale=true")));
}
