//! The servers that are compared, as processes of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::load::{Events, Traffic};
use crate::usage;

/// A running server; it ends with this value.
#[derive(Debug)]
pub(crate) struct Contender {
    name: &'static str,
    address: SocketAddr,
    process: Child,
    folder: Option<TempDir>,
}

impl Contender {
    /// hyper and nothing else.
    pub(crate) fn bare() -> anyhow::Result<Self> {
        Self::ourselves("hyper", "bare")
    }

    /// The same, which answers with TwiML.
    pub(crate) fn application() -> anyhow::Result<Self> {
        Self::ourselves("application", "application")
    }

    fn ourselves(name: &'static str, role: &str) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = command(&std::env::current_exe()?);
        let process = command.args([role, &address.port().to_string()]).spawn()?;
        Ok(Self { name, address, process, folder: None })
    }

    /// What the tutorial for X's webhooks ends with: Flask on waitress.
    pub(crate) fn tutorial() -> anyhow::Result<Self> {
        let (address, mut command) = (free_address()?, command(&peers().join("python/bin/python")));
        let process = command.args(["bench/peers/tutorial.py", &address.port().to_string()]).spawn();
        Ok(Self { name: "tutorial", address, process: process.context("python")?, folder: None })
    }

    /// Fastify with a check of the signature, as a careful user would write it.
    pub(crate) fn fastify() -> anyhow::Result<Self> {
        let (address, mut command) = (free_address()?, command(Path::new("node")));
        let program = peers().join("node/server.mjs");
        let process =
            command.arg(program).arg(address.port().to_string()).env(SECRET_VARIABLE, Traffic::SECRET);
        Ok(Self { name: "fastify", address, process: process.spawn().context("node")?, folder: None })
    }

    /// Debian's `webhook`, which runs a command for each request. Without a check: it knows no signature of X's form.
    pub(crate) fn webhook() -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let (address, hooks) = (free_address()?, folder.path().join("hooks.json"));
        std::fs::write(&hooks, r#"[{"id": "x", "execute-command": "/bin/true"}]"#)?;
        let mut command = command(Path::new("webhook"));
        let port = address.port().to_string();
        command.args(["-ip", "127.0.0.1", "-port", &port, "-urlprefix", "webhooks", "-hooks"]).arg(hooks);
        Ok(Self {
            name: "webhook",
            address,
            process: command.spawn().context("webhook")?,
            folder: Some(folder),
        })
    }

    /// Hookhouse with one source, a store of its own and no destination.
    pub(crate) fn hookhouse(binary: &Path, traffic: Traffic) -> anyhow::Result<Self> {
        Self::house("hookhouse", binary, &source(traffic))
    }

    /// The same, with a destination that is given every event.
    pub(crate) fn delivering(
        name: &'static str,
        binary: &Path,
        traffic: Traffic,
        to: SocketAddr,
    ) -> anyhow::Result<Self> {
        let source = source(traffic) + "deliver = [\"application\"]\n";
        Self::house(name, binary, &(source + &destination(to)))
    }

    /// Hookhouse with one Twilio source, a store of its own, and an application that answers.
    pub(crate) fn relay(binary: &Path, application: SocketAddr) -> anyhow::Result<Self> {
        let source = source(Traffic::Calls) + "relay = { to = \"application\" }\n";
        Self::house("hookhouse", binary, &(source + &destination(application)))
    }

    /// Hookhouse with one source on a cluster, as its `[store]` describes it.
    pub(crate) fn gateway(binary: &Path, traffic: Traffic, store: &str) -> anyhow::Result<Self> {
        Self::house_on("gateway", binary, store, &source(traffic))
    }

    fn house(name: &'static str, binary: &Path, source: &str) -> anyhow::Result<Self> {
        Self::house_on(name, binary, "path = \"store\"\n", source)
    }

    fn house_on(name: &'static str, binary: &Path, store: &str, source: &str) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let address = free_address()?;
        let config = format!(
            "[server]\nlisten = [\"{address}\"]\n\n\
             [admin]\nlisten = \"{}\"\n\n\
             [store]\n{store}\n\
             [source.bench]\n{source}",
            free_address()?,
        );
        let path = folder.path().join("hookhouse.toml");
        std::fs::write(&path, config)?;
        // The server itself is started silent; what it would say about its configuration is said here.
        let checked = Command::new(binary)
            .args(["check", "--config"])
            .arg(&path)
            .env(SECRET_VARIABLE, Traffic::SECRET)
            .stdout(Stdio::null())
            .status()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        anyhow::ensure!(checked.success(), "{} does not take its configuration", binary.display());
        let process = command(binary)
            .args(["serve", "--config"])
            .arg(&path)
            .env(SECRET_VARIABLE, Traffic::SECRET)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self { name, address, process, folder: Some(folder) })
    }

    /// Bytes of the store's files on the disk.
    pub(crate) fn stored_bytes(&self) -> anyhow::Result<u64> {
        let folder = self.folder.as_ref().context("it has no folder")?.path().join("store");
        let mut bytes = 0;
        for file in std::fs::read_dir(folder)? {
            bytes += file?.metadata()?.len();
        }
        Ok(bytes)
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until connections are accepted.
    pub(crate) async fn wait_until_it_serves(&mut self) -> anyhow::Result<()> {
        for _ in 0..200 {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended with {status} instead of serving", self.name);
            }
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("{} does not listen on {} after 10 s", self.name, self.address)
    }

    /// The most memory that was resident so far.
    pub(crate) fn resident_megabytes(&self) -> Option<f64> {
        usage::megabytes(self.process(), "VmHWM")
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left to do about it.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Whether servers are kept on the first processor; the load's own place is its caller's choice.
pub(crate) fn pinned() -> bool {
    let silent = Command::new("taskset").args(["-c", "0", "true"]).stderr(Stdio::null()).status();
    silent.is_ok_and(|status| status.success())
}

pub(crate) fn command(program: &Path) -> Command {
    let mut command = if pinned() {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", "0"]).arg(program);
        pinned
    } else {
        Command::new(program)
    };
    // What a server logs for each event would be measured on one side only.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Where `cargo xtask bench` installs what is compared.
fn peers() -> &'static Path {
    Path::new("target/bench-peers")
}

/// A source of such traffic, as the configuration has it.
fn source(traffic: Traffic) -> String {
    let secret = format!("{{ env = \"{SECRET_VARIABLE}\" }}");
    let provider = match traffic {
        Traffic::X | Traffic::Challenges => format!("provider = \"x\"\nconsumer_secret = {secret}\n"),
        Traffic::Calls => {
            let url = Events::PUBLIC_URL;
            format!("provider = \"twilio\"\npublic_url = \"{url}\"\nauth_token = {secret}\n")
        }
    };
    format!("{provider}path = \"{}\"\n", traffic.path())
}

/// The destination `application`.
fn destination(address: SocketAddr) -> String {
    format!("\n[destination.application]\nurl = \"http://{address}/events\"\nallow_loopback = true\n")
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

const SECRET_VARIABLE: &str = "BENCH_SECRET";
