//! A NATS cluster of our own: real servers on ports of their own, with their data in a folder that goes away.
//!
//! Each server syncs its disk before it acknowledges. They can be killed, frozen and started again, one by one, and cut
//! off from each other: the way from one to another leads through a proxy of our own.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::blackbox::{eventually, request};

/// Servers that know each other.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    servers: Vec<Server>,
    /// From whom to whom.
    ways: Vec<(usize, usize, Way)>,
}

/// A way for connections, which can be cut: what is sent then waits, and whoever knocks is not heard, as where packets are
/// lost.
#[derive(Debug)]
struct Way {
    address: SocketAddr,
    state: Arc<WayState>,
}

#[derive(Debug, Default)]
struct WayState {
    cut: AtomicBool,
    ended: AtomicBool,
}

impl Way {
    fn to(place: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (address, state) = (listener.local_addr().expect("it is bound"), Arc::<WayState>::default());
        let own = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                if own.ended.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(near), state) = (near, Arc::clone(&own)) else { continue };
                std::thread::spawn(move || {
                    state.wait();
                    let Ok(far) = TcpStream::connect(place) else { return };
                    let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else { return };
                    let other = Arc::clone(&state);
                    let back = std::thread::spawn(move || other.pass(far_too, near_too));
                    state.pass(near, far);
                    drop(back.join());
                });
            }
        });
        Self { address, state }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // Wakes whoever accepts.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

impl WayState {
    fn wait(&self) {
        while self.cut.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// One direction, to its end.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        use std::io::{Read as _, Write as _};
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            self.wait();
            if to.write_all(bytes.get(..count).unwrap_or_default()).is_err() {
                break;
            }
        }
        // Whichever of the two is still open ends with the other one.
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
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
        let mut ways = Vec::new();
        for (from, to) in (0..count).flat_map(|from| (0..count).map(move |to| (from, to))) {
            if from != to {
                ways.push((from, to, Way::to(ports[3 * to + 2])));
            }
        }
        let mut servers = Vec::new();
        for n in 0..count {
            let [client, monitor, route] = [ports[3 * n], ports[3 * n + 1], ports[3 * n + 2]];
            let store = folder.path().join(format!("n{n}"));
            let routes: Vec<_> = ways
                .iter()
                .filter(|(from, _, _)| *from == n)
                .map(|(_, _, way)| format!("\"nats://{}\"", way.address))
                .collect();
            // What a server tells of itself leads nowhere, so that others come by the ways that they were given.
            let cluster = match count {
                1 => String::new(),
                _ => format!(
                    "cluster {{ name: test, listen: \"{route}\", advertise: \"127.0.0.1:1\", routes: [{}], \
                     connect_retries: 1000 }}\n",
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
        let mut cluster = Self { folder, servers, ways };
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

    /// The same, for clients that insist on TLS.
    #[must_use]
    pub fn secure_urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| format!("tls://{}", server.client)).collect()
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

    /// Ends a server as an operator does, and waits until it has.
    ///
    /// # Panics
    /// When it cannot be told.
    pub fn stop(&mut self, n: usize) {
        if let Some(mut child) = self.servers[n].child.take() {
            let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
            assert!(told.success());
            child.wait().expect("it is our child");
        }
    }

    /// Stops a server's process where it is, or lets it go on.
    pub fn freeze(&self, n: usize, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        if let Some(child) = &self.servers[n].child {
            let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
        }
    }

    /// Whether some file of the servers has these bytes in it.
    #[must_use]
    pub fn holds(&self, bytes: &[u8]) -> bool {
        fn any(folder: &std::path::Path, bytes: &[u8]) -> bool {
            let Ok(entries) = std::fs::read_dir(folder) else { return false };
            entries.flatten().map(|entry| entry.path()).any(|path| {
                if path.is_dir() {
                    return any(&path, bytes);
                }
                std::fs::read(&path).is_ok_and(|file| file.windows(bytes.len()).any(|part| part == bytes))
            })
        }
        any(self.folder.path(), bytes)
    }

    /// Cuts a server off from the others, or joins it to them again. Clients reach it all the same.
    pub fn isolate(&self, n: usize, isolated: bool) {
        for (_, _, way) in self.ways.iter().filter(|(from, to, _)| *from == n || *to == n) {
            way.state.cut.store(isolated, Ordering::Relaxed);
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
