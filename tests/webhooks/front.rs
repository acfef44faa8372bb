//! nginx in front of the server, and in the way: while it lasts it is named, and when it is over it is healed.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use hookhouse_emulator::x::Verdict;
use hookhouse_testkit::blackbox::eventually;
use hookhouse_testkit::certificate::{Authority, Certified, Wanted, in_days};
use hookhouse_x::calls::webhooks;
use tempfile::TempDir;

use crate::world::World;

/// The server is behind it.
const PASSING: &str = "location / { proxy_pass http://@house; }";
/// What a proxy does to whom it takes for a browser.
const REDIRECTING: &str = "location / { return 301 https://www.example.com$uri; }";

/// X gives a webhook up at once for a redirect.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_in_the_way_is_named_and_healed() {
    let mut front = Front::new();
    let mut world = World::new(|options| {
        options.seed = 6;
        options.replay.covers_withheld = true;
    })
    .await;
    world.outside = format!("http://{}", front.address);
    front.serve(PASSING, &world);
    world.serve("").await;
    world.subscribe(&["alice"]).await;
    world.pass(Duration::from_hours(1), |world| world.post("alice", "before")).await;

    front.serve(REDIRECTING, &world);
    invalidate(&world, "redirects").await;
    world.pass(Duration::from_hours(3), |world| world.post("alice", "meanwhile")).await;
    let explained =
        "the URL redirects with 301 to https://www.example.com/x (take the redirect out of the proxy";
    world.until("it is named", || named(&world.said(), "re-validating the webhook failed", explained)).await;

    front.serve(PASSING, &world);
    heal(&world).await;
    world.pass(Duration::from_hours(3), |world| world.post("alice", "after")).await;
    world.assert_whole().await;
}

/// Our own challenge finds a redirect before X's does, and then X is not asked to look.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_found_before_x_finds_it() {
    let mut front = Front::new();
    let mut world = World::new(|options| options.seed = 7).await;
    world.outside = format!("http://{}", front.address);
    front.serve(PASSING, &world);
    world.serve("").await;
    world.subscribe(&["alice"]).await;
    // X challenges once in a day, and after 18 hours Hookhouse has it challenge by itself.
    world.pass(Duration::from_hours(17), |_| {}).await;
    front.serve(REDIRECTING, &world);
    // X follows no redirect, and gives up on each after its retries.
    world.pass(Duration::from_mins(40), |world| world.post("alice", "into the void")).await;
    let from = world.said().len();
    within(&world, 6, || {
        let why = "the URL redirects with 301 to https://www.example.com/x";
        named(&world.said()[from..], "no challenge asked for, it would invalidate the webhook", why)
    })
    .await;
    front.serve(PASSING, &world);
    let from = world.said().len();
    within(&world, 2, || named(&world.said()[from..], "had X challenge webhook", "")).await;
    world.pass(Duration::from_hours(6), |_| {}).await;
    world.x.with_ledger(|ledger| {
        assert!(ledger.validity.iter().all(|turn| turn.valid), "{:#?}", ledger.validity);
    });
    world.assert_whole().await;
}

/// And for a certificate that has expired. X's own word names it: it calls a name, and from here that may lead elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_named_and_healed() {
    let authority = Authority::new();
    // The name of this machine, so that no name server is asked; X alone finds nginx behind it.
    let good = Wanted::good(&["localhost"]);
    let expired = Wanted { from: in_days(-90), to: in_days(-1), ..good.clone() };
    let mut front = Front::new();
    let mut world = World::new(|options| {
        options.seed = 8;
        options.replay.covers_withheld = true;
        options.connect_to = vec![("localhost".to_owned(), front.address)];
        options.trust(authority.pem().as_bytes()).unwrap();
    })
    .await;
    world.outside = "https://localhost".to_owned();
    front.certified = Some(authority.issue(&good));
    front.serve(PASSING, &world);
    world.serve("").await;
    world.subscribe(&["alice"]).await;
    world.pass(Duration::from_hours(1), |world| world.post("alice", "before")).await;

    front.certified = Some(authority.issue(&expired));
    front.serve(PASSING, &world);
    invalidate(&world, "certificate expired").await;
    world.pass(Duration::from_hours(3), |world| world.post("alice", "meanwhile")).await;
    let explained = "certificate expired";
    world.until("it is named", || named(&world.said(), "re-validating the webhook failed", explained)).await;

    front.certified = Some(authority.issue(&good));
    front.serve(PASSING, &world);
    heal(&world).await;
    world.pass(Duration::from_hours(3), |world| world.post("alice", "after")).await;
    world.assert_whole().await;
}

