//! What a service manager does for a server: sockets, credentials, and being told how it goes. And a Unix socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hookhouse_testkit::blackbox::{Connection, House, PATIENCE, eventually, hookhouse, request, send};
use hookhouse_testkit::receiver::{Behaviour, Receiver};

const INBOX: &str = "[source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\n[store]\npath = \"store\"\n";

fn post() -> Vec<u8> {
    request("POST", "/inbox", &[], b"{}")
}

/// Ports that were free a moment ago.
fn free() -> [SocketAddr; 2] {
    let bound = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    bound.map(|listener| listener.local_addr().expect("an address"))
}

/// A server whose sockets `systemd-socket-activate` opens: it starts with the first connection.
struct Activated {
    child: Child,
}

impl Activated {
    fn start(folder: &Path, names: &str, addresses: &[SocketAddr]) -> Self {
        let binary = hookhouse().get_program().to_owned();
        let mut command = Command::new("systemd-socket-activate");
        command.current_dir(folder).arg(format!("--fdname={names}")).stderr(Stdio::null());
        for address in addresses {
            command.arg(format!("--listen={address}"));
        }
        let child = command.arg(binary).args(["serve", "--log", "debug"]).spawn();
        Self {
            child: child
                .expect("systemd-socket-activate is installed (`cargo xtask test` does so on Debian)"),
        }
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sockets_of_a_service_manager_are_taken_by_their_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [hooks, admin] = free();
    let config = format!("[server]\nlisten = [\"fd:hooks\"]\n[admin]\nlisten = \"fd:admin\"\n{INBOX}");
    std::fs::write(folder.path().join("hookhouse.toml"), config).expect("the folder is ours");
    let server = Activated::start(folder.path(), "admin:hooks", &[admin, hooks]);
    eventually("the socket", || Connection::open(hooks).ok());
    assert_eq!(send(hooks, &post()).status, 200);
    let ready = request("GET", "/readyz", &[("Host", "localhost")], b"");
    eventually("readiness", || (send(admin, &ready).status == 200).then_some(()));
    let told = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().expect("kill");
    assert!(told.success());
}

#[test]
fn a_name_that_nobody_passed_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = format!("[server]\nlisten = [\"fd:hooks\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n{INBOX}");
    std::fs::write(folder.path().join("hookhouse.toml"), config).expect("the folder is ours");
    let output = hookhouse().current_dir(folder.path()).arg("serve").output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("cannot listen on fd:hooks") && said.contains("no descriptor called `hooks`"),
        "{said}"
    );
}

#[test]
fn the_service_manager_is_told_how_it_goes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a patience");
    let heard = |wanted: &str| loop {
        let mut buffer = [0; 1024];
        let length = manager.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}"));
        let text = String::from_utf8(buffer[..length].to_vec()).expect("text");
        if text.lines().any(|line| line.starts_with(wanted)) {
            return text;
        }
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().expect("UTF-8")), ("WATCHDOG_USEC", "200000")];
    let mut house = House::start(INBOX, &variables);
    assert!(heard("READY=1").contains(&format!("MAINPID={}", house.pid())));
    heard("WATCHDOG=1");
    assert_eq!(house.reload().0, 0);
    assert!(heard("RELOADING=1").contains("MONOTONIC_USEC="));
    heard("READY=1");
    assert!(house.stop().success());
    heard("STOPPING=1");
}

