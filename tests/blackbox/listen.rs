//! `hookhouse listen`: a laptop that sleeps, loses its network and comes back, and an application that is down.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hookhouse_testkit::blackbox::{Connection, House, PATIENCE, eventually, request};
use hookhouse_testkit::receiver::{Behaviour, Received, Receiver};
use hookhouse_verify::Secret;
use hookhouse_verify::x::sign_post;

const SECRET: &str = "consumer-secret-of-the-listener1";
const CONFIG: &str = "[source.x]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = { env = \"SECRET\" }\n\
                      [source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\n";

/// The network between a laptop and the server: it can be cut.
struct Network {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Network {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (cut, streams) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (is_cut, open) = (Arc::clone(&cut), Arc::clone(&streams));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(server) else { continue };
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                open.lock().expect("nobody panics with it").extend([clone(&near), clone(&far)]);
                for (from, to) in [(clone(&near), clone(&far)), (far, near)] {
                    std::thread::spawn(move || copy(from, to));
                }
            }
        });
        Self { address, cut, streams }
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for stream in self.streams.lock().expect("nobody panics with it").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut chunk = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// A server far away, a network, and an application here.
struct Place {
    house: House,
    network: Network,
    application: Receiver,
    runtime: tokio::runtime::Runtime,
}

impl Place {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let application = runtime.block_on(Receiver::start()).expect("a port").patient(PATIENCE * 2);
        application.always(Behaviour::status(200));
        let house = House::start(CONFIG, &[("SECRET", SECRET)]);
        let network = Network::to(house.admin);
        let place = Self { house, network, application, runtime };
        let token = place.house.store().join("admin.token").display().to_string();
        let url = format!("http://{}", place.network.address);
        let added = place.command(&["contexts", "add", "far", "--url", &url, "--token-file", &token]);
        assert!({ added }.status().expect("the binary starts").success());
        place
    }

    /// A command of the laptop, which knows the server by the name of a context alone.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.house.command(arguments);
        command.current_dir("/").env("XDG_CONFIG_HOME", self.house.folder().join("settings"));
        command
    }

    fn listen(&self, arguments: &[&str]) -> Listener {
        let url = self.application.url("/app?own=1");
        let mut command =
            self.command(&["--context", "far", "listen", "--forward-to", &url, "--name", "laptop"]);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        Listener(command.spawn().expect("the binary starts"))
    }

    /// Sends signed events, by a few connections at once.
    fn send(&self, from: usize, count: usize) {
        let (secret, ingress) = (Secret::new(SECRET).expect("not empty"), self.house.ingress);
        std::thread::scope(|threads| {
            for worker in 0..4 {
                let secret = &secret;
                threads.spawn(move || {
                    let mut connection = Connection::open(ingress).expect("the server accepts connections");
                    for number in (from..from + count).filter(|number| number % 4 == worker) {
                        let body = format!("{{\"for_user_id\":\"1\",\"n\":{number}}}");
                        let signature = sign_post(secret, body.as_bytes());
                        let headers = [
                            ("content-type", "application/json"),
                            ("x-twitter-webhooks-signature", signature.as_str()),
                        ];
                        let answer =
                            connection.exchange(&request("POST", "/x?n=1", &headers, body.as_bytes()));
                        assert_eq!(answer.expect("an answer").status, 200);
                    }
                });
            }
        });
    }

    fn received(&self) -> Vec<Received> {
        self.application.received()
    }

    fn wait_for(&self, count: usize) {
        self.runtime.block_on(self.application.wait_for(count));
    }

    /// The ids that the application got, in the order in which it did.
    fn ids(&self) -> Vec<String> {
        self.received()
            .iter()
            .map(|got| got.header("hookhouse-event-id").expect("an id").to_owned())
            .collect()
    }

    /// Whether the application got what is stored, each once and in order; says where not.
    fn check(&self) {
        let (got, stored) = (self.ids(), self.stored());
        let differs = got.iter().zip(&stored).position(|(got, stored)| got != stored);
        assert_eq!((differs, got.len()), (None, stored.len()), "the first that differs, and how many came");
    }

    /// The ids of every verified event, in the order of the log.
    fn stored(&self) -> Vec<String> {
        let events = self.house.events();
        let verified = events.iter().filter(|event| event["verified"] == true);
        verified.map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
    }
}

/// `hookhouse listen`; it does not outlive its test.
struct Listener(Child);

