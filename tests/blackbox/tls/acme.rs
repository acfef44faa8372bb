//! Certificates from an authority: Pebble, which rejects nonces, forgets accounts, and is not there at times.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use hookhouse_testkit::blackbox::{House, Outside, Secure, eventually};

use super::pebble::Pebble;
use super::{NAME, SOURCE, logged, post};

/// Longer than any test.
const LONG: u32 = 90 * 24 * 3600;

fn start(pebble: &Pebble, challenge: &str) -> House {
    House::start(&format!("{}{SOURCE}", pebble.server(challenge)), &[])
}

/// A handshake, once there is a certificate for it.
fn secured(house: &House, outside: &Outside) -> Secure {
    eventually("a certificate", || {
        let secure = outside.connect(house.ingress, NAME);
        if secure.is_err() {
            // Whoever asks again at once only keeps a small machine from issuing.
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        secure.ok()
    })
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn issues_and_keeps(challenge: &str) {
    let mut pebble = Pebble::prepare();
    pebble.start(LONG, 20);
    let mut house = start(&pebble, challenge);
    let outside = Outside::trusting(&pebble.root());
    let mut secure = secured(&house, &outside);
    assert_eq!(secure.exchange(&post()).expect("an answer").status, 200);
    assert!(outside.connect(house.ingress, "other.example.com").is_ok(), "for every name");
    let issued = house.api("status")["tls"][0].clone();
    assert_eq!(issued["certificates"].as_array().map(Vec::len), Some(1), "{issued}");
    assert!(logged(&house, "tls.issued").is_some());

    let kept = files(&house.store().join("acme"));
    let mut names: Vec<_> = kept.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["account.json", "certificate.pem"]);
    for file in &kept {
        let mode = file.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }

    // The next start needs no authority.
    let first = secure.certificate();
    drop(secure);
    pebble.stop();
    assert!(house.stop().success());
    house.run();
    assert_eq!(secured(&house, &outside).certificate(), first);
}

#[test]
fn a_certificate_is_ordered_by_tls_alpn_01_and_kept() {
    issues_and_keeps("tls-alpn-01");
}

#[test]
fn a_certificate_is_ordered_by_http_01_and_kept() {
    issues_and_keeps("http-01");
}

#[test]
fn an_authority_that_is_not_there_is_asked_until_it_is() {
    let mut pebble = Pebble::prepare();
    let house = start(&pebble, "tls-alpn-01");
    let line = eventually("the failure", || logged(&house, "tls.order_failed"));
    assert!(line.contains("\"level\":\"ERROR\"") && line.contains("Connection refused"), "{line}");
    assert!(house.api("status")["tls"][0]["problem"].is_string());
    assert!(Outside::credulous().connect(house.ingress, NAME).is_err(), "there is nothing to show");
    pebble.start(LONG, 0);
    let outside = Outside::trusting(&pebble.root());
    secured(&house, &outside);
    assert!(house.api("status")["tls"][0]["problem"].is_null());
}

/// Renewals go on through bad nonces and an outage after which the authority knows nobody any more, and at no moment is
/// there no certificate or one that is over: the client would not take it.
#[test]
fn renewals_leave_no_moment_without_a_good_certificate() {
    let mut pebble = Pebble::prepare();
    pebble.start(40, 10);
    let house = start(&pebble, "tls-alpn-01");
    let first = pebble.root();
    let shown = secured(&house, &Outside::trusting(&first)).certificate();
    let (trusted, stop) = (Mutex::new(first.clone()), AtomicBool::new(false));
    let failures = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut failures = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let trusted = trusted.lock().expect("nobody panics with it").clone();
                if let Err(error) = Outside::trusting(&trusted).connect(house.ingress, NAME) {
                    failures.push(error.to_string());
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            failures
        });
        let renewed = |before: &[u8], trusted: &str| {
            eventually("a renewal", || {
                let secure = Outside::trusting(trusted).connect(house.ingress, NAME).ok()?;
                let now = secure.certificate();
                (now != before).then_some(now)
            })
        };
        let second = renewed(&shown, &first);
        // Another authority at the same place, which has never heard of the account.
        pebble.stop();
        pebble.start(40, 10);
        let both = first.clone() + &pebble.root();
        trusted.lock().expect("nobody panics with it").clone_from(&both);
        renewed(&second, &both);
        stop.store(true, Ordering::Relaxed);
        sender.join().expect("it counts")
    });
    assert_eq!(failures, Vec::<String>::new());
    assert!(logged(&house, "tls.account").is_some(), "another account was made");
}

