//! Where `cargo xtask test` has put the SDKs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of these tests: scripts, and lists of what is to be installed.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sdk")
}

/// A Python script of this folder, with the packages of `requirements.txt`.
pub(crate) fn python(script: &str) -> Command {
    let folder = ready("python", "requirements.txt");
    let mut command = bare(folder.join("bin/python").as_os_str());
    command.arg("-I").arg(sources().join(script));
    command
}

/// A Node.js script of this folder, with the packages of `package-lock.json`.
pub(crate) fn node(script: &str) -> Command {
    let folder = ready("node", "package-lock.json");
    let mut command = bare("node".as_ref());
    command.env("NODE_PATH", folder.join("node_modules")).arg(sources().join(script));
    command
}

/// Nothing of our environment but `PATH`.
fn bare(program: &std::ffi::OsStr) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// The folder of a language's packages, if what is installed there is what the list asks for.
fn ready(language: &str, list: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let target = test.ancestors().nth(3).expect("tests lie in target/PROFILE/deps");
    let folder = target.join("sdk").join(language);
    let installed = std::fs::read(folder.join("installed")).ok();
    let wanted = std::fs::read(sources().join(list)).expect("the list is part of the repository");
    assert!(
        installed == Some(wanted),
        "the packages of tests/sdk/{list} are not installed: run `cargo xtask test`, which installs them"
    );
    folder
}
