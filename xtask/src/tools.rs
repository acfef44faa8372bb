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

/// Makes sure that there are Prometheus and promtool: the tests ask them whether they can read what is shipped for them.
///
/// # Errors
/// When one of them is missing and cannot be installed.
pub(crate) fn prometheus() -> anyhow::Result<()> {
    let otherwise =
        "there is no `prometheus` and `promtool`, which the tests run; install them (Debian: prometheus)";
    package("promtool", &["prometheus"], otherwise)?;
    package("prometheus", &["prometheus"], otherwise)
}

/// Makes sure that there is a Python that makes virtual environments.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn python() -> anyhow::Result<()> {
    if runs("python3", &["-c", "import ensurepip, venv"]) {
        return Ok(());
    }
    install(
        "python3",
        &["python3", "python3-venv"],
        "there is no `python3` that can make a virtual environment, in which the tests install Twilio's SDK; \
         install it (Debian: python3 python3-venv)",
    )
}

/// Makes sure that there is Node.js, with npm.
///
/// # Errors
/// When one of them is missing and cannot be installed.
pub(crate) fn node() -> anyhow::Result<()> {
    package(
        "node",
        &["nodejs"],
        "there is no `node`, with which the tests run Twilio's SDK; install it (Debian: nodejs)",
    )?;
    package(
        "npm",
        &["npm"],
        "there is no `npm`, with which the tests install Twilio's SDK; install it (Debian: npm)",
    )
}

/// Makes sure that there is Chromium, and a font for it to write with: the tests look at the web UI in it.
///
/// # Errors
/// When it is missing and cannot be installed.
pub(crate) fn chromium() -> anyhow::Result<()> {
    package(
        "chromium",
        &["chromium", "fonts-dejavu-core"],
        "there is no `chromium`, in which the tests open the web UI; install it (Debian: chromium)",
    )
}

/// Makes sure that there is nginx, with its stream module: the tests put one in front of a server.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn nginx() -> anyhow::Result<()> {
    if runs("nginx", &["-v"]) && Path::new("/usr/lib/nginx/modules/ngx_stream_module.so").exists() {
        return Ok(());
    }
    install(
        "nginx",
        &["nginx", "libnginx-mod-stream"],
        "there is no `nginx` with its stream module, which the tests start; install both (Debian: nginx \
         libnginx-mod-stream)",
    )
}

/// Makes sure that there is what the tests of TLS ask for an opinion: OpenSSL's client, nmap, testssl.sh, and Pebble, an
/// authority to order certificates from.
///
/// # Errors
/// When one of them is missing and cannot be installed.
pub(crate) fn tls() -> anyhow::Result<()> {
    let otherwise = "there is no `openssl`, `nmap`, `testssl` and `pebble`, with which the tests look at TLS; install them \
                     (Debian: openssl nmap testssl.sh bsdextrautils procps pebble)";
    if !runs("openssl", &["version"]) {
        install("openssl", &["openssl"], otherwise)?;
    }
    package("nmap", &["nmap"], otherwise)?;
    package("testssl", &["testssl.sh", "bsdextrautils", "procps"], otherwise)?;
    if !runs("sh", &["-c", "command -v pebble && command -v pebble-challtestsrv"]) {
        install("pebble", &["pebble"], otherwise)?;
    }
    Ok(())
}

/// Installs Debian packages where a program is missing and that is ours to do.
fn package(program: &str, packages: &[&str], otherwise: &str) -> anyhow::Result<()> {
    if runs(program, &["--version"]) {
        return Ok(());
    }
    install(program, packages, otherwise)
}

/// Installs Debian packages where that is ours to do.
fn install(program: &str, packages: &[&str], otherwise: &str) -> anyhow::Result<()> {
    if !is_root_on_debian() {
        bail!("{otherwise}");
    }
    step::run("package list", Command::new("apt-get").arg("update"))?;
    let install = ["install", "--yes", "--no-install-recommends"];
    let mut apt = Command::new("apt-get");
    // Debian starts the servers that it installs, unless the machine seems to be in single-user mode.
    apt.args(install).args(packages).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    step::run(program, &mut apt)
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
