//! Servers to look at.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

use hookhouse_testkit::blackbox::{House, eventually, hookhouse};
use serde_json::{Value, json};
use tempfile::TempDir;

/// `hookhouse dev`, as a newcomer starts it.
#[derive(Debug)]
pub(crate) struct Dev {
    folder: TempDir,
    child: Child,
    pub(crate) ingress: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Dev {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = hookhouse();
        // Any free ports: tests run side by side.
        command.current_dir(folder.path()).args(["dev", "--port", "0", "--admin-port", "0"]).args(arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let file = folder.path().join(".hookhouse/runtime.json");
        let (ingress, admin) = eventually("runtime.json", || {
            let runtime: Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
            let ingress = runtime["ingress"][0].as_str()?.parse().ok()?;
            Some((ingress, runtime["admin"].as_str()?.parse().ok()?))
        });
        Self { folder, child, ingress, admin }
    }

    /// How a script calls the binary on this server.
    pub(crate) fn command(&self) -> Value {
        command(self.folder.path())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a script calls the binary in a folder.
fn command(folder: &Path) -> Value {
    json!({ "program": hookhouse().get_program().to_string_lossy(), "folder": folder })
}

/// The token of a house's store.
pub(crate) fn token(house: &House) -> String {
    let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
    token.trim().to_owned()
}
