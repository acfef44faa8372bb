//! What the chores need besides Rust: installed where that is ours to do, named where it is not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::step;

/// The version is pinned: its minimum Rust version must not pass ours by itself.
const NEXTEST: &str = "0.9.143";

/// Makes sure that there is a C compiler: SQLite and AWS-LC are built from their sources.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn c_compiler() -> anyhow::Result<()> {
    package(
        "cc",
        &["gcc", "libc6-dev"],
        "there is no C compiler (`cc`); install gcc and the C library's headers (Debian: gcc libc6-dev)",
    )
}

/// Makes sure that there is curl: the tests ask it to log in and to speak HTTP/2, as a client that is not ours.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn curl() -> anyhow::Result<()> {
    package("curl", &["curl"], "there is no `curl`, which the tests call; install it (Debian: curl)")
}

/// Installs Debian packages where a program is missing and that is ours to do.
fn package(program: &str, packages: &[&str], otherwise: &str) -> anyhow::Result<()> {
    if runs(program, &["--version"]) {
        return Ok(());
    }
    if !is_root_on_debian() {
        bail!("{otherwise}");
    }
    step::run("package list", Command::new("apt-get").arg("update"))?;
    let install = ["install", "--yes", "--no-install-recommends"];
    let mut apt = Command::new("apt-get");
    step::run(program, apt.args(install).args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Makes sure that there is cargo-nextest.
///
/// # Errors
/// When it is missing and cannot be built.
pub(crate) fn nextest() -> anyhow::Result<()> {
    if runs("cargo-nextest", &["nextest", "--version"]) {
        return Ok(());
    }
    step::run(
        "cargo-nextest",
        &mut step::cargo(&["install", "cargo-nextest", "--locked", "--version", NEXTEST]),
    )
}

/// Whether a program is there and answers.
pub(crate) fn runs(program: &str, args: &[&str]) -> bool {
    let silent = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    silent.is_ok_and(|status| status.success())
}

/// The owner of our own `/proc` entry is who we are.
fn is_root_on_debian() -> bool {
    use std::os::unix::fs::MetadataExt;
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    root && Path::new("/etc/debian_version").exists() && runs("apt-get", &["--version"])
}
