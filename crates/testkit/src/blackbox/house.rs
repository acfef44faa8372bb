//! A server of our own: the real binary with a configuration, in a folder that goes away.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use super::canary::{Canary, sightings};
use super::{Connection, eventually, request, send};

/// A server that runs, and what it was started with.
#[derive(Debug)]
pub struct House {
    folder: TempDir,
    variables: Vec<(String, String)>,
    /// How many the server may have open; `None` for as many as we may.
    descriptors: Option<u32>,
    child: Option<Child>,
    log: Arc<Mutex<Vec<String>>>,
    /// Where it takes webhooks.
    pub ingress: SocketAddr,
    /// Where its admin API is.
    pub admin: SocketAddr,
}

/// The binary, which cargo puts beside the folder of the tests that it builds; nothing of our environment but PATH.
#[must_use]
pub fn hookhouse() -> Command {
    let test = std::env::current_exe().expect("a test is a file");
    let built = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
    let mut command = Command::new(built.join("hookhouse"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

impl House {
    /// Starts a server with a configuration; its listeners take any free ports.
    pub fn start(config: &str, variables: &[(&str, &str)]) -> Self {
        Self::started(config, variables, |_| {}, "/readyz", None)
    }

    /// The same, with files in its folder that the configuration speaks of.
    pub fn start_with(config: &str, variables: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Self {
        Self::started(config, variables, prepare, "/readyz", None)
    }

    /// Starts a server whose store takes nothing, so that it never becomes ready.
    pub fn start_unready(config: &str, variables: &[(&str, &str)]) -> Self {
        Self::started(config, variables, |_| {}, "/livez", None)
    }

    /// Starts a server that may have only so many descriptors open.
    pub fn start_with_descriptors(most: u32, config: &str, variables: &[(&str, &str)]) -> Self {
        Self::started(config, variables, |_| {}, "/readyz", Some(most))
    }

    fn started(
        config: &str,
        variables: &[(&str, &str)],
        prepare: impl FnOnce(&Path),
        when: &str,
        descriptors: Option<u32>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut house = Self {
            folder,
            variables: variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            descriptors,
            child: None,
            log: Arc::default(),
            ingress: nowhere,
            admin: nowhere,
        };
        prepare(house.folder.path());
        house.configure(config);
        house.run_until(when);
        house
    }

    /// Writes the configuration anew, for the next start.
    pub fn configure(&self, config: &str) {
        let listen = if config.contains("[server]") { "" } else { "[server]\nlisten = [\"127.0.0.1:0\"]\n" };
        let text = format!(
            "{listen}{config}\n[admin]\nlisten = \"127.0.0.1:0\"\n{}",
            if config.contains("[store]") { String::new() } else { self.own_store() }
        );
        std::fs::write(self.config_file(), text).expect("the folder is ours");
    }

    /// Has the server go on with the configuration as it is written now; answers with what it says.
    pub fn reload(&self) -> (i32, String, String) {
        self.tell(&["reload"])
    }

    /// A folder; or, where `HOUSE_STORE` is the address of a NATS server, streams of our own on that.
    fn own_store(&self) -> String {
        let folder = "[store]\npath = \"store\"\n".to_owned();
        let Ok(url) = std::env::var("HOUSE_STORE") else { return folder };
        let name = self.folder.path().file_name().map(|name| name.to_string_lossy().to_lowercase());
        let name: String =
            name.iter().flat_map(|name| name.chars()).filter(char::is_ascii_alphanumeric).collect();
        format!(
            "{folder}url = \"{url}\"\nprefix = \"{name}\"\nreplicas = 1\ndurability = \"trusted\"\n\
                 retention = {{ size = \"64MB\" }}\n"
        )
    }

    /// Starts the server again, and waits until it is ready.
    pub fn run(&mut self) {
        self.run_until("/readyz");
    }

    fn run_until(&mut self, when: &str) {
        let _ = std::fs::remove_file(self.store().join("runtime.json"));
        self.child = Some(self.serve(&[]));
        let runtime: Value = eventually("runtime.json", || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                panic!("serve ended with {status}:\n{}", self.log().join("\n"));
            }
            serde_json::from_slice(&std::fs::read(self.store().join("runtime.json")).ok()?).ok()
        });
        self.ingress = runtime["ingress"][0].as_str().and_then(|a| a.parse().ok()).expect("an address");
        self.admin = runtime["admin"].as_str().and_then(|a| a.parse().ok()).expect("an address");
        self.wait_until(when);
    }

    fn serve(&self, more: &[&str]) -> Child {
        let mut serve = self.command(&["serve"]);
        // What is logged by default, unless the test says otherwise.
        if !self.variables.iter().any(|(name, _)| name == "HOOKHOUSE_LOG") {
            serve.args(["--log", "debug"]);
        }
        serve.args(more);
        if let Some(most) = self.descriptors {
            let direct = serve;
            serve = Command::new("sh");
            serve.args(["-c", &format!("ulimit -n {most} && exec \"$@\""), "sh"]);
            serve.arg(direct.get_program()).args(direct.get_args()).current_dir(self.folder.path());
            serve.env_clear().envs(direct.get_envs().filter_map(|(name, value)| Some((name, value?))));
        }
        let mut child =
            serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                log.lock().expect("nobody panics with the log").push(line);
            }
        });
        child
    }

    fn wait_until(&self, when: &str) {
        eventually("readiness", || {
            let ask = request("GET", when, &[("Host", "localhost")], b"");
            let mut connection = Connection::open(self.admin).ok()?;
            connection.exchange(&ask).ok().filter(|answer| answer.status == 200)
        });
    }

    /// Starts another server, which takes over from this one; answers with how this one ended.
    pub fn take_over(&mut self) -> ExitStatus {
        let former = self.begin_take_over();
        self.end_take_over(former)
    }

    /// Starts another server, which takes over from this one; answers with this one, which goes.
    pub fn begin_take_over(&mut self) -> Child {
        let successor = self.serve(&["--take-over"]);
        self.child.replace(successor).expect("the server runs")
    }

    /// Waits until the former server has ended, and the other one is ready.
    pub fn end_take_over(&mut self, mut former: Child) -> ExitStatus {
        let ended = eventually("the former server to end", || {
            let successor = self.child.as_mut().expect("it was just started");
            if let Some(status) = successor.try_wait().expect("it is our child") {
                panic!("the successor ended with {status}:\n{}", self.log().join("\n"));
            }
            former.try_wait().expect("it is our child")
        });
        self.wait_until("/readyz");
        ended
    }

    /// A command of the binary, in the house's folder, with its secrets.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hookhouse();
        command.current_dir(self.folder.path()).args(arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub fn tell(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().expect("the binary starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    /// Runs a command that prints JSON lines.
    pub fn ask(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = arguments.to_vec();
        all.extend(["-o", "jsonl"]);
        let (code, out, err) = self.tell(&all);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// Every stored event.
    pub fn events(&self) -> Vec<Value> {
        self.ask(&["events", "export"])
    }

    /// Every refusal on record, the newest first.
    pub fn refusals(&self) -> Vec<Value> {
        self.api("refusals?limit=1000")["data"].as_array().cloned().expect("a list")
    }

    /// Asks the admin API.
    pub fn api(&self, path: &str) -> Value {
        let token = std::fs::read_to_string(self.store().join("admin.token")).expect("a token");
        let bearer = format!("Bearer {}", token.trim());
        let target = format!("/api/v1/{path}");
        let ask = request("GET", &target, &[("Host", "localhost"), ("Authorization", &bearer)], b"");
        let answer = send(self.admin, &ask);
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// A page, as somebody sees it who logged in.
    pub fn page(&self, path: &str) -> String {
        let token = std::fs::read_to_string(self.store().join("admin.token")).expect("a token");
        let login = format!(r#"{{"token":"{}"}}"#, token.trim());
        let headers = [("Host", "localhost"), ("Content-Type", "application/json")];
        let session = send(self.admin, &request("POST", "/login", &headers, login.as_bytes()));
        let cookie = session.header("set-cookie").and_then(|set| set.split(';').next()).expect("a session");
        let headers = [("Host", "localhost"), ("Cookie", cookie)];
        let page = send(self.admin, &request("GET", path, &headers, b""));
        assert_eq!(page.status, 200, "{path}");
        page.text().to_owned()
    }

    /// What the server wrote to its log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("nobody panics with the log").clone()
    }

    /// Ends it as a power switch does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it as an operator does.
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the server runs");
        let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
        assert!(told.success());
        child.wait().expect("it is our child")
    }

    /// The process of the server.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("hookhouse.toml")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() {
            self.no_secret_is_in_the_log();
        }
    }
}

impl House {
    /// What a house is given in variables are its secrets, in every test.
    fn no_secret_is_in_the_log(&self) {
        let log = self.log().join("\n");
        let secrets: Vec<_> = self
            .variables
            .iter()
            .filter(|(name, value)| value.len() >= 16 && !NO_SECRETS.contains(&name.as_str()))
            .map(|(name, value)| Canary::new(name, value.as_bytes()))
            .collect();
        let seen = sightings(&secrets, log.as_bytes());
        assert!(seen.is_empty(), "secrets are in the log: {seen:?}");
    }
}

/// Variables that hold something else.
const NO_SECRETS: [&str; 4] = ["HOOKHOUSE_LOG", "HOME", "XDG_CONFIG_HOME", "CREDENTIALS_DIRECTORY"];
