//! The servers that are compared, as processes of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::load::{Events, Traffic};

/// A running server; it ends with this value.
#[derive(Debug)]
pub(crate) struct Contender {
    name: &'static str,
    address: SocketAddr,
    process: Child,
    _folder: Option<TempDir>,
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
        Ok(Self { name, address, process, _folder: None })
    }

    /// Hookhouse with one X source, a store of its own and no destination.
    pub(crate) fn hookhouse(binary: &Path) -> anyhow::Result<Self> {
        let source = format!(
            "provider = \"x\"\npath = \"{}\"\nconsumer_secret = {{ env = \"{SECRET_VARIABLE}\" }}\n",
            Traffic::X.path()
        );
        Self::house(binary, &source)
    }

    /// Hookhouse with one Twilio source, a store of its own, and an application that answers.
    pub(crate) fn relay(binary: &Path, application: SocketAddr) -> anyhow::Result<Self> {
        let source = format!(
            "provider = \"twilio\"\npath = \"{}\"\npublic_url = \"{}\"\nauth_token = {{ env = \"{SECRET_VARIABLE}\" }}\n\
             relay = {{ to = \"application\" }}\n\n\
             [destination.application]\nurl = \"http://{application}/voice\"\nallow_loopback = true\n",
            Traffic::Calls.path(),
            Events::PUBLIC_URL,
        );
        Self::house(binary, &source)
    }

    fn house(binary: &Path, source: &str) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let address = free_address()?;
        let config = format!(
            "[server]\nlisten = [\"{address}\"]\n\n\
             [admin]\nlisten = \"{}\"\n\n\
             [store]\npath = \"store\"\n\n\
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
        Ok(Self { name: "hookhouse", address, process, _folder: Some(folder) })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until connections are accepted.
    pub(crate) async fn wait_until_it_serves(&mut self) -> anyhow::Result<()> {
        for _ in 0..100 {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended with {status} instead of serving", self.name);
            }
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("{} does not listen on {} after 5 s", self.name, self.address)
    }

    /// The most memory that was resident so far, by Linux's account.
    pub(crate) fn resident_megabytes(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: f64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes / 1e3)
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

fn command(program: &Path) -> Command {
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

/// An address that was free a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

const SECRET_VARIABLE: &str = "BENCH_SECRET";
