//! Pebble, Let's Encrypt's authority for tests, and the name server that it asks.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use hookhouse_testkit::blackbox::eventually;
use hookhouse_testkit::certificate::{Authority, Wanted};
use tempfile::TempDir;

/// An authority, and a machine of its own that every name leads to: it has a loopback address, because neither of its
/// programs can choose a port by itself.
pub(super) struct Pebble {
    folder: TempDir,
    address: Ipv4Addr,
    running: Vec<Child>,
}

/// Where the authority probes: TLS, and HTTP.
const PROBED: [u16; 2] = [5001, 5002];

impl Pebble {
    /// A place for one, which does not run yet.
    pub(super) fn prepare() -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let folder = tempfile::tempdir().expect("a temporary folder");
        // One of its own for each test, also where each runs in a process of its own.
        let [_, process @ ..] = std::process::id().to_be_bytes();
        let block = process[0].wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed)) % 64;
        let address = Ipv4Addr::new(127, 32 + block, process[1], process[2]);
        let authority = Authority::new();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("the folder is ours");
        let certified = authority.issue(&Wanted::good(&[&address.to_string()]));
        certified.write(&folder.path().join("cert.pem"), &folder.path().join("key.pem"));
        Self { folder, address, running: Vec::new() }
    }

    /// Starts it anew: it remembers nothing. Certificates live for so many seconds; so many requests in a hundred are told
    /// that their nonce is bad.
    pub(super) fn start(&mut self, life: u32, bad_nonces: u32) {
        self.start_with(life, bad_nonces, self.address);
    }

    /// The same, with a name server that leads everybody to another address.
    pub(super) fn start_with(&mut self, life: u32, bad_nonces: u32, leads_to: Ipv4Addr) {
        let at = |port: u16| SocketAddr::from((self.address, port)).to_string();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": at(14000),
            "managementListenAddress": at(15000),
            "certificate": self.path("cert.pem"),
            "privateKey": self.path("key.pem"),
            "httpPort": PROBED[1],
            "tlsPort": PROBED[0],
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "retryAfter": { "authz": 1, "order": 1 },
            "certificateValidityPeriod": life,
        }});
        std::fs::write(self.path("pebble.json"), config.to_string()).expect("the folder is ours");
        let mut names = Command::new("pebble-challtestsrv");
        names.args(["-defaultIPv6", "", "-defaultIPv4", &leads_to.to_string(), "-management", &at(8055)]);
        names.args(["-dns01", &at(8053), "-http01", "", "-https01", "", "-tlsalpn01", ""]);
        let mut pebble = Command::new("pebble");
        pebble.arg("-config").arg(self.path("pebble.json")).args(["-dnsserver", &at(8053)]);
        pebble.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", bad_nonces.to_string());
        for command in [&mut names, &mut pebble] {
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let child = quiet.spawn().expect("pebble is installed (`cargo xtask test` does so on Debian)");
            self.running.push(child);
        }
        for port in [8055, 14000, 15000] {
            eventually("pebble", || TcpStream::connect((self.address, port)).ok());
        }
    }

    /// Ends it as an outage does.
    pub(super) fn stop(&mut self) {
        for mut child in self.running.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The part of a configuration that orders from it, for servers that listen where it probes.
    pub(super) fn server(&self, challenge: &str) -> String {
        let [tls, http] = self.probed();
        self.server_at(tls, http, challenge)
    }

    /// The same, for servers that listen elsewhere.
    pub(super) fn server_at(&self, tls: SocketAddr, http: SocketAddr, challenge: &str) -> String {
        format!(
            "[server]\nlisten = [\"{tls}\"]\npublic_url = \"https://hooks.example.com\"\n\
             hosts = [\"hooks.example.com\", \"other.example.com\"]\n\
             tls = {{ acme = {{ contact = \"mailto:ops@example.com\", directory = \"https://{}:14000/dir\", \
             ca = {:?}, challenge = \"{challenge}\" }} }}\n[listener.http]\naddress = \"{http}\"\n",
            self.address,
            self.path("ca.pem"),
        )
    }

    /// Where it probes: TLS, and HTTP.
    pub(super) fn probed(&self) -> [SocketAddr; 2] {
        PROBED.map(|port| SocketAddr::from((self.address, port)))
    }

    /// What its certificates go back to, in PEM.
    pub(super) fn root(&self) -> String {
        let output = Command::new("curl")
            .args(["-sS", "--cacert"])
            .arg(self.path("ca.pem"))
            .arg(format!("https://{}:15000/roots/0", self.address))
            .output()
            .expect("curl is installed (`cargo xtask test` does so on Debian)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("PEM is ASCII")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.stop();
    }
}
