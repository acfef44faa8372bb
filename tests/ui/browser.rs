//! A script in a browser, and what it saw.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// The folder of these tests.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ui")
}

/// Where `cargo xtask test` has put the packages, if they are those of the list.
fn packages() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let target = test.ancestors().nth(3).expect("tests lie in target/PROFILE/deps");
    let folder = target.join("ui/node");
    let installed = std::fs::read(folder.join("installed")).ok();
    let wanted =
        std::fs::read(sources().join("package-lock.json")).expect("the list is part of the repository");
    assert!(
        installed == Some(wanted),
        "the packages of tests/ui/package-lock.json are not installed: run `cargo xtask test`, which installs them"
    );
    folder.join("node_modules")
}

/// Runs a script against a server. `extra` is what it needs to know besides.
pub(crate) fn run(script: &str, admin: SocketAddr, extra: Value) -> Value {
    let profile = tempfile::tempdir().expect("a folder for the browser");
    let mut question = json!({ "base": format!("http://{admin}"), "profile": profile.path() });
    if let (Some(question), Value::Object(extra)) = (question.as_object_mut(), extra) {
        question.extend(extra);
    }
    let mut child = Command::new("node")
        .arg(sources().join("scripts").join(script))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", profile.path())
        .env("NODE_PATH", packages())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut input = child.stdin.take().expect("stdin is piped");
    input.write_all(question.to_string().as_bytes()).expect("node reads it");
    drop(input);
    let output = child.wait_with_output().expect("it is our child");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        output.status.success(),
        "{script} ended with {}; its last words are above\n{text}",
        output.status
    );
    let report: Value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{script} wrote no JSON: {text}"));
    assert_eq!(report["trouble"], json!([]), "{script}");
    report
}