#[test]
fn what_the_authority_cannot_prove_is_said_and_not_asked_again_at_once() {
    let mut pebble = Pebble::prepare();
    pebble.start_with(LONG, 0, Ipv4Addr::new(127, 255, 255, 254));
    let house = start(&pebble, "http-01");
    let line = eventually("the refusal", || logged(&house, "tls.order_failed"));
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
    let why = line["why"].as_str().expect("a reason");
    assert!(why.contains(".example.com") && why.contains("urn:ietf:params:acme:error:"), "{why}");
    assert!(line["again_in"].as_u64().is_some_and(|wait| wait >= 120), "{line}");
    assert_eq!(house.api("status")["tls"][0]["problem"], *why);
}

/// Two gateways behind a balancer: one orders, the authority probes either, both show the certificate, and its key lies
/// in the cluster sealed.
#[cfg(feature = "jetstream")]
fn shares_what_is_ordered(challenge: &str) {
    use hookhouse_testkit::blackbox::Balancer;
    use hookhouse_testkit::nats::Cluster;

    let cluster = Cluster::start(1, "");
    let mut pebble = Pebble::prepare();
    let balancers = pebble.probed().map(|address| Balancer::start_at(address, &[]));
    let anywhere = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = format!(
        "{}{SOURCE}[store]\npath = \"store\"\nurl = {:?}\nmonitor = {:?}\nreplicas = 1\nretention = {{ size = \"64MB\" }}\n\
         seal = {{ key = {{ env = \"SEAL\" }} }}\n",
        pebble.server_at(anywhere, anywhere, challenge),
        cluster.urls(),
        cluster.monitors(),
    );
    let variables = [("SEAL", "c2VhbHMgd2hhdCB0aGUgZ2F0ZXdheXMgc2hhcmUgMzI=")];
    let houses = [House::start(&config, &variables), House::start(&config, &variables)];
    for (place, balancer) in balancers.iter().enumerate() {
        let addresses: Vec<_> = houses.iter().map(|house| super::listeners(house)[place]).collect();
        balancer.set(&addresses);
    }
    pebble.start(LONG, 0);
    let outside = Outside::trusting(&pebble.root());
    let shown = houses.each_ref().map(|house| secured(house, &outside).certificate());
    assert_eq!(shown[0], shown[1]);
    let issued = houses.iter().filter(|house| logged(house, "tls.issued").is_some()).count();
    assert_eq!(issued, 1, "one of them ordered");

    // A gateway that comes later needs no authority.
    pebble.stop();
    let late = House::start(&config, &variables);
    assert_eq!(secured(&late, &outside).certificate(), shown[0]);
    for house in houses.iter().chain([&late]) {
        assert!(!house.store().join("acme").exists(), "nothing is on a gateway's disk");
    }
    assert!(cluster.holds(b"/certificate") && !cluster.holds(b"PRIVATE KEY"));

    let open = config.replace("seal =", "# seal =");
    late.configure(&open);
    let (code, _, err) = late.tell(&["check"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("`seal` is missing") && err.contains("hookhouse db key"), "{err}");
}

#[cfg(feature = "jetstream")]
#[test]
fn gateways_share_what_is_ordered_by_tls_alpn_01() {
    shares_what_is_ordered("tls-alpn-01");
}

#[cfg(feature = "jetstream")]
#[test]
fn gateways_share_what_is_ordered_by_http_01() {
    shares_what_is_ordered("http-01");
}