#[test]
fn a_credential_is_a_secret_too_and_a_reload_reads_it_again() {
    let credentials = tempfile::tempdir().expect("a temporary folder");
    let secret = credentials.path().join("github");
    std::fs::write(&secret, "a-secret-of-the-service-manager").expect("the folder is ours");
    let config =
        "[source.github]\nprovider = \"github\"\npath = \"/github\"\nsecret = { credential = \"github\" }\n";
    let folder = credentials.path().to_str().expect("UTF-8").to_owned();
    let house = House::start(config, &[("CREDENTIALS_DIRECTORY", &folder)]);
    let (code, out, err) = house.tell(&["trigger", "github", "--source", "github"]);
    assert_eq!(code, 0, "{out}{err}");
    std::fs::write(&secret, "another-secret-of-the-manager").expect("the folder is ours");
    let (code, out, err) = house.reload();
    assert_eq!((code, out.trim()), (0, "reloaded; changed: sources ~github"), "{err}");
    let (code, out, err) = house.tell(&["trigger", "github", "--source", "github"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(house.events().len(), 2);
}

#[test]
fn a_unix_socket_is_a_listener_like_any_other() {
    let config = format!("[server]\nlisten = [\"unix:in.sock\", \"127.0.0.1:0\"]\n{INBOX}");
    let mut house = House::start(&config, &[]);
    let path = house.folder().join("in.sock");
    let ask = || {
        let mut stream = UnixStream::connect(&path).expect("the socket is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a patience");
        stream.write_all(&request("POST", "/inbox", &[("Connection", "close")], b"{}")).expect("it is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    assert!(ask().starts_with("HTTP/1.1 200 "), "{}", ask());
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert_eq!(house.reload().0, 0);
    assert!(ask().starts_with("HTTP/1.1 200 "));
    assert!(house.take_over().success());
    assert!(ask().starts_with("HTTP/1.1 200 "));
    // Left behind by a server that was killed, it is in nobody's way.
    house.kill();
    house.run();
    assert!(ask().starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_successor_with_a_bad_configuration_leaves_the_server_as_it_was() {
    let house = House::start(INBOX, &[]);
    let good = std::fs::read_to_string(house.config_file()).expect("the configuration");
    std::fs::write(house.config_file(), good.replace("none", "nobody")).expect("the folder is ours");
    let (code, _, err) = house.tell(&["serve", "--take-over"]);
    assert_eq!(code, 3, "{err}");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let more = format!("{good}[listener.more]\naddress = \"{}\"\n", taken.local_addr().expect("an address"));
    std::fs::write(house.config_file(), more).expect("the folder is ours");
    let (code, _, err) = house.tell(&["serve", "--take-over"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("cannot listen on"), "{err}");
    assert_eq!(send(house.ingress, &post()).status, 200);
    // Whoever stands by does not take over by it; the next one can.
    std::fs::write(house.config_file(), good).expect("the folder is ours");
    let mut house = house;
    assert!(house.take_over().success());
    assert_eq!(send(house.ingress, &post()).status, 200);
    assert_eq!(house.events().len(), 2);
}

/// What is under way at the former server takes its time; challenges need no store, and are answered meanwhile.
#[test]
fn challenges_do_not_wait_for_what_the_former_server_still_does() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let application = runtime.block_on(Receiver::start()).expect("a port");
    let config = format!(
        r#"
[source.x]
provider = "x"
path = "/x"
consumer_secret = {{ env = "SECRET" }}
[source.slow]
provider = "none"
path = "/slow"
relay = {{ to = "app", deadline = "15s" }}
[source.inbox]
provider = "none"
path = "/inbox"
[destination.app]
url = "http://{}/"
allow_loopback = true
"#,
        application.address()
    );
    let mut house = House::start(&config, &[("SECRET", "consumer-secret-of-this-test-0001")]);
    application.always(Behaviour::status(202).after(Duration::from_secs(8)));
    let ingress = house.ingress;
    let slow = std::thread::spawn(move || send(ingress, &request("POST", "/slow", &[], b"{}")));
    eventually("the relay to be under way", || (!application.received().is_empty()).then_some(()));
    let mut former = house.begin_take_over();
    eventually("the former server to accept no more", || {
        house.log().iter().any(|line| line.contains("handover.begun")).then_some(())
    });
    let event = std::thread::spawn(move || send(ingress, &post()));
    let crc = request("GET", "/x?crc_token=token-of-this-test-000001&nonce=MTc5NTMxODk2NjEyMw", &[], b"");
    for _ in 0..20 {
        assert_eq!(send(ingress, &crc).status, 200);
    }
    assert!(former.try_wait().expect("it is our child").is_none(), "the former server is still there");
    assert!(!event.is_finished(), "an event waits for the store");
    assert_eq!(slow.join().expect("an answer").status, 202, "what was begun is finished");
    assert_eq!(event.join().expect("an answer").status, 200);
    assert!(house.end_take_over(former).success());
    assert_eq!(house.events().len(), 2);
}

/// The unit that is shipped, with the binary of this build.
fn units() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let binary = hookhouse().get_program().to_str().expect("UTF-8").to_owned();
    for name in ["hookhouse.service", "hookhouse.socket"] {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd").join(name);
        let unit = std::fs::read_to_string(shipped).expect("it is shipped");
        std::fs::write(folder.path().join(name), unit.replace("/usr/bin/hookhouse", &binary))
            .expect("the folder is ours");
    }
    folder
}

fn analyze(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("systemd-analyze")
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("systemd-analyze is installed (`cargo xtask test` does so on Debian)");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// At most 1.6, of 10 for a service that is not confined at all.
#[test]
fn the_unit_that_is_shipped_is_hardened() {
    let folder = units();
    let (fine, said) =
        analyze(folder.path(), &["security", "--offline=true", "--threshold=16", "./hookhouse.service"]);
    assert!(fine, "{said}");
    let (fine, said) =
        analyze(folder.path(), &["security", "--offline=true", "--threshold=1", "./hookhouse.service"]);
    assert!(!fine, "the threshold means something: {said}");
}

#[test]
fn systemd_understands_the_units_that_are_shipped() {
    let folder = units();
    let (fine, said) = analyze(folder.path(), &["verify", "./hookhouse.service", "./hookhouse.socket"]);
    assert!(fine && !said.contains("hookhouse"), "{said}");
    let text = std::fs::read_to_string(folder.path().join("hookhouse.service")).expect("it was just written");
    std::fs::write(folder.path().join("hookhouse.service"), text.replace("Type=notify", "Type=what"))
        .expect("the folder is ours");
    let (_, said) = analyze(folder.path(), &["verify", "./hookhouse.service"]);
    assert!(said.contains("hookhouse.service"), "a mistake is seen: {said}");
}