impl Listener {
    fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.0.id().to_string()]).status().expect("kill");
        assert!(told.success(), "{name}");
    }

    /// Ends it as a person does.
    fn end(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.0.wait().expect("it is our child").code()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn ten_thousand_events_for_a_laptop_that_sleeps_and_loses_its_network() {
    let place = Place::new();
    let listener = place.listen(&["x", "--from", "beginning"]);
    place.send(0, 2_000);
    place.wait_for(300);
    listener.signal("-STOP");
    place.send(2_000, 4_000);
    listener.signal("-CONT");
    place.wait_for(3_000);
    place.network.cut();
    place.send(6_000, 4_000);
    place.network.mend();
    place.wait_for(10_000);
    assert_eq!(listener.end(), Some(0));
    place.check();

    // The cursor is the server's: the next one goes on where this one stopped.
    place.send(10_000, 3);
    let listener = place.listen(&["x"]);
    place.wait_for(10_003);
    assert_eq!(listener.end(), Some(0));
    place.check();
    let first = &place.received()[0];
    assert_eq!((first.method.as_str(), first.target.as_str()), ("POST", "/app?own=1&n=1"));
    assert_eq!(first.header("hookhouse-source"), Some("x"));
    assert!(
        first.header("hookhouse-verified").is_some_and(|proof| proof.contains("consumer_secret")),
        "{first:?}"
    );
    assert_eq!(first.header("x-twitter-webhooks-signature"), None, "signatures stay on the server");
    assert_eq!(first.header("content-type"), Some("application/json"));
}

#[test]
fn an_application_that_is_down_gets_everything_later_and_in_order() {
    let place = Place::new();
    for trouble in [Behaviour::status(503), Behaviour::Close, Behaviour::status(404)] {
        place.application.next(trouble);
    }
    let listener = place.listen(&["--from", "beginning"]);
    place.send(0, 5);
    place.wait_for(8);
    assert_eq!(listener.end(), Some(0));
    let (ids, stored) = (place.ids(), place.stored());
    assert!(ids[..4].iter().all(|id| *id == stored[0]), "the first is tried until it is taken");
    assert_eq!(ids[3..], stored);
    let attempts: Vec<_> =
        place.received()[..4].iter().map(|got| got.header("hookhouse-attempt").map(str::to_owned)).collect();
    assert_eq!(attempts, ["1", "2", "3", "4"].map(|n| Some(n.to_owned())));
}

#[test]
fn what_nothing_vouches_for_comes_only_when_it_is_wanted() {
    let place = Place::new();
    let unsigned = || {
        let mut connection = Connection::open(place.house.ingress).expect("the server accepts connections");
        let answer = connection.exchange(&request("POST", "/inbox", &[], b"anything")).expect("an answer");
        assert_eq!(answer.status, 200);
    };
    unsigned();
    place.send(0, 1);
    let listener = place.listen(&["--from", "beginning"]);
    place.wait_for(1);
    assert_eq!(listener.end(), Some(0));
    assert_eq!(place.ids(), place.stored(), "the unsigned one stays away");
    let listener = place.listen(&["--from", "beginning", "--unverified"]);
    place.wait_for(3);
    assert_eq!(listener.end(), Some(0));
    assert_eq!(place.received()[1].header("hookhouse-verified"), Some("none"));
    // From an event on: that one first.
    let last = place.stored().pop().expect("an event");
    let listener = place.listen(&["--from", &last]);
    place.wait_for(4);
    assert_eq!(listener.end(), Some(0));
    assert_eq!(place.ids().pop(), Some(last));
}

#[test]
fn a_cursor_has_one_listener_and_can_be_forgotten() {
    let place = Place::new();
    let cursors = || place.house.api("cursors")["data"].as_array().cloned().expect("a list");
    let mut first = place.listen(&["--from", "beginning"]);
    eventually("the first one has it", || cursors().first().map(|cursor| cursor["holder"].clone()));
    let holder = cursors()[0]["holder"].clone();
    let second = place.listen(&[]);
    eventually("the second one has it", || (cursors()[0]["holder"] != holder).then_some(()));
    // The first one notices when it next moves the cursor; whoever comes first, each event is taken by one of them.
    place.send(0, 1);
    let code = first.0.wait().expect("it is our child").code();
    assert_eq!(code, Some(1), "somebody else took its cursor");
    assert_eq!(second.end(), Some(0));
    assert_eq!(cursors()[0]["name"], "laptop");
    let forget = |place: &Place| {
        let mut command = place.command(&["--context", "far", "listen", "--forget", "--name", "laptop"]);
        command.output().expect("the binary starts").status.code()
    };
    assert_eq!((forget(&place), cursors().len(), forget(&place)), (Some(0), 0, Some(4)));
}
