//! A Prometheus that scrapes a house, in a folder that goes away.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use hookhouse_testkit::blackbox::{House, PATIENCE, eventually};
use serde_json::Value;
use tempfile::TempDir;

use super::deploy;

/// A Prometheus that runs.
#[derive(Debug)]
pub(crate) struct Prometheus {
    _folder: TempDir,
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one with the rules that are shipped, and waits until it has scraped the house.
    pub(crate) fn watching(house: &House) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }}\n\
             rule_files: [{rules:?}]\n\
             scrape_configs:\n\
             - job_name: hookhouse\n  \
               authorization: {{ credentials_file: {token:?} }}\n  \
               static_configs: [{{ targets: [\"{admin}\"] }}]\n",
            rules = deploy("prometheus/rules.yml"),
            token = house.store().join("admin.token"),
            admin = house.admin,
        );
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("the folder is ours");
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect(
                "prometheus is installed (Debian: prometheus); `cargo xtask test` does that where it may",
            );
        let log = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (sender, address) = mpsc::sync_channel(1);
        // Reads to the end, so that it never waits for somebody to read.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let listening = line.contains("msg=\"Listening on\"");
                if let Some((_, address)) = line.split_once(" address=").filter(|_| listening) {
                    let _ = sender.try_send(address.trim().to_owned());
                }
            }
        });
        let address = address.recv_timeout(PATIENCE).expect("prometheus says where it listens");
        let prometheus = Self { _folder: folder, child, address: address.parse().expect("an address") };
        eventually("a scrape", || {
            let up = prometheus.query("up")["result"][0]["value"][1].as_str()?.to_owned();
            (up == "1").then_some(())
        });
        prometheus
    }

    /// What a query comes to, now. A query that is wrong is an error.
    pub(crate) fn query(&self, query: &str) -> Value {
        self.ask(&["-G", "--data-urlencode", &format!("query={query}")], "query")
    }

    /// Every rule, and how its evaluation went.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let groups = self.ask(&[], "rules")["groups"].as_array().cloned().expect("groups");
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().expect("rules")).collect()
    }

    fn ask(&self, arguments: &[&str], path: &str) -> Value {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--retry", "5", "--retry-connrefused"]).args(arguments).arg(&url);
        let output = curl.output().expect("curl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // It says in words that it is still starting.
        let Ok(answer) = serde_json::from_str::<Value>(&said) else { return Value::Null };
        assert_eq!(answer["status"], "success", "{arguments:?}: {said}");
        answer["data"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
