//! A NATS cluster of our own: real servers on ports of their own, with their data in a folder that goes away.
//!
//! Each server syncs its disk before it acknowledges. They can be killed, frozen and started again, one by one.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::blackbox::{eventually, request};

/// Servers that know each other.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    client: SocketAddr,
    monitor: SocketAddr,
    child: Option<Child>,
}

/// The server, where `cargo xtask test` installs it: beside what is built.
fn nats_server() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let target = test.ancestors().nth(3).expect("tests lie in target/PROFILE/deps");
    let program = target.join("nats/bin/nats-server");
    assert!(program.exists(), "there is no {}; `cargo xtask test` installs it", program.display());
    program
}

impl Cluster {
    /// Starts so many servers and waits until they have a leader. `settings` is added to each one's configuration.
    ///
    /// # Panics
    /// When they do not start.
    #[must_use]
    pub fn start(count: usize, settings: &str) -> Self {
        Self::start_with(count, "sync_interval: always", settings)
    }

    /// The same, with other settings for their storage.
    ///
    /// # Panics
    /// When they do not start.
    #[must_use]
    pub fn start_with(count: usize, storage: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // All are held until all are known, so that no two are the same.
        let held: Vec<_> =
            (0..3 * count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let ports: Vec<_> = held.iter().map(|socket| socket.local_addr().expect("it is bound")).collect();
        drop(held);
        let routes: Vec<_> = (0..count).map(|n| format!("\"nats://{}\"", ports[3 * n + 2])).collect();
        let mut servers = Vec::new();
        for n in 0..count {
            let [client, monitor, route] = [ports[3 * n], ports[3 * n + 1], ports[3 * n + 2]];
            let store = folder.path().join(format!("n{n}"));
            let cluster = match count {
                1 => String::new(),
                _ => format!(
                    "cluster {{ name: test, listen: \"{route}\", routes: [{}], connect_retries: 1000 }}\n",
                    routes.join(", ")
                ),
            };
            let config = format!(
                "server_name: n{n}\nlisten: \"{client}\"\nhttp: \"{monitor}\"\nmax_payload: 8MB\n\
                 jetstream {{ store_dir: \"{}\", {storage} }}\n{cluster}{settings}\n",
                store.display()
            );
            std::fs::write(folder.path().join(format!("n{n}.conf")), config).expect("the folder is ours");
            servers.push(Server { client, monitor, child: None });
        }
        let mut cluster = Self { folder, servers };
        for n in 0..count {
            cluster.run(n);
        }
        for n in 0..count {
            cluster.wait_until_ready(n);
        }
        cluster
    }

    /// Where clients reach the servers.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| format!("nats://{}", server.client)).collect()
    }

    /// Where the servers tell how they are.
    #[must_use]
    pub fn monitors(&self) -> Vec<String> {
        self.servers.iter().map(|server| format!("http://{}", server.monitor)).collect()
    }

    /// How many servers there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.servers.len()
    }

    /// Starts a server, and does not wait for it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&mut self, n: usize) {
        let child = Command::new(nats_server())
            .arg("-c")
            .arg(self.folder.path().join(format!("n{n}.conf")))
            .arg("-l")
            .arg(self.folder.path().join(format!("n{n}.log")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        self.servers[n].child = Some(child);
    }

    /// Waits until a server is part of a cluster that has a leader.
    ///
    /// # Panics
    /// When that does not come about.
    pub fn wait_until_ready(&self, n: usize) {
        eventually("a NATS server that is ready", || {
            let health = self.ask(n, "/healthz")?;
            (health["status"] == "ok").then_some(())
        });
    }

    /// What a server's monitor says.
    #[must_use]
    pub fn ask(&self, n: usize, path: &str) -> Option<Value> {
        let monitor = self.servers.get(n)?.monitor;
        let mut connection = TcpStream::connect_timeout(&monitor, Duration::from_secs(2)).ok()?;
        connection.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        std::io::Write::write_all(
            &mut connection,
            &request("GET", path, &[("Host", "localhost"), ("Connection", "close")], b""),
        )
        .ok()?;
        let mut answer = Vec::new();
        std::io::Read::read_to_end(&mut connection, &mut answer).ok()?;
        let body = answer.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
        serde_json::from_slice(answer.get(body..)?).ok()
    }

    /// Kills a server as a crash of its process would.
    pub fn kill(&mut self, n: usize) {
        if let Some(mut child) = self.servers[n].child.take() {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops a server's process where it is, or lets it go on.
    pub fn freeze(&self, n: usize, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        if let Some(child) = &self.servers[n].child {
            let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
        }
    }

    /// What a server wrote to its log.
    #[must_use]
    pub fn log(&self, n: usize) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("n{n}.log"))).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for n in 0..self.servers.len() {
            self.freeze(n, false);
            self.kill(n);
        }
    }
}
