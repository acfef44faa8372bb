//! The program under test, as an operator starts it: a process with a configuration, a store and a log.

use std::fs::{File, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::time::Instant;

use crate::http::Connection;

/// The secret with which every harness signs.
pub const SECRET: &str = "the consumer secret of the harness, 0001";

/// Where events are sent.
pub const PATH: &str = "/webhooks/x";

/// How long a busy machine may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server: started, ended and started again on the same store.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    folder: PathBuf,
    store: PathBuf,
    wrapper: Vec<String>,
    variables: Vec<(String, String)>,
    child: Option<Child>,
    /// Where it takes webhooks.
    pub ingress: SocketAddr,
    /// Where its admin API is.
    pub admin: SocketAddr,
}

/// What a configuration says beside the source.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Where events are delivered to.
    pub destination: Option<SocketAddr>,
    /// Where it listens; any free port otherwise.
    pub listen: Option<SocketAddr>,
    /// More lines of `[store]`.
    pub store: String,
    /// More lines of `[destination.app]`.
    pub delivery: String,
    /// The lines of the source that name its secrets, where it is not the usual one.
    pub secrets: Option<String>,
    /// More sections.
    pub more: String,
}

impl Server {
    /// A server that is not started yet. Its configuration and log lie in `folder`, its store where it is told.
    #[must_use]
    pub fn new(binary: &Path, folder: &Path, store: &Path) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            store: store.to_owned(),
            wrapper: Vec::new(),
            variables: Vec::new(),
            child: None,
            ingress: nowhere,
            admin: nowhere,
        }
    }

    /// Starts it by way of another program, which must become it.
    pub fn wrap(&mut self, words: &[&str]) {
        self.wrapper = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Gives it a variable of the environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Writes its configuration.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn configure(&self, setup: &Setup) -> anyhow::Result<()> {
        let listen = setup.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut text = format!(
            "[server]\nlisten = [\"{listen}\"]\nlimits = {{ connections = 20000, per_address = 1000 }}\n\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n\n[store]\npath = \"{}\"\n{}\n\
             [source.x]\nprovider = \"x\"\npath = \"{PATH}\"\n{}",
            self.store.display(),
            setup.store,
            setup.secrets.as_deref().unwrap_or("consumer_secret = { env = \"SOAK_SECRET\" }\n"),
        );
        if let Some(application) = setup.destination {
            text += &format!(
                "deliver = [\"app\"]\n\n[destination.app]\nurl = \"http://{application}/hooks\"\n\
                 allow_loopback = true\n{}",
                setup.delivery
            );
        }
        text += &setup.more;
        std::fs::write(self.folder.join("hookhouse.toml"), text)?;
        Ok(())
    }

    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead, or is not ready in time.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.start_until("/readyz")
    }

    /// Starts it, and waits until it is there, even if its store takes nothing.
    ///
    /// # Errors
    /// When it ends instead, or does not answer in time.
    pub fn start_unready(&mut self) -> anyhow::Result<()> {
        self.start_until("/livez")
    }

    fn start_until(&mut self, path: &str) -> anyhow::Result<()> {
        self.spawn()?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended()? {
                bail!("serve ended with {status}:\n{}", self.last_words());
            }
            if self.finds_itself() && answers(self.admin, path) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{path} did not answer 200 in time:\n{}", self.last_words());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Starts it, and waits for nothing.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        // A power cut, or a damaged file system, may have taken it or keep it.
        drop(std::fs::remove_file(self.store.join("runtime.json")));
        self.child = Some(self.serve(&[])?);
        Ok(())
    }

    /// Starts another process, which takes over; answers with how the former one ended, once the new one is ready.
    ///
    /// # Errors
    /// When the successor ends instead, or one of the two takes too long.
    pub fn take_over(&mut self) -> anyhow::Result<ExitStatus> {
        let successor = self.serve(&["--take-over"])?;
        let mut former = self.child.replace(successor).context("there is no server to take over from")?;
        let ended = self.until_succeeded(&mut former);
        if ended.is_err() {
            drop(former.kill());
            drop(former.wait());
        }
        ended
    }

    fn until_succeeded(&mut self, former: &mut Child) -> anyhow::Result<ExitStatus> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended()? {
                bail!("the successor ended with {status}:\n{}", self.last_words());
            }
            if let Some(status) = former.try_wait()?
                && answers(self.admin, "/readyz")
            {
                return Ok(status);
            }
            ensure!(Instant::now() < until, "nobody took over in time:\n{}", self.last_words());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Has the running server read its configuration again; answers with the exit code of the command, and what it said.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn reload(&self) -> anyhow::Result<(Option<i32>, String)> {
        let mut command = Command::new(&self.binary);
        command.arg("reload").current_dir(&self.folder).env_clear().env("SOAK_SECRET", SECRET);
        let output = command.stdin(Stdio::null()).output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    fn serve(&self, more: &[&str]) -> anyhow::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let mut words = self.wrapper.iter();
        let mut command = match words.next() {
            Some(wrapper) => {
                let mut command = Command::new(wrapper);
                command.args(words).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command
            .args(["serve", "--log", "warn,hookhouse_store_sqlite=info"])
            .args(more)
            .current_dir(&self.folder);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("SOAK_SECRET", SECRET).envs(self.variables.iter().map(|(n, v)| (n, v)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))
    }

    /// Reads where it listens, if it said so.
    pub fn finds_itself(&mut self) -> bool {
        let Ok(text) = std::fs::read(self.store.join("runtime.json")) else { return false };
        let Ok(runtime) = serde_json::from_slice::<Value>(&text) else { return false };
        let address = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let (Some(ingress), Some(admin)) = (address(&runtime["ingress"][0]), address(&runtime["admin"]))
        else {
            return false;
        };
        (self.ingress, self.admin) = (ingress, admin);
        true
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended()? {
                self.child = None;
                return Ok(status);
            }
            ensure!(Instant::now() < until, "it did not end in time:\n{}", self.last_words());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it at once: SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way nothing is left to do about it.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Ends it as an operator does: SIGTERM.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal("-TERM")?;
        self.wait()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is not running.
    pub fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.pid()?.to_string();
        let told = Command::new("kill").args([signal, &pid]).status()?;
        ensure!(told.success(), "kill {signal} {pid}: {told}");
        Ok(())
    }

    /// Its process.
    ///
    /// # Errors
    /// When it is not running.
    pub fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("the server is not running")?.id())
    }

    /// Every event in its store, by the operator's own command: of the running server, or of the store that it left.
    ///
    /// # Errors
    /// When the command fails.
    pub fn events(&self) -> anyhow::Result<Vec<Value>> {
        let mut command = Command::new(&self.binary);
        command.args(["events", "export", "-o", "jsonl"]).current_dir(&self.folder);
        command.env_clear().env("SOAK_SECRET", SECRET);
        let output = command.stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "events export: {}: {said}", output.status);
        let text = String::from_utf8(output.stdout)?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Everything that it logged so far, over all of its lives.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(self.log_file())
            .map_or_else(|_| String::new(), |log| String::from_utf8_lossy(&log).into())
    }

    /// Forgets what it logged.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget_log(&self) -> anyhow::Result<()> {
        File::create(self.log_file())?;
        Ok(())
    }

    /// The end of its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Where its store lies.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.store
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address that was free a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// Whether a GET is answered with 200.
fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = Connection::open(address).and_then(|mut connection| connection.exchange(ask.as_bytes()));
    answer.is_ok_and(|answer| answer.status == 200)
}