/// Somebody asks X to challenge, and X is not content.
async fn invalidate(world: &World, why: &str) {
    let client = world.client("alice");
    let webhook = client.send(&webhooks::list()).await.unwrap().remove(0);
    assert!(webhook.valid);
    client.send(&webhooks::validate(&webhook.id)).await.unwrap_err();
    world.x.with_ledger(|ledger| {
        let Some(Verdict::Invalid(verdict)) = ledger.crcs.back().map(|crc| &crc.verdict) else {
            panic!("{:#?}", ledger.crcs)
        };
        assert!(verdict.contains(why), "{verdict}");
    });
    assert!(world.x.webhooks().iter().all(|(_, _, valid)| !valid));
}

/// X calls the webhook valid within an hour: Hookhouse pauses for half an hour at most.
async fn heal(world: &World) {
    let from = world.said().len();
    within(world, 1, || named(&world.said()[from..], "re-validated webhook", "")).await;
    assert!(world.x.webhooks().iter().all(|(_, _, valid)| *valid), "{:#?}", world.said());
}

/// Turns the clock by minutes, for so many hours at most, until something holds.
async fn within(world: &World, hours: u32, holds: impl Fn() -> bool) {
    for _ in 0..60 * hours {
        if holds() {
            return;
        }
        world.x.advance(Duration::from_mins(1)).await;
        // The server's own wheels turn in real time.
        tokio::time::sleep(Duration::from_millis(12)).await;
    }
    panic!("not within {hours} hours: {:#?}", world.said());
}

/// Whether some deed says both.
fn named(said: &[String], what: &str, why: &str) -> bool {
    said.iter().any(|deed| deed.contains(what) && deed.contains(why))
}

/// An nginx that can be given another configuration.
struct Front {
    address: SocketAddr,
    /// With a certificate it speaks TLS.
    certified: Option<Certified>,
    folder: TempDir,
    process: Option<Child>,
}

impl Front {
    fn new() -> Self {
        Self { address: own_address(), certified: None, folder: TempDir::new().unwrap(), process: None }
    }

    /// Serves this and nothing else from now on: connections of before end.
    fn serve(&mut self, location: &str, world: &World) {
        self.end();
        let folder = self.folder.path();
        let (mut listen, mut tls) = (self.address.to_string(), String::new());
        if let Some(certified) = &self.certified {
            let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
            certified.write(&cert, &key);
            listen += " ssl";
            tls = format!("ssl_certificate {}; ssl_certificate_key {};", cert.display(), key.display());
        }
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}; ", folder.join(kind).display()))
            .concat();
        let location = location.replace("@house", &world.inside().to_string());
        let config = format!(
            "daemon off; master_process off; pid {}; error_log stderr crit;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; {temporary}\n server {{ listen {listen}; {tls}\n{location} }} }}\n",
            folder.join("pid").display(),
        );
        std::fs::write(folder.join("nginx.conf"), config).unwrap();
        let mut process = Command::new("nginx")
            .args(["-e", "stderr", "-p"])
            .arg(folder)
            .args(["-c", "nginx.conf"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is installed (`cargo xtask test` does so on Debian)");
        eventually("nginx", || {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "nginx ended: {ended:?}");
            TcpStream::connect(self.address).ok()
        });
        self.process = Some(process);
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.end();
    }
}

/// nginx cannot choose a port by itself, so every one has a loopback address of its own and the same port.
fn own_address() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    SocketAddr::from((Ipv4Addr::new(127, 200 + (count % 50), high, low.max(1)), 8443))
}
